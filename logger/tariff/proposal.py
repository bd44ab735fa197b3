"""Turn the gateway's copy of the owner's tariff into a tariff file to edit. Pure.

The copy comes from Enphase's cloud, may be years old, and contains no dates and no taxes. So the recorder does not
compute costs from the copy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

from logger.model import Json
from logger.tariff.price_plan import HOLIDAY
from logger.tariff.tariff_values import DAYS, MONTHS

_Table: TypeAlias = Mapping[str, Json]
PATH: Final = "/admin/lib/tariff"
_DAY_NAMES: Final = {day.capitalize(): day for day in DAYS[:HOLIDAY]}
"""The gateway's name of a day of the week → its name in a tariff file."""
_LAST_MINUTE: Final = 1439
"""23:59, in minutes since midnight. If a part of the day begins then, it only marks the end of the day."""
_HEAD: Final = """\
# A proposal from the gateway's copy of your tariff. Check every price against your bill, then remove this line.
# Prices are per kWh. docs/tariffs.md explains each key.
currency = {currency}

[[period]]
from = {first}
sell = {sell}
"""


def write_proposal(body: Json, first: str) -> str:
    """Return the text of a tariff file that applies from the date `first`; empty if the gateway has no price."""
    tariff = _table(_table(body).get("tariff"))
    single, seasons = _table(tariff.get("single_rate")), _tables(tariff.get("seasons"))
    rate, sell = _number(single.get("rate")), _number(single.get("sell"))
    currency = str(_table(tariff.get("currency")).get("code") or "EUR")
    text = _HEAD.format(currency=_quote(currency), first=first, sell=_show(sell))
    bands = list(_list_bands(seasons))
    if any(not band.endswith("buy = 0.0\n") for band in bands):
        return text + "".join(bands)
    tiers = "".join(_list_tiers(seasons))
    if not rate and not tiers:
        return ""
    return f"{text}buy = {_show(rate)}\n{tiers}"


def _list_bands(seasons: list[_Table]) -> Iterator[str]:
    """Yield the text of a `[[period.band]]` for each price of each kind of day in each season."""
    for place, season in enumerate(seasons):
        months = _months_of(season, seasons[(place + 1) % len(seasons)])
        kinds = _tables(season.get("days"))
        for kind in kinds:
            days = [_DAY_NAMES[name] for name in str(kind.get("days", "")).split(",") if name in _DAY_NAMES]
            parts = [
                (int(_number(part.get("start"))), _number(part.get("rate"))) for part in _tables(kind.get("periods"))
            ]
            if parts and parts[0][0] > 0:
                parts.insert(0, (0, parts[-1][1]))  # the last part continues after midnight
            spans: dict[float, list[str]] = {}
            for (begin, rate), (end, _) in pairwise([*parts, (1440, 0.0)]):
                if begin < _LAST_MINUTE:
                    spans.setdefault(rate, []).append(
                        f"{_clock(begin)}-{_clock(1440 if end >= _LAST_MINUTE else end)}"
                    )
            for rank, rate in enumerate(sorted(spans), 1):
                names = [str(season.get("id", "season")), *([days[0]] if len(kinds) > 1 and days else [])]
                yield (
                    f"\n[[period.band]]\nname = {_quote(' '.join([*names, str(rank)]))}\n"
                    + (f"months = {_list(months)}\n" if months else "")
                    + (f"days = {_list(days)}\n" if days else "")
                    + f"hours = {_list(spans[rate])}\nbuy = {_show(rate)}\n"
                )


def _list_tiers(seasons: list[_Table]) -> Iterator[str]:
    """Yield the text of a `[[period.tier]]` for each further tier of the first season.

    The surcharge of a tier is the difference between its price and the price of the tier before.
    """
    tiers = [tier for season in seasons[:1] for tier in _tables(season.get("tiers"))]
    for before, tier in pairwise(tiers):
        add = _number(tier.get("rate")) - _number(before.get("rate"))
        yield f"\n[[period.tier]]\nabove_kwh = {_show(_number(before.get('limit')))}\nadd = {_show(add)}\n"


def _months_of(season: _Table, following: _Table) -> list[str]:
    """Return the range of months of a season; empty for the whole year.

    A season ends where the `following` season begins. A season without a month begins in January.
    """
    begins = (str(each.get("start")).partition("/")[0] for each in (season, following))
    first, last = (int(month) - 1 if re.fullmatch("[0-9]{1,2}", month) else 0 for month in begins)
    return [] if first == last else [f"{MONTHS[first % 12]}-{MONTHS[(last - 1) % 12]}"]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _list(texts: list[str]) -> str:
    return f"[{', '.join(map(_quote, texts))}]"


def _quote(text: str) -> str:
    """Return a text as TOML writes it, in quotes."""
    return json.dumps(text, ensure_ascii=False)


def _table(value: Json) -> _Table:
    """Return `value` if it is a JSON object; else an empty object."""
    return value if isinstance(value, dict) else {}


def _tables(value: Json) -> list[_Table]:
    """Return the JSON objects in `value` if it is a list; else an empty list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _show(value: float) -> str:
    return f"{round(value, 6):g}" if value != int(value) else f"{value:.1f}"

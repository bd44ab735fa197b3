"""Read a tariff file (TOML): check every key, name each problem with its line. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from logger.tariff.band_energy import STANDING, UNPRICED
from logger.tariff.price_plan import (
    DAY_MINUTES,
    EVERY_DAY,
    EVERY_MONTH,
    HOLIDAY,
    WH,
    Band,
    PricePeriod,
    Tariff,
    Tier,
)
from logger.toml_lines import find_line

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of a tariff file",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a text in quotes",
    "list_type": "must be a list in square brackets",
    "tuple_type": "must be a list in square brackets",
    "model_type": "must be a table",
    "finite_number": "must be a finite number",
}
"""Kind of pydantic error → what is wrong, in the file's words."""


def _only_number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _only_day(value: object) -> object:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("must be a date without quotes, such as 2026-01-31")
    return value


def _parse_hours(value: object) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for text in _texts(value):
        begin, _, end = text.partition("-")
        if not (_CLOCK.fullmatch(begin.strip()) and _CLOCK.fullmatch(end.strip())):
            raise ValueError(f'{text!r} is not a span of hours such as "22:00-06:00"')
        first, last = (int(at.strip()[:2]) * 60 + int(at.strip()[3:]) for at in (begin, end))
        if max(first, last) > DAY_MINUTES or first == last:
            raise ValueError(f"{text!r} is not a span of hours: it ends where it begins, or after 24:00")
        found += [(first, last)] if first < last else [(first, DAY_MINUTES), *([(0, last)] if last else [])]
    return tuple(sorted(found))


def _parse_days(value: object) -> frozenset[int]:
    texts = _texts(value)
    week = [text for text in texts if text.strip().lower() != "holiday"]
    found = set(_list_numbers(week, _DAYS[:HOLIDAY], "day of the week"))
    return frozenset(found | ({HOLIDAY} if len(week) < len(texts) else set()))


def _parse_months(value: object) -> frozenset[int]:
    return frozenset(number + 1 for number in _list_numbers(_texts(value), _MONTHS, "month"))


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError('must be a list of texts, such as ["…", "…"]')
    return value


def _list_numbers(texts: list[str], names: Sequence[str], what: str) -> Iterator[int]:
    """Yield the places of names and of ranges of names; a range such as `nov-mar` passes the end of the list."""
    for text in texts:
        ends = [part.strip().lower()[:3] for part in text.split("-")]
        if len(ends) > 2 or any(end not in names for end in ends):
            raise ValueError(f"{text!r} is not a {what} or a range of them")
        first, last = names.index(ends[0]), names.index(ends[-1])
        yield from (at % len(names) for at in range(first, last + 1 + (len(names) if last < first else 0)))


_Price = Annotated[float, BeforeValidator(_only_number), Field(allow_inf_nan=False)]
_Day = Annotated[date, BeforeValidator(_only_day)]
_Name = Annotated[str, Field(min_length=1, max_length=60)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class _Band(_Table):
    name: _Name
    buy: _Price | None = None
    sell: _Price | None = None
    hours: Annotated[tuple[tuple[int, int], ...], BeforeValidator(_parse_hours)] | None = None
    days: Annotated[frozenset[int], BeforeValidator(_parse_days)] | None = None
    months: Annotated[frozenset[int], BeforeValidator(_parse_months)] | None = None


class _Tier(_Table):
    above_kwh: Annotated[_Price, Field(ge=0)]
    add: _Price


class _Period(_Table):
    start: _Day = Field(alias="from")
    until: _Day | None = None
    currency: _Name | None = None
    buy: _Price | None = None
    sell: _Price = 0.0
    hourly: bool = False
    balanced: bool = False
    standing_charge: _Price = 0.0
    holidays: list[_Day] = Field(default_factory=list)
    band: list[_Band] = Field(default_factory=list)
    tier: list[_Tier] = Field(default_factory=list)


class _File(_Table):
    currency: _Name | None = None
    prices: _Name | None = None
    period: list[_Period] = Field(min_length=1)


Where = tuple[str | int, ...]


def parse_tariff(data: bytes) -> tuple[Tariff, tuple[str, ...]]:
    """Parse a tariff file → the tariff, and all problems of the file; with any problem the tariff is empty."""
    try:
        text = data.decode("utf-8-sig")
        document: dict[str, Any] = tomllib.loads(text)
    except UnicodeDecodeError:
        return Tariff(), ("is not UTF-8 text",)
    except tomllib.TOMLDecodeError as error:
        return Tariff(), (f"is not TOML: {error}",)
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return Tariff(), tuple(_say(text, _where(item["loc"], document), _message(item)) for item in found)
    problems: list[tuple[Where, str]] = []
    periods = tuple(_make_period(file, at, problems) for at in range(len(file.period)))
    problems += _compare_periods(file.period)
    if problems:
        return Tariff(), tuple(_say(text, where, message) for where, message in problems)
    return Tariff(tuple(sorted(periods, key=lambda period: period.first)), file.prices or ""), ()


def _say(text: str, where: Where, message: str) -> str:
    line = find_line(text, where)
    name = next((str(part) for part in reversed(where) if isinstance(part, str)), "")
    return f"line {line}: {name} {message}".replace("  ", " ")


def _where(loc: Where, document: object) -> Where:
    """Return the part of pydantic's location that names keys of the document; it also names kinds of types."""
    found: list[str | int] = []
    for part in loc:
        if isinstance(part, str) and part.startswith(("function-", "tuple[", "frozenset[", "nullable")):
            break
        found.append(part)
    return tuple(found)


def _message(item: Any) -> str:
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    return _WORDS.get(item["type"], str(item["msg"]).lower())


def _make_period(file: _File, at: int, problems: list[tuple[Where, str]]) -> PricePeriod:
    """Make a period of its table, and check that its bands give each minute exactly one price."""
    table, where = file.period[at], ("period", at)
    currency = table.currency or file.currency or ""
    if not currency:
        problems.append((where, 'has no currency: write currency = "EUR" above it'))
    if table.until is not None and table.until <= table.start:
        problems.append(((*where, "until"), "is not later than from"))
    if table.hourly and not file.prices:
        problems.append(((*where, "hourly"), 'needs prices = "FILE or FOLDER" at the top of the file'))
    bands, rest = [], None
    for place, band in enumerate(table.band):
        here = (*where, "band", place)
        buy = table.buy if band.buy is None else band.buy
        if buy is None and not table.hourly:
            problems.append((here, f"{band.name!r} has no buy, and its period has none"))
        if band.name in (STANDING, UNPRICED):
            problems.append(((*here, "name"), f"{band.name!r} is a name that the recorder uses itself"))
        is_rest = band.hours is None and band.days is None and band.months is None
        made = Band(
            band.name,
            buy or 0.0,
            table.sell if band.sell is None else band.sell,
            band.hours or ((0, DAY_MINUTES),),
            band.days or EVERY_DAY,
            band.months or EVERY_MONTH,
        )
        if is_rest and rest is not None:
            problems.append((here, f"{band.name!r} is a second band without hours, days and months"))
        elif is_rest:
            rest = made
        else:
            bands.append(made)
    if not table.band:
        if table.buy is None and not table.hourly:
            problems.append((where, "has neither buy nor a band"))
        rest = Band("hourly" if table.hourly else "flat", table.buy or 0.0, table.sell)
    tiers = tuple(Tier(tier.above_kwh * WH, tier.add) for tier in table.tier)
    period = PricePeriod(
        table.start,
        table.until,
        currency,
        tuple(_spread_holidays(bands)),
        rest,
        tiers,
        table.standing_charge,
        frozenset(table.holidays),
        table.hourly,
        table.balanced,
    )
    problems += ((where, message) for message in _find_gaps_and_overlaps(period))
    return period


def _spread_holidays(bands: list[Band]) -> Iterator[Band]:
    """Treat a holiday as a Sunday where no band of the period names holidays."""
    named = any(HOLIDAY in band.days and band.days != EVERY_DAY for band in bands)
    for band in bands:
        days = set(band.days)
        if not named and 6 in days:
            days.add(HOLIDAY)
        elif not named:
            days.discard(HOLIDAY)
        yield Band(band.name, band.buy, band.sell, band.hours, frozenset(days), band.months)


def _find_gaps_and_overlaps(period: PricePeriod) -> list[str]:
    """Name the first minute that no band covers, and the first that two bands cover."""
    edges = sorted(
        {0, *(edge for band in period.bands for span in band.hours for edge in span if edge < DAY_MINUTES)}
    )
    found: dict[str, str] = {}
    for month in sorted(EVERY_MONTH):
        for day in sorted(EVERY_DAY):
            for minute in edges:
                names = [band.name for band in period.bands if band.covers(month, day, minute)]
                at = f"{_DAYS[day]} {minute // 60:02}:{minute % 60:02} in {_MONTHS[month - 1]}"
                if len(names) > 1:
                    found.setdefault(f"has two bands at {{}}: {names[0]} and {names[1]}", at)
                if not names and period.rest is None:
                    found.setdefault("has no band at {}: add hours, or a band without hours for the rest", at)
    return [message.format(at) for message, at in found.items()]


def _compare_periods(periods: list[_Period]) -> list[tuple[Where, str]]:
    """Name the gaps and overlaps between periods; the last one may have no end."""
    found: list[tuple[Where, str]] = []
    order = sorted(range(len(periods)), key=lambda at: periods[at].start)
    for before, after in pairwise(order):
        end, begin = periods[before].until, periods[after].start
        if end is None or end > begin:
            until = "has no end" if end is None else f"ends on {end}"
            found.append(
                (("period", after, "from"), f"{begin} lies in the period from {periods[before].start}, which {until}")
            )
        elif end < begin:
            found.append((("period", after, "from"), f"{begin} leaves a gap after the period that ends on {end}"))
    return found

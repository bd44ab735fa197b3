"""Read a tariff file (TOML). Check every key, and name each problem with its line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
from logger.tariff.tariff_values import DAYS, MONTHS, Day, Days, Hours, Months, Name, Price
from logger.tariff.tariff_words import word_problem
from logger.toml_lines import Place, find_line
from logger.toml_mistakes import TomlMistakeError, read_toml

HIGHEST: Final = 5.0
_WITH_CENTS: Final = frozenset({"EUR", "USD", "GBP", "AUD", "CAD", "CHF", "NZD", "€", "$", "£"})
"""Currencies in which a price above `HIGHEST` for a kWh was probably written in hundredths, such as cents."""


_NO_BUY: Final = "has no effect with hourly = true: write the whole price of each hour into the price files"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class _Band(_Table):
    name: Name
    buy: Price | None = None
    sell: Price | None = None
    hours: Hours | None = None
    days: Days | None = None
    months: Months | None = None


class _Tier(_Table):
    above_kwh: Annotated[Price, Field(ge=0)]
    add: Price


class _Period(_Table):
    start: Day = Field(alias="from")
    until: Day | None = None
    currency: Name | None = None
    buy: Price | None = None
    sell: Price = 0.0
    hourly: bool = False
    balanced: bool = False
    standing_charge: Price = 0.0
    holidays: list[Day] = Field(default_factory=list)
    band: list[_Band] = Field(default_factory=list)
    tier: list[_Tier] = Field(default_factory=list)


class _File(_Table):
    currency: Name | None = None
    prices: Name | None = None
    period: list[_Period] = Field(min_length=1)


def _list_keys(table: type[BaseModel]) -> list[str]:
    return [each.alias or name for name, each in table.model_fields.items()]


_TABLES: Final = {
    "": _list_keys(_File),
    "period": _list_keys(_Period),
    "band": _list_keys(_Band),
    "tier": _list_keys(_Tier),
}
"""Kind of table → its keys."""


def parse_tariff(data: bytes) -> tuple[Tariff, tuple[str, ...]]:
    """Parse a tariff file. Return the tariff, and all problems of the file.

    If the file has a problem, the tariff is empty.
    """
    problems: list[tuple[Place, str]]
    try:
        text = data.decode("utf-8-sig")
        document = read_toml(text)
    except UnicodeDecodeError:
        return Tariff(), ("is not UTF-8 text: save it as UTF-8",)
    except TomlMistakeError as error:
        return Tariff(), (str(error),)
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems = [(where, word_problem(item, where, _TABLES)) for item in found if (where := _where(item["loc"]))]
        return Tariff(), tuple(_say(text, where, message) for where, message in problems)
    problems = []
    periods = tuple(_make_period(file, at, problems) for at in range(len(file.period)))
    problems += _compare_periods(file.period)
    if file.prices and not any(period.hourly for period in file.period):
        problems.append((("prices",), "is used by no period: write hourly = true into the period with these prices"))
    if problems:
        return Tariff(), tuple(_say(text, where, message) for where, message in problems)
    return Tariff(tuple(sorted(periods, key=lambda period: period.first)), file.prices or ""), ()


def _say(text: str, where: Place, message: str) -> str:
    line = find_line(text, where)
    name = next((str(part) for part in reversed(where) if isinstance(part, str)), "")
    return f"line {line}: {name} {message}".replace("  ", " ")


def _where(loc: Place) -> Place:
    """Return the place of a mistake as the keys of the tariff file.

    `loc`: the place that pydantic reports, which may also contain names of types.
    """
    found: list[str | int] = []
    for part in loc:
        if isinstance(part, str) and part.startswith(("function-", "tuple[", "frozenset[", "nullable")):
            break
        found.append(part)
    return tuple(found)


def _make_period(file: _File, at: int, problems: list[tuple[Place, str]]) -> PricePeriod:
    """Make a period from its table, and check that its bands give each minute exactly one price."""
    table, where = file.period[at], ("period", at)
    currency = table.currency or file.currency or ""
    if not currency:
        problems.append((where, 'has no currency: write currency = "EUR" at the top of the file'))
    if table.until is not None and table.until <= table.start:
        problems.append(((*where, "until"), "is not later than `from`"))
    if table.hourly and not file.prices:
        problems.append(((*where, "hourly"), 'needs prices = "FILE or FOLDER" at the top of the file'))
    if table.hourly and table.buy is not None:
        problems.append(((*where, "buy"), _NO_BUY))
    bands, rest = [], None
    for place, band in enumerate(table.band):
        here = (*where, "band", place)
        buy = table.buy if band.buy is None else band.buy
        if table.hourly and band.buy is not None:
            problems.append(((*here, "buy"), _NO_BUY))
        if buy is None and not table.hourly:
            problems.append((here, f"{band.name!r} has no `buy`, and its period has none either"))
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
            problems.append((where, "has neither `buy` nor a band"))
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
    if has_cents(currency):
        problems += _find_cents(table, where, currency)
    return period


def has_cents(currency: str) -> bool:
    """Return whether a price above `HIGHEST` for a kWh in this currency was probably written in hundredths."""
    return currency.upper() in _WITH_CENTS


def _find_cents(table: _Period, where: Place, currency: str) -> Iterator[tuple[Place, str]]:
    """Yield a problem for each price that is so high that it was probably written in hundredths of the currency."""
    prices: list[tuple[Place, float | None, float | None]] = [(where, table.buy, table.sell)]
    prices += [((*where, "band", at), band.buy, band.sell) for at, band in enumerate(table.band)]
    for here, buy, sell in prices:
        for name, price in (("buy", buy), ("sell", sell)):
            if price is not None and abs(price) > HIGHEST:
                yield (
                    (*here, name),
                    f"is {price:g} {currency} for a kWh; prices are in {currency}, not in hundredths of it",
                )


def _spread_holidays(bands: list[Band]) -> Iterator[Band]:
    """Yield the bands; if no band names holidays, the bands of Sunday also apply on holidays."""
    named = any(HOLIDAY in band.days and band.days != EVERY_DAY for band in bands)
    for band in bands:
        days = set(band.days)
        if not named and 6 in days:
            days.add(HOLIDAY)
        elif not named:
            days.discard(HOLIDAY)
        yield Band(band.name, band.buy, band.sell, band.hours, frozenset(days), band.months)


def _find_gaps_and_overlaps(period: PricePeriod) -> list[str]:
    """Return problems: the first minute that no band covers, and the first minute that two bands cover."""
    edges = sorted(
        {0, *(edge for band in period.bands for span in band.hours for edge in span if edge < DAY_MINUTES)}
    )
    found: dict[str, str] = {}
    for month in sorted(EVERY_MONTH):
        for day in sorted(EVERY_DAY):
            for minute in edges:
                names = [band.name for band in period.bands if band.covers(month, day, minute)]
                at = f"{DAYS[day]} {minute // 60:02}:{minute % 60:02} in {MONTHS[month - 1]}"
                if len(names) > 1:
                    found.setdefault(f"has two bands at {{}}: {names[0]} and {names[1]}", at)
                if not names and period.rest is None:
                    found.setdefault("has no band at {}: add hours, or a band without hours for the rest", at)
    return [message.format(at) for message, at in found.items()]


def _compare_periods(periods: list[_Period]) -> list[tuple[Place, str]]:
    """Return a problem for each gap and each overlap between periods. The last period may have no end."""
    found: list[tuple[Place, str]] = []
    order = sorted(range(len(periods)), key=lambda at: periods[at].start)
    for before, after in pairwise(order):
        end, begin = periods[before].until, periods[after].start
        if begin == periods[before].start:
            found.append((("period", after, "from"), f"{begin} is also the first day of another period"))
        elif end is None or end > begin:
            until = "has no end" if end is None else f"ends on {end}"
            said = (
                f"{begin} lies in the period from {periods[before].start}, which {until}; "
                f"write `until = {begin}` in that period"
            )
            found.append((("period", after, "from"), said))
        elif end < begin:
            said = (
                f"{begin} leaves a gap after the period that ends on {end}; `until` is the first day after a period"
            )
            found.append((("period", after, "from"), said))
    return found

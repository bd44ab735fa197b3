"""Define a tariff: dated periods with bands, tiers and a standing charge, in the site's local time. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from logger.model import add_up

WH: Final = 1000.0
"""Wh in a kWh: prices are for a kWh, energies are in Wh."""
DAY_MINUTES: Final = 1440
HOLIDAY: Final = 7
"""The number of a holiday among the days of the week, where Monday is 0."""
EVERY_DAY: Final = frozenset(range(8))
EVERY_MONTH: Final = frozenset(range(1, 13))


@dataclass(frozen=True, slots=True)
class Band:
    """The prices of some hours: `buy` and `sell` in currency per kWh.

    `hours`: time spans as pairs of minutes of the day; the second minute is not part of the span. `days`: 0 is
    Monday, 7 a holiday.
    """

    name: str
    buy: float
    sell: float
    hours: tuple[tuple[int, int], ...] = ((0, DAY_MINUTES),)
    days: Collection[int] = EVERY_DAY
    months: Collection[int] = EVERY_MONTH

    def covers(self, month: int, day: int, minute: int) -> bool:
        """Return whether the band applies in `month`, on `day` (0 is Monday, 7 a holiday), at a minute of the day."""
        return month in self.months and day in self.days and any(begin <= minute < end for begin, end in self.hours)


@dataclass(frozen=True, slots=True)
class Tier:
    """A surcharge: each kWh beyond `above_wh` of a calendar month costs `add` more than the band's price."""

    above_wh: float
    add: float


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """The prices from the local day `first` to before the day `until`. An `until` of None means no end.

    `rest`: the band of all hours that no band of `bands` covers. `standing_charge`: currency per day. `is_hourly`:
    prices come from the price files; the band's `sell` applies if a price file gives no selling price.
    `is_balanced`: the utility's meter counts the sum over the phases.
    """

    first: date
    until: date | None
    currency: str
    bands: tuple[Band, ...] = ()
    rest: Band | None = None
    tiers: tuple[Tier, ...] = ()
    standing_charge: float = 0.0
    holidays: Collection[date] = field(default_factory=frozenset)
    is_hourly: bool = False
    is_balanced: bool = False

    def band_at(self, day: date, minute: int) -> Band | None:
        """Return the band that applies at a minute of a local day; None if no band applies."""
        kind = HOLIDAY if day in self.holidays else day.weekday()
        return next((band for band in self.bands if band.covers(day.month, kind, minute)), self.rest)

    def surcharge(self, bought_wh: float) -> float:
        """Return the surcharge of all tiers, in currency, if `bought_wh` were bought so far in a calendar month."""
        return add_up(tier.add * max(0.0, bought_wh - tier.above_wh) / WH for tier in self.tiers)


@dataclass(frozen=True, slots=True)
class Tariff:
    """All periods, oldest first.

    `price_path`: the file or folder with the prices that change by the hour; empty if no period has such prices.
    """

    periods: tuple[PricePeriod, ...] = ()
    price_path: str = ""

    def period_on(self, day: date) -> PricePeriod | None:
        """Return the period that contains a local day; None if no period does."""
        return next((p for p in self.periods if p.first <= day and (p.until is None or day < p.until)), None)

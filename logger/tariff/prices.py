"""Find the price of grid energy at a time, and divide a time span into parts with one price each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import gcd
from typing import Final
from zoneinfo import ZoneInfo

from logger.days import first_instant
from logger.tariff.price_plan import Band, PricePeriod, Tariff
from logger.tariff.price_table import PriceTable

_STEP_MINUTES: Final = 15
"""A day is divided into bands in steps of at most this many minutes.

Every zone changes its clocks at a quarter of an hour, such as 02:45 in Chatham. So no step contains such a change.
"""
QUARTER_S: Final = 900
"""Energy whose price is not known yet is stored in parts of this many seconds, the shortest interval of prices."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A time span with one price, from `begin` to before `end` in unix seconds, within one local day.

    `buy` and `sell` are in the period's currency per kWh, without tiers; None while the price is not known yet.
    """

    begin: int
    end: int
    day: date
    band: str
    period: PricePeriod
    buy: float | None
    sell: float | None


@dataclass(frozen=True, slots=True)
class Prices:
    """A tariff and the hourly prices that are known so far. A tariff without periods gives no prices."""

    tariff: Tariff = Tariff()
    table: PriceTable = field(default_factory=PriceTable)

    @property
    def has_tiers(self) -> bool:
        """Return whether a price depends on the energy that was bought in the month so far."""
        return any(period.tiers for period in self.tariff.periods)

    def list_slots(self, since: int, until: int, zone: str) -> Iterator[Slot]:
        """Cut the time from `since` to `until` into spans of one price each. Omit times without a tariff."""
        day = datetime.fromtimestamp(since, UTC).astimezone(ZoneInfo(zone)).date()
        while first_instant(day.isoformat(), zone) < until:
            period = self.tariff.period_on(day)
            if period is not None:
                for begin, end, band in _spans(period, day, zone):
                    if begin < until and end > since:
                        slot = Slot(begin, end, day, band.name, period, band.buy, band.sell)
                        yield from self._price(slot, since, until)
            day += timedelta(days=1)

    def _price(self, slot: Slot, since: int, until: int) -> Iterator[Slot]:
        """Cut a slot to a time span, and split it into parts with one price each.

        In an hourly period, the price table gives the prices.
        """
        at, end = max(slot.begin, since), min(slot.end, until)
        while at < end:
            cut, buy, sell = end, slot.buy, slot.sell
            if slot.period.is_hourly:
                known = self.table.price_at(at)
                cut = min(end, known[1] if known else at // QUARTER_S * QUARTER_S + QUARTER_S)
                buy = known[2] if known else None
                sell = None if known is None else slot.sell if known[3] is None else known[3]
            yield Slot(at, cut, slot.day, slot.band, slot.period, buy, sell)
            at = cut


@lru_cache(maxsize=128)
def _spans(period: PricePeriod, day: date, zone: str) -> tuple[tuple[int, int, Band], ...]:
    """Return the time spans of a local day, each with one band, as (begin, end, band) in unix seconds.

    The spans are also correct on days of 23 and 25 hours.
    """
    edges = [edge for band in period.bands for span in band.hours for edge in span]
    step_s = gcd(_STEP_MINUTES, *edges) * 60
    begin, end = first_instant(day.isoformat(), zone), first_instant((day + timedelta(days=1)).isoformat(), zone)
    found: list[tuple[int, int, Band]] = []
    for at in range(begin, end, step_s):
        local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
        band = period.band_at(day, local.hour * 60 + local.minute)
        if band is None:
            continue
        until = min(at + step_s, end)
        if found and found[-1][1] == at and found[-1][2] is band:
            found[-1] = (found[-1][0], until, band)
        else:
            found.append((at, until, band))
    return tuple(found)

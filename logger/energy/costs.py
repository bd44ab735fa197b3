"""Compute the cost and income of a tick: book each portion of energy at the price of its time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from logger.energy.balance import EXPORT, IMPORT
from logger.energy.quantities import is_balanced, terms
from logger.energy.state import Day, EnergyState, Unpriced
from logger.tariff.band_energy import Bands, Portion, add_portion, charge_standing, sum_energy
from logger.tariff.price_plan import PricePeriod
from logger.tariff.prices import QUARTER_S, Prices, Slot

_WAIT_S: Final = 86400
"""Energy waits this many seconds for its price. After that it is booked without a price."""
_GRID: Final = {"import": "import", "export": "export"}
_BALANCED: Final = {IMPORT: "import", EXPORT: "export"}
"""Counter → name of its energy on the bill."""


@dataclass(frozen=True, slots=True)
class Booking:
    """The energy in Wh that one counter counted between two unix times."""

    name: str
    since: int
    until: int
    wh: float
    is_estimated: bool = False


def book_costs(
    before: EnergyState, state: EnergyState, bookings: Sequence[Booking], prices: Prices
) -> tuple[EnergyState, set[str]]:
    """Add the cost and income of a tick's energy to the days in which the energy flowed.

    `before`: the state before the tick. `state`: the state after the energy of the tick was booked. Return the new
    state, and the dates of past days whose money changed.
    """
    if not prices.tariff.periods or not (state.wiring and state.wiring.net):
        return state, set()
    costs = _Costs(state, prices)
    costs.charge_new_days({day.date for day in before.past})
    if state.unpriced and state.last_tick // QUARTER_S != before.last_tick // QUARTER_S:
        costs.book_waiting(state.last_tick)
    for booking in bookings:
        costs.book(booking)
    return costs.close()


class _Costs:
    """Collect the energy and money that one tick adds to the price bands of the days."""

    def __init__(self, state: EnergyState, prices: Prices) -> None:
        self._state, self._prices = state, prices
        self._days = {day.date: day for day in state.days}
        self._unpriced = {(item.since, item.name): item for item in state.unpriced}
        self._signs: Mapping[str, int] = terms(state.wiring).get("load", {})
        self._changed: set[str] = set()

    def charge_new_days(self, known: set[str]) -> None:
        """Add the standing charge to each day that is not in `known`, the dates of the earlier closed days."""
        for day in self._state.days:
            period = self._prices.tariff.period_on(date.fromisoformat(day.date))
            if day.date not in known and period is not None:
                self._set_bands(day, charge_standing(day.bands, period.standing_charge, period.currency))

    def book(self, booking: Booking) -> None:
        """Split energy in proportion to time, and book each part at its price. A part without a known price waits."""
        since = min(booking.since, booking.until - 1)
        for slot in self._prices.list_slots(since, booking.until, self._state.zone):
            if (name := self._name_on_bill(slot.period, booking.name)) is None:
                continue
            share = Booking(
                name, slot.begin, slot.end, booking.wh * (slot.end - slot.begin) / (booking.until - since)
            )
            if slot.buy is None:
                self._let_wait(slot, replace(share, is_estimated=booking.is_estimated))
            else:
                self._enter(slot, Portion(name, share.wh, self._sign(name), booking.is_estimated))

    def _name_on_bill(self, period: PricePeriod, name: str) -> str | None:
        """Return the name under which a counter's energy is booked in the price bands; None if it is not booked.

        The grid's energy is booked as import or export: the balanced energy if `period` is balanced and the site has
        several phases, else the energy of the gateway's counters. The energy of any other counter from which the load
        is computed, such as `production`, is booked under the name of this counter.
        """
        on_bill = _BALANCED if period.is_balanced and is_balanced(self._state.wiring) else _GRID
        if name in on_bill:
            return on_bill[name]
        return name if name in self._signs and name not in _GRID else None

    def book_waiting(self, now: int) -> None:
        """Book waiting energy if its price is known now, or if the energy has waited for a day."""
        for key, item in list(self._unpriced.items()):
            slots = list(self._prices.list_slots(item.since, item.until, self._state.zone))
            is_late = now - item.until >= _WAIT_S
            if not is_late and any(slot.buy is None for slot in slots):
                continue
            del self._unpriced[key]
            for slot in slots:
                part = (slot.end - slot.begin) / (item.until - item.since)
                for wh, is_estimated in ((item.wh - item.estimated_wh, False), (item.estimated_wh, True)):
                    if wh:
                        self._enter(slot, Portion(item.name, part * wh, self._sign(item.name), is_estimated))

    def close(self) -> tuple[EnergyState, set[str]]:
        """Return the state after this tick, and the dates of the changed days before the open day."""
        unpriced = tuple(self._unpriced[key] for key in sorted(self._unpriced))
        state = replace(self._state, days=tuple(self._days.values()), unpriced=unpriced)
        return state, self._changed - {state.day}

    def _let_wait(self, slot: Slot, booking: Booking) -> None:
        """Add a booking's energy to the unpriced energy of the same quarter of an hour."""
        begin = slot.begin // QUARTER_S * QUARTER_S
        known = self._unpriced.get((begin, booking.name), Unpriced(begin, begin + QUARTER_S, booking.name))
        estimated_wh = known.estimated_wh + (booking.wh if booking.is_estimated else 0.0)
        self._unpriced[begin, booking.name] = replace(known, wh=known.wh + booking.wh, estimated_wh=estimated_wh)

    def _enter(self, slot: Slot, portion: Portion) -> None:
        day = self._days.get(slot.day.isoformat(), self._state.days[0])
        month = sum_energy(self._month_of(day)) if slot.period.tiers else sum_energy({})
        self._set_bands(day, add_portion(day.bands, slot, portion, month))

    def _month_of(self, day: Day) -> dict[str, Bands]:
        return {other.date: other.bands for other in self._days.values() if other.date[:7] == day.date[:7]}

    def _set_bands(self, day: Day, bands: Bands) -> None:
        if bands is not day.bands:
            self._days[day.date] = replace(day, bands=bands)
            self._changed.add(day.date)

    def _sign(self, name: str) -> int:
        return self._signs.get(name, 0)

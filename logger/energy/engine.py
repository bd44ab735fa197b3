"""Account for a site's energy at one tick: update the state, make the energy fields, the rows and the events. Pure.

Today's energy is the sum of accepted rises since the site's local midnight. Seven-day energy covers the seven
complete local days before today. On the first day, counting starts from the gateway's own figures, if they are
plausible. If no counter measures a flow, its power is integrated, and its energy is marked as integrated. If the
grid's meter measures several phases, import and export are also balanced over the phases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.energy.balance import EXPORT, GRID, IMPORT, add_rises, balance
from logger.energy.costs import Booking, book_costs
from logger.energy.counter_events import describe_decision
from logger.energy.day_rows import list_due_rows
from logger.energy.daybook import add_energy, beginning_of, count_poll, open_day, share_by_day, uncover_end
from logger.energy.decisions import decide_counters
from logger.energy.extremes import note_extremes
from logger.energy.first_day import note_bases, note_refused, take_seeds
from logger.energy.flows import BATTERY, PowerFlows
from logger.energy.held_ticks import confirm_held, note_held
from logger.energy.hour_rows import count_hours
from logger.energy.marks import drop_uneven, leave_out, mark_quantities
from logger.energy.period_rows import list_period_rows
from logger.energy.quantities import is_balanced
from logger.energy.state import (
    BALANCED,
    POWER,
    Counter,
    Day,
    DayEnergy,
    EnergyState,
    HeldTick,
    HeldValue,
    Tick,
    Unbalanced,
)
from logger.energy.totals import energy_fields
from logger.energy.validate import Decision
from logger.model import DayRow, Event, Reading
from logger.tariff.prices import Prices


@dataclass(frozen=True, slots=True)
class Accounted:
    """The state after a tick, and the fields, rows, events and points to write.

    `fields`: the energy fields of this tick's `envoy_totals`. `late`: pairs of an earlier tick and the fields that
    were held at that tick and are confirmed now. `rows`: the rows of days, months and years that are due. `resets`:
    the counters that were rebaselined. `hours`: one point for each hour that is now complete.
    """

    state: EnergyState
    fields: Mapping[str, float] = field(default_factory=dict)
    late: tuple[tuple[int, dict[str, float]], ...] = ()
    rows: tuple[DayRow, ...] = ()
    events: tuple[Event, ...] = ()
    resets: tuple[str, ...] = ()
    hours: tuple[Reading, ...] = ()


NO_PRICES: Final = Prices()


def account(before: EnergyState, tick: Tick, prices: Prices = NO_PRICES) -> Accounted:
    """Account for one tick: add the tick's energy and money to the state, and make the rows and the energy fields.

    `before`: the energy state before the tick.
    """
    opened, events = open_day(before, tick)
    entry = _Entry(opened, tick, was_balanced=is_balanced(before.wiring))
    entry.balance_earlier()
    for name, decision in decide_counters(opened, tick, entry.flows).items():
        entry.enter(name, decision)
    entry.balance()
    entry.integrate()
    held_ticks, late = confirm_held(opened, entry.counters, entry.today.energy, entry.confirmed)
    state, repriced = book_costs(before, entry.close(held_ticks), entry.bookings, prices)
    state, touched, of_grid = note_extremes(state, tick)
    state, hours = count_hours(before, state, tick, entry.bookings)
    state, of_marks = mark_quantities(state, tick, entry.accepted, entry.resets)
    state = leave_out(state, tick.left_out)
    rows, state = list_due_rows(before, state, tick, entry.changed | repriced | touched)
    of_periods, state = list_period_rows(state, {row.day for row in rows})
    return Accounted(
        state,
        energy_fields(state, entry.accepted, tick.left_out),
        drop_uneven(late, state, tick) if late else (),
        (*rows, *of_periods),
        (*events, *entry.events, *of_grid, *of_marks),
        tuple(entry.resets),
        hours,
    )


class _Entry:
    """Collect, counter by counter, how one tick changes the state.

    `was_balanced`: True if the previous tick balanced import and export over the phases.
    """

    def __init__(self, state: EnergyState, tick: Tick, *, was_balanced: bool) -> None:
        self.state, self.tick, self.was_balanced = state, tick, was_balanced
        self.flows = PowerFlows(state.samples, tick)
        self.counters = dict(state.counters)
        self.unbalanced = state.unbalanced
        self.accepted: dict[str, float] = {}
        self.confirmed: dict[str, tuple[HeldValue, ...]] = {}
        self.events: list[Event] = []
        self.resets: list[str] = []
        self.changed: set[str] = set()
        self.bookings: list[Booking] = []
        self._days = {day.date: day for day in state.days}
        self._begins = beginning_of(state.days, len(state.days) - 1)
        self._is_begin_guessed = False

    @property
    def today(self) -> Day:
        """Return the open day, including the energy that this tick has booked."""
        return self._days[self.state.day]

    def enter(self, name: str, decision: Decision) -> None:
        """Apply the decision on a counter's value and book the accepted energy."""
        known, counter, at = self.state.counters.get(name), decision.counter, self.tick.at
        for rise in decision.increments:
            self._book(name, rise.since, rise.until, rise.wh, is_integrated=counter.source == POWER)
        if known is not None and decision.bridged_wh:
            until = decision.confirmed[0].at if decision.confirmed else at
            self._book(name, known.at, until, decision.bridged_wh, is_guess=True)
        if name in GRID and (IMPORT in self.counters or is_balanced(self.state.wiring)):
            self.unbalanced = add_rises(self.unbalanced, name, decision)
        self.counters[name] = counter
        if decision.accepted:
            self.accepted[name] = counter.accepted_wh
        if decision.reset:
            self.resets.append(name)
        if decision.confirmed:
            self.confirmed[name] = decision.confirmed
        if known is not None:
            self.events += describe_decision(name, known, decision, self.tick.counters[name], at)

    def balance_earlier(self) -> None:
        """If the net meter measures several phases again, balance the energy of the ticks with only one phase.

        Only the energy changes. Its cost is booked already, for the import and export that the meter counted.
        """
        known = self.counters.get(IMPORT)
        if known is not None and is_balanced(self.state.wiring) and not self.was_balanced:
            self._book_balance(self.unbalanced, known.at, self.state.last_tick, is_billed=True)
            self.unbalanced = Unbalanced()

    def balance(self) -> None:
        """Balance import and export over the phases, if a value of each was accepted at this tick.

        The first balance also includes the open day's energy that was counted before the phases were known. The cost
        of that energy is already booked.
        """
        if not is_balanced(self.state.wiring) or not self.accepted.keys() >= set(GRID):
            return
        at, known, flown = self.tick.at, self.counters.get(IMPORT), self.unbalanced
        if known is None:
            earlier, flown = self._divide_today()
            self._book_balance(earlier, max(self._begins, self.state.first_tick), at, is_billed=True)
        begun = self.state.first_tick if self.was_balanced else self.state.last_tick
        self._book_balance(flown, known.at if known else max(self._begins, begun), at)
        self.accepted |= {name: self.counters[name].accepted_wh for name in (IMPORT, EXPORT)}
        self.unbalanced = Unbalanced()

    def _book_balance(self, flown: Unbalanced, since: int, until: int, *, is_billed: bool = False) -> None:
        """Balance the import and export of `flown`, and book the result for the time between two unix times.

        `is_billed`: the cost of this energy is booked already.
        """
        found, booked = balance(flown, since, until), list(self.bookings)
        first_day = max(self.counters[name].first_day for name in GRID)
        for name, wh in ((IMPORT, found.import_wh), (EXPORT, found.export_wh)):
            self._book(name, since, until, wh, hidden_wh=found.hidden_wh, is_guess=flown.is_guess)
            counter = self.counters.get(name) or Counter(0.0, until, BALANCED, first_day=first_day)
            self.counters[name] = replace(counter, accepted_wh=counter.accepted_wh + wh, at=until, rose_at=until)
        if is_billed:
            self.bookings = booked

    def _divide_today(self) -> tuple[Unbalanced, Unbalanced]:
        """Divide the open day's import and export into two parts: before the phases were known, and since then."""
        energy, known = self.today.energy, self.unbalanced
        imported, exported = (energy.get(name, DayEnergy()).wh for name in GRID)
        since = replace(known, import_wh=min(known.import_wh, imported), export_wh=min(known.export_wh, exported))
        return Unbalanced(imported - since.import_wh, exported - since.export_wh), since

    def integrate(self) -> None:
        """Integrate power for flows without a counter, and for counters that have no value at this tick."""
        for name in sorted(self._names_by_power() - self.tick.counters.keys()):
            self._integrate(name)
        for name, counter in self.counters.items():
            if name not in self.tick.counters and counter.has_base and counter.source != POWER:
                wh = self.flows.energy_wh(name)
                if wh:
                    self.counters[name] = replace(counter, bridged_wh=counter.bridged_wh + wh)

    def _names_by_power(self) -> set[str]:
        """Return the names of the flows that certainly have no counter."""
        wiring, names = self.state.wiring, {"production"} & set(self.tick.uncounted)
        if wiring is not None and wiring.batteries and wiring.storage is False:
            names |= set(BATTERY)
        return names

    def _integrate(self, name: str) -> None:
        known, at = self.counters.get(name), self.tick.at
        if name not in self.flows.power_w or (known is not None and known.source != POWER and known.has_base):
            return
        if known is None or not known.has_base:
            known = Counter(0.0, at, POWER, rose_at=at, first_day=self.state.day)
        wh = self.flows.energy_wh(name)
        self._book(name, known.at, at, wh, is_integrated=True)
        grown = replace(known, accepted_wh=known.accepted_wh + wh, at=at, rose_at=at)
        self.counters[name] = grown
        self.accepted[name] = grown.accepted_wh

    def _book(
        self,
        name: str,
        since: int,
        until: int,
        wh: float,
        *,
        hidden_wh: float = 0.0,
        is_integrated: bool = False,
        is_guess: bool = False,
    ) -> None:
        """Book energy in Wh to the local days in which it flowed, between the unix times `since` and `until`.

        Energy counts as estimated if it was split between days, integrated from power or guessed. Import and export
        that may have cancelled out in a gap (`hidden_wh`) also count as estimated.
        """
        if not wh and not hidden_wh:
            return
        shares, hidden = self._share(since, until, wh), self._share(since, until, hidden_wh)
        is_split = len(shares) > 1
        self.bookings.append(Booking(name, since, until, wh, is_guess or is_split or is_integrated))
        for date, share in shares.items():
            if not share and not hidden_wh:
                continue
            estimated = (share if is_guess or is_split or is_integrated else 0.0) + hidden[date]
            day = add_energy(self._days[date], name, DayEnergy(share, estimated, is_integrated))
            if date == self.state.day:
                self._is_begin_guessed = self._is_begin_guessed or is_split
            else:
                self.changed.add(date)
                day = uncover_end(day, day.end, self.tick.site.totals_s) if is_guess or is_split else day
            self._days[date] = day

    def _share(self, since: int, until: int, wh: float) -> dict[str, float]:
        """Split the energy of a time span into one share for each local day. Return Wh by date."""
        return {self.state.day: wh} if since >= self._begins else share_by_day(self.state.days, since, until, wh)

    def close(self, held_ticks: tuple[HeldTick, ...]) -> EnergyState:
        """Return the state after this tick.

        `held_ticks`: the earlier ticks at which values were held. Each of these ticks already contains the values
        that the present tick confirmed.
        """
        tick, interval_s = self.tick, self.tick.site.totals_s
        is_polled = tick.is_polled and all(
            self.flows.is_known(name) for name, counter in self.counters.items() if counter.source == POWER
        )
        today = count_poll(self.today, interval_s if is_polled else 0, tick.powers, len(self.resets))
        if self._is_begin_guessed:
            today = uncover_end(today, tick.at + interval_s, interval_s)
        self._days[today.date] = replace(today, energy=self._energy_of_today())
        state = replace(
            self.state,
            days=tuple(self._days.values()),
            counters=self.counters,
            samples=self.flows.samples(),
            unbalanced=self.unbalanced,
            last_tick=tick.at,
        )
        return replace(
            state,
            seeds=take_seeds(state, tick),
            refused=note_refused(state, tick),
            bases=note_bases(state),
            held_ticks=note_held(held_ticks, state, self.accepted),
        )

    def _energy_of_today(self) -> Mapping[str, DayEnergy]:
        """Return today's energy of every counter that has a base, including counters that did not rise."""
        energy = dict(self.today.energy)
        for name, counter in self.counters.items():
            known, is_integrated = energy.get(name), counter.source == POWER
            if counter.has_base and (known is None or known.is_integrated != is_integrated):
                energy[name] = replace(known or DayEnergy(), is_integrated=is_integrated)
        return energy

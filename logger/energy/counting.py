"""Describe which of today's energies are measured, and whether counting began at midnight or later. Pure.

Some gateways report no energy of today. With such a gateway, the energy of the whole day on which recording begins is
unknown. Only the energy since the beginning of the recording is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from logger.energy.quantities import figures, terms
from logger.energy.state import EnergyState
from logger.model import add_up

_TOGETHER_S: Final = 300
"""Counters whose first values are at most this many seconds apart began together."""


@dataclass(frozen=True, slots=True)
class Counting:
    """Which of today's energies are measured, and since when they are counted.

    `measured`: the quantities that the site's meters can measure; None if unknown. `waiting`: the quantities with a
    counter that waits for its first value. `begun`: the quantities with a counter that began today, if the gateway
    reports no energy of today for the quantity. `since`: the time at which a counter began today, in unix
    seconds; the latest time if several counters began; 0 if no counter began today. `wh`: quantity → its energy from
    `since` on, in Wh, if all counters of the quantity began at `since`.
    """

    measured: frozenset[str] | None = None
    waiting: frozenset[str] = frozenset()
    begun: frozenset[str] = frozenset()
    since: int = 0
    wh: Mapping[str, float] = field(default_factory=dict)


UNKNOWN: Final = Counting()


def describe_counting(state: EnergyState, today: str) -> Counting:
    """Describe which of today's energies are measured, and since when they are counted.

    `today`: the local ISO date. If the open day of the state is another day, no counter began today.
    """
    if not state.days:
        return UNKNOWN
    of = terms(state.wiring) if state.wiring is not None else {}
    if state.wiring is not None and state.wiring.has_no_battery:
        of = {quantity: names for quantity, names in of.items() if not quantity.startswith("battery")}
    measured = None if state.wiring is None else frozenset(of)
    waiting = {name for name, counter in state.counters.items() if not counter.has_base}
    known = Counting(measured, frozenset(quantity for quantity, names in of.items() if waiting & names.keys()))
    begins = {
        name: _find_begin(state, name) for name, counter in state.counters.items() if counter.first_day == today
    }
    if state.day != today or not begins:
        return known
    since = max(begins.values())
    energies = figures(state.wiring, state.today.energy, state.today.left_out)
    wh = {
        quantity: round(energies[quantity][0], 3)
        for quantity, names in terms(state.wiring).items()
        if quantity in energies and all(since - begins.get(name, 0) <= _TOGETHER_S for name in names)
    }
    seeded = {quantity for quantity, seed in state.seeds.items() if seed.today_wh is not None}
    begun = frozenset(quantity for quantity, names in of.items() if begins.keys() & names.keys()) - seeded
    return Counting(known.measured, known.waiting, begun, since, wh)


def _find_begin(state: EnergyState, name: str) -> int:
    """Return the unix time at which a counter began to count today.

    A counter whose first value is zero counts since the first tick, or since midnight if that tick was not today.
    """
    base = state.bases.get(name)
    if base is not None and base.wh > 0:
        return base.at
    return state.first_tick if state.first_day == state.day else state.today.start


def add_countings(each: Sequence[Counting]) -> Counting:
    """Combine the countings of the gateways of one site.

    Add up the energies only if counting began at the same time, within five minutes, at all gateways.
    """
    begun = frozenset[str]().union(*(one.begun for one in each))
    if not begun:
        return UNKNOWN
    since = max(one.since for one in each)
    is_together = all(since - one.since <= _TOGETHER_S for one in each)
    names = set.intersection(*(set(one.wh) for one in each)) if is_together else set()
    return Counting(begun=begun, since=since, wh={name: add_up(one.wh[name] for one in each) for name in names})

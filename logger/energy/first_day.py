"""Start a counter: take the gateway's own figures of the first day, and note the counter's base. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from logger.energy.quantities import terms
from logger.energy.state import BALANCED, POWER, Base, EnergyState, Seed, Tick
from logger.model import add_up


def take_seeds(state: EnergyState, tick: Tick) -> Mapping[str, Seed]:
    """Take one seed per quantity on its counters' first day: the gateway's figure less the energy counted here.

    A figure greater than what can have flowed since midnight is yesterday's, because gateways reset the figure late
    (Q-P12). Such a figure is not taken.
    """
    taken, of = dict(state.seeds), terms(state.wiring)
    most_wh = tick.max_w * (tick.at - state.today.start) / 3600
    for quantity, seed in tick.seeds.items():
        is_of_yesterday = seed.today_wh is not None and seed.today_wh > most_wh
        if quantity not in taken and not is_of_yesterday and _is_first_day(state, of.get(quantity, {})):
            taken[quantity] = replace(seed, today_wh=_before_us(state, seed, of[quantity]))
    produced, consumed = taken.get("production"), taken.get("consumption")
    by_both = "net" in of and not {"charged", "discharged"} & of["net"].keys()
    if produced and consumed and by_both and "net" not in taken:
        taken["net"] = Seed(
            "net",
            "consumption − production",
            _less(consumed.today_wh, produced.today_wh),
            _less(consumed.week_wh, produced.week_wh),
        )
    if consumed and "load" in of and of["load"] == of["consumption"]:
        taken["load"] = replace(consumed, quantity="load")
    return state.seeds if taken == state.seeds else taken


def note_bases(state: EnergyState) -> Mapping[str, Base]:
    """Note the first accepted value of each counter of the gateway; a base that was noted never changes."""
    new = {
        name: Base(counter.at, counter.accepted_wh - counter.offset_wh)
        for name, counter in state.counters.items()
        if counter.has_base and counter.source not in (POWER, BALANCED) and name not in state.bases
    }
    return {**state.bases, **new} if new else state.bases


def _is_first_day(state: EnergyState, of: Mapping[str, int]) -> bool:
    """Tell whether all counters of a quantity have a base and at least one base is from today."""
    counters = [state.counters[name] for name in of if name in state.counters and state.counters[name].has_base]
    return bool(of) and len(counters) == len(of) and not all(counter.first_day < state.day for counter in counters)


def _before_us(state: EnergyState, seed: Seed, of: Mapping[str, int]) -> float | None:
    """Return the energy of today, in Wh, that flowed before counting began here; None if the seed has no figure."""
    if seed.today_wh is None:
        return None
    return max(0.0, seed.today_wh - add_up(sign * state.today.energy[name].wh for name, sign in of.items()))


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b

"""Make the energy fields that past ticks lack because a counter's value was held. Pure.

The fields are made as soon as the value is confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from logger.energy.state import Counter, DayEnergy, EnergyState, HeldTick, HeldValue
from logger.energy.totals import list_fields


def confirm_held(
    opened: EnergyState,
    counters: Mapping[str, Counter],
    today: Mapping[str, DayEnergy],
    confirmed: Mapping[str, tuple[HeldValue, ...]],
) -> tuple[tuple[HeldTick, ...], tuple[tuple[int, dict[str, float]], ...]]:
    """Add the values that this tick confirms to the earlier ticks at which these values were held.

    Return two results. First, all ticks in `opened.held_ticks`, now with the confirmed values. Second, for each of
    these ticks that has more energy fields than before: its time, and only the fields that it lacked. `opened`: the
    state before this tick. `counters`: the counters after this tick. `today`: today's energy after this tick.
    `confirmed`: counter → its values that this tick confirms.
    """
    if not opened.held_ticks:
        return (), ()
    state, ticks, late = replace(opened, counters=counters), list[HeldTick](), []
    for tick in opened.held_ticks:
        right = {name: value.wh for name, values in confirmed.items() for value in values if value.at == tick.at}
        todays = {
            name: max(0.0, today.get(name, DayEnergy()).wh - (counters[name].accepted_wh - wh))
            for name, wh in right.items()
        }
        whole = HeldTick(tick.at, {**tick.accepted_wh, **right}, {**tick.today_wh, **todays})
        ticks.append(whole)
        given = _list_fields(state, tick)
        fields = {name: value for name, value in _list_fields(state, whole).items() if name not in given}
        if fields:
            late.append((tick.at, fields))
    return tuple(ticks), tuple(late)


def _list_fields(state: EnergyState, tick: HeldTick) -> dict[str, float]:
    """Return the fields of a held tick. For a tick of an earlier day, leave out the fields of today's energy."""
    return list_fields(state, tick.accepted_wh, tick.today_wh if tick.at >= state.today.start else {})


def note_held(ticks: tuple[HeldTick, ...], state: EnergyState, accepted: Mapping[str, float]) -> tuple[HeldTick, ...]:
    """Return the ticks that still have a held value. Add the last tick if one of its values is held.

    `accepted`: the accepted value in Wh of each counter at the last tick.
    """
    waiting = {value.at for counter in state.counters.values() if counter.has_base for value in counter.held}
    kept = [tick for tick in ticks if tick.at in waiting]
    if state.last_tick in waiting:
        names = [name for name in accepted if state.counters[name].has_base]
        kept.append(HeldTick(state.last_tick, dict(accepted), {name: state.today.energy[name].wh for name in names}))
    return tuple(kept)

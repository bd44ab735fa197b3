"""Complete the ticks at which a value was held, once it proves right, with the fields that were missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from logger.energy.state import Counter, DayEnergy, EnergyState, HeldTick, HeldValue
from logger.energy.totals import list_fields


def confirm_held(
    ticks: Iterable[HeldTick],
    counters: Mapping[str, Counter],
    today: Mapping[str, DayEnergy],
    confirmed: Mapping[str, Iterable[HeldValue]],
) -> tuple[HeldTick, ...]:
    """The held ticks with the values that proved right now; `today` is the energy of the open day by counter."""
    return tuple(_confirm(tick, counters, today, confirmed) for tick in ticks)


def _confirm(
    tick: HeldTick,
    counters: Mapping[str, Counter],
    today: Mapping[str, DayEnergy],
    confirmed: Mapping[str, Iterable[HeldValue]],
) -> HeldTick:
    right = {name: value.wh for name, values in confirmed.items() for value in values if value.at == tick.at}
    if not right:
        return tick
    todays = {name: _today_wh(counters[name], today.get(name, DayEnergy()), wh) for name, wh in right.items()}
    return HeldTick(tick.at, {**tick.accepted_wh, **right}, {**tick.today_wh, **todays})


def _today_wh(counter: Counter, today: DayEnergy, wh: float) -> float:
    """What today had when the counter stood at `wh`."""
    return max(0.0, today.wh - (counter.accepted_wh - wh))


def note_held(ticks: Iterable[HeldTick], state: EnergyState, accepted: Mapping[str, float]) -> tuple[HeldTick, ...]:
    """The held ticks that still wait, the last tick among them if a value is held at it."""
    waiting = {value.at for counter in state.counters.values() if counter.has_base for value in counter.held}
    if not waiting:
        return ()
    kept = [tick for tick in ticks if tick.at in waiting]
    if state.last_tick in waiting:
        names = [name for name in accepted if state.counters[name].has_base]
        kept.append(HeldTick(state.last_tick, dict(accepted), {name: state.today.energy[name].wh for name in names}))
    return tuple(kept)


def list_late_fields(
    opened: EnergyState,
    counters: Mapping[str, Counter],
    today: Mapping[str, DayEnergy],
    confirmed: Mapping[str, Iterable[HeldValue]],
) -> tuple[tuple[int, dict[str, float]], ...]:
    """The fields that were missing at held ticks, now that values proved right; `opened` is the state before this."""
    found, state = [], replace(opened, counters=counters)
    for tick in opened.held_ticks if confirmed else ():
        complete = _confirm(tick, counters, today, confirmed)
        is_of_today = tick.at >= opened.today.start
        given = list_fields(state, tick.accepted_wh, tick.today_wh if is_of_today else {})
        now = list_fields(state, complete.accepted_wh, complete.today_wh if is_of_today else {})
        fields = {name: value for name, value in now.items() if name not in given}
        if fields:
            found.append((tick.at, fields))
    return tuple(found)

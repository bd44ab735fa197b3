"""Stop the computed energies of the house from falling, and leave them out if they cannot be true. Pure.

With a net CT, consumption is production + import − export. These counters move at different times: the inverters'
production every 5 to 60 minutes, import and export each second. So the sum would fall between two reports of the
inverters. Therefore the highest value is used until all counters have moved. If the sum stays further below that
value than delays and the meters' errors explain, something is not measured. The figure is then left out. After 24
hours without so low a sum, the figure is used again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from logger.energy.quantities import is_rising, terms
from logger.energy.state import POWER, READ_BACK, Counter, EnergyState, Mark, Source, Tick, Wiring
from logger.model import Event, add_up, noise_of

_INTEGRATED_SHARE: Final = 0.2
"""Batteries report a power that is too low by up to this share (Q-B17)."""
_LAG_H: Final = 0.5
"""The energy that inverters have made but not reported is at most their greatest power over this many hours."""


def mark_quantities(
    state: EnergyState, tick: Tick, accepted: Mapping[str, float], resets: Collection[str]
) -> tuple[EnergyState, tuple[Event, ...]]:
    """Update the mark of each quantity whose counters were all accepted in this tick. Return the state, and events.

    The mark of a quantity holds the energies of this quantity as they are written: the lifetime energy and the energy
    of today. The lifetime energy in the mark does not change until all counters of the quantity have changed. If a
    quantity needs no mark (see `_list_marked`), its mark is removed. If one of the counters was rebaselined, or the
    quantity now has other counters, a new mark begins with the figures of this tick. If the sum of the counters is
    too far below the mark to be true, the quantity is left out of the open day. `state`: the state after the tick.
    `accepted`: the accepted values in Wh. `resets`: the counters that were rebaselined in this tick.
    """
    before, events = state.marks, list[Event]()
    marks, marked = dict(before), _list_marked(state.wiring, _list_coarse(tick))
    for quantity, of in terms(state.wiring).items():
        if not all(name in accepted for name in of):
            continue
        if quantity not in marked:
            marks.pop(quantity, None)
            continue
        ever = add_up(sign * accepted[name] for name, sign in of.items())
        today = add_up(sign * state.today.energy[name].wh for name, sign in of.items())
        known = before.get(quantity)
        if known is None or not of.keys().isdisjoint(resets) or known.of != tuple(of) or tick.at <= known.at:
            marks[quantity] = Mark(tick.at, state.day, tuple(of), ever, today)
            continue
        if known.day != state.day:
            known = replace(known, day=state.day, today_wh=today)
        if not all(_has_moved(name, state.counters[name], tick, known.at) for name in of):
            marks[quantity] = known
            continue
        marks[quantity], event = _move(quantity, known, ever, today, state, tick)
        events += event
    state = leave_out(state, {quantity for quantity, mark in marks.items() if mark.is_short(tick.at)})
    return replace(state, marks=marks) if marks != before else state, tuple(events)


def leave_out(state: EnergyState, quantities: Collection[str]) -> EnergyState:
    """Leave quantities out of the open day, because their figures of this day cannot be true."""
    if not {*quantities} - {*state.today.left_out}:
        return state
    open_day = replace(state.today, left_out=tuple(sorted({*state.today.left_out, *quantities})))
    return replace(state, days=(*state.past, open_day))


def drop_uneven(
    late: Iterable[tuple[int, dict[str, float]]], state: EnergyState, tick: Tick
) -> tuple[tuple[int, dict[str, float]], ...]:
    """Return `late` without the quantities whose counters change at different times.

    `late`: pairs of a past tick, and the fields that were confirmed only now for this tick. The sum of such counters
    at a past tick may be below the energy that was written for a tick before it. The written energy would then fall.
    """
    coarse = _list_coarse(tick)
    uneven = {quantity for quantity, of in _list_marked(state.wiring, coarse).items() if not coarse.isdisjoint(of)}
    names = {f"{quantity}_{part}_wh" for quantity in uneven for part in ("lifetime", "today")}
    kept = [(at, {name: wh for name, wh in fields.items() if name not in names}) for at, fields in late]
    return tuple((at, fields) for at, fields in kept if fields)


def _move(
    quantity: str, known: Mark, ever: float, today: float, state: EnergyState, tick: Tick
) -> tuple[Mark, tuple[Event, ...]]:
    """Return the mark of a quantity after a tick, and events. `ever`, `today`: the figures of the tick, in Wh.

    If the quantity can fall, the mark gets these figures. If the quantity can only rise, there are three cases. If
    `today` is too low to be true, although the inverters have reported, the mark keeps its figures, and its
    `short_at` becomes this tick. If `today` is plausible again, at least 24 hours after `short_at`, a new mark begins
    with the figures of this tick. Otherwise the mark gets each figure that is higher than the mark's figure.
    """
    if not is_rising(quantity, state.wiring):
        return replace(known, at=tick.at, ever_wh=ever, today_wh=today), ()
    is_unreported = _is_coarse(tick.sources.get("production")) and state.counters["production"].rose_at <= known.at
    if known.today_wh - today > _most_short_wh(known, state, tick) and not is_unreported:
        return replace(known, at=tick.at, short_at=tick.at), ()
    if known.short_at and not known.is_short(tick.at):
        text = f"figures of the {quantity} are plausible again; its lifetime energy is {ever / 1000:,.1f} kWh now"
        return Mark(tick.at, state.day, known.of, ever, today), (Event(tick.at, "impossible_house", text),)
    highest = replace(known, ever_wh=max(known.ever_wh, ever), today_wh=max(known.today_wh, today))
    return replace(highest, at=tick.at), ()


def _most_short_wh(known: Mark, state: EnergyState, tick: Tick) -> float:
    """Return the greatest plausible number of Wh by which a sum's new energy of today is below the sum's mark.

    The errors of the meters, and the delay of counters that rise in steps, can make the new energy too low.
    """
    noise = noise_of(state.today.energy[name].wh for name in known.of)
    by_power = [name for name in known.of if state.counters[name].source == POWER]
    noise += _INTEGRATED_SHARE * add_up(state.today.energy[name].wh for name in by_power)
    if not any(_is_coarse(tick.sources.get(name)) for name in known.of):
        return noise
    seen_w = max((peak for day in state.days if (peak := day.peak_production_w)), default=tick.max_w)
    return noise + (tick.inverters_w or seen_w) * _LAG_H


@lru_cache(maxsize=16)
def _list_marked(wiring: Wiring | None, coarse: frozenset[str]) -> Mapping[str, Mapping[str, int]]:
    """Return the quantities for which a `Mark` is stored, with their counters and the sign of each counter.

    The mark of a quantity holds the energies of this quantity as they are written. A mark is stored for a sum of
    counters if the sum can only rise, or if the counters change at different times.
    `coarse`: the counters that rise in steps of some minutes, or that were read back from InfluxDB.
    """
    return {
        quantity: of
        for quantity, of in terms(wiring).items()
        if len(of) > 1 and (is_rising(quantity, wiring) or not coarse.isdisjoint(of))
    }


def _list_coarse(tick: Tick) -> frozenset[str]:
    return frozenset(name for name, source in tick.sources.items() if _is_coarse(source))


def _is_coarse(source: Source | None) -> bool:
    return source is not None and (source.resolution_s > 0 or source.name == READ_BACK)


def _has_moved(name: str, counter: Counter, tick: Tick, since: int) -> bool:
    """Return True if a counter has risen since the tick `since`, or would have risen if energy had flowed.

    A counter rises at most `resolution_s` seconds (see `Source`) after the energy has flowed.
    """
    resolution_s = tick.sources.get(name, Source()).resolution_s
    return not resolution_s or counter.rose_at > since or tick.at - counter.rose_at >= resolution_s

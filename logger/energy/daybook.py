"""Open and close local days, and add energy to the days in which it flowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Final

from logger.days import first_instant, following, local_day
from logger.energy.extremes import merge_extremes
from logger.energy.period_rows import fold_days
from logger.energy.state import Day, DayEnergy, EnergyState, Tick, Wiring
from logger.model import Event
from logger.tariff.band_energy import merge_bands

_KEPT: Final = 35
"""Number of past days in the state. A gap can change these days, and seven-day sums need them."""
_STEP_S: Final = 600
"""If our clock is set back over midnight by at most this many seconds, the open day stays open."""


def new_day(date: str, zone: str, tags: Mapping[str, str]) -> Day:
    """Make an empty local day.

    `date`: the ISO date. `zone`: the IANA time zone. `tags`: the tags of the day's rows.
    """
    return Day(date, first_instant(date, zone), first_instant(following(date), zone), tags)


def open_day(state: EnergyState, tick: Tick) -> tuple[EnergyState, tuple[Event, ...]]:
    """Open the local day of a tick. Return the new state, and an event if the time zone changed.

    A new time zone applies from the next day on.
    """
    wiring = tick.wiring.or_as(state.wiring)
    if not state.days:
        zone = state.zone or tick.site.zone
        today = new_day(local_day(tick.at, zone), zone, tick.tags)
        begun = replace(state, zone=zone, first_day=today.date, first_tick=tick.at, last_tick=tick.at)
        return replace(begun, days=(today,), wiring=wiring), ()
    if not state.today.tags and tick.tags:
        state = _with_today(state, replace(state.today, tags=tick.tags))
    if tick.at >= state.today.end:
        return _open_next(state, tick, wiring)
    if tick.at < state.today.start - _STEP_S:
        state = _reopen(state, tick)
    return (state if wiring == state.wiring else replace(state, wiring=wiring)), ()


def _open_next(state: EnergyState, tick: Tick, wiring: Wiring) -> tuple[EnergyState, tuple[Event, ...]]:
    """Close the open day and open the day of the tick. Add an empty day for each date between these two days."""
    zone, events, today = state.zone, tuple[Event, ...](), state.today
    if tick.site.zone and tick.site.zone != zone:
        zone = tick.site.zone
        events = (
            Event(tick.at, "time_zone_changed", f"days now begin at midnight in {zone}, no longer in {state.zone}"),
        )
    date = local_day(tick.at, zone)
    if date <= today.date:  # the new zone is west of the old one, so today continues
        longer = replace(today, end=first_instant(following(today.date), zone))
        return replace(_with_today(state, longer), zone=zone, wiring=wiring), events
    nothing = {name: DayEnergy(is_integrated=had.is_integrated) for name, had in today.energy.items()}
    days, silent = [replace(today, wiring=state.wiring)], following(today.date)
    while silent < date:
        days.append(replace(new_day(silent, zone, tick.tags), energy=nothing, wiring=wiring))
        silent = following(silent)
    days.append(replace(new_day(date, zone, tick.tags), energy=nothing))
    kept, periods = state.past[-_KEPT:], fold_days(state, state.past[:-_KEPT])
    days = [*kept, *days]
    return replace(state, zone=zone, days=tuple(days), periods=periods, wiring=wiring, seeds={}, refused={}), events


def _reopen(state: EnergyState, tick: Tick) -> EnergyState:
    """Reopen an earlier day after our clock was ahead and was set back.

    Merge the later days into the reopened day. If all these days together have more polled seconds than the reopened
    day is long, drop the later days.
    """
    date = local_day(tick.at, state.zone)
    same = next((day for day in state.days if day.date == date), new_day(date, state.zone, tick.tags))
    later = [day for day in state.days if day.date > date]
    if sum(day.polled_s for day in (same, *later)) > same.end - same.start:
        later = []
    joint = reduce(merge_days, later, same)
    counters = {
        name: replace(
            counter,
            at=min(counter.at, tick.at),
            rose_at=min(counter.rose_at, tick.at),
            held=(),
            bridged_wh=0.0,
            first_day=min(counter.first_day, date),
        )
        for name, counter in state.counters.items()
    }
    today = replace(joint, tags=same.tags or tick.tags, wiring=None, final=False)
    days = (*(day for day in state.days if day.date < date), today)
    first_day = min(state.first_day, date)
    return replace(state, first_day=first_day, days=days, counters=counters, samples={}, held_ticks=())


def _with_today(state: EnergyState, today: Day) -> EnergyState:
    return replace(state, days=(*state.past, today))


# --- one day ----------------------------------------------------------------------------------------------------


def add_energy(day: Day, name: str, more: DayEnergy) -> Day:
    """Add energy of one counter to a day."""
    had = day.energy.get(name, DayEnergy(is_integrated=more.is_integrated))
    joint = DayEnergy(had.wh + more.wh, had.estimated_wh + more.estimated_wh, had.is_integrated)
    return replace(day, energy={**day.energy, name: joint})


def merge_days(day: Day, other: Day) -> Day:
    """Merge two records that cover different parts of one local day."""
    for name, energy in other.energy.items():
        day = add_energy(day, name, energy)
    return replace(
        day,
        polled_s=min(day.polled_s + other.polled_s, day.end - day.start),
        peak_production_w=_greater(day.peak_production_w, other.peak_production_w),
        peak_load_w=_greater(day.peak_load_w, other.peak_load_w),
        resets=day.resets + other.resets,
        tags=day.tags or other.tags,
        bands=merge_bands(day.bands, other.bands),
        extremes=merge_extremes(day.extremes, other.extremes),
        left_out=tuple(dict.fromkeys((*day.left_out, *other.left_out))),
    )


def count_poll(day: Day, polled_s: int, powers: Mapping[str, float], resets: int) -> Day:
    """Add one tick to the open day: polled seconds, peak powers in W, and counter resets."""
    return replace(
        day,
        polled_s=min(day.polled_s + polled_s, day.end - day.start),
        peak_production_w=_greater(day.peak_production_w, powers.get("production")),
        peak_load_w=_greater(day.peak_load_w, powers.get("load")),
        resets=day.resets + resets,
    )


def uncover_end(day: Day, until: int, interval_s: int) -> Day:
    """Limit a day's polled seconds, because the end of the day was not polled.

    The limit is the time from the start of the day to `until` (unix seconds), less one polling interval.
    """
    most = max(0, until - day.start - interval_s)
    return replace(day, polled_s=most) if day.polled_s > most else day


def _greater(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)


# --- spans over several days ------------------------------------------------------------------------------------


def beginning_of(days: Sequence[Day], place: int) -> int:
    """Return the beginning of a day in unix seconds: its first instant, or the end of the previous day if later.

    `place`: the index of the day in `days`.
    """
    return max(days[place].start, days[place - 1].end) if place else days[place].start


def share_by_day(days: Sequence[Day], since: int, until: int, wh: float) -> dict[str, float]:
    """Split the energy of a time span into one share for each local date, in proportion to time. Return Wh by date.

    The oldest day also gets the share of the time before that day.
    """
    found: dict[str, float] = {}
    left, end, oldest = wh, until, days[-1].date
    for place in range(len(days) - 1, -1, -1):
        begin = max(since, beginning_of(days, place))
        if end <= since:
            break
        if begin >= end:
            continue
        oldest = days[place].date
        found[oldest] = wh * (end - begin) / (until - since)
        left, end = left - found[oldest], begin
    found[oldest] = found.get(oldest, 0.0) + left  # the share before all days, and the rounding error
    return found

"""Count the energy of each local hour, and make the points of `envoy_hour`. Pure.

An hour is written once, as soon as each counter has an accepted value from after the hour, but at the latest two
hours after the hour. A counter without such a value has no known energy in the hour. If a rise took longer than
20 minutes and did not begin and end in the same hour, its energy is added to no hour. The counter's energy is then
unknown in all hours of the rise. So an hour that was not polled has no point. The energy of such an hour is only in
the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from logger.energy.costs import Booking
from logger.energy.local_hours import hour_of, list_hours
from logger.energy.quantities import TOTALS, figures
from logger.energy.state import POWER, DayEnergy, EnergyState, Hour, Tick
from logger.model import Reading, Value

MEASUREMENT: Final = "envoy_hour"
QUANTITIES: Final = tuple(name for name in TOTALS if name not in ("consumption", "net"))
"""The quantities whose energy is a field of an hour's point."""
_LONGEST_S: Final = 1200
"""If a counter's rise took more than this many seconds, its energy is not divided between hours, but left out.

The gateway's nightly silence around 23:00 is shorter, so the energy of the silence is divided.
"""
_WAIT_S: Final = 7200
"""The point of an hour waits at most this many seconds for an accepted value of every counter after the hour.

Held values that are accepted in this time still count for the hour.
"""
_LEAST_POLLED: Final = 0.75
"""Energy that is integrated from power is known if at least this share of the hour was polled."""


def count_hours(
    before: EnergyState, state: EnergyState, tick: Tick, bookings: Iterable[Booking]
) -> tuple[EnergyState, tuple[Reading, ...]]:
    """Add a tick's energy to its hours. Return the new state, and one point for each hour that is now complete.

    `before`: the state before the tick. `state`: the state after the energy of the tick was booked.
    """
    hours = {hour.start: hour for hour in state.hours if hour.start <= tick.at}
    now = hour_of(tick.at, state.zone)
    if now.start not in hours:
        is_seen = 0 < before.last_tick <= now.start
        names = [name for name, counter in before.counters.items() if counter.has_base] if is_seen else []
        hours[now.start] = Hour(now.start, now.end, dict.fromkeys(names, 0.0))
    energy = {start: dict(hour.wh) for start, hour in hours.items()}
    for booking in bookings:
        _add(energy, booking, state.zone)
    polled_s = tick.site.totals_s if tick.is_polled else 0
    known = [
        replace(hours[start], wh=wh, polled_s=hours[start].polled_s + (polled_s if start == now.start else 0))
        for start, wh in energy.items()
    ]
    done = [hour for hour in known if _is_complete(hour, state, tick.at)]
    points = tuple(point for hour in done if (point := _make_point(hour, state)) is not None)
    return replace(state, hours=tuple(hour for hour in known if hour not in done)), points


def _add(energy: dict[int, dict[str, float]], booking: Booking, zone: str) -> None:
    """Add a booking's energy to the hours in which it flowed, in proportion to time.

    Hours that are already written get no part. If the energy flowed in several hours and for longer than
    `_LONGEST_S`, it is not divided: in these hours the energy of the booking's counter becomes unknown.
    """
    since = min(booking.since, booking.until - 1)
    first = hour_of(since, zone)
    if booking.until <= first.end:
        if booking.name in energy.get(first.start, ()):
            energy[first.start][booking.name] += booking.wh
        return
    for hour in list_hours(since, booking.until, zone):
        if booking.name not in energy.get(hour.start, ()):
            continue
        if booking.until - since > _LONGEST_S:
            del energy[hour.start][booking.name]
        else:
            part_s = min(hour.end, booking.until) - max(hour.start, since)
            energy[hour.start][booking.name] += booking.wh * part_s / (booking.until - since)


def _is_complete(hour: Hour, state: EnergyState, now: int) -> bool:
    if now < hour.end:
        return False
    return now - hour.end >= _WAIT_S or all(state.counters[name].at >= hour.end for name in hour.wh)


def _make_point(hour: Hour, state: EnergyState) -> Reading | None:
    """Make the point of an hour that is over; return None if none of its energies is known."""
    day = next((day for day in state.days if day.start <= hour.start < day.end), None)
    if day is None:
        return None
    covered = min(1.0, hour.polled_s / (hour.end - hour.start))
    energy = _list_known(hour, state, is_covered=covered >= _LEAST_POLLED)
    found = figures(day.wiring or state.wiring, energy, day.left_out)
    fields: dict[str, Value] = {f"{name}_wh": found[name][0] for name in QUANTITIES if name in found}
    if not fields:
        return None
    local = hour_of(hour.start, state.zone)
    tags = {**day.tags, "hour": local.hour, "month": local.month}
    return Reading(MEASUREMENT, tags, {**fields, "coverage_percent": 100.0 * covered}, hour.start, "daily")


def _list_known(hour: Hour, state: EnergyState, *, is_covered: bool) -> Mapping[str, DayEnergy]:
    """Return the energy in Wh of each counter whose energy in an hour is known.

    `is_covered`: the gateway was polled for enough of the hour. If not, an energy integrated from power is unknown.
    """
    return {
        name: DayEnergy(wh)
        for name, wh in hour.wh.items()
        if state.counters[name].at >= hour.end and (is_covered or state.counters[name].source != POWER)
    }

"""Track the least and greatest values of each day, and detect when the grid is lost and when it is back. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from logger.energy.flows import GAP_S
from logger.energy.state import Day, EnergyState, Tick
from logger.energy.surroundings import Extremes, Grid, Quarter, Surroundings
from logger.model import Event, add_up

QUARTER_S: Final = 900
_LEAST_S: Final = 600
"""A quarter of an hour gives a mean only if its power was known for at least this many seconds."""
LEAST: Final = ("base_load_w", "voltage_min_v", "frequency_min_hz", "battery_min_percent")
GREATEST: Final = ("peak_import_w", "peak_export_w", "voltage_max_v", "frequency_max_hz", "battery_max_percent")
NAMES: Final = (*LEAST, *GREATEST, "peak_import_at", "off_grid_s")
"""The fields of a day's row that are made from its extremes."""


def note_extremes(state: EnergyState, tick: Tick) -> tuple[EnergyState, frozenset[str], tuple[Event, ...]]:
    """Update the extremes of the days with one tick. Return the state, the dates of changed past days, and events."""
    grid, events = follow_grid(state.grid, tick.at, tick.around.is_on_grid, tick.site.totals_s)
    quarter = _add_powers(state.quarter, tick)
    had = _list_days_since(state, min(filter(None, (state.quarter.at, state.grid.at)), default=tick.at))
    days = had
    if quarter.at != state.quarter.at:
        days = tuple(_close_quarter(day, state.quarter, state.zone, tick.site.totals_s) for day in days)
    if state.grid.lost_at and (grid.lost_at or not _count_unseen(state.grid, tick.at, tick.site.totals_s)):
        days = tuple(_count_off_grid(day, state.grid.at, grid.at) for day in days)
    days = (*days[:-1], _note_tick(days[-1], tick.around, is_off=grid.lost_at > 0))
    changed = frozenset(day.date for day, before in zip(days[:-1], had[:-1], strict=True) if day is not before)
    return replace(state, days=(*state.days[: -len(days)], *days), quarter=quarter, grid=grid), changed, events


def merge_extremes(one: Extremes, other: Extremes) -> Extremes:
    """Merge the extremes of two parts of one local day."""
    greater = other if (other.peak_import_w or 0.0) > (one.peak_import_w or 0.0) else one
    found: dict[str, Any] = {"peak_import_at": greater.peak_import_at}
    for names, pick in ((LEAST, min), (GREATEST, max), (("off_grid_s",), add_up)):
        for name in names:
            both = [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
            found[name] = pick(both) if both else None
    return Extremes(**found)


# --- the parts of a tick ----------------------------------------------------------------------------------------


def _list_days_since(state: EnergyState, at: int) -> tuple[Day, ...]:
    """Return the open day, and the earlier days that end after the unix time `at`."""
    first = len(state.days) - 1
    while first > 0 and state.days[first].start > at:
        first -= 1
    return state.days[first:]


def follow_grid(known: Grid, at: int, is_on: bool | None, interval_s: int) -> tuple[Grid, tuple[Event, ...]]:
    """Update the state of the grid at a tick. Return the state, and an event if the grid was lost or came back.

    `is_on`: the site is on the grid. While this is unknown (None), nothing changes. `interval_s`: the seconds between
    two ticks.
    """
    if is_on is None:
        return known, ()
    if not is_on and not known.lost_at:
        text = "the grid is lost: the site supplies itself"
        return Grid(at, at), (Event(at, "grid_lost", text, "warning"),)
    if is_on and known.lost_at:
        lasted_s = max(0, at - known.lost_at)
        unseen_s = _count_unseen(known, at, interval_s)
        text = f"the grid is back after {_describe(lasted_s)}"
        text += f"; the last {_describe(unseen_s)} before its return were not recorded" if unseen_s else ""
        return Grid(at), (Event(at, "grid_back", text, duration_s=float(lasted_s)),)
    return Grid(at, min(known.lost_at, at)), ()


def _count_unseen(known: Grid, at: int, interval_s: int) -> int:
    """Return the seconds before this tick for which the grid's state was unknown; 0 if there was no gap."""
    seconds = at - known.at
    return seconds if seconds > max(GAP_S, 2 * interval_s) else 0


def _describe(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"


def _count_off_grid(day: Day, since: int, until: int) -> Day:
    """Add the time without the grid, from `since` to `until`, to a day. Only the part within this day is added."""
    seconds = min(until, day.end) - max(since, day.start)
    if seconds <= 0:
        return day
    return replace(day, extremes=replace(day.extremes, off_grid_s=(day.extremes.off_grid_s or 0.0) + seconds))


def _add_powers(quarter: Quarter, tick: Tick) -> Quarter:
    """Add the powers of a tick to the sums of its quarter of an hour."""
    at, net_w, load_w = tick.at // QUARTER_S * QUARTER_S, tick.powers.get("net"), tick.powers.get("load")
    same = quarter if quarter.at == at else Quarter(at)
    return Quarter(
        at,
        same.net_w + (net_w or 0.0),
        same.net_ticks + (net_w is not None),
        same.load_w + (load_w or 0.0),
        same.load_ticks + (load_w is not None),
    )


def _close_quarter(day: Day, quarter: Quarter, zone: str, interval_s: int) -> Day:
    """Update the extremes of a day with the mean powers of a complete quarter of an hour."""
    if not day.start <= quarter.at < day.end:
        return day
    had, found = day.extremes, dict[str, Any]()
    if quarter.net_ticks * interval_s >= _LEAST_S:
        mean_w = quarter.net_w / quarter.net_ticks
        if had.peak_import_w is None or mean_w > had.peak_import_w:
            found["peak_import_w"] = max(0.0, mean_w)
            if mean_w > 0:
                found["peak_import_at"] = datetime.fromtimestamp(quarter.at, ZoneInfo(zone)).strftime("%H:%M")
        if had.peak_export_w is None or -mean_w > had.peak_export_w:
            found["peak_export_w"] = max(0.0, -mean_w)
    if quarter.load_ticks * interval_s >= _LEAST_S:
        mean_w = quarter.load_w / quarter.load_ticks
        if had.base_load_w is None or mean_w < had.base_load_w:
            found["base_load_w"] = mean_w
    return replace(day, extremes=replace(had, **found)) if found else day


def _note_tick(day: Day, around: Surroundings, *, is_off: bool) -> Day:
    """Update the extremes of a day with the surroundings of one tick.

    `is_off`: the site is off the grid. Then its voltage and its frequency do not count.
    """
    had, found = day.extremes, dict[str, Any]()
    if around.is_on_grid is not None and had.off_grid_s is None:
        found["off_grid_s"] = 0.0
    if around.volts and not is_off:
        found |= _widen("voltage_min_v", had.voltage_min_v, "voltage_max_v", had.voltage_max_v, around.volts)
    if around.hertz and not is_off:
        found |= _widen(
            "frequency_min_hz", had.frequency_min_hz, "frequency_max_hz", had.frequency_max_hz, around.hertz
        )
    if around.battery_percent is not None:
        span = (around.battery_percent, around.battery_percent)
        found |= _widen(
            "battery_min_percent", had.battery_min_percent, "battery_max_percent", had.battery_max_percent, span
        )
    return replace(day, extremes=replace(had, **found)) if found else day


def _widen(
    least: str, low: float | None, most: str, high: float | None, span: tuple[float, float]
) -> dict[str, float]:
    """Return field name → new extreme, for each extreme that changes.

    `least`, `most`: the field names. `low`, `high`: the extremes so far, None if unknown. `span`: the least and the
    greatest of the new values.
    """
    found = {}
    if low is None or span[0] < low:
        found[least] = span[0]
    if high is None or span[1] > high:
        found[most] = span[1]
    return found

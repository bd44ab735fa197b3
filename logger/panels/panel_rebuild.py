"""Rebuild a panel state from written points, and join the state with a newer state. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from logger.days import first_instant
from logger.model import Reading
from logger.panels.panel_days import add_reports, forget_old_days
from logger.panels.panel_state import Installed, PanelDay, PanelDays, PanelState
from logger.panels.silence import count_silent_days, list_installed
from logger.panels.watch import find_interval, judge_days
from logger.site import Site

REPLAY_FIELDS: Final = ("power_w", "energy_lifetime_wh")
"""The fields of `envoy_inverter` that a replay needs."""


def replay_reports(state: PanelState, points: Sequence[Reading], site: Site, live: PanelState) -> PanelState:
    """Add points of `envoy_inverter`, ordered by time. Leave out the points that the `live` state has counted."""
    mine = [point for point in points if not _is_counted(live, point)]
    if not mine:
        return state
    state = replace(state, interval_s=_measure_interval(mine) or state.interval_s)
    return add_reports(state, mine, mine[0].time, mine[-1].time, site)


def replay_installed(state: PanelState, polls: Sequence[Sequence[Installed]], day: str, site: Site) -> PanelState:
    """Add to a past day each inverter that a poll of that day listed as installed.

    Also add the inverter's tripped seconds: one polling interval for each poll that listed the inverter as tripped.
    """
    last = {item.serial: item for installed in polls for item in installed}
    tripped_s: dict[str, int] = {}
    for item in (item for installed in polls for item in installed if item.is_tripped):
        tripped_s[item.serial] = tripped_s.get(item.serial, 0) + site.devices_s
    return list_installed(state, list(last.values()), day, site.name, tripped_s) if last else state


def judge_past(state: PanelState, closed: str, site: Site) -> PanelState:
    """Count low and silent days up to a past day.

    No events are made, because they were already written when the day was recorded.
    """
    new = [day for day in state.days if state.watch.judged < day <= closed]
    judged, _ = judge_days(state, closed, site.panel_alert_percent, first_instant(closed, site.zone))
    return count_silent_days(judged, new)


def fill_panel_days(live: PanelState, past: PanelState, dates: Collection[str]) -> tuple[PanelState, list[str]]:
    """Copy inverters and counts from `past` to `live`, if the same day of `live` lacks them.

    The counts are silent days, low days and tripped seconds. Only the days in `dates` are filled. Return the new
    state, and the dates of the days that changed.
    """
    filled = {
        day: replace(kept, panels={**kept.panels, **_fill(kept.panels, live.days[day].panels)})
        for day, kept in past.days.items()
        if day in dates and day in live.days
    }
    changed = sorted(day for day, kept in filled.items() if kept.panels != live.days[day].panels)
    return replace(live, days={**live.days, **{day: filled[day] for day in changed}}), changed


def _fill(past: Mapping[str, PanelDay], live: Mapping[str, PanelDay]) -> dict[str, PanelDay]:
    return {
        serial: replace(
            panel,
            silent_days=panel.silent_days or past[serial].silent_days,
            low_days=panel.low_days or past[serial].low_days,
            tripped_s=panel.tripped_s or past[serial].tripped_s,
        )
        if serial in past
        else panel
        for serial, panel in live.items()
    }


def join_panels(live: PanelState, past: PanelState, site: Site) -> tuple[PanelState, list[str]]:
    """Add the days of the `past` state to the `live` state.

    Return the joined state, and the dates of the days that changed.
    """
    past = _lead_up(past, live, site)
    days = dict(live.days)
    for day, earlier in past.days.items():
        days[day] = _add_days(days[day], earlier) if day in days else earlier
    inverters = {**past.inverters, **live.inverters}
    for serial in past.inverters.keys() & live.inverters.keys():
        first = past.inverters[serial]
        inverters[serial] = replace(inverters[serial], first_at=first.first_at, first_wh=first.first_wh)
    joined = replace(
        live,
        since=min(filter(None, (live.since, past.since)), default=0),
        interval_s=live.interval_s or past.interval_s,
        inverters=inverters,
        days={day: days[day] for day in sorted(days)},
        places=live.places or past.places,
    )
    return forget_old_days(joined), sorted(past.days)


def replace_panel_days(live: PanelState, past: PanelState, dates: Collection[str]) -> tuple[PanelState, list[str]]:
    """Replace days of `live` with the same days of `past`.

    Return the new state, and the dates of the replaced days.
    """
    again = {day: kept for day, kept in past.days.items() if day in dates and day in live.days}
    return replace(live, days={**live.days, **again}), sorted(again)


def restore_tags(state: PanelState, day: str, written: Mapping[str, Mapping[str, str]]) -> PanelState:
    """Restore a day's site and groups from the tags of the rows that were written for the day.

    `written`: the tags by serial.
    """
    kept = state.days.get(day)
    if kept is None or not written:
        return state
    panels = {
        serial: replace(panel, group=written[serial].get("panel_group", "")) if serial in written else panel
        for serial, panel in kept.panels.items()
    }
    site = next(iter(written.values())).get("site", "")
    return replace(state, days={**state.days, day: PanelDays(site, panels)})


def _lead_up(past: PanelState, live: PanelState, site: Site) -> PanelState:
    """Add to `past` the energy of each inverter between its last report in `past` and its first report in `live`.

    Only this energy is added: the number of reports and the greatest power stay as they are, because the days of
    `live` already contain the first report.
    """
    bases = [
        Reading(
            "envoy_inverter",
            {"serial": serial},
            {"energy_lifetime_wh": inverter.first_wh},
            inverter.first_at,
            "devices",
        )
        for serial, inverter in live.inverters.items()
        if serial in past.inverters and inverter.first_wh is not None
    ]
    if not bases:
        return past
    bases.sort(key=lambda point: point.time)
    after = add_reports(past, bases, past.since, bases[-1].time, replace(site, name=""))
    days = {}
    for day, kept in after.days.items():
        before = past.days[day].panels if day in past.days else {}
        panels = {
            serial: replace(
                before.get(serial, PanelDay()),
                wh=panel.wh,
                estimated_wh=panel.estimated_wh,
                waiting_wh=panel.waiting_wh,
            )
            for serial, panel in kept.panels.items()
        }
        days[day] = replace(kept, panels=panels)
    return replace(after, days=days)


def _is_counted(live: PanelState, point: Reading) -> bool:
    """Return whether the live state has counted the report of that point."""
    inverter = live.inverters.get(point.tags["serial"])
    return inverter is not None and inverter.first_at <= point.time


def _measure_interval(points: Sequence[Reading]) -> int:
    """Return the usual seconds between two reports of an inverter; 0 if unknown."""
    last: dict[str, int] = {}
    gaps = []
    for point in points:
        serial = point.tags["serial"]
        if serial in last:
            gaps.append(point.time - last[serial])
        last[serial] = point.time
    return find_interval(gaps)


def _add_days(known: PanelDays, earlier: PanelDays) -> PanelDays:
    serials = dict.fromkeys((*earlier.panels, *known.panels))
    panels = {serial: _add_day(known.panels.get(serial), earlier.panels.get(serial)) for serial in serials}
    return PanelDays(known.site or earlier.site, panels)


def _add_day(known: PanelDay | None, earlier: PanelDay | None) -> PanelDay:
    """Join the two parts of an inverter's day.

    `known`: the part that the live state counted. `earlier`: the part that the past state counted.
    """
    if known is None or earlier is None:
        return known or earlier or PanelDay()
    return PanelDay(
        round(known.wh + earlier.wh, 4),
        round(known.estimated_wh + earlier.estimated_wh, 4),
        max(known.peak_w, earlier.peak_w),
        known.reports + earlier.reports,
        min(filter(None, (known.first_at, earlier.first_at)), default=0),
        max(known.last_at, earlier.last_at),
        known.group or earlier.group,
        known.silent_days,
        known.low_days,
        known.tripped_s + earlier.tripped_s,
        round(known.waiting_wh + earlier.waiting_wh, 4),
    )

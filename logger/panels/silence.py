"""List every installed inverter on every day, and count the days on which an inverter is silent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from logger.panels.panel_state import Installed, PanelDay, PanelDays, PanelState

_AWAKE_S: Final = 7200
"""On the latest day, an inverter is silent only after others have reported for this many seconds."""


def list_installed(
    state: PanelState, installed: Sequence[Installed], day: str, site: str, tripped_s: Mapping[str, int]
) -> PanelState:
    """Add every installed inverter to a day. `tripped_s`: tripped seconds to add, by serial.

    Without a new list, the inverters of the last list count as installed.
    """
    places = {item.serial: item.place for item in installed} or state.places
    panels = dict(state.days[day].panels) if day in state.days else {}
    panels |= {serial: PanelDay(group=place.group) for serial, place in places.items() if serial not in panels}
    for serial, seconds in tripped_s.items():
        panels[serial] = replace(panels[serial], tripped_s=panels[serial].tripped_s + seconds)
    if not panels:
        return state
    name = state.days[day].site if day in state.days else site
    days = {**state.days, day: PanelDays(name, panels)}
    return replace(state, places=places, days={date: days[date] for date in sorted(days)})


def count_silent_days(state: PanelState, dates: Iterable[str]) -> PanelState:
    """Go through the dates. For each inverter, count the days in a row on which only other inverters reported."""
    days = dict(state.days)
    for date in sorted(dates):
        before = max((each for each in days if each < date), default="")
        had = days[before].panels if before else {}
        is_awake = _is_awake(days[date], is_last=date == max(days))
        panels = {
            serial: _count(panel, had.get(serial), is_awake=is_awake) for serial, panel in days[date].panels.items()
        }
        days[date] = replace(days[date], panels=panels)
    return replace(state, days=days)


def set_low_days(day: PanelDays, low_days: Mapping[str, int]) -> PanelDays:
    """Return the day with new numbers of low days.

    `low_days`: serial → how many low days in a row the panel has had; 0 for a serial that is not in it.
    """
    panels = {
        serial: panel
        if panel.low_days == low_days.get(serial, 0)
        else replace(panel, low_days=low_days.get(serial, 0))
        for serial, panel in day.panels.items()
    }
    return replace(day, panels=panels)


def _count(panel: PanelDay, before: PanelDay | None, *, is_awake: bool) -> PanelDay:
    count = 0 if panel.reports else (before.silent_days if before else 0) + is_awake
    return panel if panel.silent_days == count else replace(panel, silent_days=count)


def _is_awake(day: PanelDays, *, is_last: bool) -> bool:
    """Return whether inverters reported on a day.

    On the last day, the first and the last report must be at least two hours apart.
    """
    seen = [panel for panel in day.panels.values() if panel.reports]
    if not seen:
        return False
    return not is_last or max(p.last_at for p in seen) - min(p.first_at for p in seen) >= _AWAKE_S

"""Compare each inverter with its group's median, over one day and seven days, and make the day rows. Pure.

A group of one or two inverters is not compared, because the median of two values is only their mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Final

from logger.days import days_before, first_instant, list_days
from logger.model import DayRow, Reading, Value, add_up
from logger.panels.panel_state import PanelDay, PanelDays, PanelState, Place

LEAST_GROUP: Final = 3
_WEEK: Final = 7


def make_rows(state: PanelState, dates: Iterable[str], gateway: str, zone: str, closed: str) -> list[DayRow]:
    """Make the rows of `envoy_inverter_day` for the given dates. Rows up to the date `closed` are final."""
    return [
        DayRow(reading, day, day <= closed)
        for day in dates
        if day in state.days
        for reading in _make_day(state, day, gateway, zone)
    ]


def _make_day(state: PanelState, day: str, gateway: str, zone: str) -> list[Reading]:
    """Make one reading for each inverter, with the tags that the inverter had when the day began."""
    kept, at = state.days[day], first_instant(day, zone)
    found: dict[str, Mapping[str, float]] = {
        "group_ratio": compare_day(kept),
        "group_ratio_7d": _compare_week(state.days, day),
        "coverage_percent": measure_coverage(kept, state.interval_s),
    }
    readings = []
    for serial, panel in kept.panels.items():
        tags = {"gateway": gateway, "site": kept.site, "serial": serial, "panel_group": panel.group}
        fields: dict[str, Value] = {}
        if panel.is_known:
            fields |= {"energy_wh": panel.wh, "estimated_wh": panel.estimated_wh}
        if panel.reports:
            fields["peak_power_w"] = panel.peak_w
        fields |= {name: round(values[serial], 4) for name, values in found.items() if serial in values}
        fields |= _describe(serial, panel, state.places.get(serial, Place()))
        written = {name: value for name, value in tags.items() if value}
        readings.append(Reading("envoy_inverter_day", written, fields, at, "daily"))
    return readings


def _describe(serial: str, panel: PanelDay, place: Place) -> dict[str, Value]:
    """Return the panel's name and place, its numbers of silent and low days, and the time for which it was tripped.

    A panel without a name gets the serial of its inverter as name.
    """
    names = {"panel": place.panel or serial, "panel_row": place.row, "panel_column": place.column}
    counts = {"silent_days": panel.silent_days, "low_days": panel.low_days, "tripped_s": float(panel.tripped_s)}
    return {**{name: text for name, text in names.items() if text}, **counts}


def group_serials(panels: Mapping[str, PanelDay]) -> dict[str, list[str]]:
    """Return the serials of each group. Without a layout all inverters are in the group ''."""
    found: dict[str, list[str]] = {}
    for serial, panel in panels.items():
        found.setdefault(panel.group, []).append(serial)
    return found


def compare_day(day: PanelDays) -> dict[str, float]:
    """Return the ratio of each inverter's energy to the group's median energy.

    Inverters whose group has fewer than `LEAST_GROUP` inverters with a known energy are left out.
    """
    known = {serial: panel for serial, panel in day.panels.items() if panel.is_known}
    return _compare(group_serials(known), {serial: panel.wh for serial, panel in known.items()})


def _compare_week(days: Mapping[str, PanelDays], last: str) -> dict[str, float]:
    """Return the ratio of each inverter's energy to the group's median energy, over the seven days up to `last`.

    An inverter is left out if its energy is unknown on a day on which the energy of another inverter of its group is
    known.
    """
    span = [day for day in list_days(days_before(last, _WEEK - 1), last) if day in days]
    found: dict[str, float] = {}
    known = {day: {s: panel for s, panel in days[day].panels.items() if panel.is_known} for day in span}
    for group, serials in group_serials(known[last]).items():
        there = {day: known[day].keys() & set(serials) for day in span}
        of_group = [day for day in span if there[day]]
        whole = [s for s in serials if all(s in there[day] for day in of_group)]
        found |= _compare({group: whole}, {s: add_up(days[day].panels[s].wh for day in of_group) for s in whole})
    return found


def measure_coverage(day: PanelDays, interval_s: int) -> dict[str, float]:
    """Return the percentage of each inverter's expected reports that arrived.

    One report is expected for each interval between the first and the last report of the inverter's group. An
    inverter without a report has 0.
    """
    found = {serial: 0.0 for serial, panel in day.panels.items() if not panel.reports}
    for serials in group_serials(day.panels).values():
        seen = [panel for s in serials if (panel := day.panels[s]).reports]
        if interval_s and seen:
            span_s = max(panel.last_at for panel in seen) - min(panel.first_at for panel in seen)
            expected = span_s // interval_s + 1
            found |= {s: min(100.0, 100.0 * day.panels[s].reports / expected) for s in serials}
    return found


def _compare(groups: Mapping[str, list[str]], wh: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for serials in groups.values():
        middle = median(wh[s] for s in serials) if len(serials) >= LEAST_GROUP else 0.0
        if middle > 0:
            found |= {s: wh[s] / middle for s in serials}
    return found

"""Each inverter against the median of its group, on one day and over seven. Pure.

A group of one or two cannot be judged: whoever is the median of so few says nothing about the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median
from typing import Final

from logger.panels.books import PanelDays

LEAST_GROUP: Final = 3
_WEEK: Final = 7


def groups_of(day: PanelDays) -> dict[str, list[str]]:
    """The serials of each group of a day; without a layout all inverters are one group, called ''."""
    found: dict[str, list[str]] = {}
    for serial, panel in day.panels.items():
        found.setdefault(panel.group, []).append(serial)
    return found


def day_ratios(day: PanelDays) -> dict[str, float]:
    """Each inverter's energy against the median of its group."""
    return _ratios(groups_of(day), {serial: panel.wh for serial, panel in day.panels.items()})


def week_ratios(days: Mapping[str, PanelDays], last: str) -> dict[str, float]:
    """The same over the seven days that end with `last`, of the inverters that have all of their group's days."""
    end = date.fromisoformat(last)
    span = [day for back in range(_WEEK) if (day := (end - timedelta(days=back)).isoformat()) in days]
    if not span or span[0] != last:
        return {}
    found: dict[str, float] = {}
    for group, serials in groups_of(days[last]).items():
        there = {day: {s for s in serials if s in days[day].panels} for day in span}
        of_group = [day for day in span if there[day]]
        whole = [s for s in serials if all(s in there[day] for day in of_group)]
        sums = {s: sum(days[day].panels[s].wh for day in of_group) for s in whole}
        found |= _ratios({group: whole}, sums)
    return found


def coverages(day: PanelDays, interval_s: int) -> dict[str, float]:
    """Percent of each inverter's reports that were seen, of those between its group's first and last."""
    if not interval_s:
        return {}
    found: dict[str, float] = {}
    for serials in groups_of(day).values():
        seen = [day.panels[s] for s in serials if day.panels[s].seen]
        if not seen:
            continue
        span_s = max(p.last for p in seen) - min(p.first for p in seen)
        expected = span_s // interval_s + 1
        found |= {s: min(100.0, 100.0 * day.panels[s].seen / expected) for s in serials}
    return found


def _ratios(groups: Mapping[str, list[str]], wh: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for serials in groups.values():
        middle = median(wh[s] for s in serials) if len(serials) >= LEAST_GROUP else 0.0
        if middle > 0:
            found |= {s: wh[s] / middle for s in serials}
    return found

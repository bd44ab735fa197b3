"""Which inverter has fallen silent or gives too little, and how often they report: judged from the books. Pure.

A panel is weak against its group, as the layout file gives it. Without groups nobody says which panels face the same
way: then it is weak against all of them only where the others agree with one another, else against what it gives
usually.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

from logger.model import Event, Report
from logger.panels.books import Panels
from logger.panels.compare import coverages, day_ratios, groups_of

SILENT_S: Final = 86400
WEAK_DAYS: Final = 3
"""So many sunny days in a row below the limit are no cloud."""
_SUNNY_PART: Final = 0.5
"""A day is sunny if the group's median made this part of its best day of those remembered."""
_SUNNY_WH: Final = 150.0
_WATCHED_GAP_S: Final = 7200
_ALIKE: Final = (0.1, 0.1)
"""Panels that face one way lie this close to their median, all but one or this part of them."""
_USUAL_DAYS: Final = 5
_USUAL_WEIGHT: Final = 0.1
_LEAST_COVERED: Final = 60.0
_SEEN: Final = 0.8
"""An inverter of which less than this part of the usual reports was seen fell silent, or out of reach, that day."""
_AGREEING: Final = 6
"""So many polls in a row must show the same reporting interval."""
_INTERVALS: Final = (300, 600, 900, 1200, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Usual:
    """What a panel usually gives of its group's median, learned from so many sunny days."""

    ratio: float
    days: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered between verdicts.

    `from_tick` begins the present stretch without a gap, `last_tick` ends it; `judged` is the last day judged, `weak`
    counts a panel's sunny days below the limit, `told` holds what was said of a panel and is not over yet;
    `interval_run` the reporting interval that the latest polls showed, and how many did.
    """

    from_tick: int = 0
    last_tick: int = 0
    judged: str = ""
    weak: Mapping[str, int] = field(default_factory=dict)
    usual: Mapping[str, Usual] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    interval_run: tuple[int, int] = (0, 0)


def look(watch: Watch, panels: Panels, tick: int) -> tuple[Watch, list[Event]]:
    """At each poll of the inverters: who has fallen silent, who is heard again."""
    begins = min(watch.from_tick, tick) if watch.from_tick and tick - watch.last_tick <= _WATCHED_GAP_S else tick
    watch = replace(watch, from_tick=begins, last_tick=tick)
    newest = max((panel.last for panel in panels.now.values()), default=0)
    told, events = dict(watch.told), []
    for serial, panel in panels.now.items():
        quiet_s = newest - max(panel.last, begins)
        if told.get(serial) != "silent" and quiet_s >= SILENT_S:
            told[serial] = "silent"
            text = f"inverter {serial} has not reported for a day, while others have"
            events.append(Event(tick, "inverter_lost", text, "warning", serial))
        elif told.get(serial) == "silent" and newest - panel.last < SILENT_S:
            del told[serial]
            events.append(Event(tick, "inverter_found", f"inverter {serial} reports again", "info", serial))
    return (watch if told == watch.told else replace(watch, told=told)), events


def notice_interval(
    watch: Watch, panels: Panels, new: Sequence[Report], known: Mapping[str, Sequence[Report]], tick: int
) -> tuple[Watch, Panels, list[Event]]:
    """How far apart the new reports are from the ones before them; said when that has changed for good."""
    gaps = [
        report.gateway_second - before[-1].gateway_second
        for report in new
        if (before := known.get(report.serial)) and report.gateway_second > before[-1].gateway_second
    ]
    gaps = [gap for gap in gaps if gap <= _INTERVALS[-1] * 1.1]
    if not gaps:
        return watch, panels, []
    seen = nearest_interval(median(gaps))
    if not seen:
        return watch, panels, []
    value, count = watch.interval_run
    count = min(count + 1, _AGREEING) if value == seen else 1
    watch = replace(watch, interval_run=(seen, count))
    if count < _AGREEING or seen == panels.interval_s:
        return watch, panels, []
    events = []
    if panels.interval_s:
        text = f"inverters report every {seen} s now, before every {panels.interval_s} s"
        events.append(Event(tick, "inverter_interval_changed", text, "warning"))
    return watch, replace(panels, interval_s=seen), events


def nearest_interval(seconds: float) -> int:
    """The reporting interval that this is, within a tenth; 0 if it is none."""
    found = min(_INTERVALS, key=lambda interval: abs(interval - seconds))
    return found if abs(found - seconds) <= found * 0.1 else 0


def judge_days(
    watch: Watch, panels: Panels, closed: str, limit_percent: float, tick: int
) -> tuple[Watch, list[Event]]:
    """Judge every day up to `closed` that was not judged yet: which panels stay below the limit of their group."""
    events: list[Event] = []
    for day in sorted(panels.days):
        if watch.judged < day <= closed:
            watch, said = _judge(watch, panels, day, limit_percent / 100, tick)
            events += said
    return (replace(watch, judged=closed) if closed > watch.judged else watch), events


def _judge(watch: Watch, panels: Panels, day: str, limit: float, tick: int) -> tuple[Watch, list[Event]]:
    of_day = panels.days[day]
    ratios, covered = day_ratios(of_day), coverages(of_day, panels.interval_s)
    weak, usual, told, events = dict(watch.weak), dict(watch.usual), dict(watch.told), []
    for group, serials in groups_of(of_day).items():
        judged = [s for s in serials if s in ratios]
        if not judged or not _sunny(panels, day, group, serials):
            continue
        if median(covered.get(s, 0.0) for s in judged) < _LEAST_COVERED:
            continue  # the recorder was away for much of the day
        seen = median(of_day.panels[s].seen for s in judged)
        alike = _alike([ratios[s] for s in judged if of_day.panels[s].seen >= _SEEN * seen])
        for serial in judged:
            entry = of_day.panels[serial]
            if entry.estimated_wh > 0 and entry.seen < _SEEN * seen:
                continue  # its reports were lost, not its energy
            wants = limit if group else _wants(usual.get(serial), limit, alike=alike)
            if wants is None:
                if serial not in told:
                    usual[serial] = _learned(usual.get(serial), ratios[serial])
                continue
            if ratios[serial] >= wants:
                usual[serial] = _learned(usual.get(serial), ratios[serial])
                weak.pop(serial, None)
                if told.get(serial) == "weak":
                    del told[serial]
                    events.append(
                        Event(tick, "panel_recovered", f"panel {serial} gives its part again", "info", serial)
                    )
                continue
            weak[serial] = min(weak.get(serial, 0) + 1, WEAK_DAYS)
            if weak[serial] == WEAK_DAYS and serial not in told:
                told[serial] = "weak"
                events.append(_weak_event(serial, group, ratios[serial], wants, tick))
    return replace(watch, weak=weak, usual=usual, told=told), events


def _sunny(panels: Panels, day: str, group: str, serials: Sequence[str]) -> bool:
    """The group's median made at least half of its best remembered day, and more than a glimmer."""
    medians = {}
    for each, kept in panels.days.items():
        made = [kept.panels[s].wh for s in serials if s in kept.panels]
        if each <= day and made:
            medians[each] = median(made)
    return medians[day] >= max(_SUNNY_WH, _SUNNY_PART * max(medians.values()))


def _alike(ratios: Sequence[float]) -> bool:
    near, odd = _ALIKE
    return sum(1 for ratio in ratios if abs(ratio - 1) > near) <= max(1.0, odd * len(ratios))


def _wants(usual: Usual | None, limit: float, *, alike: bool) -> float | None:
    """The ratio below which a panel without a group is weak; None while nothing can be said of it."""
    known = usual.ratio if usual is not None and usual.days >= _USUAL_DAYS else None
    if alike and (known is None or known >= limit):
        return limit
    return None if known is None else limit * min(1.0, known)


def _learned(before: Usual | None, ratio: float) -> Usual:
    if before is None:
        return Usual(round(ratio, 4), 1)
    weight = max(_USUAL_WEIGHT, 1 / (before.days + 1))
    return Usual(round(before.ratio + weight * (ratio - before.ratio), 4), min(before.days + 1, 99))


def _weak_event(serial: str, group: str, ratio: float, wants: float, tick: int) -> Event:
    of = f"group {group}" if group else "the site's panels"
    text = (
        f"panel {serial} gave {100 * ratio:.0f} % of the median of {of} on a third sunny day in a row "
        f"(less than {100 * wants:.0f} %)"
    )
    if not group:
        text += "; if it faces another way, give it a group in LOGGER_LAYOUT_FILE"
    return Event(tick, "panel_weak", text, "warning", serial)

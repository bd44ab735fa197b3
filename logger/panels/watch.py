"""Detect silent inverters, weak panels and changes of the reporting interval. Pure.

A panel's ratio is its energy of a day, divided by the group's median energy. Panels without a group in the layout
file are one group, although they may face different ways. So a panel of this group is compared with its own usual
ratio in two cases: too many ratios in the group are far from 1, or the panel's usual ratio is low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from logger.model import Event, Reading
from logger.panels.compare import compare_day, group_serials, measure_coverage
from logger.panels.panel_days import DAYS_KEPT
from logger.panels.panel_state import IntervalRun, PanelDays, PanelState, UsualRatio, Watch
from logger.panels.silence import set_low_days

_SILENT_S: Final = 86400
WEAK_DAYS: Final = 3
"""A panel is weak after this many sunny days in a row below the limit."""
_SUNNY_PART: Final = 0.5
"""A day is sunny only if the group's median energy is at least this share of the group's best median in the state.

The median must also be at least `_SUNNY_WH`.
"""
_SUNNY_WH: Final = 150.0
_WATCHED_GAP_S: Final = 7200
_ALIKE: Final = (0.1, 0.1)
"""Panels are alike if nearly all of them have the same energy.

The first number is the greatest difference from their median, as a share of the median. The second number is the
greatest share of panels that may differ more. One panel may always differ more.
"""
_USUAL_DAYS: Final = 5
_USUAL_WEIGHT: Final = 0.1
_LEAST_COVERED: Final = 60.0
_SEEN: Final = 0.8
"""An inverter with less than this share of the usual reports on a day was silent, or its reports did not arrive."""
_AGREEING: Final = 6
"""A new reporting interval is accepted when this many polls in a row have shown the new interval."""
_INTERVALS: Final = (300, 600, 900, 1200, 1800, 3600)


def notice_silence(state: PanelState, tick: int) -> tuple[PanelState, list[Event]]:
    """Detect inverters that became silent, and silent inverters that report again. Called at each inverter poll."""
    watch, alerts, events = state.watch, dict(state.watch.alerts), list[Event]()
    goes_on = watch.since and tick - watch.last_tick <= _WATCHED_GAP_S
    since = min(watch.since, tick) if goes_on else tick
    newest = max((inverter.last_at for inverter in state.inverters.values()), default=0)
    for serial, inverter in state.inverters.items():
        is_silent = alerts.get(serial) == "silent"
        if not is_silent and newest - max(inverter.last_at, since) >= _SILENT_S:
            alerts[serial] = "silent"
            text = f"inverter {serial} has not reported for a day, although other inverters have"
            events.append(Event(tick, "inverter_lost", text, "warning", serial))
        elif is_silent and newest - inverter.last_at < _SILENT_S:
            del alerts[serial]
            events.append(Event(tick, "inverter_found", f"inverter {serial} reports again", "info", serial))
    return replace(state, watch=replace(watch, since=since, last_tick=tick, alerts=alerts)), events


def notice_interval(state: PanelState, points: Sequence[Reading], tick: int) -> tuple[PanelState, list[Event]]:
    """Measure the interval between new and previous reports.

    Make an event if enough polls in a row show a changed interval.
    """
    gaps = [point.time - known.last_at for point in points if (known := state.inverters.get(point.tags["serial"]))]
    seen_s = find_interval([gap for gap in gaps if 0 < gap <= _INTERVALS[-1] * 1.1])
    if not seen_s:
        return state, []
    run = state.watch.interval_run
    polls = min(run.polls + 1, _AGREEING) if run.interval_s == seen_s else 1
    before_s, watch = state.interval_s, replace(state.watch, interval_run=IntervalRun(seen_s, polls))
    state = replace(state, watch=watch)
    if polls < _AGREEING or seen_s == before_s:
        return state, []
    text = f"the inverters' reporting interval changed from {before_s} s to {seen_s} s"
    events = [Event(tick, "inverter_interval_changed", text, "warning")] if before_s else []
    return replace(state, interval_s=seen_s), events


def find_interval(gaps_s: Sequence[float]) -> int:
    """Return the known reporting interval in seconds that is within 10 % of the median gap; 0 if there is none."""
    if not gaps_s:
        return 0
    middle = median(gaps_s)
    found = min(_INTERVALS, key=lambda interval: abs(interval - middle))
    return found if abs(found - middle) <= found * 0.1 else 0


def judge_days(state: PanelState, closed: str, limit_percent: float, tick: int) -> tuple[PanelState, list[Event]]:
    """Judge the panels on every day up to the ISO date `closed` that has not been judged."""
    judge = _Judge(state, limit_percent / 100, tick)
    for day in sorted(state.days):
        if state.watch.judged < day <= closed:
            judge.judge_day(day)
    return replace(state, watch=judge.conclude(closed), days={**state.days, **judge.judged}), judge.events


class _Judge:
    """Judge the panels of a `PanelState` day by day. `events`: what was found. `judged`: date → the judged day."""

    def __init__(self, state: PanelState, limit: float, tick: int) -> None:
        watch = state.watch
        self._state, self._limit, self._tick = state, limit, tick
        self._weak_days, self._usual, self._alerts = dict(watch.weak_days), dict(watch.usual), dict(watch.alerts)
        self.events: list[Event] = []
        self.judged: dict[str, PanelDays] = {}

    def conclude(self, closed: str) -> Watch:
        """Return the watch state after all days up to the ISO date `closed` were judged."""
        watch = self._state.watch
        judged = max(closed, watch.judged)
        return replace(watch, judged=judged, weak_days=self._weak_days, usual=self._usual, alerts=self._alerts)

    def judge_day(self, day: str) -> None:
        """Judge the panels of every group for which the day was sunny and sufficiently covered by reports."""
        of_day = self._state.days[day]
        ratios, covered = compare_day(of_day), measure_coverage(of_day, self._state.interval_s)
        for group, serials in group_serials(of_day.panels).items():
            compared = [s for s in serials if s in ratios]
            if not compared or not self._is_sunny(day, serials):
                continue
            if median(covered.get(s, 0.0) for s in compared) < _LEAST_COVERED:
                continue  # the recorder did not run for much of the day
            enough = _SEEN * median(of_day.panels[s].reports for s in compared)
            alike = _are_alike([ratios[s] for s in compared if of_day.panels[s].reports >= enough])
            for serial in compared:
                panel = of_day.panels[serial]
                if panel.estimated_wh > 0 and panel.reports < enough:
                    continue  # too few reports to judge the panel
                self._judge_panel(serial, group, ratios[serial], alike=alike)
        self.judged[day] = set_low_days(of_day, self._weak_days)

    def _judge_panel(self, serial: str, group: str, ratio: float, *, alike: bool) -> None:
        least = self._limit if group else self._find_least(serial, alike=alike)
        if least is None:
            if serial not in self._alerts:
                self._learn(serial, ratio)
        elif ratio >= least:
            self._learn(serial, ratio)
            self._weak_days.pop(serial, None)
            if self._alerts.get(serial) == "weak":
                del self._alerts[serial]
                text = f"panel {serial} is no longer weak compared with the other panels"
                self.events.append(Event(self._tick, "panel_recovered", text, "info", serial))
        else:
            days = self._weak_days[serial] = self._weak_days.get(serial, 0) + 1
            if days >= WEAK_DAYS and serial not in self._alerts:
                self._alerts[serial] = "weak"
                text = _describe_weak(serial, group, days, ratio, least)
                self.events.append(Event(self._tick, "panel_weak", text, "warning", serial))

    def _find_least(self, serial: str, *, alike: bool) -> float | None:
        """Return the ratio below which a panel without a group is weak; None while that ratio is unknown.

        `alike`: nearly all panels of the site had similar ratios on the judged day.
        """
        usual = self._usual.get(serial)
        known = usual.ratio if usual is not None and usual.days >= _USUAL_DAYS else None
        if alike and (known is None or known >= self._limit):
            return self._limit
        return None if known is None else self._limit * min(1.0, known)

    def _learn(self, serial: str, ratio: float) -> None:
        """Include the ratio of one more day in the mean of a panel's ratios.

        `ratio`: the panel's energy on that day, divided by the group's median energy.
        """
        before = self._usual.get(serial) or UsualRatio(ratio, 0)
        weight = max(_USUAL_WEIGHT, 1 / (before.days + 1))
        mean = round(before.ratio + weight * (ratio - before.ratio), 4)
        self._usual[serial] = UsualRatio(mean, min(before.days + 1, 99))

    def _is_sunny(self, day: str, serials: Sequence[str]) -> bool:
        """Return whether a day was sunny for a group of panels.

        The group's median energy of that day must be at least 150 Wh, and at least half of the group's best median of
        the days in the state.
        """
        medians = {}
        for each in [date for date in sorted(self._state.days) if date <= day][-DAYS_KEPT:]:
            panels = self._state.days[each].panels
            made = [panels[s].wh for s in serials if s in panels and panels[s].is_known]
            if made:
                medians[each] = median(made)
        return medians[day] >= max(_SUNNY_WH, _SUNNY_PART * max(medians.values()))


def _are_alike(ratios: Sequence[float]) -> bool:
    near, odd = _ALIKE
    return sum(1 for ratio in ratios if abs(ratio - 1) > near) <= max(1.0, odd * len(ratios))


def _describe_weak(serial: str, group: str, days: int, ratio: float, least: float) -> str:
    others = f"group {group}" if group else "the site's panels"
    text = (
        f"panel {serial} made less than {100 * least:.0f} % of the median of {others} on {days} sunny days in a row; "
        f"on the last of these days it made {100 * ratio:.0f} %"
    )
    return text if group else f"{text}; if this panel faces another way, name its group in LOGGER_LAYOUT_FILE"

"""Account for one poll of the inverters: new points and the state before → the state after, rows, events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from logger.energy.day_rows import EVERY_S
from logger.energy.days import days_before, final_at, local_day
from logger.model import DayRow, Event, Reading
from logger.panels.compare import make_rows
from logger.panels.panel_days import add_reports, forget_old_days
from logger.panels.panel_state import PanelState
from logger.panels.watch import judge_days, notice_interval, notice_silence
from logger.site import Site


@dataclass(frozen=True, slots=True)
class PanelResult:
    """Hold the state after a poll, the rows of days to write, and the events."""

    state: PanelState
    rows: list[DayRow] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def account_for_panels(
    before: PanelState, points: Sequence[Reading], tick: int, site: Site, gateway: str
) -> PanelResult:
    """Count the new points of `envoy_inverter`, make the rows of days that changed, and judge the inverters.

    A row is due every 15 minutes until its day is closed, and again when a late report changes a closed day.
    """
    state, events = notice_interval(before, points, tick)
    state = add_reports(state, points, tick, tick, site)
    closed = find_closed_day(tick, site.zone)
    if state.watch.judged > local_day(tick, site.zone):  # our clock was ahead
        state = replace(state, watch=replace(state.watch, judged=closed))
    judged, is_due = state.watch.judged, tick // EVERY_S != state.watch.last_tick // EVERY_S
    changed = [day for day, kept in state.days.items() if (is_due if day > judged else before.days.get(day) != kept)]
    rows = make_rows(state, changed, gateway, site.zone, closed)
    state, silent = notice_silence(state, tick)
    events += silent
    if is_due:
        state, weak = judge_days(state, closed, site.panel_alert_percent, tick)
        events += weak
    return PanelResult(forget_old_days(state), rows, events)


def find_closed_day(tick: int, zone: str) -> str:
    """Return the latest local day whose rows are final at `tick`."""
    yesterday = days_before(local_day(tick, zone), 1)
    return yesterday if tick >= final_at(yesterday, zone) else days_before(yesterday, 1)

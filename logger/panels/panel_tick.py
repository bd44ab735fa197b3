"""Account for one poll of the inverters: update the state, and make the day rows, events and hours. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from logger.days import days_before, final_at, local_day
from logger.energy.day_rows import EVERY_S
from logger.model import DayRow, Event, Reading
from logger.panels.compare import make_rows
from logger.panels.panel_days import add_reports, forget_old_days
from logger.panels.panel_hours import close_hours
from logger.panels.panel_state import Installed, PanelState
from logger.panels.silence import count_silent_days, list_installed, set_low_days
from logger.panels.watch import judge_days, notice_interval, notice_silence
from logger.site import Site


@dataclass(frozen=True, slots=True)
class PanelResult:
    """The state after a poll, the day rows to write, the events, and the points of complete hours."""

    state: PanelState
    rows: list[DayRow] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    hours: list[Reading] = field(default_factory=list)


def account_for_panels(
    before: PanelState,
    points: Sequence[Reading],
    tick: int,
    site: Site,
    gateway: str,
    installed: Sequence[Installed] = (),
) -> PanelResult:
    """Add the energy of the new points of `envoy_inverter` to the days. Make the changed day rows. Judge the panels.

    A row is due every 15 minutes until its day is closed, and again when a late report changes a closed day.
    `before`: the panel state before the tick. `installed`: all inverters of the site, empty if no list of the
    inverters arrived.
    """
    state, events = notice_interval(before, points, tick)
    state = add_reports(state, points, tick, tick, site)
    today, closed = local_day(tick, site.zone), find_closed_day(tick, site.zone)
    waited_s = min(tick - before.watch.last_tick, 2 * site.devices_s) if before.watch.last_tick else site.devices_s
    tripped_s = {item.serial: max(0, waited_s) for item in installed if item.is_tripped}
    state = list_installed(state, installed, today, site.name, tripped_s)
    if state.watch.judged > today:  # our clock was ahead
        state = replace(state, watch=replace(state.watch, judged=closed))
    judged, is_due = state.watch.judged, tick // EVERY_S != before.watch.last_tick // EVERY_S
    state, silent = notice_silence(state, tick)
    late = [day for day, kept in state.days.items() if day <= judged and before.days.get(day) != kept]
    if is_due:
        state, weak = judge_days(state, closed, site.panel_alert_percent, tick)
        events += weak
    if is_due or late:
        state = _count_days(state, judged)
    changed = [day for day, kept in state.days.items() if (is_due if day > judged else before.days.get(day) != kept)]
    rows = make_rows(state, changed, gateway, site.zone, closed)
    state, hours = close_hours(state, tick, gateway, site.zone, site.devices_s)
    return PanelResult(forget_old_days(state), rows, [*events, *silent], hours)


def _count_days(state: PanelState, judged: str) -> PanelState:
    """Set the numbers `low_days` and `silent_days` of every panel on every day.

    `low_days`: a day that is not judged yet gets the number of the last judged day. `silent_days`: every day gets a
    newly counted number. But the oldest day keeps its old number if that day was judged before this poll, because the
    state no longer has an earlier day. `judged`: the last day that was judged before this poll.
    """
    days = {
        day: set_low_days(kept, state.watch.weak_days) if day > max(judged, state.watch.judged) else kept
        for day, kept in state.days.items()
    }
    first = min(days, default="")
    return count_silent_days(replace(state, days=days), [day for day in days if day > min(first, judged)])


def find_closed_day(tick: int, zone: str) -> str:
    """Return the latest local day whose rows are final at a tick."""
    yesterday = days_before(local_day(tick, zone), 1)
    return yesterday if tick >= final_at(yesterday, zone) else days_before(yesterday, 1)

"""Compute each inverter's energy on each local day, from its lifetime counter or from its reports. Pure.

An inverter's counter is validated like every counter. If an inverter has no counter, the mean power of its reports is
integrated, and this energy is marked as estimated. If an inverter has a counter but its reports lack the counter's
value, the energy of these reports waits, because the counter's next rise may contain it. After a day without a value,
the waiting energy is counted. All times are the inverters' report times, not poll times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from logger.days import first_instant, following, local_day
from logger.energy.state import Counter
from logger.energy.validate import Bounds, Decision, Increment, start_counter, validate
from logger.model import AHEAD_S, Reading
from logger.panels.panel_hours import add_span
from logger.panels.panel_state import InverterState, PanelDay, PanelDays, PanelState
from logger.site import Site

INVERTER_MAX_W: Final = 2000.0
"""Greatest power of an inverter, in W. If a counter rises faster, its value waits for the next reports."""
DAYS_KEPT: Final = 9
"""Number of days in the state: today, and the earlier days for seven-day ratios and late reports."""
_GAP_INTERVALS: Final = 3
"""Power is not integrated between two reports that are more than this many intervals apart."""
_LONGEST_INTERVAL_S: Final = 7200
_COUNTER_GONE_S: Final = 86400
Waiting: TypeAlias = Literal["stays", "is counted", "counts"]
"""What becomes of the waiting energy of an inverter (see `DayShare`).

It still waits (`stays`), the rise of the inverter's counter contains it (`is counted`), or it is added to its day
(`counts`), because no counter contains it.
"""


@dataclass(frozen=True, slots=True)
class DayShare:
    """The energy in Wh that one report adds to a local day.

    `estimated_wh`: the estimated part of `wh`. `waiting_wh`: energy that is not in `wh`, because the report has no
    lifetime energy; it is added to the day only if no later rise of the inverter's counter contains it.
    """

    day: str
    wh: float = 0.0
    estimated_wh: float = 0.0
    waiting_wh: float = 0.0


def add_reports(state: PanelState, points: Iterable[Reading], since: int, until: int, site: Site) -> PanelState:
    """Add new reports: points of `envoy_inverter` with the tags of the panel layout.

    The caller passes each point once. `until`: the present time in unix seconds. `since`: the tick at which a new
    state starts to count. A report from the future is not added to any day, because the gateway's clock or our clock
    was wrong.
    """
    latest = until + AHEAD_S
    last_day = local_day(latest, site.zone)
    inverters = {
        serial: inverter if inverter.last_at <= latest else _set_back(inverter, until)
        for serial, inverter in state.inverters.items()
    }
    days = {day: dict(kept.panels) for day, kept in state.days.items() if day <= last_day}
    names = {day: kept.site for day, kept in state.days.items()}
    hours = {start: dict(seen) for start, seen in state.hours.items() if start <= latest}
    since = min(state.since or since, until)
    for point in points:
        serial, at = point.tags["serial"], point.time
        known = inverters.get(serial)
        if at > latest or (known is not None and at <= known.last_at):
            continue
        inverters[serial], shares, waiting = _count_report(known, point, state.interval_s, site.zone)
        if at < since - _LONGEST_INTERVAL_S:
            continue  # the report is from before counting began
        if waiting != "stays":
            _end_waiting(days.values(), serial, counts=waiting == "counts")
        own = DayShare(_day_of(at, state.interval_s, site.zone))
        for share in (own, *shares):
            names.setdefault(share.day, site.name)
            panels = days.setdefault(share.day, {})
            panels[serial] = _add_share(panels.get(serial), share, point)
        days[own.day][serial] = _note_report(days[own.day][serial], point)
        if state.interval_s and (power_w := _number(point, "power_w")) is not None:
            add_span(hours, serial, known, at, power_w, state.interval_s, site.zone)
    kept = {day: PanelDays(names[day], days[day]) for day in sorted(days)}
    return replace(state, inverters=inverters, days=kept, since=since, hours=hours)


def forget_old_days(state: PanelState) -> PanelState:
    """Drop the days that ratios and late reports no longer need."""
    if len(state.days) <= DAYS_KEPT:
        return state
    return replace(state, days={day: state.days[day] for day in sorted(state.days)[-DAYS_KEPT:]})


def _set_back(inverter: InverterState, until: int) -> InverterState:
    """Set an inverter's times back to `until`, because its last report got a time from a clock that was ahead."""
    counter = inverter.counter
    if counter is not None:
        counter = replace(counter, at=min(counter.at, until), held=())
    return replace(inverter, last_at=until, counter=counter, first_at=min(inverter.first_at, until))


def _end_waiting(days: Iterable[dict[str, PanelDay]], serial: str, *, counts: bool) -> None:
    """Remove an inverter's waiting energy (see `DayShare`) from every day.

    `counts`: add the waiting energy to the energy of its days, as estimated.
    """
    for panels in days:
        day = panels.get(serial)
        if day is not None and day.waiting_wh:
            waited_wh = day.waiting_wh if counts else 0.0
            panels[serial] = _add_wh(replace(day, waiting_wh=0.0), waited_wh, waited_wh)


def _add_share(day: PanelDay | None, share: DayShare, point: Reading) -> PanelDay:
    day = day or PanelDay(group=point.tags.get("panel_group", ""))
    if share.waiting_wh:
        day = replace(day, waiting_wh=round(day.waiting_wh + share.waiting_wh, 4))
    return _add_wh(day, share.wh, share.estimated_wh)


def _add_wh(day: PanelDay, wh: float, estimated_wh: float) -> PanelDay:
    if not wh and not estimated_wh:
        return day
    return replace(day, wh=round(day.wh + wh, 4), estimated_wh=round(day.estimated_wh + estimated_wh, 4))


def _note_report(day: PanelDay, point: Reading) -> PanelDay:
    return replace(
        day,
        peak_w=max(day.peak_w, _number(point, "power_w") or 0.0),
        reports=day.reports + 1,
        first_at=min(day.first_at, point.time) if day.first_at else point.time,
        last_at=max(day.last_at, point.time),
    )


def _count_report(
    known: InverterState | None, point: Reading, interval_s: int, zone: str
) -> tuple[InverterState, list[DayShare], Waiting]:
    """Update an inverter with one report.

    Return the inverter, the energy that the report adds to local days, and what becomes of the inverter's waiting
    energy (see `Waiting`).
    """
    power_w, counted_wh = _number(point, "power_w"), _number(point, "energy_lifetime_wh")
    wh = None if counted_wh is None else round(counted_wh, 3)  # more digits would only store noise
    counter = known.counter if known else None
    shares: list[DayShare] = []
    waiting: Waiting = "stays"
    if wh is not None:
        if counter is None:  # the base counts nothing of the report's own interval
            shares = _integrate(known, power_w, point.time, interval_s, zone)
        decision = _validate(counter, wh, point.time, interval_s, zone)
        counter = decision.counter
        for increment in decision.increments:
            shares += _split_by_day(increment, power_w or 0.0, interval_s, zone)
        if decision.accepted:
            waiting = "counts" if decision.reset or not decision.increments else "is counted"
    else:
        shares = _integrate(known, power_w, point.time, interval_s, zone)
        if counter is not None and point.time - counter.at < _COUNTER_GONE_S:
            shares = [DayShare(share.day, waiting_wh=share.wh) for share in shares]
        else:
            counter, waiting = None, "counts"
    first_at, first_wh = (known.first_at, known.first_wh) if known else (point.time, wh)
    return InverterState(point.time, power_w or 0.0, counter, first_at, first_wh), shares, waiting


def _validate(counter: Counter | None, wh: float, at: int, interval_s: int, zone: str) -> Decision:
    """Validate a counter's new value in Wh. Return the decision on it."""
    bounds = Bounds(INVERTER_MAX_W, zone, interval_s or _LONGEST_INTERVAL_S)
    if counter is None or not counter.has_base:
        decision = start_counter(counter, wh, at, local_day(at, zone), bounds)
    else:
        decision = validate(counter, wh, at, bounds)
    # An inverter's counter has no coarse steps, so `rose_at` is not needed; 0 saves a write at every report.
    return replace(decision, counter=replace(decision.counter, rose_at=0))


def _integrate(
    known: InverterState | None, power_w: float | None, at: int, interval_s: int, zone: str
) -> list[DayShare]:
    """Integrate power between the previous report and this report. All of this energy is marked as estimated.

    If the reports are more than `_GAP_INTERVALS` intervals apart, only the last interval is integrated. Without a
    previous report (`known`) or without a power nothing is integrated.
    """
    if known is None or power_w is None:
        return []
    gap = at - known.last_at
    usual = interval_s or min(gap, _LONGEST_INTERVAL_S)
    wh = power_w * min(gap, usual) / 3600
    if usual < gap <= _GAP_INTERVALS * usual:
        wh += (known.power_w + power_w) / 2 * (gap - usual) / 3600
    return [DayShare(_day_of(at, interval_s, zone), wh, wh)]


def _split_by_day(rise: Increment, power_w: float, interval_s: int, zone: str) -> list[DayShare]:
    """Split a counter's rise between local days.

    The energy of the report's own interval follows from the report's power, and belongs to the day of the report. All
    other energy of the rise flowed at an unknown time between the previous report and this interval. If midnight lies
    in that time, the other energy is split in proportion to time, and marked as estimated.
    """
    own_s = min(interval_s or rise.until - rise.since, rise.until - rise.since)
    explained = min(rise.wh, power_w * own_s / 3600 + 1.0)
    rest, begin_s, end_s = rise.wh - explained, float(rise.since), float(rise.until - own_s)
    day, last = local_day(rise.since, zone), local_day(rise.until - own_s, zone)
    crosses_midnight = day < last and rest > 0
    parts: list[tuple[str, float]] = []
    while day < last and end_s > begin_s:
        border = min(max(float(first_instant(following(day), zone)), begin_s), end_s)
        part = rest * (border - begin_s) / (end_s - begin_s)
        parts.append((day, part))
        day, begin_s, rest = following(day), border, rest - part
    parts.append((last, rest))
    shares = [DayShare(day, wh, wh if crosses_midnight else 0.0) for day, wh in parts if wh]
    return [DayShare(_day_of(rise.until, interval_s, zone), explained), *shares]


def _day_of(at: int, interval_s: int, zone: str) -> str:
    """Return the local day of a report: the day of the middle of the report's interval."""
    return local_day(at - interval_s // 2, zone)


def _number(point: Reading, name: str) -> float | None:
    value = point.fields.get(name)
    return float(value) if isinstance(value, (int, float)) else None

"""Rebuild a gateway's energy state from a database, and send the state to the recorder or to the store.

Only commands import this module. The recorder never reads InfluxDB. An interrupted run can be started again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logger.backfill.day_replay import (
    DayReplay,
    RebuildRequest,
    Replayed,
    add_missing,
    empty_lost_bands,
)
from logger.backfill.history import History
from logger.backfill.stored_days import RowTags, read_row_tags
from logger.control.api import Ask
from logger.daemon.amend import MOST_ROWS, StateApi
from logger.daemon.batches import make_daily_rows
from logger.daemon.gateway_state import GatewayState, dump_state
from logger.days import days_before, first_instant, following, list_days, local_day
from logger.energy.periods import Period, sum_day
from logger.energy.rebuild import FIELDS
from logger.energy.state import EnergyState
from logger.model import DayRow, Reading
from logger.panels.panel_days import forget_old_days
from logger.panels.panel_state import PanelState

_HOUR_S: Final = 3600
_WEEK: Final = 8
"""The number of days to replay before the last day.

These are seven whole days and one earlier day. The last values of the earlier day are the start of the seven days.
"""


@dataclass(slots=True)
class Rebuilt:
    """The result of a rebuild.

    A replay computes past days again from the readings in the database. `earlier`: the replay of the time before the
    live state began; None if the database has no data of that time. `again`: with the option `--again`, the replay of
    closed days of the live state. `left_out`: the requested closed days of the live state whose figures stay
    unchanged, because `--again` is not given. `added`: the replay that only adds missing fields to rows that an
    earlier version wrote. `days`: the sums of every day that has a row; the months are computed from these sums.
    `elsewhere`: the days whose only row begins at midnight of another time zone; these days get no second row.
    `double`: the days that have two rows, because the rows begin at the midnights of two time zones. `lost`: rows of
    zeros for the price bands that the first day of the live state lost when the tariff changed; each row replaces the
    stored row of its band.
    """

    earlier: Replayed | None = None
    again: Replayed | None = None
    added: Replayed | None = None
    left_out: tuple[str, ...] = ()
    days: Mapping[str, Period] = field(default_factory=dict)
    lost: tuple[DayRow, ...] = ()
    elsewhere: tuple[str, ...] = ()
    double: tuple[str, ...] = ()

    @property
    def ticks(self) -> int:
        """Return the number of ticks read."""
        return sum(part.ticks for part in (self.earlier, self.again, self.added) if part)

    @property
    def rows(self) -> dict[str, list[DayRow]]:
        """Return date → rows to write. The first row of each date is the row of the site."""
        parts = [part.rows for part in (self.earlier, self.again, self.added) if part]
        return {day: rows for part in parts for day, rows in part.items()}

    @property
    def days_without_balance(self) -> tuple[str, ...]:
        """Return the days whose import and export could not be balanced over the phases."""
        return tuple(sorted({day for part in (self.earlier, self.again) if part for day in part.unbalanced}))

    @property
    def last_tick(self) -> int:
        """Return the last tick that was replayed before the live state (unix seconds); 0 if there was none."""
        return self.earlier.state.energy.last_tick if self.earlier else 0


async def rebuild(
    history: History,
    live: GatewayState,
    request: RebuildRequest,
    on_day: Callable[[str], None],
    check: Callable[[RowTags], None] = lambda newest: None,
) -> Rebuilt | None:
    """Read and replay the requested days. Return the result; None if the database lacks the gateway.

    `check` is called once, before the first day is replayed, with the tags of the newest stored day row. `check`
    may raise an error. `on_day` is called for each day. Rows are made for days without rows, for the requested days,
    and for the last two days, which may be incomplete. The first day of the live state becomes complete later, when
    the rebuilt state is joined to the live state.
    """
    zone, has_live = request.site.zone, live.energy.last_tick > 0
    border = local_day(request.until_tick, zone)
    span = await history.find_span("totals", "envoy_totals", request.gateway, request.until_tick)
    if span is None and not (has_live and await history.list_gateways("totals", "envoy_totals")):
        return None
    first, last = (local_day(at, zone) for at in span) if span else (border, border)
    written = await read_row_tags(
        history, request.gateway, zone, first, max(request.until_tick, live.energy.last_tick) + 86400
    )
    if written:
        check(written[max(written)])
    found = Rebuilt(
        elsewhere=tuple(sorted(day for day, tags in written.items() if tags.is_elsewhere)),
        double=tuple(sorted(day for day, tags in written.items() if tags.is_double)),
    )
    if span:
        missing = {day for day in list_days(first, last) if day not in written}
        asked = list_days(max(first, request.since), min(last, request.until or last)) if request.since else ()
        write = {*missing, *asked, days_before(last, 1), last}.difference(found.elsewhere)
        begin = min(write, default=last)
        start = max(first, min(await _find_start(history, request, begin), days_before(last, _WEEK)))
        replay = DayReplay(history, request, written, live.panels)
        earlier = await replay.run(start, last, write - {border} if has_live else write, on_day)
        found.earlier = replace(earlier, state=replace(earlier.state, panels=forget_old_days(earlier.state.panels)))
        if has_live and border in written:
            found.lost = _list_lost_bands(written[border], border, (earlier.state.energy, live.energy))
    if request.since and has_live:
        await _compute_again(history, live, request, written, found, on_day)
    found.days = _sum_days(written, found.rows, zone)
    return found


def _list_lost_bands(tags: RowTags, day: str, states: Sequence[EnergyState]) -> tuple[DayRow, ...]:
    """Make rows of zeros for the price bands that a day lost when the tariff changed.

    A lost band has a stored row of the day, but no energy on this day in any of the `states`.
    """
    known = {band for state in states for each in state.days if each.date == day for band in each.bands}
    reading = Reading("envoy_day", tags.site, tags.row.fields, tags.row.time, "daily")
    return tuple(DayRow(row, day, False) for row in empty_lost_bands(tags, known, reading))


async def _find_start(history: History, request: RebuildRequest, day: str) -> str:
    """Return the first day to replay for the rows from `day` on.

    The replay begins with the day of the last tick before these rows, because the counters of that tick are needed to
    count the energy of a gap. If prices depend on the energy of the month so far, the replay begins with the day of
    the last tick before that month.
    """
    zone, begin = request.site.zone, f"{day[:-2]}01" if request.prices.has_tiers else day
    span = await history.find_span("totals", "envoy_totals", request.gateway, first_instant(begin, zone))
    return local_day(span[1], zone) if span else begin


async def _find_end(history: History, request: RebuildRequest, after: str, live: EnergyState) -> int:
    """Return the unix time up to which data is replayed, so that the rows of all days before `after` are complete.

    The first tick since the beginning of the day `after` ends a gap over midnight, if there was one. The replay
    stops one hour after this tick; without such a tick, it stops after the last tick of `live`.
    """
    zone = request.site.zone
    for day in list_days(after, live.day):
        since, until = (first_instant(each, zone) for each in (day, following(day)))
        if points := await history.read_points("totals", "envoy_totals", request.gateway, since, until, FIELDS):
            return points[0].time + _HOUR_S
    return live.last_tick + 1


def _sum_days(written: Mapping[str, RowTags], rows: Mapping[str, list[DayRow]], zone: str) -> dict[str, Period]:
    """Return the sums of every day that has a row. A new row of a day replaces the stored row of the day."""
    readings = {
        day: Reading("envoy_day", tags.site, tags.row.fields, tags.row.time, "daily") for day, tags in written.items()
    }
    every = (row.reading for new in rows.values() for row in new)
    readings |= {str(row.fields["local_date"]): row for row in every if row.measurement == "envoy_day"}
    return {
        day: sum_day(readings[day], first_instant(following(day), zone) - first_instant(day, zone))
        for day in sorted(readings)
    }


async def _compute_again(
    history: History,
    live: GatewayState,
    request: RebuildRequest,
    written: Mapping[str, RowTags],
    found: Rebuilt,
    on_day: Callable[[str], None],
) -> None:
    """Replay closed days of the live state with the readings of the database, and put the result into `found`.

    If `request.again` is set, replay all requested closed days. Otherwise replay only days whose rows an earlier
    version wrote, to add missing fields to these rows.
    """
    zone, yesterday = request.site.zone, days_before(live.energy.day, 1)
    border = local_day(request.until_tick, zone)
    begin = following(border) if found.rows else border
    last = (
        following(request.until) if request.until else yesterday
    )  # a day's missing energy is counted in the next day
    days = [day for day in list_days(max(request.since, begin), min(last, yesterday)) if day not in found.elsewhere]
    if not request.again:
        found.left_out = tuple(days)
        days = [day for day in days if day in written and written[day].is_old]
    if not days:
        return
    until_tick = await _find_end(history, request, following(days[-1]), live.energy)
    replay = DayReplay(history, replace(request, until_tick=until_tick), written, PanelState())
    start = min(await _find_start(history, request, days[0]), days_before(days[0], _WEEK))
    replayed = await replay.run(start, local_day(until_tick, zone), set(days), on_day)
    if request.again:
        found.again = replayed
    else:
        found.added = replace(replayed, rows=add_missing(replayed.rows, written))


async def hand_over(ask: Ask, found: Rebuilt, gateway: str) -> int:
    """Send the rebuilt rows and states to the recorder, or to the store. Return the number of written rows."""
    count = 0
    if found.earlier and found.last_tick:
        count += await _give_rows(ask, gateway, found.earlier)
        count += await ask(StateApi.restore_past, gateway, dump_state(found.earlier.state))
    if found.lost:
        await ask(StateApi.put_day_rows, gateway, list(make_daily_rows(found.lost)))
    if found.again:
        count += await _give_rows(ask, gateway, found.again)
        await ask(StateApi.recompute_days, gateway, dump_state(found.again.state), [*found.again.rows])
    if found.added:
        count += await _give_rows(ask, gateway, found.added)
        await ask(StateApi.fill_days, gateway, dump_state(found.added.state), [*found.added.rows])
    events = [event for part in (found.earlier, found.again, found.added) if part for event in part.events]
    for start in range(0, len(events), MOST_ROWS):
        await ask(StateApi.put_events, gateway, events[start : start + MOST_ROWS])
    hours = [hour for part in (found.earlier, found.again, found.added) if part for hour in part.hours]
    for start in range(0, len(hours), MOST_ROWS):
        await ask(StateApi.put_hours, gateway, hours[start : start + MOST_ROWS])
    for year in sorted({day[:4] for day in found.days}):
        days = {day: summed for day, summed in found.days.items() if day.startswith(year)}
        await ask(StateApi.restore_periods, gateway, days)
    return count


async def _give_rows(ask: Ask, gateway: str, replayed: Replayed) -> int:
    """Send day rows to the recorder or the store, page by page."""
    stored = make_daily_rows(row for rows in replayed.rows.values() for row in rows)
    for start in range(0, len(stored), MOST_ROWS):
        await ask(StateApi.put_day_rows, gateway, list(stored[start : start + MOST_ROWS]))
    return len(stored)

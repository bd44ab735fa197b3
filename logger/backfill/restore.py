"""Rebuilding books from a database: read day by day, replayed, and handed to whoever holds the books.

Only commands import this; the daemon never reads InfluxDB. What is handed over is state, so a run that was cut off is
simply begun again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from logger.backfill.history import History, Point
from logger.control.api import Ask, as_text
from logger.daemon.amend import MOST_ROWS
from logger.daemon.batches import make_daily_rows
from logger.daemon.gateway_state import GatewayState, dump_state
from logger.energy import rebuild
from logger.energy.days import final_at, first_instant, following, local_day
from logger.energy.rebuild import Past
from logger.energy.state import EnergyState
from logger.model import DayRow, Json, Reading, Value
from logger.panels import panel_rebuild
from logger.panels.compare import make_rows
from logger.panels.panel_days import forget_old_days
from logger.panels.panel_state import PanelState
from logger.site import Site

_WEEK: Final = 8
"""Days before the last one that the books need whole: seven of them, and one for the first's beginning."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be restored: of which gateway, until when its own books go back, and what was asked for beside.

    `own` is the first tick of the live books, now if there are none. `since` and `until` are ISO dates, empty if not
    given; `again`: days of that range that the live books recorded themselves are computed anew, too.
    """

    gateway: str
    site: Site
    own: int
    since: str = ""
    until: str = ""
    again: bool = False


@dataclass(slots=True)
class Restored:
    """What a run found: rows by date, which dates are written, and the books that end where the live ones begin.

    `again` are closed days of the live books that are taken from `again_books`; `left_out`: such days that were not
    asked for clearly enough. `ticks`: how many were read.
    """

    books: GatewayState
    rows: dict[str, list[DayRow]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    again_books: GatewayState | None = None
    left_out: list[str] = field(default_factory=list)
    ticks: int = 0

    def day(self, day: str) -> Mapping[str, Value]:
        """The fields of the site's row of a day."""
        rows = [row for row in self.rows.get(day, ()) if row.reading.measurement == "envoy_day"]
        return rows[0].reading.fields if rows else {}


async def rebuilt(history: History, live: GatewayState, wish: Wish, step: Callable[[str], None]) -> Restored | None:
    """Read and replay what is wished; None if the database has nothing of this gateway. `step` is told each day."""
    zone, found = wish.site.zone, Restored(GatewayState())
    border = local_day(wish.own, zone)
    span = await history.span("totals", "envoy_totals", wish.gateway, wish.own)
    if span is None and (not live.energy.last_tick or not await history.gateways("totals", "envoy_totals")):
        return None
    begins = local_day(span[0], zone) if span else border
    known = await _written(history, wish, begins)
    if span is not None:
        end = local_day(span[1], zone)
        missing = [d for d in _dates(begins, end) if d not in known]
        asked = [d for d in _dates(max(begins, wish.since), min(end, wish.until or end)) if wish.since]
        start = max(begins, min([*missing, *asked, _back(end, _WEEK)]))
        work = _Work(history, wish, known, live.panels)
        for day in _dates(start, end):
            step(day)
            await work.read(day, min(first_instant(following(day), zone), wish.own))
        write = {*missing, *asked, _back(end, 1), end} & set(_dates(start, end))
        found.books, found.rows, found.ticks = work.books(), work.rows(write), work.ticks
        found.written = [d for d in sorted(write) if d in found.rows and not (d == border and live.energy.last_tick)]
    if wish.since:
        await _again(history, live, wish, known, found, step)
    return found


async def hand_over(ask: Ask, found: Restored, wish: Wish) -> int:
    """Give the rows and the books to whoever holds them; how many rows it were."""
    rows = [row for day in found.written for row in found.rows[day]]
    count = await _give(ask, wish.gateway, rows)
    if found.books.energy.last_tick:
        count += _count(await ask("join", gateway=wish.gateway, parts={**dump_state(found.books)}))
    if found.again_books is not None:
        await _give(ask, wish.gateway, [row for day in found.again for row in found.rows[day]])
        dates: list[Json] = [*found.again]
        parts: dict[str, Json] = {**dump_state(found.again_books)}
        count += _count(await ask("join", gateway=wish.gateway, parts=parts, again=dates))
    return count


async def _again(
    history: History,
    live: GatewayState,
    wish: Wish,
    known: Mapping[str, _Tags],
    found: Restored,
    step: Callable[[str], None],
) -> None:
    """Closed days that the live books recorded, computed anew from what was written: only when told."""
    zone, today = wish.site.zone, live.energy.day
    border = local_day(wish.own, zone)
    last = min(wish.until or today, _back(today, 1)) if today else ""
    dates = [d for d in _dates(max(wish.since, border), following(last)) if d < today] if last else []
    dates = [d for d in dates if d != border or not found.written]
    if not dates or not wish.again:
        found.left_out = dates
        return
    work = _Work(history, replace(wish, own=first_instant(following(dates[-1]), zone) + 3600), known, PanelState())
    for day in _dates(_back(dates[0], 1), following(following(dates[-1]))):
        step(day)
        await work.read(day, min(first_instant(following(day), zone), work.wish.own))
    rows = work.rows(set(dates))
    found.again = [d for d in dates if d in rows]
    found.again_books = work.books(whole=True)
    found.rows |= {d: rows[d] for d in found.again}
    found.ticks += work.ticks


@dataclass(frozen=True, slots=True)
class _Tags:
    """The tags of a day's rows as they lie in the database: the site's, and each inverter's by serial."""

    site: Mapping[str, str]
    inverters: Mapping[str, Mapping[str, str]]


async def _written(history: History, wish: Wish, begins: str) -> dict[str, _Tags]:
    """The days that have a row, with the tags they were first written with."""
    since, until = first_instant(begins, wish.site.zone), wish.own + 86400
    site: dict[str, Mapping[str, str]] = {}
    for point in await history.points("daily", "envoy_day", wish.gateway, since, until, ("local_date",)):
        site.setdefault(str(point.fields["local_date"]), point.tags)
    inverters: dict[str, dict[str, Mapping[str, str]]] = {}
    for point in await history.points("daily", "envoy_inverter_day", wish.gateway, since, until, ("energy_wh",)):
        day = local_day(point.time, wish.site.zone)
        inverters.setdefault(day, {}).setdefault(point.tags.get("serial", ""), point.tags)
    return {day: _Tags(tags, inverters.get(day, {})) for day, tags in site.items()}


class _Work:
    """A replay, day by day."""

    def __init__(self, history: History, wish: Wish, known: Mapping[str, _Tags], live: PanelState) -> None:
        self.wish, self.ticks = wish, 0
        self._history, self._known, self._live = history, known, live
        self._ledger, self._panels = EnergyState(), PanelState()
        self._rows: dict[str, DayRow] = {}

    async def read(self, day: str, until: int) -> None:
        """Read and replay one local day, to before `until`."""
        wish, since = self.wish, first_instant(day, self.wish.site.zone)
        if until <= since:
            return
        totals = await self._history.points("totals", "envoy_totals", wish.gateway, since, until, rebuild.FIELDS)
        points = _merged(totals)
        self.ticks += len(points)
        self._ledger, rows = rebuild.replay(self._ledger, points, wish.site)
        self._rows |= rows
        reports = await self._history.points(
            "devices", "envoy_inverter", wish.gateway, since, until, panel_rebuild.REPLAY_FIELDS
        )
        readings = [Reading("envoy_inverter", p.tags, p.fields, p.time, "devices") for p in reports]
        name = next((p.tags.get("site", "") for p in (*totals, *reports)), "")
        site = replace(wish.site, name=name)
        self._panels = panel_rebuild.replay_reports(self._panels, readings, site, self._live)

    def books(self, *, whole: bool = False) -> GatewayState:
        """The books after the last day that was read; `whole`: with every day of the inverters."""
        return GatewayState(self._ledger, panels=self._panels if whole else forget_old_days(self._panels))

    def rows(self, dates: Iterable[str]) -> dict[str, list[DayRow]]:
        """The rows of these days, with the tags that they were written with, if they were."""
        wish, panels = self.wish, self._panels
        days: dict[str, list[DayRow]] = {}
        open_day = {row.day: row for row in rebuild.list_rows(self._ledger, [self._ledger.day])}
        for day in sorted(dates):
            known = self._known.get(day)
            row = self._rows.get(day) or open_day.get(day)
            if day == self._ledger.day:
                row = open_day.get(day)
            if row is None:
                continue
            final = wish.own >= final_at(day, wish.site.zone)
            tags = known.site if known else row.reading.tags
            days[day] = [DayRow(replace(row.reading, tags=tags), day, final)]
            if known:
                panels = panel_rebuild.restore_tags(panels, day, known.inverters)
            closed = day if final else ""
            days[day] += make_rows(panels, [day], wish.gateway, wish.site.zone, closed)
        return days


def first_own_tick(live: GatewayState, now: int) -> int:
    """The first tick that the live books recorded themselves; `now` if they recorded none."""
    return live.energy.first_tick if live.energy.last_tick else now


def _merged(points: Iterable[Point]) -> list[Past]:
    """One for each tick, by time; a value that was held came later, as a point of its own."""
    ticks: dict[int, Past] = {}
    for point in points:
        had = ticks.get(point.time)
        fields = {**had.fields, **point.fields} if had else point.fields
        ticks[point.time] = Past(point.time, fields, point.tags)
    return [ticks[at] for at in sorted(ticks)]


def _dates(first: str, last: str) -> list[str]:
    """ISO dates from `first` to `last`, both among them."""
    found = []
    while first <= last:
        found.append(first)
        first = following(first)
    return found


def _back(day: str, days: int) -> str:
    return (date.fromisoformat(day) - timedelta(days=days)).isoformat()


async def _give(ask: Ask, gateway: str, rows: list[DayRow]) -> int:
    """Hand over rows of days, page by page."""
    stored = make_daily_rows(rows)
    for start in range(0, len(stored), MOST_ROWS):
        page: list[Json] = [
            [row.measurement, row.series, row.day, as_text(row.line), row.final]
            for row in stored[start : start + MOST_ROWS]
        ]
        await ask("day_rows", gateway=gateway, rows=page)
    return len(stored)


def _count(answer: Json) -> int:
    return answer if isinstance(answer, int) else 0

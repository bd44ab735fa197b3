"""Replays recorded data day by day through the code that counts energy in the recorder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from logger.backfill.history import History, Point
from logger.backfill.stored_days import RowTags
from logger.daemon.gateway_state import GatewayState
from logger.daemon.installed_inverters import STATUS_FIELDS, list_installed_inverters
from logger.days import days_before, final_at, first_instant, following, list_days, local_day
from logger.energy import rebuild
from logger.energy.day_rows import BAND_DAY, empty_band
from logger.energy.engine import NO_PRICES
from logger.energy.extremes import follow_grid
from logger.energy.rebuild import Past
from logger.energy.state import EnergyState
from logger.energy.surroundings import Grid
from logger.model import DayRow, Event, Reading, Value
from logger.panels.compare import make_rows
from logger.panels.panel_hours import close_hours
from logger.panels.panel_rebuild import REPLAY_FIELDS, judge_past, replay_installed, replay_reports, restore_tags
from logger.panels.panel_state import Installed, PanelState
from logger.readings.around import FIELDS as SURROUNDING
from logger.readings.around import read_surroundings
from logger.site import Site
from logger.tariff.prices import Prices


@dataclass(frozen=True, slots=True)
class RebuildRequest:
    """The gateway and the days to rebuild.

    The live state is the recorder's present state of the gateway. `until_tick`: the first tick that the live state
    counted; the present time if there is no live state. `since`, `until`: ISO dates, empty if not given. Rows of the
    days from `since` to `until` are written even if the database already has rows of these days. `again`: whether
    rows are also written for days that the live state counted. `prices`: the price of grid energy at each time.
    """

    gateway: str
    site: Site
    until_tick: int
    since: str = ""
    until: str = ""
    again: bool = False
    prices: Prices = NO_PRICES


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay.

    `state`: the state after the last replayed day. `rows`: date → rows of this day to write. `ticks`: the number of
    ticks that were read. `unbalanced`: days whose import and export cannot be balanced, because the phases are not
    stored. `events`: each loss and each return of the grid. `hours`: the points of the hours on the dates to write.
    """

    state: GatewayState
    rows: Mapping[str, list[DayRow]]
    ticks: int
    unbalanced: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    hours: tuple[Reading, ...] = ()


class DayReplay:
    """Replays recorded data, beginning with an empty state.

    Inverter reports that the panel state `live` has counted are ignored.
    """

    def __init__(
        self, history: History, request: RebuildRequest, written: Mapping[str, RowTags], live: PanelState
    ) -> None:
        self._history, self._request, self._written, self._live = history, request, written, live
        self._energy, self._panels = EnergyState(), PanelState()
        self._site_rows: dict[str, list[DayRow]] = {}
        self._ticks = 0
        self._grid, self._events = Grid(), list[Event]()
        self._unbalanced: list[str] = []
        self._hours: list[Reading] = []

    async def run(self, first: str, last: str, write: Collection[str], on_day: Callable[[str], None]) -> Replayed:
        """Read and replay the days from `first` to `last`. Return the result.

        Data from the request's `until_tick` on is not read. `write`: the days for which rows are made. `on_day` is
        called with each day.
        """
        for day in list_days(first, last):
            on_day(day)
            await self._replay_day(day)
        state = GatewayState(self._energy, panels=self._panels)
        return Replayed(
            state,
            self._make_rows(write),
            self._ticks,
            tuple(self._unbalanced),
            tuple(self._events),
            tuple(hour for hour in self._hours if local_day(hour.time, self._request.site.zone) in write),
        )

    async def _replay_day(self, day: str) -> None:
        site, gateway = self._request.site, self._request.gateway
        since = first_instant(day, site.zone)
        until = min(first_instant(following(day), site.zone), self._request.until_tick)
        if until <= since:
            return
        totals = await self._history.read_points("totals", "envoy_totals", gateway, since, until, rebuild.FIELDS)
        around = await self._read_around(since, until)
        ticks = _merge_ticks(totals, around)
        self._ticks += len(ticks)
        for tick in ticks:
            self._follow_grid(tick)
        phases = await self._count_phases(ticks)
        self._energy, rows, hours = rebuild.replay(self._energy, ticks, site, self._request.prices, phases)
        self._hours += hours
        if ticks and self._energy.wiring and self._energy.wiring.net and self._energy.wiring.phases is None:
            self._unbalanced.append(day)
        self._site_rows |= rows
        reports = await self._history.read_points("devices", "envoy_inverter", gateway, since, until, REPLAY_FIELDS)
        points = [Reading("envoy_inverter", p.tags, p.fields, p.time, "devices") for p in reports]
        name = next((p.tags.get("site", "") for p in (*totals, *reports)), "")
        named = replace(site, name=name)
        self._panels = replay_reports(self._panels, points, named, self._live)
        self._panels = replay_installed(self._panels, await self._read_installed(since, until), day, named)
        self._panels = judge_past(self._panels, days_before(day, 1), named)
        self._panels, of_panels = close_hours(self._panels, until, gateway, site.zone, site.devices_s)
        self._hours += of_panels

    def _follow_grid(self, tick: Past) -> None:
        """Add an event for each loss and each return of the grid.

        Ignore an outage if its beginning was not read.
        """
        is_on = tick.around.is_on_grid
        if self._grid.at or is_on:
            self._grid, events = follow_grid(self._grid, tick.at, is_on, self._request.site.totals_s)
            self._events += events

    async def _read_around(self, since: int, until: int) -> dict[int, list[Reading]]:
        """Return tick → readings with the surroundings at this tick, such as voltage and frequency."""
        found: dict[int, list[Reading]] = {}
        for measurement, fields in SURROUNDING.items():
            points = await self._history.read_points(
                "totals", measurement, self._request.gateway, since, until, fields
            )
            for p in points:
                found.setdefault(p.time, []).append(Reading(measurement, p.tags, p.fields, p.time, "totals"))
        return found

    async def _read_installed(self, since: int, until: int) -> list[list[Installed]]:
        """Return the installed inverters at each tick of the role `devices`."""
        name, found = "envoy_inverter_status", dict[int, list[Reading]]()
        points = await self._history.read_points("devices", name, self._request.gateway, since, until, STATUS_FIELDS)
        for p in points:
            found.setdefault(p.time, []).append(Reading(name, p.tags, p.fields, p.time, "devices"))
        return [list_installed_inverters(readings) for readings in found.values()]

    async def _count_phases(self, ticks: Iterable[Past]) -> int | None:
        """Count the phases of the grid meter. Return None if no phases are stored.

        The phases are read at the last tick that has counters of the grid.
        """
        at = max((past.at for past in ticks if rebuild.LIFETIMES["import"] in past.fields), default=None)
        if at is None:
            return None
        gateway, fields = self._request.gateway, ("energy_delivered_wh",)
        points = await self._history.read_points("totals", "envoy_phase", gateway, at, at + 1, fields)
        return len({p.tags.get("phase") for p in points if p.tags.get("meter") == "net-consumption"}) or None

    def _make_rows(self, dates: Iterable[str]) -> dict[str, list[DayRow]]:
        """Make the rows of the days `dates`. A row that was written before gets its earlier tags."""
        open_day = self._energy.day
        rows = {day: row for day, row in self._site_rows.items() if day != open_day}
        if last := rebuild.list_rows(self._energy, [open_day]):
            rows[open_day] = last
        gateway, zone = self._request.gateway, self._request.site.zone
        found: dict[str, list[DayRow]] = {}
        for day in sorted(rows.keys() & set(dates)):
            panels, readings, tags = self._panels, [row.reading for row in rows[day]], self._written.get(day)
            if tags:
                panels = restore_tags(panels, day, tags.inverters)
                readings = _restore_site_tags(readings, tags)
            is_final = self._request.until_tick >= final_at(day, zone)
            inverter_rows = make_rows(panels, [day], gateway, zone, closed=day if is_final else "")
            found[day] = [*(DayRow(reading, day, is_final) for reading in readings), *inverter_rows]
        return found


def _restore_site_tags(readings: Sequence[Reading], tags: RowTags) -> list[Reading]:
    """Give the replayed rows of a day the tags of the day's stored rows. `tags`: the tags of these stored rows.

    If a price band has a stored row and no replayed row, add a row of zeros for this band.
    """
    found = []
    for reading in readings:
        band = {"band": reading.tags["band"]} if "band" in reading.tags else {}
        found.append(replace(reading, tags={**tags.site, **band}))
    return found + empty_lost_bands(tags, {reading.tags.get("band", "") for reading in readings}, readings[0])


def empty_lost_bands(tags: RowTags, known: Collection[str], day: Reading) -> list[Reading]:
    """Make a row of zeros for each price band that has a stored row for the day, and that is not in `known`.

    `tags`: the tags of the stored rows, with their bands. `day`: the row of the whole day.
    """
    return [
        Reading(BAND_DAY, {**tags.site, "band": band}, empty_band(day), day.time, "daily")
        for band in sorted(tags.bands.difference(known))
    ]


def _merge_ticks(points: Iterable[Point], around: Mapping[int, Sequence[Reading]]) -> list[Past]:
    """Merge all points of each tick into one value, and sort these values by time.

    A tick has a second point if a value of the tick was held and written later.
    """
    ticks: dict[int, Past] = {}
    for point in points:
        known = ticks.get(point.time)
        fields = {**known.fields, **point.fields} if known else point.fields
        ticks[point.time] = Past(point.time, fields, point.tags)
    return [
        replace(ticks[at], around=read_surroundings(around.get(at, ()), ticks[at].fields)) for at in sorted(ticks)
    ]


def add_missing(rows: Mapping[str, list[DayRow]], written: Mapping[str, RowTags]) -> dict[str, list[DayRow]]:
    """Return the rows with at least one field that the database lacks. Fields in the database keep their values."""
    found: dict[str, list[DayRow]] = {}
    for day, new in rows.items():
        for row in new:
            had = _find_fields(row.reading, written.get(day))
            if row.reading.fields.keys() - had.keys():
                filled = replace(row.reading, fields={**row.reading.fields, **had})
                found.setdefault(day, []).append(replace(row, reading=filled))
    return found


def _find_fields(reading: Reading, written: RowTags | None) -> Mapping[str, Value]:
    """Return the stored fields of a day's row; empty if the day has no stored row.

    For the row of a price band, return all fields of `reading`, because a stored row of a price band lacks no field.
    """
    if written is None:
        return {}
    if reading.measurement == BAND_DAY:
        return reading.fields
    if reading.measurement == "envoy_day":
        return written.row.fields
    return written.inverter_fields.get(reading.tags["serial"], {})

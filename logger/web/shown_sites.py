"""Collect the data that page and API show of one site: newest readings, day rows, curve and events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from logger.backfill.history import Point
from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.gateway_state import load_state
from logger.daemon.newest import NewestReadings, is_recent
from logger.days import first_instant
from logger.energy.state import EnergyState
from logger.influx.read_back import read_back
from logger.model import Reading
from logger.query.named_query import Scope
from logger.store.store import Store
from logger.store.thread import StoreCalls

_EVENT_DAYS: Final = 7
_EVENT: Final = b"envoy_event,"


@dataclass(slots=True)
class ShownSite:
    """One site: its `number`, from 1 on, and its collector.

    While the gateway does not answer, its stored readings are shown.
    """

    number: int
    collector: Collector
    store: StoreCalls
    clock: Clock
    _serial: str = ""
    _energy: EnergyState | None = None
    _stored: list[Reading] = field(default_factory=list)
    _filled: NewestReadings | None = None

    @property
    def name(self) -> str:
        """Return the name of the site; empty for a site without a name."""
        return self.collector.site.name

    async def find_serial(self) -> str:
        """Return the serial of the site's gateway; empty if the serial is not known.

        Before the gateway has answered, the first site takes the serial from the store, if the store has one gateway.
        Any other site has no serial yet.
        """
        if self.collector.serial:
            return self.collector.serial
        if not self._serial and self.number == 1:
            known = await self.store.call(Store.list_gateways)
            self._serial = known[0] if len(known) == 1 else ""
        return self._serial

    async def find_energy(self) -> EnergyState:
        """Return the energy state of the gateway; before its first answer, the stored state."""
        live = self.collector.state.energy
        if live.days or not (serial := await self.find_serial()):
            return live
        if self._energy is None:
            self._energy = load_state(await self.store.call(Store.read_state, serial), {}).energy
        return self._energy

    async def find_zone(self) -> ZoneInfo:
        """Return the time zone that determines the beginning of the site's days."""
        site = self.collector.site
        return ZoneInfo((await self.find_energy()).zone or site.zone or site.system_zone)

    async def today(self) -> date:
        """Return the present date at the site."""
        return (await self.make_scope()).local(self.clock.time()).date()

    async def make_scope(self, since: date | None = None, until: date | None = None) -> Scope:
        """Return the scope of a query from one local date to another, both included; without dates, today."""
        zone, now = await self.find_zone(), self.clock.time()
        today = Scope(zone, 0, 0).local(now).date()
        begin = first_instant((since or today).isoformat(), zone.key)
        end = first_instant(((until or today) + timedelta(days=1)).isoformat(), zone.key)
        return Scope(zone, begin, min(end, int(now) + 1))

    async def find_end_of_day(self) -> int:
        """Return the first instant of tomorrow at the site, in unix seconds."""
        zone, today = await self.find_zone(), await self.today()
        return first_instant((today + timedelta(days=1)).isoformat(), zone.key)

    def find_time(self, totals: Reading) -> int:
        """Return the last tick with an answer of the gateway; before the first answer, the totals' time."""
        return self.collector.newest.heard_at or totals.time

    def is_fresh(self, at: float) -> bool:
        """Return whether `at`, a tick in unix seconds, is one of the last two ticks."""
        return is_recent(at, self.collector.site, self.clock.time())

    async def find_totals(self) -> Reading | None:
        """Return the newest totals since the recorder's start.

        Before the first totals, return the few values that the store keeps for the page's curve, from the last tick
        of the past 24 hours; None if there was no such tick.
        """
        found = self.collector.newest.find("envoy_totals")
        if found is not None:
            return found
        serial = await self.find_serial()
        recent = await self.store.call(Store.read_recent, serial, int(self.clock.time()) - 86400) if serial else []
        for tick, numbers in recent[-1:]:
            return Reading("envoy_totals", {"gateway": serial}, numbers, tick, "totals")
        return None

    async def read_curve(self) -> list[tuple[int, dict[str, float]]]:
        """Return the points of today's curve: tick and values of each, oldest first."""
        serial, scope = await self.find_serial(), await self.make_scope()
        return await self.store.call(Store.read_recent, serial, scope.since) if serial else []

    async def read_rows(self, measurement: str, since: date, until: date) -> list[Point]:
        """Return the daily rows of one measurement from one local date to another, oldest first."""
        if not (serial := await self.find_serial()):
            return []
        rows = await self.store.call(Store.read_rows, serial, measurement, since.isoformat(), until.isoformat())
        return [as_point(read_back(row.line.decode("utf-8", "replace"), "daily")) for row in rows]

    async def list_inverter_days(self) -> list[Reading]:
        """Return the newest day row of each inverter."""
        return (await self._fill()).list_of("envoy_inverter_day")

    async def list_events(self) -> list[Reading]:
        """Return the events of the last days, newest first."""
        newest = await self._fill()
        kept = [*self._stored, *newest.events]
        by_identity = {(each.time, each.tags.get("kind"), each.tags.get("serial")): each for each in kept}
        return sorted(by_identity.values(), key=lambda each: -each.time)

    async def _fill(self) -> NewestReadings:
        """Return the newest readings.

        The first call adds stored readings of earlier runs: the inverters' rows of yesterday and today, and recent
        events.
        """
        newest = self.collector.newest
        serial = await self.find_serial()
        if self._filled is newest or not serial:
            return newest
        today = await self.today()
        rows = await self.store.call(
            Store.read_rows, serial, "envoy_inverter_day", (today - timedelta(days=1)).isoformat(), today.isoformat()
        )
        newest.take(read_back(row.line.decode("utf-8", "replace"), "daily") for row in rows)
        self._stored = await self._read_events(serial)
        self._filled = newest
        return newest

    async def _read_events(self, serial: str) -> list[Reading]:
        """Read the stored events in small parts, so that no tick has to wait."""
        found: list[Reading] = []
        after: int | None = 0
        since = int(self.clock.time()) - _EVENT_DAYS * 86400
        while after is not None:
            lines, after = await self.store.call(Store.read_lines, "totals", since, after=after)
            events = (line for line in lines if line.startswith(_EVENT))
            found += (read_back(line.decode("utf-8", "replace"), "totals") for line in events)
        return [event for event in found if event.tags.get("gateway") == serial]


def as_point(reading: Reading) -> Point:
    """Convert a reading to a point for named queries."""
    return Point(reading.time, reading.tags, reading.fields)


def by_serial(readings: Iterable[Reading]) -> Mapping[str, Reading]:
    """Map the readings of inverters or batteries by serial."""
    return {reading.tags["serial"]: reading for reading in readings if "serial" in reading.tags}

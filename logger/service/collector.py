"""The collect loop: at every tick ask the gateway, read its answers, and commit what came before anything is sent.

Two lanes: the fast one makes the minute, the slow one runs beside it, one path at a time, and the minute never
waits for it. What came is written even where an endpoint failed.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from logger import log
from logger.clock import Clock
from logger.errors import (
    CertificateError,
    CredentialsError,
    EnvoyLoggerError,
    GatewayError,
    NameUnknownError,
    StoreFullError,
    UnreachableError,
    WireError,
)
from logger.gateway.endpoints import Endpoint, plan
from logger.influx.line_protocol import encode
from logger.model import ROLES, Document, Event, GatewayInfo, Json, Reading, Report, Role, Snapshot
from logger.readings.events import event_readings
from logger.readings.interpret import Books, Rules, interpret
from logger.readings.ledger import Ledger
from logger.readings.rows import PATHS
from logger.service.lanes import GIVE_UP_AFTER, Track, due
from logger.service.progress import Progress
from logger.service.schedule import deadline_s, due_roles, is_quiet, next_tick
from logger.store.model import Commit, Member

INFO_EVERY_S: Final = 900
EARLIEST: Final = 1_767_225_600
"""2026 began then, and this program was not there before: a clock that shows less is not set yet."""
_STEP_BACK_S: Final = 600
_SKEW_S: Final = 60
_DAY_S: Final = 86400
HOME: Final = "/home.json"
"""Asked once, for the site's time zone."""
_LEVEL: Final = 6


class GatewayPort(Protocol):
    """What the collector needs of a gateway; `logger.gateway.client.Gateway` is one."""

    async def identify(self) -> GatewayInfo:
        """Ask `/info`."""
        ...

    async def fetch(self, endpoint: Endpoint) -> Document:
        """Ask one endpoint."""
        ...

    def take_events(self) -> list[Event]:
        """What happened since it was last asked."""
        ...


class StorePort(Protocol):
    """What the collector needs of the store."""

    async def put(self, commit: Commit) -> None:
        """Commit one tick."""
        ...

    async def ledger(self, gateway: str) -> dict[str, str]:
        """The books as they were stored."""
        ...

    async def reports(self, gateway: str) -> dict[str, list[Report]]:
        """The remembered inverter reports."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often totals and devices are read, in seconds, and the site's tag, zone setting and greatest power."""

    totals_s: int
    devices_s: int
    site: str = ""
    zone: str = ""
    system_zone: str = "UTC"
    max_w: float | None = None

    @property
    def intervals(self) -> dict[Role, int]:
        """Seconds between the ticks of each role."""
        return {"totals": self.totals_s, "devices": self.devices_s, "daily": 86400}


@dataclass(slots=True)
class Collected:
    """What the loop has done, for `status`."""

    ticks: int = 0
    lines: int = 0
    missed: int = 0
    last_tick: int = 0
    last_poll_s: float = 0.0
    reachable: bool = False
    values: dict[str, float] = field(default_factory=dict)
    started_at: float = 0.0


class Collector:
    """Polls one gateway for ever. `committed` is called after each tick that was stored."""

    def __init__(
        self,
        gateway: GatewayPort,
        store: StorePort,
        clock: Clock,
        pace: Pace,
        progress: Progress,
        *,
        committed: Callable[[], None] = lambda: None,
        own_readings: Callable[[dict[str, str], int, list[Track]], Awaitable[list[Reading]]] | None = None,
    ) -> None:
        self.info: GatewayInfo | None = None
        self.books = Books(Ledger(), {})
        self.tracks: dict[str, Track] = {}
        self.collected = Collected(started_at=clock.time())
        self.changes = log.Changes(log.get("collect"))
        self.stopping = asyncio.Event()
        self.news = asyncio.Event()
        self.ticked: Callable[[], None] = lambda: None
        self._gateway, self._store, self._clock = gateway, store, clock
        self._pace, self._progress = pace, progress
        self._committed, self._own = committed, own_readings
        self._info_due = 0.0
        self._since: dict[Role, float] = {}
        self._last_devices = 0
        self._slow_wanted = asyncio.Event()
        self._slow_due: list[Track] = []
        self._events: list[Event] = []
        self._stored: dict[str, str] = {}
        self._zone = ""

    async def run(self) -> None:
        """Tick until told to stop; an outage of the gateway never ends the loop."""
        async with asyncio.TaskGroup() as tasks:
            slow = tasks.create_task(self._slow_lane())
            try:
                while not self.stopping.is_set():
                    tick = next_tick(self._clock.time(), self._pace.totals_s)
                    await self._wait_for(tick)
                    if not self.stopping.is_set() and self._clock_is_set():
                        await self.tick(tick)
            finally:
                slow.cancel()

    def _clock_is_set(self) -> bool:
        """A point stamped in 1970 can never be found again, so nothing is read before the clock is set."""
        if self._clock.time() < EARLIEST:
            self.changes.begin("clock", "this machine's clock is not set; nothing is read until it is", logging.ERROR)
            return False
        self.changes.end("clock", "this machine's clock is set")
        return True

    async def _wait_for(self, tick: int) -> None:
        await self._unless_stopped(self._progress.wait("collect", tick - self._clock.time()))

    async def _unless_stopped(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` to its end, or cancel it when told to stop; its own error is raised."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            for waiting in (task, stop):
                waiting.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    async def tick(self, tick: int) -> None:
        """Ask what is due, read what came, commit it."""
        started = self._clock.monotonic()
        self._progress.moved("collect", 3 * self._pace.totals_s + 60)
        left = deadline_s(self._pace.totals_s) - max(0.0, self._clock.time() - tick)
        roles = due_roles(tick, self._pace.devices_s, self._last_devices)
        try:
            async with self._clock.timeout(max(1.0, left)):
                await self._unless_stopped(self._poll(tick, roles))
        except TimeoutError:
            self.changes.begin(
                "late", "the gateway's fast answers take longer than a tick allows; what came is stored"
            )
        else:
            self.changes.end("late", "the gateway's answers come in time again")
        self._queue_slow(tick, roles)
        await self._commit(tick, roles)
        self.collected.last_poll_s = self._clock.monotonic() - started
        self.news.set()
        self.ticked()

    # --- asking -------------------------------------------------------------------------------------------------

    async def _poll(self, tick: int, roles: frozenset[Role]) -> None:
        await self._identify(tick)
        await self._fast_lane(tick, roles)

    async def _identify(self, tick: int) -> None:
        """`/info` at the start, every 15 minutes, and after trouble; a new firmware asks everything anew."""
        if self.info is not None and tick < self._info_due:
            return
        try:
            info = await self._gateway.identify()
        except EnvoyLoggerError as error:
            self._trouble(tick, error)
            if not isinstance(error, WireError):
                self.info = None
            return
        self._info_due = tick + INFO_EVERY_S
        self._reached(tick)
        self._watch_gateway_clock(tick, info)
        if self.info is None or info.serial != self.info.serial:
            await self._meet(info)
        elif info.firmware != self.info.firmware:
            self._events.append(Event(tick, "firmware_changed", f"{self.info.firmware} → {info.firmware}"))
            self.tracks = tracks_for(info)
        self.info = info

    async def _meet(self, info: GatewayInfo) -> None:
        """The first answer of a gateway: its books are opened where they were left."""
        self._stored = await self._store.ledger(info.serial)
        self.books = Books(Ledger.from_text(self._stored), await self._store.reports(info.serial))
        self.tracks = tracks_for(info)
        self._zone = self._pace.zone or self.books.ledger.zone or await self._gateway_zone(info)
        self._zone = self._zone or self._pace.system_zone
        log.get("collect").info(
            "recording", extra={"gateway": info.serial, "firmware": info.firmware, "zone": self._zone}
        )

    async def _gateway_zone(self, info: GatewayInfo) -> str:
        """The gateway's own time zone, asked once, or empty."""
        for endpoint in plan(info):
            if endpoint.path == HOME:
                try:
                    return zone_of((await self._gateway.fetch(endpoint)).body)
                except EnvoyLoggerError:
                    return ""
        return ""

    async def _fast_lane(self, tick: int, roles: frozenset[Role]) -> None:
        """Ask the fast endpoints one after the other; each has its own fate."""
        if self.info is None:
            return
        for track in due(self.tracks.values(), "fast", tick, roles):
            try:
                await self._ask(track, tick)
            except CredentialsError as error:
                self.changes.begin("sign-in", str(error), logging.ERROR)
                return  # every other path needs the same credentials
            except WireError as error:
                self._trouble(tick, error)
                return  # nobody is there; the next tick tries again
        self.changes.end("sign-in", "signed in at the gateway again")

    def _queue_slow(self, tick: int, roles: frozenset[Role]) -> None:
        if self.info is None or is_quiet(tick, self._zone):
            return
        self._slow_due = due(self.tracks.values(), "slow", tick, roles)
        if self._slow_due:
            self._slow_wanted.set()

    async def _slow_lane(self) -> None:
        """One slow path at a time, beside the minutes."""
        while True:
            await self._slow_wanted.wait()
            self._slow_wanted.clear()
            while self._slow_due:
                track = self._slow_due.pop(0)
                try:
                    await self._ask(track, int(self._clock.time()))
                except (CredentialsError, WireError):
                    continue  # said where it is counted; the fast lane says what is wrong with the gateway

    async def _ask(self, track: Track, tick: int) -> None:
        """Ask one endpoint and record its fate; raises only what concerns every other endpoint too."""
        path = track.endpoint.path
        try:
            document = await self._gateway.fetch(track.endpoint)
        except CredentialsError:
            raise
        except EnvoyLoggerError as error:
            track.failed(error, tick, self._pace.intervals)
            if isinstance(error, (UnreachableError, NameUnknownError, CertificateError)):
                raise
            quiet = is_quiet(self._clock.time(), self._zone)
            if not quiet and not track.absent and (track.answered or track.in_a_row >= GIVE_UP_AFTER):
                self.changes.begin(path, f"{path} is silent: {error.what}", logging.INFO)
        else:
            track.succeeded(document, tick, self._pace.intervals)
            self._reached(tick)
            self.changes.end(path, f"{path} answers again")

    def _trouble(self, tick: int, error: EnvoyLoggerError) -> None:
        quiet = is_quiet(tick, self._zone) if self._zone else False
        level = logging.INFO if quiet and not isinstance(error, GatewayError) else logging.WARNING
        if self.changes.begin("gateway", str(error), level) and self.collected.reachable:
            self._events.append(Event(tick, "gateway_unreachable", error.what, "warning"))
        self.collected.reachable = False

    def _reached(self, tick: int) -> None:
        if self.changes.end("gateway", "the gateway answers again"):
            self._events.append(Event(tick, "gateway_back", "the gateway answers again"))
        self.collected.reachable = True

    # --- committing ---------------------------------------------------------------------------------------------

    async def _commit(self, tick: int, roles: frozenset[Role]) -> None:
        """Read the snapshot, enter it into the books, and store both in one transaction."""
        if self.info is None:
            self.collected.missed += 1
            return
        if not self._goes_forward(tick):
            return
        now = self._clock.time()
        tags = {"gateway": self.info.serial, **({"site": self._pace.site} if self._pace.site else {})}
        snapshot = self._snapshot(tick, now)
        rules = Rules(self._pace.site, self._zone, self._pace.max_w)
        result = interpret(snapshot, roles, self.books, rules)
        events = [*self._events, *self._gateway.take_events(), *result.events]
        own = await self._own(tags, tick, list(self.tracks.values())) if self._own else []
        readings = [*result.readings, *event_readings(events, tags), *own]
        text = result.books.ledger.to_text()
        commit = Commit(
            gateway=self.info.serial,
            tick=tick,
            members=members(readings),
            ledger={key: value for key, value in text.items() if self._stored.get(key) != value}
            | dict.fromkeys(self._stored.keys() - text.keys()),
            reports=tuple(result.new_reports),
            daily=(),
            recent=result.recent,
        )
        try:
            await self._store.put(commit)
        except StoreFullError as error:
            self.changes.begin("store", str(error), logging.ERROR)
            self.collected.missed += 1
            return
        self.changes.end("store", "recording goes on")
        self.books, self._stored, self._events = result.books, text, []
        self._since |= dict.fromkeys(roles, now)
        if "devices" in roles:
            self._last_devices = tick
        self._say_twins(result.twins)
        self.collected.lines += len(readings)
        self._count(tick, result.recent)
        self._committed()

    def _goes_forward(self, tick: int) -> bool:
        """After a small step back of our clock the ticks that were stored already are not stored again."""
        last = self.books.ledger.last_tick
        if tick > last:
            self.changes.end("clock back", "this machine's clock goes on")
            return True
        if last - tick <= _STEP_BACK_S:
            self.changes.begin("clock back", "this machine's clock was set back: its minutes are not recorded twice")
            return False
        text = f"this machine's clock was set back by {(last - tick) / 60:.0f} minutes"
        self._events.append(Event(tick, "clock_set_back", text, "warning"))
        log.get("collect").warning(text)
        return True

    def _watch_gateway_clock(self, tick: int, info: GatewayInfo) -> None:
        """A gateway's clock that is off is said when it begins and when it ends."""
        skew = abs(info.clock_skew_s)
        if skew < _SKEW_S:
            if self.changes.end("gateway clock", "the gateway's clock is right again"):
                self._events.append(Event(tick, "gateway_clock", "right again"))
            return
        remedy = "corrected in the times of its reports" if skew <= _DAY_S else "its reports keep its own times"
        fast = "ahead" if info.clock_skew_s > 0 else "behind"
        if "gateway clock" not in self.changes.troubles:
            self._events.append(Event(tick, "gateway_clock", f"{skew:.0f} s {fast}; {remedy}", "warning"))
            self.changes.begin("gateway clock", f"the gateway's clock is {skew:.0f} s {fast}; {remedy}")

    def _snapshot(self, tick: int, now: float) -> Snapshot:
        assert self.info is not None  # noqa: S101  the caller has checked
        intervals = self._pace.intervals
        documents = {
            path: document for path, t in self.tracks.items() if (document := t.standing(now, intervals)) is not None
        }
        nowhere = frozenset(path for path, t in self.tracks.items() if t.nowhere)
        unasked = PATHS - self.tracks.keys()
        return Snapshot(self.info, tick, documents, dict(self._since), nowhere | unasked)

    def _count(self, tick: int, values: Mapping[str, float]) -> None:
        done = self.collected
        if done.last_tick and tick > done.last_tick + self._pace.totals_s:
            done.missed += (tick - done.last_tick) // self._pace.totals_s - 1
        done.ticks += 1
        done.last_tick = tick
        done.values = dict(values)
        log.get("collect").debug("poll", extra={"tick": tick, **{k: round(v, 1) for k, v in values.items()}})

    def _say_twins(self, twins: set[str]) -> None:
        for serial in sorted(twins - {""}):
            self.changes.begin(
                f"twin {serial}", f"two devices with serial {serial} in one document: neither is written"
            )


def tracks_for(info: GatewayInfo) -> dict[str, Track]:
    """What this gateway is asked in every round: the paths of its plan that a reading comes from."""
    return {endpoint.path: Track(endpoint) for endpoint in plan(info) if endpoint.path in PATHS}


def members(readings: list[Reading]) -> tuple[Member, ...]:
    """One gzip member of line protocol a role."""
    found = []
    for role in ROLES:
        mine = [reading for reading in readings if reading.role == role]
        if mine:
            found.append(Member(role, len(mine), gzip.compress(encode(mine), _LEVEL, mtime=0)))
    return tuple(found)


def zone_of(body: Json) -> str:
    """The IANA zone that `/home.json` names, or empty."""
    zone = body.get("timezone") if isinstance(body, dict) else None
    try:
        return ZoneInfo(zone).key if isinstance(zone, str) else ""
    except (KeyError, ValueError, OSError):
        return ""

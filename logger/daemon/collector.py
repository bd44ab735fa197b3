"""The collect loop: at every tick let the gateway be asked, read its answers, and commit what came.

What came is written even where an endpoint failed, and before anything is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from logger import log
from logger.clock import Clock
from logger.daemon.batches import amendment, commit_of
from logger.daemon.clocks import Clocks
from logger.daemon.endpoint_state import EndpointState
from logger.daemon.events import PendingEvents, event_points
from logger.daemon.gateway_state import GatewayState, load_state
from logger.daemon.layout_file import LayoutFile
from logger.daemon.poller import Poller
from logger.daemon.progress import Progress
from logger.daemon.requests import GatewayPort
from logger.daemon.schedule import Pace, deadline_s, due_roles, next_tick
from logger.daemon.site_zone import SiteZone
from logger.daemon.tick import run_tick
from logger.errors import StoreFullError
from logger.model import DayRow, Event, GatewayInfo, Reading, Report, Role, Snapshot
from logger.readings.site_warnings import Complaint, complaints
from logger.readings.wanted import wanted
from logger.store.records import Commit

OwnReadings: TypeAlias = Callable[[dict[str, str], int, Iterable[EndpointState]], Awaitable[list[Reading]]]


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


@dataclass(slots=True)
class Collected:
    """What the loop has done, for `status`."""

    ticks: int = 0
    lines: int = 0
    missed: int = 0
    last_tick: int = 0
    last_poll_s: float = 0.0
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
        changes: log.Changes | None = None,
        events: PendingEvents | None = None,
        committed: Callable[[], None] = lambda: None,
        own_readings: Callable[[dict[str, str], int, Iterable[EndpointState]], Awaitable[list[Reading]]]
        | None = None,
    ) -> None:
        self.books = GatewayState()
        self.collected = Collected(started_at=clock.time())
        self.changes = changes or log.Changes(log.get("collect"))
        self._events = events or PendingEvents(gateway.take_events)
        self._zone = SiteZone(pace.zone, pace.system_zone)
        self.poller = Poller(
            gateway,
            clock,
            pace.intervals,
            self.changes,
            self._events,
            self._zone,
            on_new_gateway=self._meet,
            wants=lambda snapshot: wanted(snapshot, self.books.readings.sources, self.books.energy),
        )
        self._clocks = Clocks(clock, self.changes, self._events.record)
        self.stopping = asyncio.Event()
        self.news = asyncio.Event()
        self.ticked: Callable[[], None] = lambda: None
        self._store, self._clock = store, clock
        self.pace, self._progress = pace, progress
        self._layout = LayoutFile(pace.layout, self.changes)
        self._committed, self._own = committed, own_readings
        self._since: dict[Role, float] = {}
        self._last_devices = 0
        self._stored: dict[str, str] = {}
        self._standing: dict[str, Complaint] = {}
        self._entering = asyncio.Lock()

    async def run(self) -> None:
        """Tick until told to stop; an outage of the gateway never ends the loop."""
        async with asyncio.TaskGroup() as tasks:
            slow = tasks.create_task(self.poller.run_slow_lane())
            try:
                await self._guarded(self._arrive())
                while not self.stopping.is_set():
                    tick = next_tick(self._clock.time(), self.pace.totals_s)
                    await self._wait_for(tick)
                    if not self.stopping.is_set() and self._clocks.ours_is_set() and self._is_now(tick):
                        await self._guarded(self.tick(tick))
            finally:
                slow.cancel()

    def _is_now(self, tick: int) -> bool:
        """False if our clock was set anew during the wait: what is read now did not happen at that tick."""
        return -1.0 <= self._clock.time() - tick < self.pace.totals_s

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Trouble of the store, which says so itself, costs the tick, not the loop."""
        try:
            await work
        except StoreFullError:
            self.collected.missed += 1

    async def _arrive(self) -> None:
        """Before the first tick there is time to learn who is there and in which time zone."""
        if not self._clocks.ours_is_set():
            return
        now = self._clock.time()
        tick = next_tick(now, self.pace.totals_s)
        self._progress.moved("collect", self.pace.totals_s + 60)

        async def introduce() -> None:
            await self.poller.identify(int(now))
            await self.poller.ask_zone(int(now))

        with contextlib.suppress(TimeoutError):  # the first tick comes before the answer; it asks again
            async with self._clock.timeout(max(0.0, tick - now - 1)):
                await self._unless_stopped(introduce())

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
        self._progress.moved("collect", 3 * self.pace.totals_s + 60)
        left = deadline_s(self.pace.totals_s) - max(0.0, self._clock.time() - tick)
        roles = due_roles(tick, self.pace.devices_s, self._last_devices)
        ours = self._clocks.ours()
        try:
            async with self._clock.timeout(max(1.0, left)):
                await self._unless_stopped(self.poller.poll(tick, roles))
        except TimeoutError:
            self.changes.begin(
                "late", "the gateway's fast answers take longer than a tick allows; what came is stored"
            )
        else:
            self.changes.end("late", "the gateway's answers come in time again")
        self.poller.start_slow(tick)
        try:
            if self._clocks.ours_held_still(tick, ours):
                async with self._entering:
                    await self._commit(tick, roles)
            else:
                self.collected.missed += 1
        finally:
            self.collected.last_poll_s = self._clock.monotonic() - started
            self.news.set()
            self.ticked()

    async def _meet(self, info: GatewayInfo) -> None:
        """The first answer of a gateway: its books are opened where they were left."""
        async with self._entering:
            self._stored = await self._store.ledger(info.serial)
            self.books = load_state(self._stored, await self._store.reports(info.serial))
        self._zone.restore(self.books.energy.zone)
        if not self._stored:
            log.get("collect").warning(
                f"there are no books of gateway {info.serial} here: new ones begin, and the first day and week lack "
                "what was before\nTry: envoy-logger backfill, if an InfluxDB holds what was recorded earlier."
            )
        log.get("collect").info("recording", extra={"gateway": info.serial, "firmware": info.firmware})

    # --- committing ---------------------------------------------------------------------------------------------

    async def amend(
        self, gateway: str, change: Callable[[GatewayState], tuple[GatewayState, Sequence[DayRow]]]
    ) -> None:
        """Change a gateway's books between two ticks, and store them with the rows of days that this gives."""
        async with self._entering:
            ours = self.poller.info is not None and self.poller.info.serial == gateway
            stored = self._stored if ours else await self._store.ledger(gateway)
            books = self.books if ours else load_state(stored, await self._store.reports(gateway))
            books, rows = change(books)
            commit, text = amendment(gateway, books, rows, stored)
            await self._store.put(commit)
            if ours:
                self.books, self._stored = books, text

    async def _commit(self, tick: int, roles: frozenset[Role]) -> None:
        """Read the snapshot, enter it into the books, and store both in one transaction."""
        info = self.poller.info
        if info is None:
            self.collected.missed += 1
            return
        self._clocks.watch_ours(tick)
        self._clocks.watch_theirs(tick, info)
        if not self._clocks.ours_goes_forward(tick, self.books.energy.last_tick):
            return
        now = self._clock.time()
        tags = {"gateway": info.serial, **({"site": self.pace.site} if self.pace.site else {})}
        snapshot = self.poller.snapshot(tick, dict(self._since))
        site = self.pace.as_site(self._zone.require())
        result = run_tick(snapshot, roles, self.books, site, self._layout.current())
        happened = self._events.take()
        own = await self._own(tags, tick, self.poller.states.values()) if self._own else []
        readings = [*result.readings, *event_points([*happened, *result.events], tags), *own]
        commit, text = commit_of(info.serial, tick, readings, result, self._stored)
        await self._store.put(commit)
        self._events.mark_stored(len(happened))
        self._log(result.events)
        self.books, self._stored = result.state, text
        self._since |= dict.fromkeys(roles, now)
        if "devices" in roles:
            self._last_devices = tick
        if "devices" in roles:
            self._say_standing(snapshot, result.duplicates)
            self._layout.compare(snapshot)
        self.collected.lines += len(readings)
        self._count(tick, result.recent)
        self._committed()

    def _count(self, tick: int, values: Mapping[str, float]) -> None:
        done = self.collected
        if done.last_tick and tick > done.last_tick + self.pace.totals_s:
            done.missed += (tick - done.last_tick) // self.pace.totals_s - 1
        done.ticks += 1
        done.last_tick = tick
        done.values = dict(values)
        log.get("collect").debug("poll", extra={"tick": tick, **{k: round(v, 1) for k, v in values.items()}})

    def _say_standing(self, snapshot: Snapshot, twins: Collection[str]) -> None:
        """What stands wrong at the site: said when it begins and when it is over."""
        found, known = complaints(snapshot, twins), self._standing
        for name, complaint in known.items():
            if name not in found and self.changes.end(name, complaint.over) and complaint.event:
                self._events.record(Event(snapshot.tick, complaint.event, complaint.over))
        for name, complaint in found.items():
            if self.changes.begin(name, complaint.text) and complaint.event:
                text = complaint.text.partition("\n")[0]
                self._events.record(Event(snapshot.tick, complaint.event, text, "warning"))
        self._standing = found

    def _log(self, events: Iterable[Event]) -> None:
        for event in events:
            log.get("collect").log(logging.INFO if event.severity == "info" else logging.WARNING, event.text)

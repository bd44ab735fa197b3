"""Run the collect loop of one gateway: poll the gateway at each tick, and store the readings in one transaction.

Readings are stored even if an endpoint failed. The store has each reading before the reading is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from typing import TypeAlias

from logger import __version__, log
from logger.clock import Clock
from logger.daemon.batches import make_amendment, make_commit, pack
from logger.daemon.claims import Claims
from logger.daemon.clocks import Clocks
from logger.daemon.collected import Collected, Findings
from logger.daemon.events import PendingEvents, event_points
from logger.daemon.gateway_state import Change, GatewayState, load_state, report_new_state
from logger.daemon.layout_file import LayoutFile
from logger.daemon.newest import NewestReadings
from logger.daemon.poller import Poller
from logger.daemon.progress import Progress
from logger.daemon.requests import GatewayPort
from logger.daemon.site_members import SiteShare
from logger.daemon.site_zone import SiteZone
from logger.daemon.stoppable import Stoppable
from logger.daemon.tariff_files import TariffFiles
from logger.daemon.tick import list_read, run_tick
from logger.errors import StoreFullError
from logger.model import Event, GatewayInfo, Reading, Role
from logger.readings.site_warnings import find_warnings
from logger.readings.wanted import find_wanted
from logger.site import Site
from logger.store.records import Commit, Lease
from logger.store.store import Store
from logger.store.thread import StoreCalls

OwnPoints: TypeAlias = Callable[[int, Mapping[str, str], Poller], Awaitable[list[Reading]]]
"""Makes the points about the recorder: tick (unix seconds), tags and poller → points."""

OnCommit: TypeAlias = Callable[[Collection[Role], Collection[Lease]], None]
"""Receives, after a tick is stored, the roles that have new rows, and leases that hold new rows for delivery."""


class Collector:
    """Polls one gateway until `stopping` is set, and commits each tick.

    `on_commit` is called after each stored tick, `on_tick` after every tick, `on_recognised` after the gateway is
    identified. `loop`: the name of this loop in `progress`. `address`, `expected_serial`: the gateway's address and
    serial in the settings. `share`: the gateway's part in a site of several gateways. A caller that holds
    `between_ticks` may change the state.
    """

    def __init__(
        self,
        gateway: GatewayPort,
        store: StoreCalls,
        clock: Clock,
        site: Site,
        progress: Progress,
        *,
        changes: log.Changes | None = None,
        events: PendingEvents | None = None,
        stopping: asyncio.Event | None = None,
        between_ticks: asyncio.Lock | None = None,
        claims: Claims | None = None,
        share: SiteShare | None = None,
        loop: str = "collect",
        address: str = "",
        expected_serial: str = "",
        on_commit: OnCommit = lambda roles, leases: None,
        on_tick: Callable[[Collector], None] = lambda collector: None,
        on_recognised: Callable[[], None] = lambda: None,
        own_points: OwnPoints | None = None,
    ) -> None:
        self.gateway, self.site = gateway, site
        self.state = GatewayState()
        self.collected = Collected(started_at=clock.time())
        self.newest = NewestReadings()
        self.changes = changes or log.Changes(log.get("collect"))
        self._events = events or PendingEvents(gateway.take_events)
        self._zone = SiteZone(site)
        self.poller = Poller(
            gateway,
            clock,
            site.intervals,
            self.changes,
            self._events,
            self._zone,
            on_new_gateway=self._recognise,
            wants=lambda snapshot: find_wanted(snapshot, self.state.readings.sources, self.state.energy),
        )
        self._clocks = Clocks(clock, self.changes, self._events.record)
        self.stopping = stopping or asyncio.Event()
        self._stoppable = Stoppable(self.stopping)
        self.between_ticks = between_ticks or asyncio.Lock()
        self._claims, self._share = claims or Claims(), share or SiteShare(address)
        self._store, self._clock = store, clock
        self._progress, self._loop, self.address = progress, loop, address
        self.expected_serial = expected_serial
        self._layout = LayoutFile(site.layout_file, self.changes)
        self._tariff = TariffFiles(site.tariff_file, self.changes)
        self._on_commit, self._on_tick, self._own_points = on_commit, on_tick, own_points
        self._on_recognised = on_recognised
        self._since: dict[Role, float] = {}
        self._last_devices = 0
        self._stored: dict[str, str] = {}
        self._stored_from: GatewayState | None = None
        self._findings = Findings(self.changes, self._events.record)
        self._is_begun = False
        self._polled_at = self._recognising = ""

    @property
    def serial(self) -> str:
        """Return the gateway's serial; empty until the gateway has answered."""
        return self.poller.info.serial if self.poller.info else ""

    async def run(self) -> None:
        """Poll at every tick until `stopping` is set. An outage of the gateway never ends the loop."""
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(self.poller.run_slow_lane()), tasks.create_task(self._stoppable.watch())]
            try:
                await self._survive_full_store(self._get_ready())
                while not self.stopping.is_set():
                    tick = self.site.next_tick(self._clock.time())
                    wait_s = tick + self.site.offset_s - self._clock.time()
                    await self._progress.wait(self._loop, self.stopping, wait_s)
                    if not self.stopping.is_set() and self._clocks.ours_is_set() and self._is_now(tick):
                        await self._survive_full_store(self.tick(tick))
            finally:
                for task in beside:
                    task.cancel()

    def _is_now(self, tick: int) -> bool:
        """Return True if the current time belongs to `tick`; False if the clock was set during the wait."""
        return -1.0 <= self._clock.time() - tick - self.site.offset_s < self.site.totals_s

    async def _survive_full_store(self, work: Coroutine[None, None, None]) -> None:
        """Await `work`. If the store is full or cannot be used, count the tick as missed. The store logs why."""
        try:
            await work
        except StoreFullError:
            self.collected.missed += 1

    async def _get_ready(self) -> None:
        """Identify the gateway and its time zone before the first tick."""
        if not self._clocks.ours_is_set():
            return
        now = self._clock.time()
        tick = self.site.next_tick(now)
        self._progress.move(self._loop, self.site.totals_s + 60)

        with contextlib.suppress(TimeoutError):  # the first tick repeats the request
            async with self._clock.timeout(max(0.0, tick + self.site.offset_s - now - 1)), self._stoppable.work():
                await self.poller.identify(int(now))
                await self.poller.ask_zone(int(now))

    async def tick(self, tick: int) -> None:
        """Poll the endpoints that are due, and commit the readings with the time of the tick (unix seconds)."""
        started = self._clock.monotonic()
        self._progress.move(self._loop, 3 * self.site.totals_s + 60)
        left = self.site.deadline_s - max(0.0, self._clock.time() - tick - self.site.offset_s)
        roles = self.site.due_roles(tick, self._last_devices)
        if jump_s := self._clocks.take_jump():
            self.poller.follow_jump(jump_s)
            self._since = {role: at + min(0.0, jump_s) for role, at in self._since.items()}
        ours = self._clocks.ours()
        try:
            async with self._clock.timeout(max(1.0, left)), self._stoppable.work():
                await self.poller.poll(tick, roles)
        except TimeoutError:
            text = "the gateway did not answer all requests of the poll in time; the answers that arrived are stored"
            self.changes.begin("late", text)
        else:
            self.changes.end("late", "the gateway answers all requests of a poll in time again")
        self.poller.start_slow(tick, self.site.offset_s)
        try:
            if self._clocks.ours_held_still(tick, ours):
                async with self.between_ticks:
                    await self._commit(tick, roles)
            else:
                self.collected.missed += 1
        finally:
            self.collected.last_poll_s = self._clock.monotonic() - started
            self._on_tick(self)

    @property
    def is_second_entry(self) -> bool:
        """Return True while the collector of another entry of the settings polls the same gateway."""
        return bool(self._polled_at)

    def is_polling(self, serial: str) -> bool:
        """Return True if this collector reaches the gateway with this serial now."""
        return serial in (self.serial, self._recognising) and self.poller.requests.reachable

    def leave(self, polled_at: str) -> None:
        """Stop polling this gateway, because another collector polls this gateway at the address `polled_at`."""
        self.poller.info, self._recognising, self._polled_at = None, "", polled_at
        self._share.leave()

    def _claim(self, serial: str) -> bool:
        """Claim a gateway. Return False if the collector of another entry polls this gateway."""
        self._polled_at = self._claims.claim(serial, self)
        if self._polled_at:
            self._share.leave()
        return not self._polled_at

    async def _recognise(self, info: GatewayInfo) -> bool:
        """Load the stored state of the gateway that this collector begins to poll.

        Return False if another collector polls the gateway.
        """
        async with self.between_ticks:
            if not self._claim(info.serial):
                return False
            self._recognising = info.serial
            self._stored, self._stored_from = await self._store.call(Store.read_state, info.serial), None
            self.state = load_state(self._stored, await self._store.call(Store.read_reports, info.serial))
            is_first = not await self._store.call(Store.list_gateways)
        # From here on nothing is awaited, so that the next holder of the lock finds the state in this collector.
        if info.serial != self._events.serial:
            self.newest = NewestReadings()
        self._events.serial = info.serial
        self._zone.restore(self.state.energy.zone)
        if not self._stored:
            report_new_state(info.serial, is_first=is_first)
        if not self._is_begun:
            self._is_begun = True
            text = f"envoy-logger {__version__} began to record"
            self._events.record(Event(int(self._clock.time()), "recorder_started", text))
        log.get("collect").info(
            "the recording of the gateway begins", extra={"gateway": info.serial, "firmware": info.firmware}
        )
        self._on_recognised()
        return True

    # --- committing ---------------------------------------------------------------------------------------------

    async def amend(self, change: Change) -> None:
        """Apply `change` to the gateway's state, and store the new state and day rows.

        The caller holds `between_ticks`.
        """
        state, rows = change(self.state)
        self._share.renew(state.energy, rows)
        commit, text = make_amendment(self.serial, state, rows, self._stored, self._stored_from)
        await self._store.call(Store.put, commit)
        self.state, self._stored, self._stored_from = state, text, state

    async def _commit(self, tick: int, roles: frozenset[Role]) -> None:
        """Make points and the new state from the snapshot, and store both in one transaction."""
        info = self.poller.info
        if info is None:
            self.collected.missed += not self.is_second_entry
            if points := self._share.note_silence(tick):
                await self._store.call(Store.put, Commit(self._share.name, tick, pack(points)))
            return
        self._clocks.watch_ours(tick)
        self._clocks.watch_theirs(tick, info)
        if not self._clocks.ours_goes_forward(tick, self.state.energy.last_tick):
            return
        now = self._clock.time()
        tags = self.site.tags(info.serial)
        snapshot = self.poller.snapshot(tick, dict(self._since))
        site = replace(self.site, zone=self._zone.require())
        result = run_tick(snapshot, roles, self.state, site, self._layout.current(), self._tariff.current())
        result = self._share.add_sums(tick, result)
        happened = self._events.take()
        own = await self._own_points(tick, tags, self.poller) if self._own_points else []
        readings = [*result.readings, *event_points([*happened, *result.events], tags), *own]
        commit, text = make_commit(info.serial, tick, readings, result, self._stored, self._stored_from)
        leases = await self._store.call(Store.put, commit)
        self._events.mark_stored(len(happened))
        self._share.mark_stored(result.daily)
        is_answered = self.poller.requests.was_answered_since(self._since.get("totals", 0.0))
        self.newest.note_answer(tick, is_answered=is_answered)
        self.newest.take([*readings, *(row.reading for row in result.daily)])
        self._findings.report_events(result.events)
        self._findings.report_absences(result.state.readings.absences)
        self.poller.basis = list_read(result)
        self.state, self._stored, self._stored_from = result.state, text, result.state
        self._since |= dict.fromkeys(roles, now)
        if "devices" in roles:
            self._last_devices = tick
            if not self._zone.is_quiet(tick):
                warnings = {**find_warnings(result.snapshot, result.duplicates), **result.warnings}
                self._findings.report_warnings(tick, warnings)
            self._layout.compare(snapshot)
        if result.state.readings.times.is_clock_doubted:
            self.poller.ask_clock()
        self.collected.count(tick, self.site.totals_s, len(readings), result.recent)
        self._on_commit(commit.roles, leases)

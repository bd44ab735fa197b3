"""Asking one gateway: the fast lane makes the minute, the slow one runs beside it, one path at a time.

What is asked is what the readings' room wants; when, is the endpoint table's cadence; what came is kept by path.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from logger import log
from logger.clock import Clock
from logger.daemon.budget import planned
from logger.daemon.endpoint_state import Track, due
from logger.daemon.events import PendingEvents
from logger.daemon.requests import Asking, GatewayPort
from logger.daemon.site_zone import SiteZone
from logger.errors import BusyError, CredentialsError, EnvoyLoggerError, WireError
from logger.gateway.endpoints import Lane, plan
from logger.model import Event, GatewayInfo, Role, Snapshot
from logger.readings.rows import HOME, PATHS
from logger.readings.wanted import Wanted

INFO_EVERY_S: Final = 900
_CUT_S: Final = 5.0
"""In one lane a slow request ends so long before the next tick."""
_BOTH: Final[frozenset[Role]] = frozenset({"totals", "devices"})


class Poller:
    """Asks one gateway, keeps what it answered. `met` is called with a gateway that is new, `wants` before asking."""

    def __init__(
        self,
        gateway: GatewayPort,
        clock: Clock,
        intervals: dict[Role, int],
        changes: log.Changes,
        events: PendingEvents,
        zone: SiteZone,
        *,
        met: Callable[[GatewayInfo], Awaitable[None]],
        wants: Callable[[Snapshot], Wanted],
    ) -> None:
        self.info: GatewayInfo | None = None
        self.tracks: dict[str, Track] = {}
        self.asking = Asking(gateway, clock, intervals, changes, events, zone)
        self._clock, self._intervals, self._changes = clock, intervals, changes
        self._events, self._zone = events, zone
        self._met, self._wants = met, wants
        self._want = Wanted(frozenset())
        self._info_due = 0.0
        self._slow_due: list[Track] = []
        self._slow_wanted = asyncio.Event()
        self._slow_until = 0.0
        self._fast_done = asyncio.Event()
        self._fast_done.set()

    def snapshot(self, tick: int, since: dict[Role, float]) -> Snapshot:
        """What stands now, for a gateway that was met."""
        assert self.info is not None  # noqa: S101  the caller has checked
        now = self._clock.time()
        documents = {
            path: document
            for path, track in self.tracks.items()
            if (document := track.standing(now, self._intervals)) is not None
        }
        nowhere = frozenset(path for path, track in self.tracks.items() if track.nowhere(now))
        finals = {path: track.finals for path, track in self.tracks.items()}
        return Snapshot(self.info, tick, documents, since, nowhere | (PATHS - self.tracks.keys()), finals)

    async def poll(self, tick: int, roles: frozenset[Role]) -> None:
        """Who is there, what is due in the fast lane, and the time zone while it is not known."""
        self._fast_done.clear()
        try:
            await self.identify(tick)
            await self._fast_lane(tick, roles)
            await self.ask_zone(tick)
        finally:
            self._fast_done.set()

    async def identify(self, tick: int) -> None:
        """`/info` at the start, every 15 minutes, and after trouble; a new firmware asks everything anew."""
        if self.info is not None and (tick < self._info_due or self._zone.is_quiet(tick)):
            return
        try:
            info = await self.asking.identify(tick)
        except (WireError, BusyError):
            return  # told; who was there is believed until another answers
        except EnvoyLoggerError:
            self.info = None
            return
        self._info_due = tick + INFO_EVERY_S
        if self.info is None or info.serial != self.info.serial:
            self.tracks = _tracks(info, {})
            await self._met(info)
        elif info.firmware != self.info.firmware:
            self._events.record(Event(tick, "firmware_changed", f"{self.info.firmware} → {info.firmware}"))
            self.tracks = _tracks(info, self.tracks)
        self.info = info

    async def ask_zone(self, tick: int) -> None:
        """The gateway's own time zone, while none is known."""
        endpoint = None
        if self.info is not None and not self._zone.name:
            endpoint = next((e for e in plan(self.info) if e.path == HOME), None)
        if endpoint is None:
            return
        track = self.tracks.get(HOME) or Track(endpoint)
        try:
            await self.asking.ask(track, tick)
        except (CredentialsError, WireError):
            return  # the fast lane says what is wrong
        if track.document is not None:
            self._zone.learn(track.document.body)

    # --- the fast lane ------------------------------------------------------------------------------------------

    async def _fast_lane(self, tick: int, roles: frozenset[Role]) -> None:
        """Ask the fast endpoints one by one; each has its own fate. A first answer may change what is wanted."""
        asked: set[str] = set()
        news = True
        while news and self.info is not None:
            self._look(tick)
            batch = [track for track in self._due("fast", tick, roles) if track.endpoint.path not in asked]
            news = False
            while batch and not news:
                track = batch.pop(0)
                asked.add(track.endpoint.path)
                news = track.document is None
                try:
                    await self.asking.ask(track, tick)
                except CredentialsError as error:
                    self._changes.begin("sign-in", str(error), logging.ERROR)
                    return  # every other path needs the same credentials
                except WireError as error:
                    self.asking.trouble(tick, error)
                    return  # nobody is there; the next tick tries again
        if asked:
            self._changes.end("sign-in", "signed in at the gateway again")

    def _look(self, tick: int) -> None:
        """What the documents at hand make worth asking, and what that comes to in an hour."""
        self._want = want = self._wants(self.snapshot(tick, {}))
        for path, track in self.tracks.items():
            track.relaxed = self.asking.strain.slow
            track.lists(self._intervals, nothing=path in want.rarely, of_the_minute=path in want.often)
        there = [t for t in self.tracks.values() if t.endpoint.path in want.paths and not t.absent]
        self.asking.budget.follow(self._clock.time(), planned(there, self._intervals))

    def _due(self, lane: Lane, tick: int, roles: frozenset[Role]) -> list[Track]:
        """What is due in a lane, wanted by the readings, and within the budget."""
        now = self._clock.time()
        quiet = self._zone.is_quiet(now)
        return [
            track
            for track in due(self.tracks.values(), lane, tick, roles)
            if track.endpoint.path in self._want.paths
            and self.asking.budget.allows(track, now)
            and not (quiet and track.can_wait)
        ]

    # --- the slow lane ------------------------------------------------------------------------------------------

    def queue_slow(self, tick: int) -> None:
        """What of the slow lane is due is asked from now on, beside the minutes; nothing in the quiet window."""
        if self.asking.strain.one_lane:
            self._changes.begin("one lane", "slow requests hold up the fast ones: they take turns now", logging.INFO)
        else:
            self._changes.end("one lane", "slow requests run beside the fast ones again")
        self._slow_until = tick + self._intervals["totals"] - _CUT_S
        self._slow_due = self._due("slow", tick, _BOTH)
        if self._slow_due:
            self._slow_wanted.set()

    async def slow_lane(self) -> None:
        """One slow path at a time, for ever; begun between the minutes' own requests. In one lane each is cut off."""
        while True:
            await self._slow_wanted.wait()
            self._slow_wanted.clear()
            while self._slow_due:
                await self._fast_done.wait()
                if not self._slow_due or (left := self._slow_left_s()) <= 0:
                    break
                track = self._slow_due.pop(0)
                try:
                    async with self._clock.timeout(left):
                        await self.asking.ask(track, int(self._clock.time()))
                except (CredentialsError, WireError, TimeoutError):
                    continue  # told; the fast lane says what is wrong with the gateway

    def _slow_left_s(self) -> float:
        """How long a slow request may take if it begins now; 0 if it should not."""
        if not self.asking.strain.one_lane:
            return 2.0 * self._slow_due[0].endpoint.timeout_s
        left = self._slow_until - self._clock.time()
        return left if left >= self._intervals["totals"] / 3 else 0.0


def _tracks(info: GatewayInfo, earlier: dict[str, Track]) -> dict[str, Track]:
    """What this gateway can be asked: the paths of its plan that a reading comes from."""
    answered = {path for path, track in earlier.items() if track.answered or track.answered_before}
    return {e.path: Track(e, answered_before=e.path in answered) for e in plan(info) if e.path in PATHS}

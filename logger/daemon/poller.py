"""Decide which endpoints of one gateway to request: fast endpoints at each tick, slow endpoints between ticks.

`logger.readings` decides which documents are needed for readings. The endpoint table sets how often each endpoint is
requested. The state of each endpoint sets the time of the next request.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from logger import log
from logger.clock import Clock
from logger.daemon.endpoint_state import EndpointState, Frequency
from logger.daemon.events import PendingEvents
from logger.daemon.requests import GatewayPort, Requests
from logger.daemon.site_zone import SiteZone
from logger.errors import BusyError, CredentialsError, EnvoyLoggerError, WireError
from logger.gateway.endpoints import Lane, plan
from logger.model import Document, Event, GatewayInfo, Role, Snapshot
from logger.readings import paths
from logger.readings.wanted import Wanted

_INFO_EVERY_S: Final = 900
_HOUR_S: Final = 3600
_SPARE_S: Final = 5.0
"""Seconds before the next tick at which a slow request must have ended, while both lanes take turns."""
_BOTH: Final[frozenset[Role]] = frozenset({"totals", "devices"})


class Poller:
    """Polls one gateway and holds its answers.

    `on_new_gateway` is awaited before a newly found gateway is polled, and returns False if that gateway must not be
    polled. `wants` returns the paths of the documents to request.
    """

    def __init__(
        self,
        gateway: GatewayPort,
        clock: Clock,
        intervals: dict[Role, int],
        changes: log.Changes,
        events: PendingEvents,
        zone: SiteZone,
        *,
        on_new_gateway: Callable[[GatewayInfo], Awaitable[bool]],
        wants: Callable[[Snapshot], Wanted],
    ) -> None:
        self.info: GatewayInfo | None = None
        self.states: dict[str, EndpointState] = {}
        self.requests = Requests(gateway, clock, changes, events, zone)
        self._clock, self._intervals, self._changes = clock, intervals, changes
        self._events, self._zone = events, zone
        self._on_new_gateway, self._wants = on_new_gateway, wants
        self._wanted = Wanted(frozenset())
        self._occasion: object = None
        self.basis: object = None
        """The fields and counters that were read at the last tick. If they change, other documents may be needed."""
        self._info_due = 0.0
        self._stopped_by = ""
        self._slow_tick = self._slow_until = 0
        self._slow_asked: set[str] = set()
        self._slow_wanted = asyncio.Event()
        self._fast_done = asyncio.Event()
        self._fast_done.set()

    def snapshot(self, tick: int, since: dict[Role, float]) -> Snapshot:
        """Return the current documents as a snapshot. The gateway must have been identified.

        `since`: role → the time of its last committed tick, in unix seconds. Documents that arrived later are fresh.
        """
        assert self.info is not None  # noqa: S101  the caller has checked
        now = self._clock.time()
        documents = self._list_documents(now)
        definitive = {path: state.definitive_answers for path, state in self.states.items()}
        failures = {
            path: reason
            for path, state in self.states.items()
            if path not in documents and (reason := state.reason or self._stopped_by)
        }
        return Snapshot(self.info, tick, documents, since, self._list_absent(now), definitive, failures=failures)

    def _list_documents(self, now: float) -> dict[str, Document]:
        """Return the current documents by path."""
        standing = ((path, state.standing_document(now)) for path, state in self.states.items())
        return {path: document for path, document in standing if document is not None}

    def _list_absent(self, now: float) -> frozenset[str]:
        """Return the paths of the documents that this gateway certainly lacks."""
        absent = {path for path, state in self.states.items() if state.is_surely_absent(now)}
        return frozenset(absent | (paths.PATHS - self.states.keys()))

    def plan_per_hour(self) -> int | None:
        """Return the planned requests per hour, `/info` included; None before the first poll."""
        wanted = (state for path, state in self.states.items() if path in self._wanted.paths)
        hourly = sum(_HOUR_S / state.cadence_s for state in wanted if not state.is_absent)
        return math.ceil(_HOUR_S / _INFO_EVERY_S + hourly) if hourly else None

    async def poll(self, tick: int, roles: frozenset[Role]) -> None:
        """Request `/info` if it is due, the fast endpoints that are due, and the time zone if the zone is unknown."""
        self._fast_done.clear()
        try:
            await self.identify(tick)
            if self.info is not None:
                await self._ask_fast(tick, roles)
                await self.ask_zone(tick)
        finally:
            self._fast_done.set()

    async def identify(self, tick: int) -> None:
        """Request `/info` every 15 minutes and after errors. In the quiet window, only an unknown gateway is asked.

        If the gateway has another firmware or another serial than before, all endpoint states begin anew.
        """
        if self.info is not None and (tick < self._info_due or self._zone.is_quiet(tick)):
            return
        try:
            info = await self.requests.identify(tick)
        except (WireError, BusyError):
            return  # the error is reported; the known gateway stays until another gateway answers
        except EnvoyLoggerError:
            self.info = None
            return
        self._info_due = tick + _INFO_EVERY_S
        if self.info is None or info.serial != self.info.serial:
            self.info = None  # until the gateway's state is read, so that no point mixes two gateways
            self.states = self._plan_states(info, {})
            if not await self._on_new_gateway(info):
                self._info_due = 0.0
                return
        elif info.firmware != self.info.firmware:
            text = f"the gateway's firmware changed from {self.info.firmware} to {info.firmware}"
            self._events.record(Event(tick, "firmware_changed", text))
            self.states = self._plan_states(info, self.states)
        self.info = info

    def ask_clock(self) -> None:
        """Request `/info` at the next tick outside the quiet window.

        A reading's time cannot be judged without the gateway's clock.
        """
        self._info_due = 0.0

    def follow_jump(self, jump_s: float) -> None:
        """Adapt to a jump of this machine's clock by `jump_s` seconds. Request `/info`, to compare the clocks again.

        If the clock was set back, all stored times are set back by the same seconds. Otherwise the stored times would
        lie in the future for a while. Meanwhile no endpoint would be due, and the last documents would count as new
        at each tick.
        """
        self.ask_clock()
        if jump_s < 0:
            self.requests.move_times(jump_s)
            for state in self.states.values():
                state.move_times(jump_s)

    def _plan_states(self, info: GatewayInfo, earlier: dict[str, EndpointState]) -> dict[str, EndpointState]:
        """Make a new state for each endpoint that this gateway can have and that readings use.

        `earlier`: the states before, by path. The new states take over only which paths have ever answered.
        """
        answered = {path for path, state in earlier.items() if state.has_answered or state.answered_before}
        return {
            endpoint.path: EndpointState(endpoint, self._intervals, answered_before=endpoint.path in answered)
            for endpoint in plan(info)
            if endpoint.path in paths.PATHS
        }

    async def ask_zone(self, tick: int) -> None:
        """Request the gateway's time zone, if no zone is known yet."""
        state = self.states.get(paths.HOME)
        if self._zone.name or state is None:
            return
        with contextlib.suppress(CredentialsError, WireError):  # the fast lane reports the error
            await self.requests.send(state, tick)
        if state.document is not None:
            self._zone.learn(state.document.body)

    # --- both lanes ---------------------------------------------------------------------------------------------

    def _next_due(
        self, lane: Lane, tick: int, roles: frozenset[Role], asked: Collection[str] = ()
    ) -> EndpointState | None:
        """Return the next due endpoint of a lane; None if no endpoint is left. `asked`: the paths already requested.

        Silent endpoints come last, after the endpoints that refused the credentials. All other endpoints come first.
        If an endpoint refuses the credentials, no further endpoint of its lane is requested at this tick.
        """
        quiet = self._zone.is_quiet(self._clock.time())
        due = [
            state
            for path, state in self.states.items()
            if state.endpoint.lane == lane
            and path in self._wanted.paths
            and path not in asked
            and state.is_due(tick, roles)
            and not (quiet and state.can_wait)
        ]
        return min(due, key=lambda state: (state.is_silent, state.credentials_refused), default=None)

    async def _ask_fast(self, tick: int, roles: frozenset[Role]) -> None:
        """Request the due fast endpoints one by one.

        After the first document of an endpoint, review which documents to request.
        """
        asked: set[str] = set()
        self._review_wanted(tick)
        while (state := self._next_due("fast", tick, roles, asked)) is not None:
            asked.add(state.endpoint.path)
            first = state.document is None
            try:
                await self.requests.send(state, tick)
            except CredentialsError as error:
                self._stopped_by = error.message
                self._changes.begin("sign-in", str(error), logging.ERROR)
                return  # every other endpoint needs the same credentials
            except WireError as error:
                self._stopped_by = error.message
                self.requests.report_trouble(tick, error)
                return  # the gateway cannot be reached; the next tick tries again
            if first:
                self._review_wanted(tick)
        if asked:
            self._stopped_by = ""
            self._changes.end("sign-in", "the gateway accepts the credentials again")

    def _review_wanted(self, tick: int) -> None:
        """Decide from the current documents which endpoints to request, and how often.

        The review is due each hour. It is also due after each of these changes: other fields are read, other sources
        are pinned, a document appears or disappears, a document changes in more than its digits. If the changes of a
        document cannot be detected, the review is due at each tick of the role `devices`.
        """
        now = self._clock.time()
        skeletons = {path: document.skeleton for path, document in self._list_documents(now).items()}
        every_s = _HOUR_S if all(skeletons.values()) else self._intervals["devices"]
        occasion = (tick // every_s, skeletons, self._list_absent(now), self.basis)
        if occasion != self._occasion:
            self._occasion, self._wanted = occasion, self._wants(self.snapshot(tick, {}))
        wanted = self._wanted
        slow = self.requests.contention.slow_gateway
        for path, state in self.states.items():
            frequency: Frequency = "rarely" if path in wanted.rarely else "often" if path in wanted.often else "usual"
            state.set_frequency(frequency, slow_gateway=slow)

    def start_slow(self, tick: int, offset_s: int = 0) -> None:
        """Let the slow lane request the endpoints that are due at `tick`.

        The poll of that tick began `offset_s` seconds after the tick's own time.
        """
        if self.requests.contention.one_lane:
            text = "slow requests to the gateway delay fast requests, so both take turns from now on"
            self._changes.begin("one lane", text, logging.INFO)
        else:
            self._changes.end(
                "one lane", "the gateway answers fast requests in time again, so slow and fast requests overlap again"
            )
        self._slow_tick, self._slow_asked = tick, set()
        self._slow_until = tick + offset_s + self._intervals["totals"]
        self._slow_wanted.set()

    async def run_slow_lane(self) -> None:
        """Request slow endpoints one at a time until cancelled. Start each request only while no fast poll runs."""
        while True:
            await self._slow_wanted.wait()
            self._slow_wanted.clear()
            while True:
                await self._fast_done.wait()
                state = self._next_due("slow", self._slow_tick, _BOTH, self._slow_asked)
                if state is None or (left_s := self._slow_left_s(state)) <= 0:
                    break
                self._slow_asked.add(state.endpoint.path)
                try:
                    async with self._clock.timeout(left_s):
                        await self.requests.send(state, int(self._clock.time()))
                except CredentialsError:
                    break  # the fast lane reports the error; every other endpoint needs the same credentials
                except (WireError, TimeoutError):
                    continue  # the failure is recorded; the fast lane reports an outage of the gateway

    def _slow_left_s(self, state: EndpointState) -> float:
        """Return the seconds after which a request of the slow lane is cancelled; 0 if the request must not begin.

        While the slow lane and the fast lane take turns, a slow request must end before the next tick. If too little
        time is left, the slow request must not begin.
        """
        if not self.requests.contention.one_lane:
            return 2.0 * state.endpoint.timeout_s
        left_s = self._slow_until - _SPARE_S - self._clock.time()
        return left_s if left_s >= self._intervals["totals"] / 3 else 0.0

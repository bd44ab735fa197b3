"""One request and its fate: what it says of its endpoint, of the gateway, and what of that is worth telling."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from logger import log
from logger.clock import Clock
from logger.daemon.budget import Budget
from logger.daemon.endpoint_state import GIVE_UP_AFTER, Track
from logger.daemon.events import PendingEvents
from logger.daemon.site_zone import SiteZone
from logger.daemon.strain import Strain
from logger.errors import (
    CertificateError,
    CredentialsError,
    EnvoyLoggerError,
    GatewayError,
    NameUnknownError,
    TimedOutError,
    UnreachableError,
)
from logger.gateway.endpoints import Endpoint
from logger.model import Document, Event, GatewayInfo, Role


class GatewayPort(Protocol):
    """What the service needs of a gateway; `logger.gateway.client.Gateway` is one."""

    async def identify(self) -> GatewayInfo:
        """Ask `/info`."""
        ...

    async def fetch(self, endpoint: Endpoint) -> Document:
        """Ask one endpoint."""
        ...

    def take_events(self) -> list[Event]:
        """What happened since it was last asked."""
        ...


class Asking:
    """Sends requests to one gateway, and records what each says of its endpoint and of the gateway."""

    def __init__(
        self,
        gateway: GatewayPort,
        clock: Clock,
        intervals: dict[Role, int],
        changes: log.Changes,
        events: PendingEvents,
        zone: SiteZone,
    ) -> None:
        self.reachable = False
        self.strain = Strain()
        self.budget = Budget()
        self._gateway, self._clock, self._intervals, self._changes = gateway, clock, intervals, changes
        self._events, self._zone = events, zone
        self._answered_at = 0.0
        self._slow_in_flight = 0

    async def identify(self, tick: int) -> GatewayInfo:
        """Ask `/info`. Raises what the gateway's client raises, after it was told."""
        self.budget.spend(self._clock.time(), "fast")
        try:
            info = await self._gateway.identify()
        except EnvoyLoggerError as error:
            self.trouble(tick, error)
            raise
        self._reached(tick)
        return info

    async def ask(self, track: Track, tick: int) -> None:
        """Ask one endpoint and record its fate; raises only what concerns every other endpoint too."""
        endpoint, started = track.endpoint, self._clock.monotonic()
        slow = endpoint.lane == "slow"
        beside = self._slow_in_flight > 0
        self._slow_in_flight += slow
        self.budget.spend(self._clock.time(), endpoint.lane)
        try:
            document = await self._gateway.fetch(endpoint)
        except asyncio.CancelledError:
            self._failed(track, TimedOutError(f"{endpoint.path} was cut off, for the minute's sake"), tick)
            raise
        except CredentialsError:
            raise
        except EnvoyLoggerError as error:
            if isinstance(error, TimedOutError):
                self._note(endpoint, started, beside)
            if isinstance(error, (UnreachableError, NameUnknownError, CertificateError)):
                track.failed(error, tick, self._intervals, counts=False)
                raise
            self._failed(track, error, tick)
        else:
            self._note(endpoint, started, beside)
            self._succeeded(track, document, tick)
        finally:
            self._slow_in_flight -= slow

    def _note(self, endpoint: Endpoint, started: float, beside: bool) -> None:
        if endpoint.lane == "fast":
            self.strain.note(
                endpoint.path,
                self._clock.monotonic() - started,
                beside=beside or self._slow_in_flight > 0,
                now=self._clock.time(),
            )

    def _succeeded(self, track: Track, document: Document, tick: int) -> None:
        path = track.endpoint.path
        track.succeeded(document, tick, self._intervals, counts=not self._zone.is_quiet(self._clock.time()))
        self._answered_at = self._clock.time()
        self._reached(tick)
        self._changes.end(path, f"{path} answers again")
        if track.lost:
            track.lost = False
            self._events.record(Event(tick, "endpoint_back", f"{path} answers again"))

    def _failed(self, track: Track, error: EnvoyLoggerError, tick: int) -> None:
        """Said once: when a path that answered is gone, or one that never did keeps silent. Never at night."""
        path, quiet = track.endpoint.path, self._zone.is_quiet(self._clock.time())
        track.failed(error, tick, self._intervals, counts=not quiet)
        alone = self._answered_at > (track.failing_since or 0.0)  # others answer, so it is this path
        if track.gone and (alone or track.absent) and not track.lost and not quiet:
            track.lost = True
            self._events.record(Event(tick, "endpoint_lost", f"{path}: {error.message}", "warning"))
        silent = not track.absent and (track.answered or track.in_a_row >= GIVE_UP_AFTER)
        if not quiet and (track.lost or silent):
            self._changes.begin(path, f"{path} is silent: {error.message}", logging.INFO)

    def trouble(self, tick: int, error: EnvoyLoggerError) -> None:
        """The gateway as a whole does not answer as it should."""
        quiet = self._zone.is_quiet(tick)
        level = logging.INFO if quiet and not isinstance(error, GatewayError) else logging.WARNING
        if self._changes.begin("gateway", str(error), level) and self.reachable:
            self._events.record(Event(tick, "gateway_unreachable", error.message, "warning"))
        self.reachable = False

    def _reached(self, tick: int) -> None:
        if self._changes.end("gateway", "the gateway answers again"):
            self._events.record(Event(tick, "gateway_back", "the gateway answers again"))
        self.reachable = True

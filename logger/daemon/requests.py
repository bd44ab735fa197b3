"""Send and count single requests to one gateway, and record the gateway's state after each answer."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from operator import itemgetter
from typing import Final, Protocol

from logger import log
from logger.clock import Clock
from logger.daemon.contention import Contention
from logger.daemon.endpoint_state import EndpointState
from logger.daemon.events import PendingEvents
from logger.daemon.site_zone import SiteZone
from logger.errors import (
    CertificateError,
    CredentialsError,
    EnvoyLoggerError,
    GatewayError,
    NameUnknownError,
    TimedOutError,
    UnreachableError,
)
from logger.gateway.endpoints import INFO, Endpoint, Lane
from logger.model import Document, Event, GatewayInfo, Severity

_HOUR_S: Final = 3600


class GatewayPort(Protocol):
    """The gateway functions that the recorder needs, implemented by `logger.gateway.client.Gateway`."""

    @property
    def token_expires_at(self) -> float | None:
        """Return when the token expires, in unix seconds; None without a token."""
        ...

    @property
    def token_user(self) -> str | None:
        """Return the kind of user that the token was issued to; None if unknown."""
        ...

    async def identify(self) -> GatewayInfo:
        """Request `/info`. Return the facts about the gateway from the answer."""
        ...

    async def fetch(self, endpoint: Endpoint) -> Document:
        """Request the document of one endpoint."""
        ...

    def take_events(self) -> list[Event]:
        """Return the events that happened since the previous call."""
        ...


class Requests:
    """Sends the requests to one gateway.

    `reachable`: False before the first answer, and during an outage of the gateway. `contention`: the answer times of
    fast requests, alone and while a slow request is in flight.
    """

    def __init__(
        self, gateway: GatewayPort, clock: Clock, changes: log.Changes, events: PendingEvents, zone: SiteZone
    ) -> None:
        self.reachable = False
        self.contention = Contention(clock)
        self._gateway, self._clock, self._changes = gateway, clock, changes
        self._events, self._zone = events, zone
        self._sent: deque[tuple[float, Lane]] = deque()
        self._answered_at = 0.0
        self._away_since: int | None = None
        self._is_expected = False
        """True while an outage lasts that began in the quiet window and is reported only as information."""

    def count_last_hour(self, now: float) -> Counter[Lane]:
        """Count the requests of each lane in the hour before unix time `now`. `/info` belongs to the fast lane."""
        self._forget_earlier(now)
        return Counter(map(itemgetter(1), self._sent))

    def was_answered_since(self, at: float) -> bool | None:
        """Return True if a request since `at`, in unix seconds, was answered; None if no request was sent."""
        if self._answered_at > at:
            return True
        return False if self._sent and self._sent[-1][0] > at else None

    def move_times(self, seconds: float) -> None:
        """Add `seconds` to the time of the newest answer.

        This machine's clock was set forward by `seconds` (back if negative).
        """
        self._answered_at += seconds

    def _forget_earlier(self, now: float) -> None:
        while self._sent and not 0 <= now - self._sent[0][0] < _HOUR_S:
            self._sent.popleft()

    async def identify(self, tick: int) -> GatewayInfo:
        """Request `/info`. If the request fails, log and raise the error."""
        self._count(INFO)
        try:
            info = await self._gateway.identify()
        except EnvoyLoggerError as error:
            self.report_trouble(tick, error)
            raise
        self._report_reached(tick)
        return info

    async def send(self, state: EndpointState, tick: int) -> None:
        """Request one endpoint and record the result. Raises only errors that concern all endpoints."""
        self._count(state.endpoint)
        try:
            with self.contention.measure(state.endpoint):
                document = await self._gateway.fetch(state.endpoint)
        except asyncio.CancelledError:
            path = state.endpoint.path
            self._record_failure(
                state, TimedOutError(f"the answer to {path} took too long, so the request was cancelled"), tick
            )
            raise
        except CredentialsError:
            state.credentials_refused += 1
            raise
        except (UnreachableError, NameUnknownError, CertificateError) as error:
            state.record_failure(error, tick, counts=False)
            raise
        except EnvoyLoggerError as error:
            self._record_failure(state, error, tick)
        else:
            self._record_answer(state, document, tick)

    def report_trouble(self, tick: int, error: EnvoyLoggerError) -> None:
        """Report that the gateway as a whole fails: as a warning, or as information if a failure is usual.

        It is usual that the gateway does not answer in the quiet window. An answer that cannot be used (GatewayError)
        is never usual. If an outage begins in the quiet window and lasts beyond the end of the window, a warning
        follows the information.
        """
        expected = self._zone.is_quiet(tick) and not isinstance(error, GatewayError)
        level = logging.INFO if expected else logging.WARNING
        severity: Severity = "info" if expected else "warning"
        is_beyond = self._is_expected and not expected
        if self._changes.begin("gateway", str(error), level) and (self.reachable or is_beyond):
            self._events.record(Event(tick, "gateway_unreachable", error.message, severity))
        self._is_expected = expected and (self.reachable or self._is_expected)
        self.reachable = False
        self._away_since = tick if self._away_since is None else self._away_since

    def _report_reached(self, tick: int) -> None:
        if self._changes.end("gateway", "the gateway answers again"):
            away_s = 0 if self._away_since is None else max(0, tick - self._away_since)
            self._events.record(Event(tick, "gateway_back", "the gateway answers again", duration_s=float(away_s)))
        self.reachable, self._away_since, self._is_expected = True, None, False

    def _count(self, endpoint: Endpoint) -> None:
        now = self._clock.time()
        self._sent.append((now, endpoint.lane))
        self._forget_earlier(now)

    def _record_answer(self, state: EndpointState, document: Document, tick: int) -> None:
        text = f"{state.endpoint.path} answers again"
        now = self._answered_at = self._clock.time()
        state.record_answer(document, tick, counts=not self._zone.is_quiet(now))
        self._report_reached(tick)
        self._changes.end(state.endpoint.path, text)
        if state.reported_lost:
            state.reported_lost = False
            self._events.record(Event(tick, "endpoint_back", text))

    def _record_failure(self, state: EndpointState, error: EnvoyLoggerError, tick: int) -> None:
        """Record a failure. Report the failures of an endpoint once, except in the quiet window.

        If an endpoint answered before, its first failure is reported. The failures of any other endpoint are reported
        only after several failures in a row (`is_silent`).
        """
        quiet = self._zone.is_quiet(self._clock.time())
        state.record_failure(error, tick, counts=not quiet)
        if quiet:
            return
        path = state.endpoint.path
        others_answer = self._answered_at > (state.failing_since or 0.0)
        if state.is_lost and (state.is_absent or others_answer) and not state.reported_lost:
            state.reported_lost = True
            self._events.record(Event(tick, "endpoint_lost", f"{path}: {error.message}", "warning"))
        if state.reported_lost or (not state.is_absent and (state.has_answered or state.is_silent)):
            self._changes.begin(
                path,
                f"{path} gives no document, so the values of this path are left out or read from another path; "
                f"reason: {error.message}",
                logging.INFO,
            )

"""Track one endpoint of one gateway: its last answer, its failures, and when the next request is due."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from logger.errors import AbsentError, EnvoyLoggerError, NotAllowedError
from logger.gateway.endpoints import Endpoint, Lane
from logger.model import Document, Role

Frequency = Literal["usual", "rarely", "often"]

GIVE_UP_AFTER: Final = 3
"""An endpoint is silent after this many failures in a row."""
_NEVER_S: Final = 900
"""An endpoint that never answered counts as absent after this many seconds; a booting gateway needs minutes."""
_BACK_OFF_S: Final[dict[Lane, tuple[tuple[int, int], ...]]] = {
    "slow": ((9, 4 * 3600), (6, 3600), (3, 900)),
    "fast": ((16, 4 * 3600), (13, 3600), (10, 900)),
}
"""By lane: (failures in a row, seconds of back-off from that number on). The reasons are Q-C2 and Q-C15 of
`docs/gateway-quirks.md`: a request can crash a gateway."""
_RETRY_S: Final = 300
"""The longest time in seconds until a failed slow endpoint is requested again, while no back-off applies."""
_PROBE_S: Final = 86400
"""Seconds until an endpoint is requested again if it is absent or not allowed, and has not answered before.

This applies after `GIVE_UP_AFTER` definitive answers. Until then the endpoint has its usual interval.
"""
_PROBE_AGAIN_S: Final = 3600
"""Seconds until an absent endpoint is requested again if it has answered before under this firmware."""
_SLOW_ANSWER_S: Final[dict[Lane, float]] = {"fast": 2.0, "slow": 10.0}
"""The answer time in seconds, by lane, above which an endpoint is requested at its relaxed cadence."""
_RARELY_S: Final = 900


@dataclass(slots=True)
class EndpointState:
    """The state of one endpoint. `due_at`, `failing_since` in unix seconds; `intervals` in seconds by role.

    `answered_before`: the endpoint answered under an earlier firmware. `reported_lost`: an event has reported that
    the endpoint stopped answering. `definitive_answers`: the number of answers with a document, or with the statement
    that there is none. `credentials_refused`: the number of successive requests whose credentials were refused.
    `reason`: the message of the last failure. `frequency`: "rarely" if the document is an empty list, "often" if the
    document has new values every minute. `slow_gateway`: the gateway answers all requests slowly.
    """

    endpoint: Endpoint
    intervals: Mapping[Role, int]
    answered_before: bool = False
    document: Document | None = None
    latency_s: float | None = None
    due_at: float = -math.inf
    requests: int = 0
    failures: int = 0
    failures_in_a_row: int = 0
    refusals_in_a_row: int = 0
    credentials_refused: int = 0
    definitive_answers: int = 0
    failing_since: float | None = None
    reason: str = ""
    has_answered: bool = False
    is_absent: bool = False
    reported_lost: bool = False
    frequency: Frequency = "usual"
    slow_gateway: bool = False

    # --- answers and failures -----------------------------------------------------------------------------------

    def record_answer(self, document: Document, tick: int, *, counts: bool = True) -> None:
        """Store a document, and set the time of the next request.

        `counts`: add this answer to `definitive_answers`. False in the quiet window, the minutes around 23:00 in
        which gateways do maintenance.
        """
        self.document, self.latency_s = document, document.took_s
        self.requests += 1
        self.definitive_answers += counts
        self.has_answered, self.is_absent, self.failing_since, self.reason = True, False, None, ""
        self.failures_in_a_row = self.refusals_in_a_row = self.credentials_refused = 0
        self.due_at = self._due_after(tick)

    def record_failure(self, error: EnvoyLoggerError, tick: int, *, counts: bool = True) -> None:
        """Record a failed request, and set the time of the next request.

        `counts`: the failure concerns this endpoint alone. False if the gateway cannot be reached at all, and in the
        quiet window around 23:00.
        """
        self.requests += 1
        self.failures += 1
        self.reason = error.message
        self.credentials_refused = 0
        if self.failing_since is None:
            self.failing_since = tick
        if isinstance(error, (AbsentError, NotAllowedError)):
            self.definitive_answers += counts
            self.refusals_in_a_row += counts
            if not self.has_answered or self.refusals_in_a_row >= GIVE_UP_AFTER:
                self.is_absent, self.document = True, None
                self.due_at = tick + self._probe_s
                return
        self.failures_in_a_row += counts
        retry_s = self.intervals["totals"] if self.endpoint.lane == "fast" else _RETRY_S
        self.due_at = tick + max(self._back_off_s, min(self.cadence_s, retry_s))

    def move_times(self, seconds: float) -> None:
        """Add `seconds` to all times. This machine's clock was set forward by `seconds` (back if negative)."""
        self.due_at += seconds
        if self.failing_since is not None:
            self.failing_since += seconds
        if self.document is not None:
            self.document = replace(self.document, received_at=self.document.received_at + seconds)

    @property
    def is_silent(self) -> bool:
        """Return True if the last `GIVE_UP_AFTER` requests or more have failed."""
        return self.failures_in_a_row >= GIVE_UP_AFTER

    @property
    def is_lost(self) -> bool:
        """Return True if the endpoint answered before and is now absent or silent."""
        return (self.has_answered or self.answered_before) and (self.is_absent or self.is_silent)

    def is_surely_absent(self, now: float) -> bool:
        """Return True if this gateway certainly lacks the document: absent, not allowed, or never answered."""
        if self.is_absent or self.has_answered or self.failing_since is None:
            return self.is_absent
        return self.is_silent and now - self.failing_since >= _NEVER_S

    def standing_document(self, now: float) -> Document | None:
        """Return the last document; None if the document is too old.

        The greatest age is twice the usual interval of the endpoint's requests, or twice the interval of ticks if
        the interval of ticks is longer.
        """
        if self.document is None:
            return None
        age_s = now - self.document.received_at
        is_young = age_s <= 2 * self.intervals["totals"] or age_s <= 2 * self._usual_cadence_s
        return self.document if is_young else None

    # --- when the next request is due ---------------------------------------------------------------------------

    def is_due(self, tick: int, roles: frozenset[Role]) -> bool:
        """Return True if the endpoint must be requested at this tick.

        An endpoint of the fast lane that has the interval of the role `devices` is requested only when `roles`
        contains this role.
        """
        waits_for_devices = self._follows_devices and self.endpoint.lane == "fast" and "devices" not in roles
        return self.due_at <= tick and not waits_for_devices

    @property
    def can_wait(self) -> bool:
        """Return True if the next request may wait until the gateway's nightly quiet window is over.

        A request of the slow lane may wait. A request of an endpoint with its own interval in seconds may also wait,
        if its document has arrived already.
        """
        return self.endpoint.lane == "slow" or (isinstance(self.endpoint.every, int) and self.document is not None)

    @property
    def cadence_s(self) -> int:
        """Return the seconds from one answer to the next request."""
        return self.intervals["totals"] if self.frequency == "often" and not self._is_slow else self._usual_cadence_s

    def set_frequency(self, frequency: Frequency, *, slow_gateway: bool) -> None:
        """Set how often to request the endpoint. `frequency` has no effect before the first document.

        `slow_gateway`: the gateway answers all requests slowly now.
        """
        self.slow_gateway = slow_gateway
        if frequency != self.frequency and self.document is not None:
            self.frequency = frequency
            self.due_at = self._due_after(int(self.document.received_at))

    @property
    def _is_slow(self) -> bool:
        return self.slow_gateway or (self.latency_s or 0.0) > _SLOW_ANSWER_S[self.endpoint.lane]

    @property
    def _follows_devices(self) -> bool:
        return self.endpoint.every == "devices" and (self._is_slow or self.frequency != "often")

    @property
    def _usual_cadence_s(self) -> int:
        """Return the seconds from one answer to the next request, without the effect of the frequency "often"."""
        every = self.endpoint.every
        cadence = self.intervals[every] if isinstance(every, str) else every
        if self.frequency == "rarely":
            cadence = max(cadence, _RARELY_S)
        return max(cadence, self.endpoint.relaxed_s) if self._is_slow else cadence

    def _due_after(self, tick: int) -> int:
        """Return when the next request is due, in unix seconds: `cadence_s` after the tick.

        An endpoint that is requested in the interval of the role `devices` is due at the next multiple of
        `cadence_s`.
        """
        step = self.cadence_s if self._follows_devices else self.intervals["totals"]
        return tick // step * step + self.cadence_s

    @property
    def _back_off_s(self) -> int:
        """Return the seconds of back-off after successive failures; 0 for endpoints requested every minute."""
        if self.endpoint.every == "totals":
            return 0
        table = _BACK_OFF_S[self.endpoint.lane]
        return next((rest_s for failures, rest_s in table if self.failures_in_a_row >= failures), 0)

    @property
    def _probe_s(self) -> int:
        """Return the seconds until an absent endpoint is requested again."""
        if self.definitive_answers < GIVE_UP_AFTER:
            return self.cadence_s
        return _PROBE_AGAIN_S if self.has_answered else _PROBE_S

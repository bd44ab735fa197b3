"""What is known of each endpoint of one gateway: its last answer, its failures, and when it is due again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logger.errors import AbsentError, EnvoyLoggerError, NotAllowedError
from logger.gateway.endpoints import Endpoint
from logger.model import Document, Role

GIVE_UP_AFTER: Final = 3
"""An endpoint that failed so often in a row counts as not there until it answers."""
_REST_S: Final = (900, 86400)
"""How long a path rests after three failures in a row (Q-C2), and after it was found absent or not allowed."""
_SLOW_ANSWER_S: Final = 10.0
"""A slow path that takes longer than this is asked less."""


@dataclass(slots=True)
class Track:
    """One endpoint's record. `due_at` in unix seconds."""

    endpoint: Endpoint
    document: Document | None = None
    due_at: float = -math.inf
    requests: int = 0
    failures: int = 0
    in_a_row: int = 0
    latency_s: float | None = None
    absent: bool = False
    trouble: str = ""
    answered: bool = False

    @property
    def nowhere(self) -> bool:
        """True if no document is to be had here: absent, not allowed, or never once in three tries."""
        return self.absent or (not self.answered and self.in_a_row >= GIVE_UP_AFTER)

    def succeeded(self, document: Document, tick: int, intervals: dict[Role, int]) -> None:
        """A document came."""
        self.document, self.latency_s, self.answered = document, document.took_s, True
        self.requests += 1
        self.in_a_row, self.absent, self.trouble = 0, False, ""
        self.due_at = tick + self.cadence_s(intervals)

    def failed(self, error: EnvoyLoggerError, tick: int, intervals: dict[Role, int]) -> None:
        """No document came; what that means for when it is asked again."""
        self.requests += 1
        self.failures += 1
        self.trouble = error.what
        if isinstance(error, (AbsentError, NotAllowedError)):
            self.absent, self.document = True, None
            self.due_at = tick + _REST_S[1]
            return
        self.in_a_row += 1
        rest = _REST_S[0] if self.in_a_row >= GIVE_UP_AFTER and self.endpoint.lane == "slow" else 0
        retry = min(self.cadence_s(intervals), intervals["totals"]) if self.endpoint.lane == "fast" else 300
        self.due_at = tick + max(rest, retry)

    def cadence_s(self, intervals: dict[Role, int]) -> int:
        """Seconds from one answer to the next request; a slow path that answered slowly waits three times as long."""
        every = self.endpoint.every
        cadence = intervals[every] if isinstance(every, str) else every
        if self.endpoint.lane == "slow" and (self.latency_s or 0.0) > _SLOW_ANSWER_S:
            return max(cadence, 900)
        return cadence

    def standing(self, now: float, intervals: dict[Role, int]) -> Document | None:
        """The document while it may stand: twice its cadence."""
        if self.document is None or now - self.document.received_at > 2 * self.cadence_s(intervals):
            return None
        return self.document


def due(tracks: Iterable[Track], lane: str, tick: int, roles: frozenset[Role]) -> list[Track]:
    """The endpoints of a lane to ask at this tick; those of the devices' cadence only with the devices."""
    return [
        track
        for track in tracks
        if track.endpoint.lane == lane
        and track.due_at <= tick
        and (track.endpoint.every != "devices" or "devices" in roles or lane == "slow")
    ]

"""What is known of each endpoint of one gateway: its last answer, its failures, and when it is due again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logger.errors import AbsentError, EnvoyLoggerError, NotAllowedError
from logger.gateway.endpoints import Endpoint, Lane
from logger.model import Document, Role

GIVE_UP_AFTER: Final = 3
"""A path that failed so often in a row is silent."""
_NEVER_S: Final = 900
"""A path that never answered for so long counts as not there; a gateway that starts needs minutes."""
_RESTS_S: Final[dict[Lane, tuple[tuple[int, int], ...]]] = {
    "slow": ((9, 4 * 3600), (6, 3600), (3, 900)),
    "fast": ((16, 4 * 3600), (13, 3600), (10, 900)),
}
"""How long a path rests after so many failures in a row (Q-C2); one may bring a gateway down each time (Q-C15)."""
_PROBE_S: Final = 86400
"""A path that is absent or not allowed is asked again after this."""
_PROBE_AGAIN_S: Final = 3600
"""The same for one that answered under this firmware: it may come back."""
_RETRY_S: Final = 300
_SLOW_ANSWER_S: Final[dict[Lane, float]] = {"fast": 2.0, "slow": 10.0}
"""A path that takes longer than this is asked at its relaxed cadence."""
_RARELY_S: Final = 900


@dataclass(slots=True)
class Track:
    """One endpoint's record. `due_at` and `failing_since` in unix seconds.

    `relaxed`: the gateway is slow, what can wait is asked less. `rarely`: it lists nothing, and is only looked at.
    `often`: it says something of every minute, whatever its cadence.
    `answered_before`: it answered under an earlier firmware. `lost`: it was said that it answers no more.
    `finals`: how often it gave a document or said that there is none; twice the latter is not believed for long.
    `refusals`: how often in a row it said that it is not there; one that answered is not believed at the first.
    """

    endpoint: Endpoint
    answered_before: bool = False
    document: Document | None = None
    due_at: float = -math.inf
    requests: int = 0
    failures: int = 0
    in_a_row: int = 0
    refusals: int = 0
    failing_since: float | None = None
    latency_s: float | None = None
    absent: bool = False
    trouble: str = ""
    answered: bool = False
    relaxed: bool = False
    rarely: bool = False
    often: bool = False
    lost: bool = False
    finals: int = 0

    def nowhere(self, now: float) -> bool:
        """True if no document is to be had here: absent, not allowed, or never once in a quarter of an hour."""
        silent = not self.answered and self.in_a_row >= GIVE_UP_AFTER
        return self.absent or (silent and self.failing_since is not None and now - self.failing_since >= _NEVER_S)

    @property
    def can_wait(self) -> bool:
        """True if it need not be asked while the gateway may be deaf: slow, or known and asked rarely anyway."""
        return self.endpoint.lane == "slow" or (isinstance(self.endpoint.every, int) and self.document is not None)

    @property
    def gone(self) -> bool:
        """True if it used to answer and does not any more: absent, or silent three times in a row."""
        return (self.answered or self.answered_before) and (self.absent or self.in_a_row >= GIVE_UP_AFTER)

    def succeeded(self, document: Document, tick: int, intervals: dict[Role, int], *, counts: bool = True) -> None:
        """A document came. `counts`: it says something of this path."""
        self.document, self.latency_s, self.answered = document, document.took_s, True
        self.requests += 1
        self.finals += counts
        self.in_a_row, self.failing_since, self.absent, self.trouble = 0, None, False, ""
        self.refusals = 0
        self.due_at = self._next(tick, intervals)

    def failed(self, error: EnvoyLoggerError, tick: int, intervals: dict[Role, int], *, counts: bool = True) -> None:
        """No document came, and when it is asked again. `counts`: it says something of this path."""
        self.requests += 1
        self.failures += 1
        self.trouble = error.message
        if self.failing_since is None:
            self.failing_since = tick
        if isinstance(error, (AbsentError, NotAllowedError)):
            self.finals += counts
            self.refusals += counts
            if not self.answered or self.refusals >= GIVE_UP_AFTER:
                self.absent, self.document = True, None
                rest = _PROBE_AGAIN_S if self.answered else _PROBE_S
                self.due_at = tick + (rest if self.finals >= GIVE_UP_AFTER else self.cadence_s(intervals))
                return
        self.in_a_row += counts
        retry = intervals["totals"] if self.endpoint.lane == "fast" else _RETRY_S
        self.due_at = tick + max(self._rest_s(), min(self.cadence_s(intervals), retry))

    def _rest_s(self) -> int:
        """The minute's own reading never rests."""
        if self.endpoint.every == "totals":
            return 0
        return next((rest for failures, rest in _RESTS_S[self.endpoint.lane] if self.in_a_row >= failures), 0)

    def lists(self, intervals: dict[Role, int], *, nothing: bool, of_the_minute: bool) -> None:
        """Whether its document lists nothing, or something of every minute, which says when it is due again."""
        if (self.rarely, self.often) != (nothing, of_the_minute) and self.document is not None:
            self.rarely, self.often = nothing, of_the_minute
            self.due_at = self._next(int(self.document.received_at), intervals)

    def cadence_s(self, intervals: dict[Role, int]) -> int:
        """Seconds from one answer to the next request; longer where it lists nothing or answers slowly."""
        usual = self._usual_s(intervals)
        return usual if self._is_slow or not self.often else intervals["totals"]

    def _usual_s(self, intervals: dict[Role, int]) -> int:
        """The same, whether or not it says something of every minute."""
        every = self.endpoint.every
        cadence = intervals[every] if isinstance(every, str) else every
        if self.rarely:
            cadence = max(cadence, _RARELY_S)
        return max(cadence, self.endpoint.relaxed_s) if self._is_slow else cadence

    @property
    def _is_slow(self) -> bool:
        return self.relaxed or (self.latency_s or 0.0) > _SLOW_ANSWER_S[self.endpoint.lane]

    @property
    def with_devices(self) -> bool:
        """True if it is asked at the devices' ticks alone."""
        return self.endpoint.every == "devices" and (self._is_slow or not self.often)

    def _next(self, tick: int, intervals: dict[Role, int]) -> int:
        """When it is due again: at the devices' next tick, or its cadence after the tick at which it was asked."""
        cadence = self.cadence_s(intervals)
        step = cadence if self.with_devices else intervals["totals"]
        return tick // step * step + cadence

    def standing(self, now: float, intervals: dict[Role, int]) -> Document | None:
        """The document while it may stand: twice its cadence."""
        if self.document is None or now - self.document.received_at > 2 * self._usual_s(intervals):
            return None
        return self.document


def due(tracks: Iterable[Track], lane: Lane, tick: int, roles: frozenset[Role]) -> list[Track]:
    """The endpoints of a lane to ask at this tick, those that keep failing last; the devices' with the devices."""
    found = [
        track
        for track in tracks
        if track.endpoint.lane == lane
        and track.due_at <= tick
        and (not track.with_devices or "devices" in roles or lane == "slow")
    ]
    return sorted(found, key=lambda track: track.in_a_row >= GIVE_UP_AFTER)

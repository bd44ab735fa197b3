"""How many requests an hour a gateway is asked, and the ceiling over what may wait."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from logger.daemon.endpoint_state import Track
from logger.gateway.endpoints import INFO, Lane
from logger.model import Role

_HOUR_S: Final = 3600
_SPARE: Final = 1.1
_PROBES: Final = 10
"""Above the plan: a tenth, and some for new probing and second tries."""


def planned(tracks: Iterable[Track], intervals: dict[Role, int]) -> int:
    """The ceiling, in requests an hour: what these endpoints and `/info` take, and some to spare."""
    hourly = sum(_HOUR_S / track.cadence_s(intervals) for track in tracks)
    every = INFO.every if isinstance(INFO.every, int) else _HOUR_S
    return math.ceil((hourly + _HOUR_S / every) * _SPARE) + _PROBES


class Budget:
    """The requests of the last hour by lane. `limit` is the ceiling in force, None before there is a plan."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self._plans: deque[tuple[float, int]] = deque()
        self._asked: deque[tuple[float, Lane]] = deque()

    def follow(self, now: float, plan: int) -> None:
        """From now on so many an hour are planned.

        The ceiling is the highest plan of the last hour, as its requests are counted: where less is asked from now
        on (the first day's figures at midnight), what was asked before does not starve the rest.
        """
        while self._plans and (self._plans[0][0] <= now - _HOUR_S or self._plans[-1][1] <= plan):
            if self._plans[0][0] <= now - _HOUR_S:
                self._plans.popleft()
            else:
                self._plans.pop()
        self._plans.append((now, plan))
        self.limit = self._plans[0][1]

    def spend(self, now: float, lane: Lane) -> None:
        """One request is sent; `now` in unix seconds."""
        self._asked.append((now, lane))
        self._forget(now)

    def used(self, now: float) -> dict[Lane, int]:
        """How many were sent within the last hour, by lane."""
        self._forget(now)
        count: dict[Lane, int] = {"fast": 0, "slow": 0}
        for _, lane in self._asked:
            count[lane] += 1
        return count

    def allows(self, track: Track, now: float) -> bool:
        """True for what is asked at every totals or devices tick, and once for everything that was never asked.

        For the rest while the ceiling is not reached. After a firmware change nothing is known, so the plan and its
        ceiling are small; the list of meters must not wait for that.
        """
        every = track.endpoint.every
        if self.limit is None or isinstance(every, str) or not track.requests:
            return True
        if track.endpoint.lane == "fast" and track.document and now - track.document.received_at > 1.5 * every:
            return True  # soon it stands no more, and the minute may hang on it: the list of meters
        return sum(self.used(now).values()) < self.limit

    def _forget(self, now: float) -> None:
        while self._asked and (self._asked[0][0] <= now - _HOUR_S or self._asked[0][0] > now + _HOUR_S):
            self._asked.popleft()

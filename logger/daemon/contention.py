"""Measure a gateway's answer times, to find two faults: slow requests delay fast requests; all answers are slow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from logger.clock import Clock
from logger.errors import TimedOutError
from logger.gateway.endpoints import Endpoint

_SAMPLES: Final = 12
_DELAYED_ENOUGH: Final = 2
"""Slow and fast requests take turns if at least this many of the last answers were delayed.

Only answers that came while a slow request was in flight are counted.
"""
_DELAY_S: Final = 1.0
_DELAY_FACTOR: Final = 3.0
"""An answer is delayed if its time is above this factor times its usual time, and more than `_DELAY_S` longer."""
_WEIGHT: Final = 0.2
"""Weight of the newest time in the moving average of an endpoint's answer times.

Only answers that came while no slow request was in flight are averaged.
"""
_ONE_LANE_S: Final = (6 * 3600, 24 * 3600)
"""The first and the longest time in seconds for which slow and fast requests take turns.

After this time slow and fast requests may overlap again, as a trial. A failed trial costs a minute.
"""
_RECENT: Final = 30
_RECENT_ENOUGH: Final = 6
_SLOW_S: Final = (2.0, 1.0)
"""A gateway counts as slow if the median time of the fast lane's recent answers is above this many seconds.

The second value applies to a gateway that already counts as slow.
"""


class Contention:
    """The answer times of one gateway's fast endpoints: alone, and while a slow request is in flight.

    `slow_gateway`: even the fast endpoints answer slowly, so endpoints that can wait are requested less often.
    """

    def __init__(self, clock: Clock) -> None:
        self.slow_gateway = False
        self._clock = clock
        self._slow_in_flight = 0
        self._alone_s: dict[str, float] = {}
        self._delayed: deque[bool] = deque(maxlen=_SAMPLES)
        self._recent_s: deque[float] = deque(maxlen=_RECENT)
        self._pause_s = _ONE_LANE_S[0]
        self._two_lanes_at: float | None = None

    @property
    def one_lane(self) -> bool:
        """Return True while slow and fast requests must take turns."""
        return self._two_lanes_at is not None

    @contextmanager
    def measure(self, endpoint: Endpoint) -> Iterator[None]:
        """Measure the time of the request within this context.

        The time is recorded only for a request of the fast lane that is answered or times out. A request of the slow
        lane counts as in flight during this context.
        """
        started, beside = self._clock.monotonic(), self._slow_in_flight > 0
        slow = endpoint.lane == "slow"
        self._slow_in_flight += slow
        measured = False
        try:
            yield
            measured = True
        except TimedOutError:
            measured = True
            raise
        finally:
            if measured and not slow:
                took_s, beside = self._clock.monotonic() - started, beside or self._slow_in_flight > 0
                self.record(endpoint.path, took_s, beside=beside, now=self._clock.monotonic())
            self._slow_in_flight -= slow

    def record(self, path: str, took_s: float, *, beside: bool, now: float) -> None:
        """Record an answer of the fast lane that took `took_s` seconds. `beside`: a slow request was in flight."""
        self._recent_s.append(took_s)
        if len(self._recent_s) >= _RECENT_ENOUGH:
            self.slow_gateway = median(self._recent_s) > _SLOW_S[self.slow_gateway]
        if self._two_lanes_at is not None and now >= self._two_lanes_at:
            self._two_lanes_at = None
        alone_s = self._alone_s.get(path)
        if not beside:
            self._alone_s[path] = took_s if alone_s is None else alone_s + _WEIGHT * (took_s - alone_s)
        elif alone_s is not None:
            self._delayed.append(took_s - alone_s > _DELAY_S and took_s > _DELAY_FACTOR * alone_s)
            self._choose_lanes(now)

    def _choose_lanes(self, now: float) -> None:
        """If two of the last 12 answers were delayed, let slow and fast requests take turns for a limited time.

        With each repetition this time doubles, up to a day. After 12 answers in a row without a delay, the time is
        short again.
        """
        if sum(self._delayed) >= _DELAYED_ENOUGH:
            self._two_lanes_at = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, _ONE_LANE_S[1])
            self._delayed.clear()
        elif len(self._delayed) == _SAMPLES and not any(self._delayed):
            self._pause_s = _ONE_LANE_S[0]

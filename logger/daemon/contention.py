"""How a gateway bears being asked: whether fast answers wait for a slow one, and whether all of them are slow."""

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
"""So many delayed answers among the last samples beside a slow request are no accident."""
_DELAY_S: Final = 1.0
_DELAY_FACTOR: Final = 3.0
"""An answer is delayed if it takes that many times as long as alone, and that much longer at least."""
_WEIGHT: Final = 0.2
"""The share of the newest answer in the mean of the answers alone."""
_ONE_LANE_S: Final = (6 * 3600, 24 * 3600)
"""How long one lane lasts before two are tried again: at first, and at most. Each trial costs a minute."""
_RECENT: Final = 30
_RECENT_ENOUGH: Final = 6
_SLOW_S: Final = (2.0, 1.0)
"""A gateway is slow from this median of its recent fast answers on, until the median is below the second."""


class Contention:
    """The answer times of one gateway's fast endpoints, alone and beside a slow request in flight.

    `slow_gateway`: fast answers are slow altogether, so what can wait is asked less often.
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
        """True while slow requests must not run beside the fast ones."""
        return self._two_lanes_at is not None

    @contextmanager
    def measure(self, endpoint: Endpoint) -> Iterator[None]:
        """Measure the request that is sent inside, if the gateway answers it or lets it time out."""
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
                self.record(endpoint.path, took_s, beside=beside, now=self._clock.time())
            self._slow_in_flight -= slow

    def record(self, path: str, took_s: float, *, beside: bool, now: float) -> None:
        """Record how long a fast answer took, and whether a slow request was in flight `beside` it."""
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
        """Go to one lane once answers were delayed; two lanes that go well make the next pause short again."""
        if sum(self._delayed) >= _DELAYED_ENOUGH:
            self._two_lanes_at = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, _ONE_LANE_S[1])
            self._delayed.clear()
        elif len(self._delayed) == _SAMPLES and not any(self._delayed):
            self._pause_s = _ONE_LANE_S[0]

"""How a gateway bears being asked: whether its fast paths wait for the slow ones, and whether it is slow altogether.

Fed with the times of the fast lane's answers, alone and beside a slow request in flight. Decides nothing else.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

_SAMPLES: Final = 12
_ENOUGH: Final = 2
"""So many hurt answers among the last samples beside a slow request are no accident."""
_STEADY: Final = 6
"""So many answers say whether a gateway is slow."""
_HURT_S: Final = 1.0
_HURT_TIMES: Final = 3.0
"""An answer is hurt if it takes that many times as long as alone, and that much longer at least."""
_WEIGHT: Final = 0.2
_ONE_LANE_S: Final = (6 * 3600, 24 * 3600)
"""How long one lane lasts before two are tried again: at first, and at most; finding out costs a minute."""
_SLOW_S: Final = (2.0, 1.0)
"""A gateway is slow from this median answer of its fast paths on, until it is below the second."""
_RECENT: Final = 30


class Strain:
    """The answer times of one gateway's fast paths. Times in seconds; `now` in unix seconds."""

    def __init__(self) -> None:
        self.slow = False
        self._alone: dict[str, float] = {}
        self._hurt: deque[bool] = deque(maxlen=_SAMPLES)
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._pause_s = _ONE_LANE_S[0]
        self._two_again_at: float | None = None

    @property
    def one_lane(self) -> bool:
        """True while slow requests must not run beside the fast ones."""
        return self._two_again_at is not None

    def note(self, path: str, took_s: float, *, beside: bool, now: float) -> None:
        """A fast path answered, or gave up, after that long; `beside`: a slow request was in flight meanwhile."""
        self._recent.append(took_s)
        if len(self._recent) >= _STEADY:
            self.slow = median(self._recent) > _SLOW_S[self.slow]
        if self._two_again_at is not None and now >= self._two_again_at:
            self._two_again_at = None
        if not beside:
            self._alone[path] = took_s + (1 - _WEIGHT) * (self._alone.get(path, took_s) - took_s)
        elif path in self._alone:
            alone = self._alone[path]
            self._hurt.append(took_s - alone > _HURT_S and took_s > _HURT_TIMES * alone)
            self._judge(now)

    def _judge(self, now: float) -> None:
        """One lane once answers were hurt; where two lanes go well for long, the next pause is short again."""
        if sum(self._hurt) >= _ENOUGH:
            self._two_again_at = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, _ONE_LANE_S[1])
            self._hurt.clear()
        elif len(self._hurt) == _SAMPLES and not any(self._hurt):
            self._pause_s = _ONE_LANE_S[0]

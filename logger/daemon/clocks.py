"""Watch the clocks of this machine and of the gateway.

Report each wrong clock once when the error begins and once when the error ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from logger import log
from logger.clock import Clock, format_span
from logger.model import Event, GatewayInfo

EARLIEST: Final = 1_767_225_600
"""2026-01-01 in unix seconds, before the release of this program. A clock that shows an earlier time is not set."""
SET_OURS: Final = "run sudo timedatectl set-ntp true on this machine; for a container, on its host."
STEP_BACK_S: Final = 600
"""If this machine's clock is set back by more than this many seconds, stored ticks are recorded again."""
_STEP_S: Final = 5
_SKEW_S: Final = 60
_DAY_S: Final = 86400


class Clocks:
    """Watches the clocks of this machine and of the gateway. `record` stores an event for the database."""

    def __init__(self, clock: Clock, changes: log.Changes, record: Callable[[Event], None]) -> None:
        self._clock, self._changes, self._record = clock, changes, record
        self._ours: float | None = None
        self._remedy = ""
        self._before_jump = self.ours()

    def ours(self) -> float:
        """Return wall time minus monotonic time, in seconds.

        This difference changes if the clock is set or if the machine sleeps.
        """
        return self._clock.time() - self._clock.monotonic()

    def ours_held_still(self, tick: int, before: float) -> bool:
        """Return False if this machine's clock has jumped since an earlier call of `ours`.

        `before`: the result of that earlier call. After a jump the readings belong to no known minute.
        """
        if abs(self.ours() - before) < _STEP_S:
            return True
        log.get("collect").warning(
            "this machine slept or its clock was set during the poll, so the readings of this poll are not recorded"
        )
        return False

    def take_jump(self) -> float:
        """Return the seconds by which this machine's clock was set forward since the last call; negative if set back.

        Steps of less than 5 s count as 0. A machine that slept counts as a machine whose clock was set forward.
        """
        before, self._before_jump = self._before_jump, self.ours()
        jump_s = self._before_jump - before
        return jump_s if abs(jump_s) >= _STEP_S else 0.0

    def watch_ours(self, tick: int) -> None:
        """Report a forward jump of this machine's clock.

        Such a jump means that the clock was set or that the machine slept, and that minutes are missing.
        """
        now = self.ours()
        last, self._ours = self._ours, now
        if last is None or now - last < _SKEW_S:
            return
        lost = format_span(now - last)
        text = f"this machine slept or its clock was set forward, so the readings of {lost} are missing"
        self._record(Event(tick, "clock_set_forward", text, "warning"))
        log.get("collect").warning(text)

    def ours_is_set(self) -> bool:
        """Return True if this machine's clock is set.

        Before the clock is set, no gateway is polled, because its points would be dated 1970.
        """
        if self._clock.time() < EARLIEST:
            text = "this machine's clock is not set, so the gateway is not polled"
            self._changes.begin("clock", f"{text}\nTry: {SET_OURS}", logging.ERROR)
            return False
        self._changes.end("clock", "this machine's clock is set now, so the gateway is polled")
        return True

    def ours_goes_forward(self, tick: int, last: int) -> bool:
        """Return True if `tick` may be stored.

        Return False while a clock that was set back by up to ten minutes repeats stored ticks. After a longer step
        back, record an event and return True. `last`: the last stored tick.
        """
        if tick > last:
            self._changes.end(
                "clock back",
                "this machine's clock has passed the time of the last stored reading, so recording continues",
            )
            return True
        if last - tick <= STEP_BACK_S:
            self._changes.begin(
                "clock back",
                "this machine's clock was set back, so times that are already stored are not recorded again",
            )
            return False
        text = f"this machine's clock was set back by {format_span(last - tick)}"
        self._record(Event(tick, "clock_set_back", text, "warning"))
        log.get("collect").warning(text)
        return True

    def watch_theirs(self, tick: int, info: GatewayInfo) -> None:
        """Report a gateway clock that is wrong by 60 s or more, and report the end of this error."""
        skew = abs(info.clock_skew_s)
        if skew < _SKEW_S:
            if self._changes.end("gateway clock", "the gateway's clock is right again"):
                self._record(Event(tick, "gateway_clock", "the gateway's clock is right again"))
            return
        remedy = f"the times of its reports are {'corrected' if skew <= _DAY_S else 'not corrected'}"
        fast = "ahead" if info.clock_skew_s > 0 else "behind"
        text = f"the gateway's clock is {format_span(skew)} {fast}; {remedy}"
        if self._changes.is_open("gateway clock") and remedy == self._remedy:
            self._changes.renew("gateway clock", text)
        else:
            self._remedy = remedy
            self._record(Event(tick, "gateway_clock", text, "warning"))
            self._changes.begin("gateway clock", text)

"""The two clocks that may be wrong, this machine's and the gateway's: said when it begins and when it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from logger import log
from logger.clock import Clock
from logger.model import Event, GatewayInfo

EARLIEST: Final = 1_767_225_600
"""2026 began then, and this program was not there before: a clock that shows less is not set yet."""
SET_OURS: Final = "timedatectl set-ntp true"
_STEP_BACK_S: Final = 600
_STEP_S: Final = 5
_SKEW_S: Final = 60
_DAY_S: Final = 86400


class Clocks:
    """Watches both clocks; `tell` is given what belongs into the database."""

    def __init__(self, clock: Clock, changes: log.Changes, tell: Callable[[Event], None]) -> None:
        self._clock, self._changes, self._tell = clock, changes, tell
        self._ours: float | None = None

    def ours(self) -> float:
        """What our clock shows beyond the seconds that went by; it changes only when the clock is set or slept."""
        return self._clock.time() - self._clock.monotonic()

    def ours_held_still(self, tick: int, before: float) -> bool:
        """False if our clock was set while the gateway was asked: nobody knows which minute that was."""
        if abs(self.ours() - before) < _STEP_S:
            return True
        log.get("collect").warning(
            "this machine slept or its clock was set while the gateway was asked: that minute is left out"
        )
        return False

    def watch_ours(self, tick: int) -> None:
        """Our clock went forward at once: a machine that slept, or a clock set; nothing was recorded meanwhile."""
        now = self.ours()
        last, self._ours = self._ours, now
        if last is None or now - last < _SKEW_S:
            return
        text = f"this machine slept or its clock was set forward: {(now - last) / 60:.0f} minutes are missing"
        self._tell(Event(tick, "clock_set_forward", text, "warning"))
        log.get("collect").warning(text)

    def ours_is_set(self) -> bool:
        """A point stamped in 1970 can never be found again, so nothing is read before the clock is set."""
        if self._clock.time() < EARLIEST:
            text = "this machine's clock is not set; nothing is read until it is"
            self._changes.begin("clock", text, logging.ERROR)
            return False
        self._changes.end("clock", "this machine's clock is set")
        return True

    def ours_goes_forward(self, tick: int, last: int) -> bool:
        """After a small step back of our clock the ticks up to the `last` one stored are not stored again."""
        if tick > last:
            self._changes.end("clock back", "this machine's clock goes on")
            return True
        if last - tick <= _STEP_BACK_S:
            self._changes.begin("clock back", "this machine's clock was set back: its minutes are not recorded twice")
            return False
        text = f"this machine's clock was set back by {(last - tick) / 60:.0f} minutes"
        self._tell(Event(tick, "clock_set_back", text, "warning"))
        log.get("collect").warning(text)
        return True

    def watch_theirs(self, tick: int, info: GatewayInfo) -> None:
        """A gateway's clock that is off."""
        skew = abs(info.clock_skew_s)
        if skew < _SKEW_S:
            if self._changes.end("gateway clock", "the gateway's clock is right again"):
                self._tell(Event(tick, "gateway_clock", "right again"))
            return
        remedy = "corrected in the times of its reports" if skew <= _DAY_S else "its reports keep its own times"
        fast = "ahead" if info.clock_skew_s > 0 else "behind"
        if "gateway clock" not in self._changes.troubles:
            self._tell(Event(tick, "gateway_clock", f"{skew:.0f} s {fast}; {remedy}", "warning"))
            self._changes.begin("gateway clock", f"the gateway's clock is {skew:.0f} s {fast}; {remedy}")

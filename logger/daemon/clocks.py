"""Watch this machine's clock and the gateway's; report once when one is wrong and once when it is right again."""

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
    """Watches both clocks; `record` keeps an event for the database."""

    def __init__(self, clock: Clock, changes: log.Changes, record: Callable[[Event], None]) -> None:
        self._clock, self._changes, self._record = clock, changes, record
        self._ours: float | None = None

    def ours(self) -> float:
        """Return our clock less the seconds that went by: setting the clock or sleep changes it."""
        return self._clock.time() - self._clock.monotonic()

    def ours_held_still(self, tick: int, before: float) -> bool:
        """Tell whether our clock was left alone during the poll; else nobody knows which minute it was."""
        if abs(self.ours() - before) < _STEP_S:
            return True
        log.get("collect").warning("this machine slept or its clock was set during the poll: that minute is left out")
        return False

    def watch_ours(self, tick: int) -> None:
        """Report a clock that jumped forward, because it was set or the machine slept: those minutes are missing."""
        now = self.ours()
        last, self._ours = self._ours, now
        if last is None or now - last < _SKEW_S:
            return
        text = f"this machine slept or its clock was set forward: {(now - last) / 60:.0f} minutes are missing"
        self._record(Event(tick, "clock_set_forward", text, "warning"))
        log.get("collect").warning(text)

    def ours_is_set(self) -> bool:
        """Tell whether our clock is set; until then nothing is read, because nobody would find a point of 1970."""
        if self._clock.time() < EARLIEST:
            text = "this machine's clock is not set; nothing is read until it is"
            self._changes.begin("clock", text, logging.ERROR)
            return False
        self._changes.end("clock", "this machine's clock is set")
        return True

    def ours_goes_forward(self, tick: int, last: int) -> bool:
        """Tell whether a tick may be stored; not so if a small step back of our clock repeats ticks up to `last`."""
        if tick > last:
            self._changes.end("clock back", "this machine's clock goes on")
            return True
        if last - tick <= _STEP_BACK_S:
            self._changes.begin(
                "clock back", "this machine's clock was set back: minutes that are stored are not recorded twice"
            )
            return False
        text = f"this machine's clock was set back by {(last - tick) / 60:.0f} minutes"
        self._record(Event(tick, "clock_set_back", text, "warning"))
        log.get("collect").warning(text)
        return True

    def watch_theirs(self, tick: int, info: GatewayInfo) -> None:
        """Report a gateway's clock that is wrong by a minute or more."""
        skew = abs(info.clock_skew_s)
        if skew < _SKEW_S:
            if self._changes.end("gateway clock", "the gateway's clock is right again"):
                self._record(Event(tick, "gateway_clock", "right again"))
            return
        remedy = "corrected in the times of its reports" if skew <= _DAY_S else "its reports keep its own times"
        fast = "ahead" if info.clock_skew_s > 0 else "behind"
        if "gateway clock" not in self._changes.troubles:
            self._record(Event(tick, "gateway_clock", f"{skew:.0f} s {fast}; {remedy}", "warning"))
            self._changes.begin("gateway clock", f"the gateway's clock is {skew:.0f} s {fast}; {remedy}")

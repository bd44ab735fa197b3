"""Provide the clock of the whole program, and format times for people.

All code that waits or needs the time uses a Clock, so that tests and the demo can run the code faster.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Returns wall-clock and monotonic time in seconds, waits, and ends a block of code after a time limit."""

    def time(self) -> float:
        """Return the unix time in seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` by this clock."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set, at most `seconds` by this clock."""
        ...

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """Return an async context that raises TimeoutError after `seconds` by this clock."""
        ...


async def wait_really(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, at most `seconds` by the clock of the running loop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


@dataclass(frozen=True, slots=True)
class SystemClock:
    """Returns the time of this machine's clock."""

    def time(self) -> float:
        """Return the unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        await asyncio.sleep(max(0.0, seconds))

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set, at most `seconds`."""
        await wait_really(event, seconds)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """Return an async context that raises TimeoutError after `seconds`."""
        return asyncio.timeout(seconds)


@dataclass(frozen=True, slots=True)
class FastClock:
    """Runs `rate` times as fast as the real clock, and shows `start` when the real clock shows `origin`.

    After this clock has caught up with the real time, it runs at the real rate. Clocks of two processes with the same
    `origin`, `start` and `rate` show the same time. `patience_s`: the shortest timeout in real seconds, so that work
    on a slow machine is not ended too early.
    """

    origin: float
    start: float
    rate: float
    patience_s: float = 0.0

    def time(self) -> float:
        """Return the unix time in seconds by this clock. It is never later than the real time."""
        now = time.time()
        return min(now, self.start + (now - self.origin) * self.rate)

    def monotonic(self) -> float:
        """Return the same seconds as `time`. They step back if the machine's clock is set back."""
        return self.time()

    @property
    def caught_up(self) -> bool:
        """Return True if this clock has caught up with the real time."""
        return self.start + (time.time() - self.origin) * self.rate >= time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait until this clock has advanced by `seconds`."""
        until = self.time() + seconds
        while (left := until - self.time()) > 0:
            await asyncio.sleep(self._in_real_s(left))

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set, or until this clock has advanced by `seconds`."""
        until, left = self.time() + seconds, seconds
        while not event.is_set():
            await wait_really(event, self._in_real_s(left))
            if (left := until - self.time()) <= 0:
                break

    def _in_real_s(self, left: float) -> float:
        """Return the real seconds in which this clock advances by `left` seconds, with a small addition.

        Without this addition most waits would need a second step.
        """
        return left if self.caught_up else left / self.rate + 0.0005

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """Return an async context that raises TimeoutError after `seconds` by this clock."""
        rate = 1.0 if self.caught_up else self.rate
        return asyncio.timeout(max(seconds / rate, self.patience_s))


def format_day(time: float) -> str:
    """Write unix seconds as a date, in UTC: 2027-03-01."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


def format_minute(time: float) -> str:
    """Write unix seconds as a date and time, in UTC: 2027-03-01 12:30 UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")


def format_span(seconds: float) -> str:
    """Write a length of time in one unit, the largest useful one: "3 days", "5 hours" or "12 minutes"."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size or (seconds >= size and unit == "minute"):
            count = round(seconds / size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    count = max(0, round(seconds))
    return f"{count} second{'s' if count != 1 else ''}"

"""Runs the demo's clock fast in the recorder and in the simulator, and stops the clock while the recorder is behind.

So no tick is missed on a slow machine.
"""

from __future__ import annotations

import asyncio
import math
import mmap
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from logger.clock import FastClock

_NUMBER: Final = struct.Struct("d")
_LIMIT, _LOST = 0, _NUMBER.size
"""The positions of two numbers in the shared file, in bytes.

The numbers are the time at which the clock stops, and the real seconds for which the clock was stopped.
"""
_STEP_S: Final = 60
_LOOK_S: Final = 0.01
_AHEAD_S: Final = 2 * _STEP_S - 1
"""The clock stops this many seconds after a recorded tick: one second before the second tick after it."""


@dataclass(frozen=True, slots=True)
class PacedClock(FastClock):
    """Runs fast up to a limit, a unix time, and stops there until the recorder moves the limit after its tick.

    A file shares two numbers with the simulator: the limit, and the real seconds for which the clock was stopped.
    """

    shared: mmap.mmap = field(kw_only=True, repr=False)

    @classmethod
    def begin(cls, path: Path, start: float, rate: float, patience_s: float) -> Self:
        """Make the clock and its file. The clock stays at `start` until the first call of `permit`.

        `rate`, `patience_s`: see FastClock.
        """
        path.write_bytes(_NUMBER.pack(start) + _NUMBER.pack(0.0))
        return cls.join(path, time.time(), start, rate, patience_s)

    @classmethod
    def join(cls, path: Path, origin: float, start: float, rate: float, patience_s: float = 0.0) -> Self:
        """Open the clock whose file another process made. `origin`, `start` and `rate` must be as in that process."""
        with path.open("r+b") as file:
            return cls(origin, start, rate, patience_s, shared=mmap.mmap(file.fileno(), 2 * _NUMBER.size))

    def time(self) -> float:
        """Return the unix time in seconds by this clock. It is never later than the real time."""
        now = time.time()
        return min(now, self._run(now), self._read(_LIMIT))

    @property
    def caught_up(self) -> bool:
        """Return True if this clock has caught up with the real time."""
        now = time.time()
        return min(self._run(now), self._read(_LIMIT)) >= now

    async def sleep(self, seconds: float) -> None:
        """Wait until this clock has advanced by `seconds`.

        While the clock is stopped, look only every 10 ms whether the clock runs again.
        """
        until = self.time() + seconds
        while (left := until - self.time()) > 0:
            is_held = self.time() >= self._read(_LIMIT)
            await asyncio.sleep(left if self.caught_up else max(left / self.rate, _LOOK_S if is_held else 0.0005))

    def permit(self) -> None:
        """Let the clock run until the next tick is recorded.

        The clock does not catch up on the time in which it was stopped, so no tick is skipped.
        """
        now = time.time()
        held_s = max(0.0, self._run(now) - self.time())
        if not self.caught_up:
            self._write(_LOST, self._read(_LOST) + held_s / self.rate)
        self._write(_LIMIT, math.floor(self.time() / _STEP_S) * _STEP_S + _AHEAD_S)

    def _run(self, now: float) -> float:
        return self.start + (now - self.origin - self._read(_LOST)) * self.rate

    def _read(self, at: int) -> float:
        (number,) = _NUMBER.unpack_from(self.shared, at)
        return float(number)

    def _write(self, at: int, number: float) -> None:
        _NUMBER.pack_into(self.shared, at, number)

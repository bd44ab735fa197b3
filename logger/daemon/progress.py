"""Do the loops move? Each says when it moves next at the latest; only while all keep their word are we alive."""

from __future__ import annotations

from logger.clock import Clock
from logger.daemon.sdnotify import notify

_SLICE_S = 20.0


class Progress:
    """The loops' deadlines by name, in seconds of the clock; systemd hears WATCHDOG=1 only when all hold."""

    def __init__(self, clock: Clock, notify_address: str = "") -> None:
        self._clock = clock
        self._address = notify_address
        self._deadlines: dict[str, float] = {}

    def moved(self, loop: str, next_within_s: float) -> None:
        """`loop` did something and will again within that many seconds."""
        self._deadlines[loop] = self._clock.monotonic() + next_within_s
        if self.alive:
            notify(self._address, "WATCHDOG=1")

    async def wait(self, loop: str, seconds: float) -> None:
        """Wait knowingly: the loop counts as moving while it waits."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            part = min(left, _SLICE_S)
            self.moved(loop, part + _SLICE_S)
            await self._clock.sleep(part)

    @property
    def alive(self) -> bool:
        """True while every loop keeps its deadline."""
        now = self._clock.monotonic()
        return all(now <= deadline for deadline in self._deadlines.values())

    @property
    def deadline_s(self) -> float:
        """Seconds until the first loop breaks its word."""
        now = self._clock.monotonic()
        return min((deadline - now for deadline in self._deadlines.values()), default=0.0)

"""Check the deadlines of the loops. While all loops meet their deadlines, send messages to systemd's watchdog."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from logger.clock import Clock

_SPARE_S = 20.0


def notify(address: str, message: str) -> None:
    """Send one message to systemd's socket. Ignore an empty address and a socket that no longer exists."""
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message.encode(), target)


class Progress:
    """The deadline of each loop, in monotonic seconds.

    systemd receives WATCHDOG=1 only while every loop meets its deadline.
    """

    def __init__(self, clock: Clock, notify_address: str = "") -> None:
        self._clock = clock
        self._address = notify_address
        self._deadlines: dict[str, float] = {}

    def move(self, loop: str, next_within_s: float) -> None:
        """Record that `loop` made progress. Its next progress is due within `next_within_s` seconds."""
        self._deadlines[loop] = self._clock.monotonic() + next_within_s
        self.tell()

    def tell(self) -> None:
        """Send WATCHDOG=1 to systemd if all loops meet their deadlines."""
        if self._address and self.is_alive:
            notify(self._address, "WATCHDOG=1")

    async def wait(self, loop: str, event: asyncio.Event, seconds: float) -> None:
        """Wait `seconds`, or until the event is set. The next progress of `loop` is due `seconds` + 20 s from now."""
        self.move(loop, max(0.0, seconds) + _SPARE_S)
        await self._clock.wait(event, seconds)

    @property
    def is_alive(self) -> bool:
        """Return True while every loop meets its deadline."""
        now = self._clock.monotonic()
        return all(now <= deadline for deadline in self._deadlines.values())

    @property
    def deadline_s(self) -> float:
        """Return the seconds until the next deadline of a loop."""
        now = self._clock.monotonic()
        return min((deadline - now for deadline in self._deadlines.values()), default=0.0)

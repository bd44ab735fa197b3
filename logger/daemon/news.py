"""Wake waiting tasks when the recorder has news: a tick, a delivery, or a problem that begins or ends."""

from __future__ import annotations

import asyncio


class News:
    """Counts the recorder's news: ticks, deliveries, and problems that begin or end.

    Each piece of news raises `version` by one.
    """

    def __init__(self) -> None:
        self.version = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def announce(self) -> None:
        """Raise the version by one, and wake all tasks that wait for news."""
        self.version += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait_beyond(self, version: int) -> int:
        """Wait until the version is greater than `version`. Return the new version."""
        while self.version <= version:
            future = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)
        return self.version

"""Tell everyone who waits that the recorder has something new to report."""

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
        """Raise the version and wake everyone who waits for it."""
        self.version += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait_beyond(self, version: int) -> int:
        """Wait until the version is greater than the given one. Return the new version."""
        while self.version <= version:
            future = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)
        return self.version

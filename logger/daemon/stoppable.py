"""End work early when the recorder stops, without a task for each piece of work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Stoppable:
    """Ends the work of one loop when `stopping` is set. The method `watch` must run as long as the loop."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._bound: asyncio.Timeout | None = None

    async def watch(self) -> None:
        """Wait until `stopping` is set, and then end the work that is running."""
        await self._stopping.wait()
        if self._bound is not None:
            self._bound.reschedule(asyncio.get_running_loop().time())

    @contextlib.asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """When `stopping` is set, cancel the work within this context and leave the context without an error."""
        bound = self._bound = asyncio.timeout(0 if self._stopping.is_set() else None)
        try:
            async with bound:
                yield
        except TimeoutError:
            if not bound.expired():
                raise
        finally:
            self._bound = None

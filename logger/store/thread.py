"""The store on a thread of its own, so that a slow disk never holds up the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from logger.clock import Clock
from logger.errors import StoreFullError
from logger.log import Changes
from logger.model import Report, Role
from logger.store.folder import FolderLock
from logger.store.records import Commit, DailyRow, Lease, Refused, RefusedLine, Sent, Waiting
from logger.store.store import MAX_BYTES, MAX_LINES, Store

T = TypeVar("T")


class StoreThread:
    """The methods of Store as coroutines, run in the order in which they were called.

    What was called is done even if the caller is cancelled meanwhile, so a tick is never half handed over.
    """

    def __init__(self, store: Store, thread: ThreadPoolExecutor, changes: Changes | None) -> None:
        """Wrap a store that `thread` opened; use StoreThread.open."""
        self._store = store
        self._thread = thread
        self._changes = changes
        self._failing = ""

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        max_mb: int,
        keep_days: int,
        clock: Clock,
        lock: FolderLock | None = None,
        changes: Changes | None = None,
    ) -> StoreThread:
        """Store.open on a new thread. Trouble with what the loops do all the time is said in `changes`."""
        thread = ThreadPoolExecutor(1, "store")
        try:
            store = await asyncio.wrap_future(
                thread.submit(lambda: Store.open(folder, max_mb=max_mb, keep_days=keep_days, clock=clock, lock=lock))
            )
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(store, thread, changes)

    async def _do(self, action: Callable[[], T]) -> T:
        future = asyncio.wrap_future(self._thread.submit(action))
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # also if nobody waits any more
        return await asyncio.shield(future)

    async def _always(self, name: str, action: Callable[[], T]) -> T:
        """What the loops do all the time: its trouble is said once for all of them, and ends where it began.

        Trouble with recording comes before any other.
        """
        try:
            done = await self._do(action)
        except StoreFullError as error:
            if self._changes is not None and (not self._failing or name == "put"):
                self._failing = name
                self._changes.begin("store", str(error), logging.ERROR)
            raise
        if self._changes is not None and self._failing == name:
            self._failing = ""
            self._changes.end("store", "the store can be used again: recording goes on")
        return done

    async def close(self) -> None:
        """Finish everything that was called, then close; waits for it even when cancelled."""
        try:
            await self._do(self._store.close)
        finally:
            self._thread.shutdown(wait=True)

    async def take_notes(self) -> list[str]:
        """See Store.take_notes."""
        return await self._do(self._store.take_notes)

    async def put(self, commit: Commit) -> None:
        """See Store.put."""
        await self._always("put", lambda: self._store.put(commit))

    async def ledger(self, gateway: str) -> dict[str, str]:
        """See Store.ledger."""
        return await self._do(lambda: self._store.ledger(gateway))

    async def reports(self, gateway: str) -> dict[str, list[Report]]:
        """See Store.reports."""
        return await self._do(lambda: self._store.reports(gateway))

    async def recent(self, gateway: str, since: int) -> list[tuple[int, dict[str, float]]]:
        """See Store.recent."""
        return await self._do(lambda: self._store.recent(gateway, since))

    async def daily(self, gateway: str, since_day: str) -> list[DailyRow]:
        """See Store.daily."""
        return await self._do(lambda: self._store.daily(gateway, since_day))

    async def gateways(self) -> list[str]:
        """See Store.gateways."""
        return await self._do(self._store.gateways)

    async def lease(
        self,
        role: Role,
        *,
        newest: bool,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        after: tuple[int, int] = (0, 0),
    ) -> Lease | None:
        """See Store.lease."""
        return await self._always(
            "lease",
            lambda: self._store.lease(role, newest=newest, max_lines=max_lines, max_bytes=max_bytes, after=after),
        )

    async def lease_daily(self, max_lines: int = MAX_LINES) -> Lease | None:
        """See Store.lease_daily."""
        return await self._always("lease_daily", lambda: self._store.lease_daily(max_lines))

    async def ack(self, lease: Lease, refused_lines: Sequence[Refused] = (), *, soon: bool = False) -> None:
        """See Store.ack."""
        await self._always("ack", lambda: self._store.ack(lease, refused_lines, soon=soon))

    async def last_sent(self) -> tuple[int, int]:
        """See Store.last_sent."""
        return await self._always("last_sent", self._store.last_sent)

    async def sent(self, role: Role, after: tuple[int, int], until: tuple[int, int], max_lines: int) -> Sent | None:
        """See Store.sent."""
        return await self._always("sent", lambda: self._store.sent(role, after, until, max_lines))

    async def waiting(self) -> Waiting:
        """See Store.waiting."""
        return await self._always("waiting", self._store.waiting)

    async def refused(self, after: int = 0, limit: int = 1000) -> list[RefusedLine]:
        """See Store.refused."""
        return await self._do(lambda: self._store.refused(after, limit))

    async def retry(self, ids: Sequence[int]) -> int:
        """See Store.retry."""
        return await self._do(lambda: self._store.retry(ids))

    async def put_back(self, row_id: int, line: bytes) -> bool:
        """See Store.put_back."""
        return await self._do(lambda: self._store.put_back(row_id, line))

    async def discard(self, ids: Sequence[int]) -> int:
        """See Store.discard."""
        return await self._do(lambda: self._store.discard(ids))

    async def replay(self, since: int, after: int = 0) -> tuple[int, int | None]:
        """See Store.replay."""
        return await self._do(lambda: self._store.replay(since, after))

    async def replay_daily(self, since: int, after: int = 0) -> tuple[int, int | None]:
        """See Store.replay_daily."""
        return await self._do(lambda: self._store.replay_daily(since, after))

    async def lines_page(self, role: Role, since: int, until: int, after: int) -> tuple[list[bytes], int | None]:
        """See Store.lines_page."""
        return await self._do(lambda: self._store.lines_page(role, since, until, after))

    async def tidy(self) -> None:
        """See Store.tidy."""
        await self._always("tidy", self._store.tidy)

    async def rescue(self) -> int:
        """See Store.rescue."""
        return await self._always("rescue", self._store.rescue)

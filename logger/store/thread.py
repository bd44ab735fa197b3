"""Run the store on its own thread, so that a slow disk never delays the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from logger.clock import Clock
from logger.errors import StoreFullError
from logger.log import Changes
from logger.store.folder import FolderLock
from logger.store.store import Store

P = ParamSpec("P")
T = TypeVar("T")

_OF_THE_LOOPS: Final = frozenset(
    function.__name__
    for function in (
        Store.put,
        Store.lease,
        Store.lease_daily,
        Store.ack,
        Store.find_last_sent,
        Store.read_sent,
        Store.read_sent_days,
        Store.read_figures,
        Store.take_report,
        Store.tidy,
        Store.rescue,
    )
)
"""Functions that the loops call all the time; their errors are reported once for all of them."""


class StoreCalls(Protocol):
    """Runs functions of the store: `await store.call(Store.put, commit)`."""

    async def call(self, function: Callable[Concatenate[Store, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on the store. Raise the function's errors."""
        ...


class StoreThread:
    """Runs functions of one Store on a thread, in the order in which they were called.

    A call is completed even if its caller is cancelled, so a tick is never stored in part.
    """

    def __init__(self, store: Store, thread: ThreadPoolExecutor, changes: Changes | None) -> None:
        """Wrap a store that `thread` opened. Callers use StoreThread.open."""
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
        """Open the store on a new thread. Problems with the calls of the loops are reported in `changes`."""
        thread = ThreadPoolExecutor(1, "store")
        try:
            store = await asyncio.wrap_future(
                thread.submit(lambda: Store.open(folder, max_mb=max_mb, keep_days=keep_days, clock=clock, lock=lock))
            )
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(store, thread, changes)

    async def call(self, function: Callable[Concatenate[Store, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of the store on its thread. Raise the function's errors.

        A full store is reported once, for the function of a loop that met it first. If `put` meets it later, the
        report is for `put`. The report ends when the function that it is for succeeds again.
        """
        name = function.__name__
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        work = self._thread.submit(function, self._store, *args, **kwargs)
        work.add_done_callback(lambda done: _hand_over(done, answer, loop))
        try:
            done = await answer
        except StoreFullError as error:
            if self._changes is not None and name in _OF_THE_LOOPS and (not self._failing or name == "put"):
                self._failing = name
                self._changes.begin("store", str(error), logging.ERROR)
            raise
        if self._changes is not None and self._failing == name:
            self._failing = ""
            self._changes.end("store", "the store can be used again: recording goes on")
        return done

    async def close(self) -> None:
        """Finish all calls, then close the store. Wait for both even when cancelled."""
        try:
            await self.call(Store.close)
        finally:
            self._thread.shutdown(wait=True)


def _hand_over(done: Future[T], answer: asyncio.Future[T], loop: asyncio.AbstractEventLoop) -> None:
    """Give the result of a call from its thread to the caller that awaits it, if there still is one.

    `asyncio.wrap_future` would cancel the call with its caller. Preventing that would take five more callbacks for
    each call.
    """

    def settle() -> None:
        if answer.done():
            return
        if (error := done.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(done.result())

    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(settle)

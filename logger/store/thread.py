"""Run the store on a thread of its own, so that a slow disk does not delay the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

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
"""The functions that the loops call regularly. An error is reported once for all these functions together."""


class StoreCalls(Protocol):
    """Run functions of the store: `await store.call(Store.put, commit)`."""

    async def call(self, function: Callable[Concatenate[Store, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on the store, and return its result. An error of the function is raised to the caller."""
        ...

    def call_later(
        self, function: Callable[Concatenate[Store, P], object], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Run `function` on the store later: just before the function of the next `call`."""
        ...


class Worker:
    """Run functions on one thread, in the order of the calls.

    An executor of Python would do the same, but takes twice the processor time for each call.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._waiting: list[Callable[[], object]] = []
        self._has_ended = False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the thread and return its result.

        The function is completed even if the caller is cancelled. An error of the function is raised to the caller.
        """
        if self._has_ended:
            raise RuntimeError("the thread has ended")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        waiting, self._waiting = self._waiting, []

        def run() -> None:
            try:
                for earlier in waiting:
                    earlier()
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  the caller gets the error
                _hand_over(loop, answer, answer.set_exception, error)
            else:
                _hand_over(loop, answer, answer.set_result, result)

        self._calls.put(run)
        return await answer

    def call_later(self, function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Run a function later, just before the function of the next `call`, without waking the thread now.

        If `function` fails, the caller of this next `call` gets the error.
        """
        self._waiting.append(partial(function, *args, **kwargs))

    def end(self, *, wait: bool) -> None:
        """End the thread after all calls. With `wait`, return after the end of the thread."""
        self._has_ended = True
        self._calls.put(None)
        if wait:
            self._thread.join()

    def _run(self) -> None:
        while (run := self._calls.get()) is not None:
            run()


def _hand_over(
    loop: asyncio.AbstractEventLoop, answer: asyncio.Future[T], settle: Callable[[Any], None], outcome: object
) -> None:
    """Set the result of `answer` on its event loop, if the caller still waits and the loop still runs."""
    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(lambda: None if answer.done() else settle(outcome))


class StoreThread:
    """Run functions of one Store on a thread, in the order of the calls.

    A call is completed even if its caller is cancelled, so a tick is not stored in part.
    """

    def __init__(self, store: Store, worker: Worker, changes: Changes | None) -> None:
        """Hold a store that `worker` opened. Callers use StoreThread.open."""
        self._store = store
        self._worker = worker
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
        """Open the store on a new thread.

        `changes` reports the problem `store` if the store is full or unusable during a call of the collector or the
        shipper.
        """
        worker = Worker("store")
        try:
            store = await worker.call(Store.open, folder, max_mb=max_mb, keep_days=keep_days, clock=clock, lock=lock)
        except BaseException:
            worker.end(wait=False)
            raise
        return cls(store, worker, changes)

    async def call(self, function: Callable[Concatenate[Store, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of the store on its thread. An error of the function is raised to the caller.

        If a function in `_OF_THE_LOOPS` raises StoreFullError, the problem `store` begins. The problem ends when the
        same function succeeds. But if `put` fails during the problem, only a success of `put` ends the problem. If
        `ack` began the problem, a success of `put` also ends it, because `put` marks rows as delivered.
        """
        name = function.__name__
        try:
            done = await self._worker.call(function, self._store, *args, **kwargs)
        except StoreFullError as error:
            if self._changes is not None and name in _OF_THE_LOOPS and (not self._failing or name == "put"):
                self._failing = name
                self._changes.begin("store", str(error), logging.ERROR)
            raise
        if self._changes is not None and (self._failing == name or (self._failing, name) == ("ack", "put")):
            self._failing = ""
            self._changes.end("store", "the store can be used again, and recording continues")
        return done

    def call_later(
        self, function: Callable[Concatenate[Store, P], object], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Run a function of the store later: just before the function of the next `call`.

        If `function` fails, the caller of this next `call` gets the error.
        """
        self._worker.call_later(function, self._store, *args, **kwargs)

    async def close(self) -> None:
        """Finish all calls, then close the store, even if the caller is cancelled meanwhile."""
        try:
            await self.call(Store.close)
        finally:
            self._worker.end(wait=True)

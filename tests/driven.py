"""A virtual loop on a thread of its own, for tests with sockets: a recorder, its gateway and its cloud run on it.

Time stands still while the test acts, and while a request or the store's thread is at work. It jumps only while the
test waits for something and nothing else can happen. So a busy machine changes nothing but the test's own length.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from logger.clock import wait_really
from logger.errors import TimedOutError
from logger.store.thread import StoreThread
from logger.wire import Wire
from tests.virtual import VirtualLoop
from tests.waiting import LONGEST_S

T = TypeVar("T")


class DrivenLoop(VirtualLoop):
    """Its time moves only while `waiting` tests wait and nobody is `at_work`. Signals are sent by `send_signal`."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.at_work = 0
        self.asleep = 0
        """Requests whose server sleeps: they end by time alone."""
        self.given_up = 0
        """Servers that sleep though nobody waits for them any more."""
        self._handlers: dict[int, Callable[[], object]] = {}

    def may_jump(self) -> bool:
        return self.waiting > 0 and self.at_work <= self.asleep

    def run_in_executor(self, executor: Any, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future: asyncio.Future[T] = super().run_in_executor(executor, function, *args)
        self.at_work += 1
        future.add_done_callback(self._one_is_done)
        return future

    def _one_is_done(self, _: object) -> None:
        self.at_work -= 1

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        self._handlers[sig] = lambda: callback(*args)

    def remove_signal_handler(self, sig: int) -> bool:
        return self._handlers.pop(sig, None) is not None

    def has_handler(self, sig: int) -> bool:
        """Tell whether a program on this loop would hear that signal."""
        return sig in self._handlers

    def send_signal(self, sig: int) -> None:
        """Call the handler of that signal; only this loop hears it."""
        self._handlers[sig]()


@dataclass(frozen=True)
class DrivenClock:
    """A Clock on a DrivenLoop that begins at unix time `start`; any thread may ask it."""

    loop: DrivenLoop
    start: float

    def time(self) -> float:
        return self.start + self.loop.now

    def monotonic(self) -> float:
        return self.loop.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await wait_really(event, seconds)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds)

    def of_servers(self) -> DrivenClock:
        """The same clock for a stand-in on this loop: it may sleep in the middle of a request."""
        return _ServersClock(self.loop, self.start)

    def await_on(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; time stands still."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(LONGEST_S)

    def drive(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; time moves."""

        async def run() -> T:
            self.loop.waiting += 1
            try:
                return await work
            finally:
                self.loop.waiting -= 1

        return self.await_on(run())


class _ServersClock(DrivenClock):
    async def sleep(self, seconds: float) -> None:
        self.loop.asleep += 1
        try:
            await super().sleep(seconds)
        finally:
            if self.loop.given_up:
                self.loop.given_up -= 1
            else:
                self.loop.asleep -= 1


@contextlib.contextmanager
def driving(start: float) -> Iterator[DrivenClock]:
    """Run a DrivenLoop on a thread; its clock shows `start`."""
    loop = DrivenLoop()
    thread = threading.Thread(target=loop.run_forever, name="driven", daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "request", _noted(Wire.request))
        patch.setattr(StoreThread, "call", _noted(StoreThread.call))
        patch.setattr(StoreThread, "open", _noted(StoreThread.open))
        thread.start()
        try:
            yield DrivenClock(loop, start)
        finally:
            asyncio.run_coroutine_threadsafe(_cancel_rest(), loop).result(LONGEST_S)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(LONGEST_S)
            loop.close()


async def _cancel_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _noted(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., Coroutine[Any, Any, T]]:
    """The same function; a DrivenLoop knows that somebody outside is at work while it runs."""

    async def call(*args: Any, **kwargs: Any) -> T:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, DrivenLoop):
            return await function(*args, **kwargs)
        loop.at_work += 1
        try:
            return await function(*args, **kwargs)
        except (TimedOutError, asyncio.CancelledError):
            if loop.asleep:  # time has moved, so its server sleeps
                loop.asleep -= 1
                loop.given_up += 1
            raise
        finally:
            loop.at_work -= 1

    return call

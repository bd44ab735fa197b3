"""An event loop whose time jumps: hours of waiting pass at once, in exact order. For tests without sockets."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TypeVar

from logger.clock import wait_really
from tests.waiting import LONGEST_S

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, moves the loop's time on."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or timeout == 0:
            return ready
        if not self.loop.may_jump():
            return super().select(LONGEST_S)
        if timeout is None:
            raise RuntimeError("the test waits for something that never comes")
        self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time starts at 0 and moves only when nothing else can happen."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def may_jump(self) -> bool:
        """Tell whether nothing outside of this loop is waited for."""
        return True


@dataclass
class VirtualClock:
    """A Clock on the running VirtualLoop that begins at unix time `start`; `step` is added: a clock set anew."""

    start: float
    step: float = field(default=0.0)

    def time(self) -> float:
        return self.start + self.step + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await wait_really(event, seconds)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds)


def run_virtually(work: Coroutine[None, None, T]) -> T:
    """Run `work` on a new VirtualLoop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)

"""The stand-in gateway as tests see it: on a thread of its own, for tests that start processes or run commands."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import pytest

from logger.clock import Clock, SystemClock
from logger.simulator.certificate import Certificate
from logger.simulator.credentials import OWNER_S
from logger.simulator.enphase_cloud import Cloud, Mode
from logger.simulator.faults import Fault
from logger.simulator.household import Household
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.server import Served, Simulator
from logger.simulator.site_model import Reply, SiteModel
from tests.driven import DrivenClock

T = TypeVar("T")
_PATIENCE_S: Final = 120.0

__all__ = [
    "BackgroundSimulator",
    "Fault",
    "Household",
    "Mode",
    "Reply",
    "Served",
    "Simulator",
    "invent_gateway",
    "site",
]


class BackgroundSimulator:
    """A Simulator as a plain context manager; whatever changes it runs on the simulator's loop.

    The loop is that of a driven clock, or runs on a thread of its own.
    """

    def __init__(
        self,
        model: SiteModel,
        clock: Clock,
        *,
        port: int = 0,
        slow_s: float = 0.0,
        certificate: Certificate | None = None,
        local_password: str | None = None,
    ) -> None:
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        if isinstance(clock, DrivenClock):
            self._loop, clock = clock.loop, clock.of_servers()
        else:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)
        self.simulator = Simulator(
            model,
            clock,
            port=port,
            slow_s=slow_s,
            certificate=certificate,
            local_password=local_password,
        )

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        self.await_on(self.simulator.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.await_on(self.simulator.__aexit__(None, None, None))
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE_S)
            self._loop.close()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.simulator.url

    @property
    def cloud(self) -> Cloud:
        """Its sign-in."""
        return self.simulator.cloud

    @property
    def settings(self) -> dict[str, str]:
        """The settings that reach it and sign in."""
        return self.simulator.settings

    @property
    def journal(self) -> list[Served]:
        """Every request so far."""
        return list(self.simulator.journal)

    def fail(self, prefix: str, fault: Fault) -> None:
        """Let that path fail from now on."""
        self.call(lambda: self.simulator.faults.set(prefix, fault))

    def heal(self, prefix: str | None = None) -> None:
        """Heal that path, or every path."""
        self.call(lambda: self.simulator.faults.clear(prefix))

    def new_token(self, *, lifetime_s: float = OWNER_S, serial: str | None = None, user: str = "owner") -> str:
        """Make a token as the owner would copy it by hand."""
        return self.call(lambda: self.simulator.new_token(lifetime_s=lifetime_s, serial=serial, user=user))

    def go_down(self) -> None:
        """Switch the gateway off."""
        self.await_on(self.simulator.go_down())

    def come_up(self) -> None:
        """Switch it on again, at the same port."""
        self.await_on(self.simulator.come_up())

    def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the simulator's loop."""

        async def run() -> T:
            return work()

        return self.await_on(run())

    def await_on(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the simulator's loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)


@pytest.fixture
def site() -> Iterator[BackgroundSimulator]:
    """A site of the machine's own time for one test: firmware 8 with meters, batteries, an account, five days old."""
    with BackgroundSimulator(invent_gateway("8-battery", epoch=time.time() - 5 * 86400), SystemClock()) as running:
        yield running

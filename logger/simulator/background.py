"""A stand-in gateway on a thread of its own, for tests that start other processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from logger.clock import Clock
from logger.simulator.faults import Fault
from logger.simulator.plant import Plant
from logger.simulator.server import Served, Simulator

T = TypeVar("T")


class BackgroundSimulator:
    """A Simulator as a plain context manager; `call` runs a function on its loop."""

    def __init__(self, plant: Plant, clock: Clock, *, port: int = 0, slow_s: float = 0.0) -> None:
        self.simulator = Simulator(plant, clock, port=port, slow_s=slow_s)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)

    def __enter__(self) -> BackgroundSimulator:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.simulator.__aenter__(), self._loop).result(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.simulator.__aexit__(None, None, None), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    @property
    def settings(self) -> dict[str, str]:
        """The settings that reach it and sign in."""
        return settings_for(self.simulator)

    @property
    def journal(self) -> list[Served]:
        """Every request so far."""
        return list(self.simulator.journal)

    def fail(self, prefix: str, fault: Fault) -> None:
        """From now on that path fails."""
        self.call(lambda: self.simulator.faults.set(prefix, fault))

    def heal(self) -> None:
        """Every path is well again."""
        self.call(self.simulator.faults.clear)

    def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the simulator's loop."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(20)


def settings_for(simulator: Simulator) -> dict[str, str]:
    """The settings that reach this stand-in and its own sign-in; its account is invented."""
    return {
        "ENPHASE_GATEWAY": simulator.url,
        "ENPHASE_USERNAME": simulator.cloud.username,
        "ENPHASE_PASSWORD": simulator.cloud.password,
        "ENPHASE_LOGIN_URL": simulator.cloud.login_url,
        "ENPHASE_TOKEN_URL": simulator.cloud.token_url,
    }

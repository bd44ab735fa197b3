"""A stand-in gateway on a thread of its own, for tests that start other processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Final, Self, TypeVar

from logger.clock import Clock
from logger.simulator.certificate import Certificate
from logger.simulator.enphase_cloud import Cloud
from logger.simulator.faults import Fault
from logger.simulator.server import Served, Simulator
from logger.simulator.site_model import Plant
from logger.simulator.token_issuer import OWNER_S

T = TypeVar("T")
_PATIENCE_S: Final = 20.0


class BackgroundSimulator:
    """A Simulator as a plain context manager; whatever changes it runs on its own loop."""

    def __init__(
        self,
        plant: Plant,
        clock: Clock,
        *,
        port: int = 0,
        slow_s: float = 0.0,
        certificate: Certificate | None = None,
        local_password: str | None = None,
    ) -> None:
        self.simulator = Simulator(
            plant, clock, port=port, slow_s=slow_s, certificate=certificate, local_password=local_password
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self.simulator.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait(self.simulator.__aexit__(None, None, None))
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
        return settings_for(self.simulator)

    @property
    def journal(self) -> list[Served]:
        """Every request so far."""
        return list(self.simulator.journal)

    def fail(self, prefix: str, fault: Fault) -> None:
        """From now on that path fails."""
        self.call(lambda: self.simulator.faults.set(prefix, fault))

    def heal(self, prefix: str | None = None) -> None:
        """That path, or every path, is well again."""
        self.call(lambda: self.simulator.faults.clear(prefix))

    def new_token(self, *, lifetime_s: float = OWNER_S, serial: str | None = None, user: str = "owner") -> str:
        """A token as the owner would copy it by hand."""
        return self.call(lambda: self.simulator.new_token(lifetime_s=lifetime_s, serial=serial, user=user))

    def go_down(self) -> None:
        """The gateway is switched off."""
        self._wait(self.simulator.go_down())

    def come_up(self) -> None:
        """And on again, at the same port."""
        self._wait(self.simulator.come_up())

    def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the simulator's loop."""

        async def run() -> T:
            return work()

        return self._wait(run())

    def _wait(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)


def settings_for(simulator: Simulator) -> dict[str, str]:
    """The settings that reach this stand-in and its own sign-in; its account is invented."""
    return {
        "ENPHASE_GATEWAY": simulator.url,
        "ENPHASE_USERNAME": simulator.cloud.username,
        "ENPHASE_PASSWORD": simulator.cloud.password,
        "ENPHASE_LOGIN_URL": simulator.cloud.login_url,
        "ENPHASE_TOKEN_URL": simulator.cloud.token_url,
    }

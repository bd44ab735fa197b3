"""A driven clock or a fast one, and a stand-in gateway and a recorder that both go by it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from logger.clock import FastClock
from logger.model import Role
from tests.databases.server import Server
from tests.driven import driving
from tests.endtoend.recorder import PATIENCE_S, DrivenRecorder, Recorder, Watched, influxdb
from tests.standin import BackgroundSimulator, Household, invent_gateway

R = TypeVar("R", bound=Watched)
HISTORY_S = 20 * 86400
_SPIN_S = 0.1
_SLOWEST = 5.0
MORNING = datetime(2026, 6, 10, 8, 3, 20, tzinfo=UTC).timestamp()
"""Sunny, and two minutes before a multiple of five: inverters are read soon and twice within ten minutes."""


def share_of_processor() -> float:
    """How much of a processor this process gets just now: 1 on an idle machine, a fifth where five want it."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < _SPIN_S:
        pass
    return min(1.0, _SPIN_S / (time.monotonic() - began))


def fast_clock(rate: float, start: float = MORNING) -> FastClock:
    """A clock that begins now, `rate` times faster on an idle machine and slower where there is less processor."""
    return FastClock(time.time(), start, max(_SLOWEST, rate * share_of_processor()), PATIENCE_S)


@dataclass(frozen=True)
class Site(Generic[R]):
    """A running gateway and the recorder that polls it."""

    gateway: BackgroundSimulator
    recorder: R

    @property
    def serial(self) -> str:
        """The gateway's serial number."""
        return self.gateway.simulator.model.serial


@contextlib.contextmanager
def driven_site(
    home: Path, server: Server | None = None, buckets: Mapping[Role, str] | None = None,
    further: Mapping[str, str] | None = None, *, start: float = MORNING, zone: str = "Europe/Madrid",
    longitude: float = -3.7, epoch: float | None = None,
) -> Iterator[Site[DrivenRecorder]]:  # fmt: skip
    """A site with CTs and batteries, its gateway over HTTPS with sign-in by account, a recorder not yet started."""
    household = Household(epoch=epoch or start - HISTORY_S, zone=zone, longitude=longitude)
    with driving(start) as clock, BackgroundSimulator(invent_gateway("8-battery", household), clock) as gateway:
        recorder = DrivenRecorder(home, {**_settings(gateway, server, buckets), **(further or {})}, clock)
        with contextlib.closing(recorder):
            yield Site(gateway, recorder)


@contextlib.contextmanager
def fast_site(
    home: Path, clock: FastClock, server: Server | None = None, buckets: Mapping[Role, str] | None = None,
    further: Mapping[str, str] | None = None,
) -> Iterator[Site[Recorder]]:  # fmt: skip
    """The same with a recorder that is a process, on a fast clock."""
    household = Household(epoch=clock.start - HISTORY_S)
    with BackgroundSimulator(invent_gateway("8-battery", household), clock) as gateway:
        recorder = Recorder(home, {**_settings(gateway, server, buckets), **(further or {})}, clock)
        with contextlib.closing(recorder):
            yield Site(gateway, recorder)


def _settings(
    gateway: BackgroundSimulator, server: Server | None, buckets: Mapping[Role, str] | None
) -> dict[str, str]:
    target = {} if server is None or buckets is None else influxdb(server.target(buckets))
    return {**gateway.settings, **target}

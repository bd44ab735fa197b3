"""A gateway made of functions and a store without a thread, for driving the loops in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from logger.answer import Answer
from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.errors import AbsentError, EnvoyLoggerError
from logger.gateway.documents import number_skeleton
from logger.gateway.endpoints import Endpoint
from logger.model import Document, Event, GatewayInfo, Json
from logger.store.records import Commit
from logger.store.store import Store

P = ParamSpec("P")
T = TypeVar("T")
START = 1_782_000_000  # a multiple of 300
INFO = GatewayInfo("122233344455", "D8.2.4286", "800-00654-r08", has_meter=True, needs_token=True, clock_skew_s=0.0)


@dataclass
class ScriptedGateway:
    """Answers each path by a function of time; a path without one is absent. `takes_s`: how long an answer takes."""

    clock: Clock
    answers: dict[str, Callable[[float], Json]] = field(default_factory=dict)
    takes_s: dict[str, float] = field(default_factory=dict)
    fails: dict[str, EnvoyLoggerError] = field(default_factory=dict)
    info: GatewayInfo = INFO
    asked: list[tuple[float, str]] = field(default_factory=list)
    in_flight: dict[str, int] = field(default_factory=dict)
    most_in_flight: dict[str, int] = field(default_factory=dict)
    token_expires_at: float | None = None
    token_user: str | None = None

    async def identify(self) -> GatewayInfo:
        if "/info" in self.fails:
            raise self.fails["/info"]
        return self.info

    async def fetch(self, endpoint: Endpoint) -> Document:
        path, started = endpoint.path, self.clock.monotonic()
        self.asked.append((self.clock.time(), path))
        self.in_flight[endpoint.lane] = self.in_flight.get(endpoint.lane, 0) + 1
        self.most_in_flight[endpoint.lane] = max(
            self.most_in_flight.get(endpoint.lane, 0), self.in_flight[endpoint.lane]
        )
        try:
            await asyncio.sleep(self.takes_s.get(path, 0.05))
        finally:
            self.in_flight[endpoint.lane] -= 1
        if path in self.fails:
            raise self.fails[path]
        if path not in self.answers:
            raise AbsentError(f"{path} answered 404")
        body, took_s = self.answers[path](self.clock.time()), self.clock.monotonic() - started
        skeleton = number_skeleton(Answer(200, {}, json.dumps(body).encode(), took_s))
        return Document(path, body, self.clock.time(), took_s, skeleton)

    def take_events(self) -> list[Event]:
        return []


class InlineStore:
    """The real store, called without its thread and closed on leaving; `before` each call may raise."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.store = Store.open(folder, max_mb=64, keep_days=30, clock=clock)
        self.commits: list[Commit] = []
        self.before: Callable[[str], None] = lambda name: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    async def call(self, function: Callable[Concatenate[Store, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self.before(function.__name__)
        done = function(self.store, *args, **kwargs)
        self.commits += [argument for argument in args if isinstance(argument, Commit)]
        return done

    def call_later(
        self, function: Callable[Concatenate[Store, P], object], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        function(self.store, *args, **kwargs)

    def lines(self, measurement: str = "") -> list[str]:
        """Every stored line of a measurement, oldest first."""
        found = [
            line
            for commit in self.commits
            for batch in commit.batches
            for line in gzip.decompress(batch.body).decode().splitlines()
        ]
        return [line for line in found if line.startswith(f"{measurement},") or not measurement]

    def events(self) -> list[str]:
        """Every stored line of an event but that of the recorder's own start."""
        return [line for line in self.lines("envoy_event") if ",kind=recorder_started " not in line]


@contextlib.asynccontextmanager
async def collecting(collector: Collector) -> AsyncIterator[None]:
    """Let the collector's loop run while inside, then stop it in order."""
    loop = asyncio.create_task(collector.run())
    try:
        yield
    finally:
        collector.stopping.set()
        await loop


def site(power_w: float = 1000.0) -> dict[str, Callable[[float], Json]]:
    """A metered site without batteries whose counters rise with time."""

    def reading(eid: int, watts: float, delivered: float, received: float, now: float) -> Json:
        return {
            "eid": eid,
            "timestamp": int(now),
            "activePower": watts,
            "actEnergyDlvd": delivered,
            "actEnergyRcvd": received,
            "voltage": 230.0,
            "current": 4.0,
            "freq": 50.0,
            "pwrFactor": 1.0,
            "channels": [
                {
                    "eid": eid + 1,
                    "activePower": watts,
                    "voltage": 230.0,
                    "actEnergyDlvd": delivered,
                    "actEnergyRcvd": received,
                },
                {},
                {},
            ],
        }

    def readings(now: float) -> Json:
        hours = (now - START) / 3600
        return [
            reading(704643328, power_w, 1e6 + power_w * hours, 10.0, now),
            reading(704643584, -400.0, 5e5, 2e5 + 400.0 * hours, now),
        ]

    def meter(eid: int, kind: str) -> Json:
        return {
            "eid": eid,
            "state": "enabled",
            "measurementType": kind,
            "phaseMode": "three",
            "phaseCount": 1,
            "meteringStatus": "normal",
            "statusFlags": [],
        }

    def inverters(now: float) -> Json:
        report = int(now) // 300 * 300 - 7
        return [
            {
                "serialNumber": f"48220000000{n}",
                "lastReportDate": report + n,
                "devType": 1,
                "lastReportWatts": 200 + n,
                "maxReportWatts": 350,
            }
            for n in range(5)
        ]

    def inventory(now: float) -> Json:
        devices: list[Json] = [
            {
                "serial_num": f"48220000000{n}",
                "admin_state": 2,
                "device_status": ["envoy.global.ok"],
                "producing": True,
                "communicating": True,
                "provisioned": True,
                "operating": True,
                "last_rpt_date": str(int(now)),
            }
            for n in range(5)
        ]
        return [{"type": "PCU", "devices": devices}, {"type": "ACB", "devices": []}]

    return {
        "/ivp/meters": lambda now: [meter(704643328, "production"), meter(704643584, "net-consumption")],
        "/ivp/meters/readings": readings,
        "/api/v1/production/inverters": inverters,
        "/inventory.json?deleted=1": inventory,
        "/ivp/ensemble/inventory": lambda now: [],
        "/home.json": lambda now: {"timezone": "Europe/Paris"},
    }

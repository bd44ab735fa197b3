"""An invented site of some kind with a past of two days, served to a browser, whose ticks a test makes by hand."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from logger.commands.ui.invent_history import invent_history, write_site_files
from logger.errors import UnreachableError
from logger.gateway.endpoints import Endpoint
from logger.model import Document, GatewayInfo
from logger.simulator.invented_gateway import HISTORY_S, InventedGateway, invent_gateway
from logger.simulator.site_facts import Phases
from logger.site import Site
from tests.clocks import HandClock
from tests.daemon.hours import PlantGateway
from tests.waiting import LONGEST_S
from tests.web.serving import served
from tests.web.stage import Stage

T = TypeVar("T")
NOON: Final = 1_782_000_000 + 10 * 3600
"""Twelve in Madrid on 21 June 2026."""
MIDNIGHT: Final = NOON - 12 * 3600


@dataclass(frozen=True)
class SiteKind:
    """What a site has: the generation of its gateway, its phases, a layout and a tariff, and a past."""

    generation: str = "8-battery"
    phases: Phases = 1
    has_files: bool = True
    past_days: int = 1
    away: str = ""
    coarse_s: int = 900


KINDS: Final = {
    "battery": SiteKind(),
    "no battery": SiteKind("8-metered"),
    "no meters": SiteKind("8-standard"),
    "three phases": SiteKind(phases=3),
    "no layout": SiteKind(has_files=False),
    "first minute": SiteKind(past_days=0),
    "gateway away": SiteKind(away="gateway"),
    "InfluxDB away": SiteKind(away="influxdb"),
}


@dataclass
class _AwayGateway(PlantGateway):
    """Answers until it is away."""

    is_away: bool = False

    async def identify(self) -> GatewayInfo:
        self._meet()
        return await super().identify()

    async def fetch(self, endpoint: Endpoint) -> Document:
        self._meet()
        return await super().fetch(endpoint)

    def _meet(self) -> None:
        if self.is_away:
            raise UnreachableError("the gateway at 192.168.1.50 refuses the connection", "look whether it has power.")


@dataclass
class LiveSite:
    """The site on a loop of its own thread; everything is asked there."""

    folder: Path
    kind: SiteKind
    minute: int = 0
    url: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _open: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _stage: Stage | None = None

    def __enter__(self) -> Self:
        plant, site = self._invent()
        self._thread = threading.Thread(target=self._loop.run_forever, name="site", daemon=True)
        self._thread.start()
        self.do(lambda: self._begin(plant, site))
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._open.aclose)
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join(LONGEST_S)
        self._loop.close()

    @property
    def stage(self) -> Stage:
        assert self._stage is not None
        return self._stage

    def do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the site's loop → its result."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(LONGEST_S)

    def tick(self) -> None:
        """Record the next minute."""
        self.minute += 1
        self.do(lambda: self.stage.tick(self.minute))

    def lose_gateway(self) -> None:
        """Let the gateway answer nothing from now on."""
        assert isinstance(self.stage.gateway, _AwayGateway)
        self.stage.gateway.is_away = True

    def find_gateway(self) -> None:
        """Let the gateway answer again."""
        assert isinstance(self.stage.gateway, _AwayGateway)
        self.stage.gateway.is_away = False

    def ask(self, path: str) -> dict[str, Any]:
        """Ask the API."""
        return self.do(lambda: self.stage.get(path))

    def _invent(self) -> tuple[InventedGateway, Site]:
        """Invent the site and record its past."""
        kind = self.kind
        plant = invent_gateway(
            kind.generation, phases=kind.phases, epoch=MIDNIGHT - max(HISTORY_S, (kind.past_days + 2) * 86400)
        )
        files = write_site_files(self.folder, plant, NOON) if kind.has_files else {}
        site = Site(
            zone="Europe/Madrid",
            layout_file=files.get("LOGGER_LAYOUT_FILE", ""),
            tariff_file=files.get("LOGGER_TARIFF_FILE", ""),
        )
        if kind.past_days:
            since = MIDNIGHT - kind.past_days * 86400
            invent_history(self.folder, plant, site, HandClock(NOON), since, NOON, coarse_s=kind.coarse_s)
        return plant, site

    async def _begin(self, plant: InventedGateway, site: Site) -> None:
        kind = self.kind

        def make_gateway(clock: HandClock) -> PlantGateway:
            return _AwayGateway(plant, clock, slow_s=0.0, fast_s=0.0)

        self._stage = Stage(self.folder, site, {}, start=NOON, make_gateway=make_gateway)
        self._open.enter_context(self._stage.inline)
        slow = asyncio.create_task(self._stage.collector.poller.run_slow_lane())
        self._open.callback(slow.cancel)
        if kind.past_days:
            for minute in (0, 5):  # the slow documents of one tick are in the next
                await self._stage.tick(minute)
                await asyncio.sleep(0.1)
            self.minute = 5
        if kind.away == "gateway":
            self.lose_gateway()
            for minute in (6, 10):
                await self._stage.tick(minute)
        if kind.away == "influxdb":
            text = "InfluxDB at localhost:8086 refuses the connection\nTry: start it, or correct INFLUXDB_URL."
            self._stage.recorder.changes.begin("influx", text)
        self.url = f"http://127.0.0.1:{await self._open.enter_async_context(served(self._stage))}/"

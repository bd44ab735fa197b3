"""A recorder whose ticks are made by hand, and visitors of its page without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx

from logger.daemon.collector import Collector
from logger.daemon.news import News
from logger.daemon.progress import Progress
from logger.daemon.recorder import Recorder
from logger.daemon.requests import GatewayPort
from logger.daemon.store_looks import StoreLooks
from logger.log import Changes
from logger.model import Json
from logger.settings.load import Settings, load_settings
from logger.site import Site
from logger.store.thread import StoreThread
from logger.web.build_app import build_app
from tests.clocks import HandClock
from tests.daemon.parts import INFO, START, InlineStore, ScriptedGateway, site

T = TypeVar("T")
HERE = "http://127.0.0.1:9817"


def configured(**settings: str) -> Settings:
    """Settings as `run` has them."""
    return load_settings(None, environ={"ENPHASE_GATEWAY": "127.0.0.1:1", **settings})


class Stage:
    """One site of `tests.daemon.parts`, recorded by hand; `visit` asks its application."""

    def __init__(
        self,
        folder: Path,
        of: Site,
        settings: Mapping[str, str],
        *,
        start: int = START,
        make_gateway: Callable[[HandClock], GatewayPort] = lambda clock: ScriptedGateway(clock, site()),
    ) -> None:
        self.start = start
        self.clock = HandClock(start - 1)
        self.gateway = make_gateway(self.clock)
        self.inline = InlineStore(folder, self.clock)
        self.news = News()
        changes = Changes(None, self.news.announce)
        self.progress = Progress(self.clock)
        self.collector = Collector(
            self.gateway,
            self.inline,
            self.clock,
            of,
            self.progress,
            changes=changes,
            on_tick=lambda _: self.news.announce(),
        )
        store = cast(StoreThread, self.inline)
        self.recorder = Recorder(
            store,
            StoreLooks(store, self.clock),
            (),
            (self.collector,),
            None,
            self.progress,
            changes,
            self.news,
            asyncio.Lock(),
        )
        self.app = build_app(configured(**settings), self.recorder, self.clock)

    async def tick(self, minute: int) -> None:
        """Record the tick of that minute."""
        self.clock.now = self.start + 60 * minute
        await self.collector.poller.identify(int(self.clock.now))
        await self.collector.tick(self.start + 60 * minute)

    async def ask(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask as a browser on this machine does."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
            return await client.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    async def get(self, path: str) -> dict[str, Any]:
        """Ask for JSON that must be there."""
        answer = await self.ask(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = json.loads(answer.text)
        return found


@contextmanager
def stage(folder: Path, **settings: str) -> Iterator[Stage]:
    """A recorder that nobody has asked anything yet."""
    made = Stage(folder, Site(zone="Europe/Paris"), settings)
    with made.inline:
        yield made


def on_stage(folder: Path, play: Callable[[Stage], Coroutine[Any, Any, T]], **settings: str) -> T:
    """Play one scene with a fresh recorder."""
    with stage(folder, **settings) as made:
        return asyncio.run(play(made))


def stored(made: Stage, measurement: str) -> list[str]:
    """The lines of a measurement as they lie in the store."""
    return made.inline.lines(measurement)


SERIAL = INFO.serial
__all__ = ["HERE", "SERIAL", "START", "Json", "Stage", "configured", "on_stage", "stage", "stored"]

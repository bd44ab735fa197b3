"""Hours beside servers that mean harm, in virtual time over the real wire: each minute is made all the same."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.http_connection import HttpConnection
from logger.site import Site
from tests.daemon.hours import NOON
from tests.daemon.parts import InlineStore, collecting, site
from tests.errors.hostile import OK, SCRIPTS, info
from tests.virtual import VirtualClock, run_virtually

WHOLE_HOUR = 60


class Line(asyncio.Transport):
    """One connection: what is written is a request, which the script answers piece by piece."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.carried = HttpConnection()
        self.carried.connection_made(self)
        self._network, self._may_send = network, asyncio.Event()
        self._may_send.set()
        self._answering: asyncio.Task[None] | None = None
        self._is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        path = bytes(data).split(b" ", 2)[1].decode()
        self._network.asked.append(path)
        self._answering = asyncio.create_task(self._answer(path))

    async def _answer(self, path: str) -> None:
        async for part in self._network.answer(path):
            await asyncio.sleep(0.001)  # a network takes time
            await self._may_send.wait()
            self.carried.data_received(part)
        if self._network.script(path) in SCRIPTS:
            self._is_closed = True
            self.carried.eof_received()
            self.carried.connection_lost(None)

    def pause_reading(self) -> None:
        self._may_send.clear()

    def resume_reading(self) -> None:
        self._may_send.set()

    def abort(self) -> None:
        self._is_closed = True
        if self._answering is not None:
            self._answering.cancel()

    def is_closing(self) -> bool:
        return self._is_closed


@dataclass
class Network:
    """Stands for the network: every connection leads to the gateway, which is hostile where `script` says so."""

    clock: VirtualClock
    script: Callable[[str], str]
    asked: list[str] = field(default_factory=list)
    opened: list[Line] = field(default_factory=list)

    async def connect(self, host: str, port: int, tls: object, within_s: float | None) -> HttpConnection:
        await asyncio.sleep(0.01)
        if self.script("") == "nobody takes the connection":
            await asyncio.sleep(within_s or 3600)
            raise httpx.ConnectTimeout("no connection in time")
        self.opened.append(Line(self))
        return self.opened[-1].carried

    async def answer(self, path: str) -> AsyncIterator[bytes]:
        name = self.script(path)
        if name in SCRIPTS:
            for wait_s, data in SCRIPTS[name]():
                await asyncio.sleep(wait_s + 0.02)
                yield data
            return
        made = site().get(path)
        status = OK if made or path == "/info" else OK.replace(b"200 OK", b"404 no")
        body = info() if path == "/info" else json.dumps(made(self.clock.time())).encode() if made else b"{}"
        yield status + b"content-length: %d\r\n\r\n%s" % (len(body), body)


async def hour(
    script: Callable[[str], str], patched: pytest.MonkeyPatch
) -> tuple[Collector, InlineStore, list[float]]:
    """An hour; when each tick came to its end, in seconds after its time."""
    clock = VirtualClock(NOON - 30)
    network = Network(clock, lambda path: "" if clock.time() < NOON + 300 else script(path))
    patched.setattr("logger.transport._open", network.connect)
    late: list[float] = []
    with tempfile.TemporaryDirectory() as folder, InlineStore(Path(folder), clock) as store:
        gateway = Gateway(Access("http://gateway", Path(folder)), clock)
        collector = Collector(
            gateway,
            store,
            clock,
            Site(zone="Europe/Paris"),
            Progress(clock),
            on_tick=lambda collector: late.append(clock.time() % 60),
        )
        async with collecting(collector):
            await asyncio.sleep(WHOLE_HOUR * 60)
        await gateway.aclose()
    assert all(line.is_closing() for line in network.opened)
    return collector, store, late


def minutes(lines: Iterable[str], name: str) -> int:
    return sum(f"{name}=" in line for line in lines)


SLOW = (
    "silence", "a header, byte by byte", "a body, byte by byte", "a header that never ends", "a body that never ends",
    "no length, for ever", "a bomb", "a bomb behind a refusal", "half of something packed", "a redirect to itself",
    "the end, at once",
)  # fmt: skip
"""Those whose harm is time or size; the crumbs, whose harm is work, are faced on real sockets."""


@pytest.mark.long
@pytest.mark.parametrize("script", [*SLOW, "nobody takes the connection"])
def test_every_minute_comes_to_its_end_in_time_whatever_the_gateway_does(
    monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    collector, store, late = run_virtually(hour(lambda path: script, monkeypatch))
    assert len(late) == WHOLE_HOUR
    assert max(late) <= Site().deadline_s + 1
    assert collector.collected.ticks + collector.collected.missed >= WHOLE_HOUR
    assert collector.changes.troubles.keys() & {"gateway", "late"} or collector.changes.troubles


@pytest.mark.long
@pytest.mark.parametrize("script", SLOW)
@pytest.mark.parametrize("path", ["/api/v1/production/inverters", "/inventory.json?deleted=1"])
def test_one_hostile_path_costs_nothing_but_itself(monkeypatch: pytest.MonkeyPatch, script: str, path: str) -> None:
    collector, store, late = run_virtually(hour(lambda asked: script if asked == path else "", monkeypatch))
    assert len(late) == WHOLE_HOUR
    assert minutes(store.lines("envoy_totals"), "production_power_w") == WHOLE_HOUR

"""Faces hostile servers from every side, in a process of its own: `facing PATIENCE ROUNDS`.

It prints a line of JSON: the outcomes by script and side, the growth of memory in MiB, open files before and after,
and how long the processor was kept from the loop's next turn, in documents of a megabyte that it could have parsed.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from asyncio import events
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from logger.clock import SystemClock
from logger.errors import EnvoyLoggerError
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.cloud import fetch_token
from logger.gateway.endpoints import ENDPOINTS, Endpoint
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.model import ROLES
from logger.provision.detect import detect_server
from tests.errors.hostile import SCRIPTS

SERIAL = "122333444555"
_TOLD = 3
_MEGABYTE = "[" + "1234.5, " * 131_072 + "0]"


class Impatient(SystemClock):
    """The machine's own time; nobody is waited for longer than `patience_s`."""

    __slots__ = ()
    patience_s = 0.5

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(min(seconds, self.patience_s))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def named(path: str) -> Endpoint:
    return next(endpoint for endpoint in ENDPOINTS if endpoint.path == path)


async def of_gateway(url: str, folder: Path, path: str) -> str:
    gateway = Gateway(Access(url, folder, local_password="local-pass-word"), Impatient())
    try:
        return type((await gateway.fetch(named(path))).body).__name__
    finally:
        await gateway.aclose()


async def document(url: str, folder: Path) -> str:
    return await of_gateway(url, folder, "/api/v1/production")


async def signed_document(url: str, folder: Path) -> str:
    return await of_gateway(url, folder, "/api/v1/production/inverters")


async def who_is_there(url: str, folder: Path) -> str:
    gateway = Gateway(Access(url, folder), Impatient())
    try:
        return (await gateway.identify()).serial
    finally:
        await gateway.aclose()


async def cloud(url: str, folder: Path) -> str:
    access = Access("x", folder, username="me@example.org", password="a pass word", login_url=url, token_url=url)
    return type(await fetch_token(access, SERIAL, Impatient())).__name__


def target(url: str) -> Target:
    return Target(url, "auto", "influx-token", "home", "", "", dict.fromkeys(ROLES, "envoy"))


async def influx_write(url: str, folder: Path) -> str:
    writer = Writer(target(url), Impatient())
    try:
        return type(await writer.write("totals", b"a b=1 1\n", gzipped=False)).__name__
    finally:
        await writer.aclose()


async def influx_look(url: str, folder: Path) -> str:
    return (await detect_server(target(url), Impatient())).dialect


Side = Callable[[str, Path], Awaitable[str]]
SIDES: tuple[Side, ...] = (document, signed_document, who_is_there, cloud, influx_write, influx_look)
SAY_WHO_THEY_ARE = ("document", "signed_document")
"""Sides that are reached only behind an `/info` that is as it should be."""


async def served(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /served HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    count = int(await reader.readexactly(int(head.rpartition(b":")[2])))
    writer.close()
    await writer.wait_closed()
    return count


async def face(ports: dict[str, int], side: Side, folder: Path) -> tuple[str, int]:
    """The name of what one side makes of one server, and how often it asked."""
    port = ports["but info" if side.__name__ in SAY_WHO_THEY_ARE else "all"]
    before = await served(port)
    try:
        outcome = await side(f"http://127.0.0.1:{port}", folder)
    except EnvoyLoggerError as error:
        outcome = type(error).__name__ if error.hint else f"no hint: {error.message}"
    return outcome, await served(port) - before


def memory(kind: str) -> float:
    """VmRSS or VmHWM in MiB."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{kind}:")[2].split()[0]) / 1024


class Turns:
    """How long callbacks of a loop hold the processor, in its own time: no other process counts."""

    def __init__(self) -> None:
        self._longest_s: list[float] = []
        run = events.Handle._run

        def measured(handle: Any) -> None:
            started = time.thread_time()
            run(handle)
            self._longest_s = heapq.nlargest(_TOLD, [*self._longest_s, time.thread_time() - started])

        events.Handle._run = measured  # type: ignore[method-assign, assignment]

    def compare(self) -> float:
        """How many documents of a megabyte could be parsed in a long turn of the loop.

        A server that holds the loop does so from every side. So the third longest turn counts: a machine that pauses
        for a moment lengthens one or two.
        """
        return self._longest_s[-1] / max(_parse() for _ in range(_TOLD))


def _parse() -> float:
    started = time.thread_time()
    json.loads(_MEGABYTE)
    return time.thread_time() - started


async def main(patience_s: float, rounds: int, ports: dict[str, dict[str, int]]) -> object:
    Impatient.patience_s = patience_s
    logging.disable()
    found: dict[str, dict[str, tuple[str, int]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side in SIDES:  # what is imported and learned at first is no growth
            await face(ports["a redirect to itself"], side, folder)
        await face(ports["a body that never ends"], document, folder)
        gc.collect()
        files, before = len(os.listdir("/proc/self/fd")), memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        turns = Turns()
        for _ in range(rounds):
            for script in SCRIPTS:
                found[script] = {side.__name__: await face(ports[script], side, folder) for side in SIDES}
        peak = memory("VmHWM") - before
        await asyncio.sleep(0.2)
        gc.collect()
        return {
            "outcomes": found,
            "peak_mib": peak,
            "grown_mib": memory("VmRSS") - before,
            "files": (files, len(os.listdir("/proc/self/fd"))),
            "longest_turn": turns.compare(),
        }


if __name__ == "__main__":
    with subprocess.Popen(
        [sys.executable, "-m", "tests.errors.hostile"], stdout=subprocess.PIPE, text=True
    ) as servers:
        assert servers.stdout is not None
        listening = json.loads(servers.stdout.readline())
        try:
            print(json.dumps(asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]), listening))))
        finally:
            servers.kill()

"""Two hundred browsers and fifty requests a second cost the recorder no tick, and no memory that grows."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.endtoend.recorder import ROOT, environment
from tests.sizes import LONG, sized
from tests.standin import BackgroundSimulator
from tests.waiting import LONGEST_S, wait_until
from tests.web.serving import HOST

STREAMS: Final = 200
A_SECOND: Final = 50
SECONDS: Final = sized(600)
PATHS: Final = (
    "/",
    "/api/v1/now",
    "/api/v1/curve",
    "/api/v1/days",
    "/api/v1/inverters",
    "/api/v1/status",
    "/metrics",
)
AT_ONCE: Final = 100
"""Requests in flight at most, also on a slow machine: with the streams fewer than the page accepts connections."""
_GROWTH: Final = 4 * 1024 * 1024


async def follow(port: int, counts: list[int], number: int) -> None:
    """Read one stream and count its messages."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(f"GET /live HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        while line := await reader.readline():
            counts[number] += line.startswith(b"data: ")
    finally:
        writer.close()


async def ask(port: int, path: str) -> bool:
    """Ask once → whether the answer was whole and good."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return head.startswith(b"HTTP/1.1 200") and len(body) == size
    except (OSError, StopIteration):
        return False
    finally:
        writer.close()


async def press(port: int) -> tuple[list[int], list[bool]]:
    """Keep the streams open and ask, for SECONDS → messages of each stream, and which answers were good."""
    counts = [0] * STREAMS
    streams = [asyncio.create_task(follow(port, counts, number)) for number in range(STREAMS)]
    asked: list[asyncio.Task[bool]] = []
    turn = asyncio.Semaphore(AT_ONCE)
    begin = time.monotonic()
    for number in range(SECONDS * A_SECOND):
        await asyncio.sleep(max(0.0, begin + number / A_SECOND - time.monotonic()))
        await turn.acquire()
        asked.append(asyncio.create_task(ask(port, PATHS[number % len(PATHS)])))
        asked[-1].add_done_callback(lambda _: turn.release())
    answers = await asyncio.gather(*asked)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return counts, list(answers)


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 600)
def test_many_visitors_cost_no_tick_and_no_memory(tmp_path: Path, site: BackgroundSimulator) -> None:
    settings = site.settings | {"LOGGER_HTTP": f"{HOST}:0", "LOGGER_TOTALS_INTERVAL_S": "15",
                                "LOGGER_DEVICES_INTERVAL_S": "60"}  # fmt: skip
    shown = tmp_path / "ticks"

    def ticks() -> list[dict[str, Any]]:
        return [json.loads(line) for line in shown.read_text().splitlines()]

    def port() -> int:
        path = tmp_path / "state" / "status.json"
        address = json.loads(path.read_text()).get("outlets", {}).get("page", "") if path.exists() else ""
        return int(address.rstrip("/").rpartition(":")[2] or 0)

    with shown.open("wb") as file, (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.web.loaded_run"],
            cwd=tmp_path,
            stdout=file,
            stderr=log,
            env=environment(tmp_path, settings) | {"PYTHONPATH": str(ROOT)},
        )
        try:
            wait_until(lambda: len(ticks()) >= 2, (tmp_path / "log").read_text)
            counts, answers = asyncio.run(press(wait_until(port)))
        finally:
            process.terminate()
            process.wait(LONGEST_S)
    seen = ticks()[2:]
    late = [tick for tick in seen if tick["late_s"] >= 1.0]
    worst = max(tick["late_s"] for tick in seen)
    memory = [tick["memory"] for tick in seen]
    settled = memory[len(memory) // 3 :]
    print(
        f"{len(seen)} ticks, {len(late)} late by a second or more, worst {worst:.3f} s; {len(answers)} requests, "
        f"{sum(answers)} good; messages of a stream {min(counts)} to {max(counts)}; "
        f"memory {memory[0] / 2**20:.1f}, {settled[0] / 2**20:.1f}, {memory[-1] / 2**20:.1f} MiB"
    )
    assert all(answers)
    assert min(counts) >= len(seen) - 1
    assert seen[-1]["missed"] == 0
    assert settled[-1] - settled[0] < _GROWTH
    assert not late or not LONG, late

"""Put ticks into the store, and drain them into a real InfluxDB, beside a client that does nothing but post.

The bare client is the recorder's own library for requests, with the same bodies: what is left is the cost of the
store, of unpacking each batch once, and of the acknowledgements.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from logger.clock import SystemClock
from logger.store.records import Commit
from logger.store.store import Store
from tests.databases.influx1 import Influx1
from tests.endtoend.test_outage import Watched, drain, in_batches, one_hour, outage, post


@dataclass
class Drained:
    """What each round took, in seconds of the wall, and how much it was."""

    points: int = 0
    ticks: int = 0
    put_s: list[float] = field(default_factory=list)
    put_cpu_s: list[float] = field(default_factory=list)
    drain_s: list[float] = field(default_factory=list)
    bare_s: list[float] = field(default_factory=list)


def measure(home: Path, rounds: int) -> Drained:
    found = Drained()
    commits = list(outage(one_hour()))
    server = Influx1(home)
    server.start()
    try:
        for _ in range(rounds):
            _measure_once(home, server, commits, found)
    finally:
        server.stop()
    return found


def _measure_once(home: Path, server: Influx1, commits: list[Commit], found: Drained) -> None:
    with tempfile.TemporaryDirectory(dir=home) as folder:
        store = Store.open(Path(folder), max_mb=2048, keep_days=30, clock=SystemClock())
        began, used = time.monotonic(), time.process_time()
        for commit in commits:
            store.put(commit)
        found.put_s.append(time.monotonic() - began)
        found.put_cpu_s.append(time.process_time() - used)
        found.ticks = len(commits)
        found.points = sum(batch.lines for commit in commits for batch in commit.batches)
        bodies = in_batches(store)
        store.close()
        before_s = asyncio.run(post(server.target(server.fresh_buckets()), bodies, "1"))
        took_s, _, _ = asyncio.run(
            drain(Path(folder), Watched(server.target(server.fresh_buckets())), commits[-1].tick)
        )
        after_s = asyncio.run(post(server.target(server.fresh_buckets()), bodies, "1"))
        found.drain_s.append(took_s)
        found.bare_s.append((before_s + after_s) / 2)

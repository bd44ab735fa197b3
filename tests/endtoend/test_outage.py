"""Thirty days without InfluxDB at a site with fifty inverters: how large the store gets, and how it drains."""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from logger.clock import SystemClock
from logger.daemon.progress import Progress
from logger.daemon.shipper import Shipper
from logger.influx.classify import Done, Outcome
from logger.influx.dialects import Dialect, Target, make_write_call
from logger.influx.write import Writer
from logger.log import Changes
from logger.model import Role
from logger.store.figures import StoreFigures
from logger.store.records import Batch, Commit
from logger.store.store import Store
from logger.store.thread import StoreThread
from tests.daemon.hours import NOON, plant, poll
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.endtoend.recorder import ROOT
from tests.sizes import sized

DAYS = sized(30)
INVERTERS = 50
DAY_S = 86400
FIRST = (int(time.time()) // DAY_S - DAYS - 1) * DAY_S
_TIME = re.compile(rb" (\d{10})(?=\n)")


@dataclass
class Watched(Writer):
    """Remembers what it sent and when, and which requests came first."""

    target: Target
    sent: list[tuple[Role, bytes]] = field(default_factory=list)

    def __init__(self, target: Target) -> None:
        super().__init__(target, SystemClock())
        self.sent = []
        self.requests_s = 0.0

    async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
        started = time.monotonic()
        outcome = await super().write(role, body, gzipped=gzipped)
        self.requests_s += time.monotonic() - started
        if isinstance(outcome, Done):
            self.sent.append((role, body))
        return outcome


def one_hour() -> list[Commit]:
    """An hour of the site, read from its documents by the recorder."""
    _, store, _ = poll(plant("8-battery", INVERTERS, 3), 1.0)
    return store.commits


def outage(hour: list[Commit]) -> Iterator[Commit]:
    """That hour again and again, each time later, for all days of the outage."""
    plain = [(commit, [(m.role, m.lines, gzip.decompress(m.body)) for m in commit.batches]) for commit in hour]
    for number in range(DAYS * 24):
        later = FIRST + number * 3600 - int(NOON)
        for commit, batches in plain:
            moved = tuple(Batch(role, count, _packed(text, later)) for role, count, text in batches)
            yield Commit(commit.gateway, commit.tick + later, moved)


def _packed(text: bytes, later: int) -> bytes:
    return gzip.compress(_TIME.sub(lambda found: b" %d" % (int(found[1]) + later), text), 6, mtime=0)


def documented_mb() -> float:
    text = (ROOT / "docs/operations.md").read_text()
    found = re.search(r"50 inverters, a compressed backlog of 30 days.*?at most ([\d,]+) MB", text)
    assert found is not None
    return float(found[1].replace(",", ""))


def points(database: Influx1 | Influx2, buckets: dict[Role, str], measurement: str, role: Role) -> int:
    return len({(tuple(sorted(row.tags.items())), row.time) for row in database.rows(buckets[role], measurement)})


@pytest.mark.long
@pytest.mark.parametrize("server", ["influx1", "real_influx2"])
def test_a_month_of_outage_fits_and_drains_as_fast_as_a_bare_client_with_the_newest_first(
    request: pytest.FixtureRequest, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database: Influx1 | Influx2 = request.getfixturevalue(server)
    store = Store.open(tmp_path, max_mb=2048, keep_days=30, clock=SystemClock())
    ticks: set[int] = set()
    lines = dict[Role, int](totals=0, devices=0)
    for commit in outage(one_hour()):
        store.put(commit)
        ticks.add(commit.tick)
        for batch in commit.batches:
            lines[batch.role] += batch.lines
    size_mb = store.read_figures().disk_bytes / 1e6
    assert len(ticks) == DAYS * 1440
    assert size_mb / DAYS <= documented_mb() / 30

    dialect: Dialect = "1" if isinstance(database, Influx1) else "2"
    bodies = in_batches(store)
    bare_s = [asyncio.run(post(database.target(database.fresh_buckets()), bodies, dialect))]
    buckets = database.fresh_buckets()
    writer = Watched(database.target(buckets))
    store.close()
    took_s, live, waiting = asyncio.run(drain(tmp_path, writer, max(ticks)))
    assert waiting.rows == 0
    assert waiting.lines_delivered == sum(lines.values()) + live
    sent = [(role, body) for role, body in writer.sent if len(body) > 200]
    assert times(sent[0][1])[-1] == max(ticks), "the newest minute is the first that is sent"
    bare_s.append(asyncio.run(post(database.target(database.fresh_buckets()), sent, dialect)))

    sizes = {
        name: points(database, buckets, name, "totals") for name in ("envoy_totals", "envoy_meter", "envoy_phase")
    }
    per_tick = {"envoy_totals": 1, "envoy_meter": 3, "envoy_phase": 9}
    assert sizes == {name: count * len(ticks) for name, count in per_tick.items()}
    count = sum(lines.values())
    with capsys.disabled():
        print(f"\n{server}: {DAYS} days, {count} points, {size_mb:.0f} MB on disk")
        share = writer.requests_s / took_s
        print(f"drained in {took_s:.1f} s ({count / took_s:,.0f} points/s), {share:.0%} of it in requests")
        print(f"a bare client with the same bodies, before and after: {bare_s[0]:.1f} s, {bare_s[1]:.1f} s")
        print(f"{sum(bare_s) / 2 / took_s:.2f} of its rate (goal 0.9)")


def in_batches(store: Store) -> list[tuple[Role, bytes]]:
    """What waits, as the bodies that will be posted; nothing is changed."""
    bodies: list[tuple[Role, bytes]] = []
    roles: tuple[Role, ...] = ("totals", "devices")
    for role in roles:
        end = (0, 0)
        while (lease := store.lease(role, newest=False, after=end)) is not None:
            bodies.append((role, lease.body))
            end = lease.end
    return bodies


async def drain(folder: Path, writer: Watched, newest: int) -> tuple[float, int, StoreFigures]:
    """Ship until nothing waits, while a new minute comes every second; the seconds, how many came, what waits."""
    clock = SystemClock()
    store = await StoreThread.open(folder, max_mb=2048, keep_days=30, clock=clock)
    shipper = Shipper(writer, store, clock, Progress(clock), Changes(None))
    started, live = time.monotonic(), 0
    while await shipper.round():
        if time.monotonic() - started > live + 1:
            live += 1
            tick = newest + 60 * live
            await store.call(
                Store.put, Commit("1", tick, (Batch("totals", 1, gzip.compress(b"live v=1.0 %d\n" % tick)),))
            )
            before = len(writer.sent)
            shipper.wake()
            assert await shipper.round()
            first = next(body for role, body in writer.sent[before:] if role == "totals")
            assert times(first) == [tick], "what is new goes before the backlog"
    took = time.monotonic() - started
    waiting = await store.call(Store.read_figures)
    await writer.aclose()
    await store.close()
    return took, live, waiting


async def post(target: Target, bodies: list[tuple[Role, bytes]], dialect: Dialect) -> float:
    """The same bodies by a client that does nothing but post."""
    async with httpx.AsyncClient(base_url=target.url, trust_env=False, timeout=60) as client:
        started = time.monotonic()
        for role, body in bodies:
            call = make_write_call(dialect, target, target.buckets[role])
            headers = {**call.headers, "content-encoding": "gzip"}
            answer = await client.post(call.path, params=call.params, headers=headers, content=body)
            assert answer.status_code == 204, answer.text
        return time.monotonic() - started


def times(body: bytes) -> list[int]:
    return sorted(int(line.rsplit(b" ", 1)[1]) for line in gzip.decompress(body).splitlines() if b"live" in line) or (
        sorted(int(found) for found in _TIME.findall(gzip.decompress(body)))
    )

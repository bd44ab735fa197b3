"""A database whose log was torn by a crash loses what it confirms after that at its next start: it gets it again."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logger.clock import SystemClock
from logger.daemon.progress import Progress
from logger.daemon.shipper import Shipper
from logger.influx.write import Writer
from logger.log import Changes
from logger.model import Role
from logger.store.records import Batch, Commit
from logger.store.store import Store
from logger.store.thread import StoreThread
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import serving
from tests.store.samples import day_row

OF_TICKS: tuple[Role, ...] = ("totals", "devices")
TODAY = datetime.now(UTC).date().isoformat()
AT = (int(time.time()) - 3600) // 60 * 60


@pytest.fixture(params=["1", "2"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Influx1 | Influx2]:
    """A new real InfluxDB of either generation."""
    folder = tmp_path / "database"
    folder.mkdir()
    with serving(Influx1(folder) if request.param == "1" else Influx2(folder)) as server:
        assert isinstance(server, Influx1 | Influx2)
        yield server


def tear(database: Influx1 | Influx2) -> None:
    """Leave the ends of its logs as a power cut in the middle of a write does."""
    logs = list(database.process.folder.glob("**/wal/**/*.wal"))
    assert logs
    for log in logs:
        with log.open("ab") as file:
            file.write(b"\x01\x00\x00\x03\xe8" + b"\x55" * 200)  # a thousand bytes were to come


def crash(database: Influx1 | Influx2, *, torn: bool = False) -> None:
    database.kill()
    if torn:
        tear(database)
    database.start()


async def until(shipper: Shipper, store: StoreThread) -> None:
    """Everything is delivered, and what had to be sent again was."""
    patience = time.monotonic() + 60
    while (await store.call(Store.read_figures)).rows or shipper.is_resending:
        assert time.monotonic() < patience
        shipper.wake()
        await asyncio.sleep(0.1)


@pytest.mark.long
def test_what_a_database_confirmed_and_lost_is_there_again(database: Influx1 | Influx2, tmp_path: Path) -> None:
    buckets = database.fresh_buckets()
    seen: list[dict[Role, list[object]]] = []

    def held() -> dict[Role, list[object]]:
        return {
            "totals": [row.time for row in database.rows(buckets["totals"], "totals")],
            "devices": [row.time for row in database.rows(buckets["devices"], "devices")],
            "daily": [row.tags["gateway"] for row in database.rows(buckets["daily"], "envoy_day")],
        }

    async def put(store: StoreThread, numbers: range) -> None:
        for number in numbers:
            at = AT + 60 * number
            batches = tuple(
                Batch(role, 1, gzip.compress(b"%s f=1.5 %d\n" % (role.encode(), at))) for role in OF_TICKS
            )
            row = day_row(TODAY, 1.5, series=f"gateway={number // 5}")
            await store.call(Store.put, Commit("1", at, batches, daily=(row,)))

    async def run() -> None:
        clock = SystemClock()
        store = await StoreThread.open(tmp_path / "state", max_mb=64, keep_days=30, clock=clock)
        writer = Writer(database.target(buckets), clock)
        shipper = Shipper(writer, store, clock, Progress(clock), Changes(None))
        loop = asyncio.create_task(shipper.run())
        await put(store, range(5))
        await until(shipper, store)
        await asyncio.to_thread(crash, database, torn=True)
        await put(store, range(5, 10))
        await until(shipper, store)
        seen.append(await asyncio.to_thread(held))
        await asyncio.to_thread(database.kill)
        await asyncio.to_thread(database.start)
        seen.append(await asyncio.to_thread(held))
        before = await store.call(Store.read_figures)
        database.kill()
        await put(store, range(10, 11))
        shipper.wake()
        while not shipper.troubles:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(database.start)
        await until(shipper, store)
        seen.append(await asyncio.to_thread(held))
        after = await store.call(Store.read_figures)
        assert after.roles["totals"].delivered_lines == before.roles["totals"].delivered_lines + 1
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop
        await writer.aclose()
        await store.close()

    (tmp_path / "state").mkdir(mode=0o700)
    asyncio.run(run())
    full, forgotten, again = seen
    ticks = [AT + 60 * number for number in range(11)]
    assert full == {"totals": ticks[:10], "devices": ticks[:10], "daily": ["0", "1"]}
    assert forgotten == {"totals": ticks[:5], "devices": ticks[:5], "daily": ["0"]}, "what this is about"
    assert again == {"totals": ticks, "devices": ticks, "daily": ["0", "1", "2"]}

"""One poisoned line among five thousand, on real servers: the others arrive, the one is listed with their reason."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from logger.clock import SystemClock
from logger.daemon.progress import Progress
from logger.daemon.shipper import Shipper
from logger.influx.write import Writer
from logger.log import Changes
from logger.model import Event
from logger.store.records import Batch, Commit, RefusedRow
from logger.store.store import Store
from logger.store.thread import StoreThread
from tests.databases.server import Server

AT = 1_780_000_000
EACH = 50
POISON = {"syntax": b"m,serial=17 f= 1780003000", "type conflict": b'm,serial=17 f="text" 1780003000'}


@pytest.mark.parametrize("how", POISON)
@pytest.mark.parametrize("server", ["influx1", "real_influx2", "real_influx3"])
def test_one_poisoned_line_among_5000_is_listed_and_the_other_4999_arrive(
    request: pytest.FixtureRequest, server: str, how: str, tmp_path: Path
) -> None:
    database: Server = request.getfixturevalue(server)
    buckets = database.fresh_buckets()
    told: list[Event] = []

    async def run() -> list[RefusedRow]:
        clock = SystemClock()
        store = await StoreThread.open(tmp_path, max_mb=64, keep_days=30, clock=clock)
        for tick in range(100):
            lines = [b"m,serial=%d f=%d.5 %d" % (n, tick, AT + 60 * tick) for n in range(EACH)]
            if tick == 50:
                lines[17] = POISON[how]
            body = gzip.compress(b"".join(line + b"\n" for line in lines))
            await store.call(Store.put, Commit("1", AT + 60 * tick, (Batch("devices", EACH, body),)))
        writer = Writer(database.target(buckets), clock)
        shipper = Shipper(
            writer, store, clock, Progress(clock), Changes(None), record=lambda gateway, event: told.append(event)
        )
        while await shipper.round():
            pass
        assert (await store.call(Store.read_figures)).rows == 0
        refused = await store.call(Store.list_refused)
        assert await store.call(Store.put_back, refused[0].id, b"m,serial=17 f=50.5 1780003000")
        shipper.wake()
        while await shipper.round():
            pass
        await writer.aclose()
        await store.close()
        return refused

    [refused] = asyncio.run(run())
    assert (refused.line, refused.role, refused.tick) == (POISON[how], "devices", AT + 3000)
    assert database.refusals[how] in refused.reason
    rows = database.rows(buckets["devices"], "m")
    assert len(rows) == 5000, "the other 4,999, and the one once it was corrected"
    assert [row.fields["f"] for row in rows if (row.time, row.tags["serial"]) == (AT + 3000, "17")] == [50.5]
    assert [event.kind for event in told] == ["points_refused"]


@pytest.mark.parametrize("server", ["influx1", "real_influx2", "real_influx3"])
def test_a_rotten_member_is_set_aside_with_its_reason_and_holds_nothing_up(
    request: pytest.FixtureRequest, server: str, tmp_path: Path
) -> None:
    database: Server = request.getfixturevalue(server)
    buckets = database.fresh_buckets()

    async def run() -> list[RefusedRow]:
        clock = SystemClock()
        store = await StoreThread.open(tmp_path, max_mb=64, keep_days=30, clock=clock)
        for tick in range(100):
            body = gzip.compress(b"m f=%d.5 %d\n" % (tick, AT + 60 * tick))
            if tick == 50:  # as wrong as it was before it was stored: the store's own checksum fits
                body = body[:-6] + b"\0" * 6
            await store.call(Store.put, Commit("1", AT + 60 * tick, (Batch("totals", 1, body),)))
        writer = Writer(database.target(buckets), clock)
        shipper = Shipper(writer, store, clock, Progress(clock), Changes(None))
        while await shipper.round():
            pass
        assert (await store.call(Store.read_figures)).rows == 0
        refused = await store.call(Store.list_refused)
        await writer.aclose()
        await store.close()
        return refused

    [refused] = asyncio.run(run())
    assert (refused.status, refused.tick) == (0, AT + 50 * 60)
    assert "the stored batch is damaged" in refused.reason
    assert len(database.rows(buckets["totals"], "m")) == 99

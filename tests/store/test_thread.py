"""The store on its own thread: in order, finished on close, cancelled callers or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from logger.errors import StoreFullError, StoreHeldError
from logger.log import Changes
from logger.model import RefusedLine, Report
from logger.store.store import Store
from logger.store.thread import StoreThread
from tests.store.samples import GATEWAY, START, HandClock, commit, daily_commit, day_row, make_store, text
from tests.waiting import LONGEST_S


async def _open(folder: Path) -> StoreThread:
    return await StoreThread.open(folder, max_mb=64, keep_days=30, clock=HandClock())


def test_every_method_works_as_a_coroutine(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await _open(tmp_path)
        await store.call(Store.put, commit(START, lines=2))
        await store.call(Store.put, daily_commit(START, day_row("2026-05-28", 1.0)))
        assert await store.call(Store.read_state, GATEWAY) == {"last_tick": str(START)}
        assert await store.call(Store.read_reports, GATEWAY) == dict[str, list[Report]]()
        assert await store.call(Store.read_recent, GATEWAY, 0) == [(START, {"production_power_w": float(START)})]
        assert await store.call(Store.list_gateways) == [GATEWAY]
        assert len(await store.call(Store.read_daily, GATEWAY, "")) == 1
        lease = await store.call(Store.lease, "totals", newest=True)
        assert lease is not None
        await store.call(Store.ack, lease, [RefusedLine(b"x", 400, "no")])
        day = await store.call(Store.lease_daily)
        assert day is not None
        await store.call(Store.ack, day)
        assert (await store.call(Store.read_figures)).refused == 1
        assert await store.call(Store.read_lines, "totals", 0, 2**62, 0) == (
            [line.encode() for line in text(lease)],
            None,
        )
        assert len((await store.call(Store.read_lines, "daily", 0, 2**62, 0))[0]) == 1
        assert [entry.line for entry in await store.call(Store.list_refused)] == [b"x"]
        assert await store.call(Store.retry, [1]) == 1
        assert await store.call(Store.replay, 0) == (1, None)
        assert await store.call(Store.replay_daily, 0) == (1, None)
        assert await store.call(Store.rescue) == 0
        await store.call(Store.tidy)
        assert await store.call(Store.take_notes) == []
        await store.close()

    asyncio.run(scenario())


def test_what_may_wait_is_done_before_the_next_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await _open(tmp_path)
        await store.call(Store.put, commit(START))
        store.call_later(Store.put, commit(START + 60))
        assert (await store.call(Store.read_figures)).roles["totals"].rows == 2
        store.call_later(Store.put, commit(START + 120))
        await store.close()
        store = await _open(tmp_path)
        assert (await store.call(Store.read_figures)).roles["totals"].rows == 3
        await store.close()

    asyncio.run(scenario())


def test_what_was_called_before_close_is_done_even_if_its_caller_was_cancelled(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await _open(tmp_path)
        tasks = [asyncio.create_task(store.call(Store.put, commit(START + 60 * n))) for n in range(50)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await store.close()
        assert all(
            isinstance(done, asyncio.CancelledError) for done in await asyncio.gather(*tasks, return_exceptions=True)
        )

    asyncio.run(scenario())
    store = make_store(tmp_path)
    assert store.read_figures().rows == 50
    store.close()


def test_a_folder_in_use_is_refused_through_the_thread_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await _open(tmp_path)
        with pytest.raises(StoreHeldError):
            await _open(tmp_path)
        await store.close()

    asyncio.run(scenario())


def test_a_call_after_close_fails_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await _open(tmp_path)
        await store.close()
        with pytest.raises(RuntimeError, match="has ended"):
            await asyncio.wait_for(store.call(Store.list_gateways), LONGEST_S)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("calls", "is_open"),
    [
        ("-lease", True),
        ("-lease +put", True),
        ("-lease +lease", False),
        ("-lease -put +lease", True),
        ("-put -lease +lease", True),
        ("-put -lease +put", False),
        ("-ack +put", False),
        ("-ack -put +ack", True),
        ("-discard", False),
    ],
)
def test_a_store_without_space_is_a_problem_until_what_failed_succeeds(
    calls: str, is_open: bool, tmp_path: Path
) -> None:
    def make(name: str, *, fails: bool) -> Callable[[Store], None]:
        def call(store: Store) -> None:
            if fails:
                raise StoreFullError("no room")

        call.__name__ = name
        return call

    async def scenario() -> None:
        changes = Changes(None)
        store = await StoreThread.open(tmp_path, max_mb=64, keep_days=30, clock=HandClock(), changes=changes)
        for word in calls.split():
            with contextlib.suppress(StoreFullError):
                await store.call(make(word[1:], fails=word[0] == "-"))
        assert ("store" in changes.troubles) is is_open
        await store.close()

    asyncio.run(scenario())

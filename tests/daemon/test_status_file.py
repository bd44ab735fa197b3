"""Until when a status holds: until the next one is due, and no longer if a loop hangs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from logger.daemon.news import News
from logger.daemon.recorder import Recorder, build_recorder
from logger.daemon.status_file import RENEWED_WITHIN_S, describe, describe_health
from logger.log import Changes
from logger.model import Json, number_or_zero
from logger.store.store import Store
from logger.store.thread import StoreThread
from tests.store.samples import HandClock


@pytest.mark.parametrize(
    ("next_within_s", "passed_s", "least_s", "most_s"),
    [
        (5.0, 0.0, RENEWED_WITHIN_S, RENEWED_WITHIN_S + 60),  # as while points are sent again
        (1800.0, 0.0, 1800.0, 1860.0),
        (5.0, 6.0, 0.0, 60.0),
    ],
    ids=["a short pause", "a long request", "a loop that hangs"],
)
def test_a_status_holds_until_the_next_one_is_due(
    tmp_path: Path, next_within_s: float, passed_s: float, least_s: float, most_s: float
) -> None:
    async def run() -> float:
        clock = HandClock()
        store = await StoreThread.open(tmp_path, max_mb=64, keep_days=30, clock=clock)
        recorder = build_recorder(
            (),
            store,
            clock,
            writer=None,
            credentials=None,
            notify_address="",
            changes=Changes(None),
            news=News(),
            stopping=asyncio.Event(),
        )
        recorder.progress.move("ship", next_within_s)
        await clock.sleep(passed_s)
        status = describe(recorder, await store.call(Store.read_figures), clock)
        await store.close()
        return number_or_zero(status["alive_until"]) - number_or_zero(status["written_at"])

    assert least_s <= asyncio.run(run()) <= most_s


def test_a_recorder_that_is_not_ready_names_each_gateway_without_a_stored_poll() -> None:
    def collector(address: str, ticks: int) -> SimpleNamespace:
        return SimpleNamespace(address=address, collected=SimpleNamespace(ticks=ticks), is_second_entry=False)

    def reasons_of(*collectors: SimpleNamespace) -> Json:
        progress = SimpleNamespace(is_alive=True)
        return describe_health(
            cast(Recorder, SimpleNamespace(collectors=collectors, shipper=None, progress=progress))
        )["reasons"]

    assert reasons_of(collector("10.0.0.5", 0)) == ["no poll was stored since the start"]
    assert reasons_of(collector("10.0.0.5", 3), collector("10.0.0.6", 0)) == [
        "no poll of 10.0.0.6 was stored since the start"
    ]
    assert reasons_of(collector("10.0.0.5", 3), collector("10.0.0.6", 1)) == []

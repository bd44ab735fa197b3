"""A state is joined with a restored one between two ticks of the running recorder, and nothing is counted twice."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import cast

import pytest

from logger.daemon.amend import StateApi, StoredState
from logger.daemon.collector import Collector
from logger.daemon.gateway_state import dump_state
from logger.daemon.recorder import RecordedState
from logger.energy.state import EnergyState
from tests.daemon.parts import INFO, START, InlineStore, ScriptedGateway
from tests.daemon.test_collector import record
from tests.store.samples import commit, make_store
from tests.virtual import VirtualClock

GAP_MINUTES = 5


def earlier(folder: Path) -> tuple[dict[str, str], EnergyState]:
    """An hour of another installation: its books as text, and as they are."""
    _, _, collector = record(folder, 60)
    return dump_state(collector.state), collector.state.energy


def later(folder: Path, parts: dict[str, str], joins: int) -> tuple[InlineStore, Collector]:
    """The hour after it with books of its own, joined so many times while it runs."""
    stores: list[InlineStore] = []

    def meanwhile(collector: Collector, _gateway: ScriptedGateway, _clock: VirtualClock) -> None:
        store = cast(InlineStore, collector._store)
        stores.append(store)
        stored = StoredState(store, INFO.serial, collector.site)
        keeper = RecordedState(stored, [collector], collector.between_ticks)
        api = StateApi(store, lambda gateway: keeper)

        async def ask() -> None:
            for n in range(joins):
                await asyncio.sleep((20 + 7 * n) * 60 + 13)
                await api.restore_past(INFO.serial, parts)

        collector.asking = asyncio.get_running_loop().create_task(ask())  # type: ignore[attr-defined]

    _, _, collector = record(folder, 60, start=START - 30 + (60 + GAP_MINUTES) * 60, meanwhile=meanwhile)
    return stores[0], collector


@pytest.mark.parametrize("joins", [pytest.param(1, id="once", marks=pytest.mark.long), pytest.param(2, id="twice")])
def test_a_join_beside_the_running_recorder_gives_it_the_part_before_and_the_gap_once(
    tmp_path: Path, joins: int
) -> None:
    parts, before = earlier(tmp_path / "lost")
    store, collector = later(tmp_path / "new", parts, joins)
    energy = collector.state.energy
    for name, counter in energy.counters.items():
        base = before.counters[name].accepted_wh - before.today.energy[name].wh
        assert energy.today.energy[name].wh == pytest.approx(counter.accepted_wh - base, abs=0.01)
    assert energy.today.polled_s == before.today.polled_s + 60 * 60
    rows = [row for commit in store.commits for row in commit.daily if row.measurement == "envoy_day"]
    assert b"production_wh=" in rows[-1].line


def test_a_new_installation_begins_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        record(tmp_path, 5)
    assert [r for r in caplog.records if "a new energy state begins" in r.getMessage()]
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING and "energy state" in r.getMessage()]


def test_a_gateway_that_a_store_in_use_does_not_know_is_warned_of_once_with_the_cure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(tmp_path)
    store.put(commit(START - 600, gateway="another"))
    store.close()
    with caplog.at_level(logging.WARNING):
        record(tmp_path, 5)
    said = [r.getMessage() for r in caplog.records if "so a new energy state begins" in r.getMessage()]
    assert len(said) == 1
    assert "envoy-logger backfill" in said[0]
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        record(tmp_path, 5, start=START + 3600)
    assert not [r for r in caplog.records if "so a new energy state begins" in r.getMessage()]

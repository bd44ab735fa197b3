"""SIGKILL at any moment changes no day's total, and no row of a day, a month or a year."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Collection
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from logger.daemon.gateway_state import GatewayState, dump_state, load_state
from logger.daemon.tick import run_tick
from logger.model import Snapshot, Value
from logger.readings import paths
from tests.energy import killed
from tests.readings.site import INFO, TOTALS, document
from tests.sizes import examples, sized
from tests.store.samples import make_store

Rows: TypeAlias = dict[str, dict[str, Value]]
"""Measurement and last day of a row, or time of an hour → its fields."""
OPEN = ("envoy_day 2025-04-01", "envoy_month 2025-04-30", "envoy_year 2025-12-31")
"""The rows that are not over at the end: they are written every 15 minutes."""
LIVES = sized(80)


@cache
def course() -> list[tuple[GatewayState, float, Rows]]:
    """What each tick leaves if nothing happens."""
    books, since, found = GatewayState(), 0.0, []
    for tick in range(killed.FIRST, killed.LAST + 1, killed.STEP):
        found.append(step(books, since, tick))
        books, since, _ = found[-1]
    return found


def days(kills: Collection[int] = (), lost: Collection[int] = ()) -> Rows:
    """The fields of each row and hour if the process begins anew at some ticks and others are lost.

    Until the first of these all is as if nothing happens.
    """
    until = min((*kills, *lost), default=killed.LAST + killed.STEP)
    begun = course()[: (until - killed.FIRST) // killed.STEP]
    books, since = begun[-1][:2] if begun else (GatewayState(), 0.0)
    rows = Rows()
    for _, _, found in begun:
        rows |= found
    for tick in range(until, killed.LAST + 1, killed.STEP):
        if tick in kills:
            books, since = load_state(dump_state(books), {}), 0.0
        if tick not in lost:
            books, since, found = step(books, since, tick)
            rows |= found
    return rows


@cache
def undisturbed() -> Rows:
    return days()


def step(books: GatewayState, since: float, tick: int) -> tuple[GatewayState, float, Rows]:
    found = {path: document(path, body, tick + 1.0) for path, body in killed.documents(tick).items()}
    definitive = dict.fromkeys(found, min(3, (tick - killed.FIRST) // killed.STEP + 1))
    snapshot = Snapshot(INFO, tick, found, {"totals": since}, paths.PATHS - found.keys(), definitive)
    result = run_tick(snapshot, TOTALS, books, killed.SITE)
    rows = {f"{row.reading.measurement} {row.day}": dict(row.reading.fields) for row in result.daily}
    hours = (reading for reading in result.readings if reading.measurement == "envoy_hour")
    return result.state, tick + 2.0, {**rows, **{f"envoy_hour {hour.time}": dict(hour.fields) for hour in hours}}


ticks = st.integers(0, (killed.LAST - killed.FIRST) // killed.STEP).map(lambda n: killed.FIRST + n * killed.STEP)


@pytest.mark.long
def test_the_days_without_any_kill_are_worth_comparing() -> None:
    found = {key[-10:]: fields for key, fields in undisturbed().items() if key.startswith("envoy_day")}
    assert [day[-2:] for day in found] == ["28", "29", "30", "31", "01"]
    assert len([key for key in undisturbed() if key.startswith("envoy_hour")]) > 80
    assert [day["counter_resets"] for day in found.values()] == [1, 0, 0, 0, 0]
    assert found["2025-03-30"]["coverage_percent"] == found["2025-03-31"]["coverage_percent"] == 100.0


@pytest.mark.long
@given(st.sets(ticks, max_size=40))
@settings(max_examples=examples(40), deadline=None, phases=(Phase.explicit, Phase.generate))
def test_a_process_that_begins_anew_at_any_tick_has_the_same_days(kills: set[int]) -> None:
    assert days(kills) == undisturbed()


def is_plain(tick: int) -> bool:
    """Not around midnight, where a gap is split, nor where the CT is replaced."""
    hour = datetime.fromtimestamp(tick, ZoneInfo(killed.ZONE)).hour
    return 1 <= hour < 23 and abs(tick - killed.RESET) > 10 * killed.STEP and tick > killed.FIRST


@pytest.mark.long
@given(st.sets(ticks.filter(is_plain), max_size=40))
@settings(max_examples=examples(40), deadline=None, phases=(Phase.explicit, Phase.generate))
def test_a_tick_that_is_lost_with_its_process_takes_no_energy_with_it(lost: set[int]) -> None:
    found = days({tick + killed.STEP for tick in lost}, lost)
    for key, fields in undisturbed().items():
        for name, value in fields.items():
            if name.endswith("_wh") and isinstance(value, float) and "hour" not in key and key not in OPEN:
                assert found[key][name] == pytest.approx(value, abs=1e-3), (key, name)
    assert {fields["counter_resets"] for key, fields in found.items() if key.startswith("envoy_day")} == {0, 1}


def rows_of(folder: Path) -> dict[tuple[str, str], bytes]:
    store = make_store(folder)
    try:
        assert store.take_notes() == []
        return {(row.measurement, row.day): row.line for row in store.read_daily(INFO.serial, "")}
    finally:
        store.close()


@pytest.mark.long
def test_sigkill_at_any_moment_changes_no_row_of_a_day(tmp_path: Path) -> None:
    chance = random.Random(20261127)
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    store = make_store(whole)
    expected = list(killed.record(store))
    store.close()
    lives, last = LIVES, 0
    while last != killed.LAST:
        lives -= 1
        wanted = chance.randrange(1, max(2, 2 * len(expected) // LIVES)) if lives > 0 else len(expected)
        with subprocess.Popen(
            [sys.executable, "-m", "tests.energy.killed", str(folder)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        ) as recorder:
            assert recorder.stdout is not None
            for line in recorder.stdout:
                last = int(line)
                wanted -= 1
                if wanted <= 0:
                    break
            if last != killed.LAST:
                recorder.send_signal(signal.SIGKILL)
            for line in recorder.stdout.read().splitlines(keepends=True):
                last = int(line) if line.endswith(b"\n") else last
    assert lives < LIVES - 1, "it was killed at all"
    assert rows_of(folder) == rows_of(whole)
    assert {measurement for measurement, _ in rows_of(whole)} == {"envoy_day", "envoy_month", "envoy_year"}

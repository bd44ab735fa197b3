"""The demo's clock: both processes agree, and it waits for the recorder however slow the machine is."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from logger.commands.ui.paced_clock import PacedClock

START = 1_700_000_040.0
"""A whole minute, long ago."""


class HandTime:
    """The real time, which a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    made = HandTime()
    monkeypatch.setattr(time, "time", made)
    return made


def test_it_stands_until_it_may_begin_and_loses_nothing(tmp_path: Path, real: HandTime) -> None:
    clock = PacedClock.begin(tmp_path / "pace", START, 240.0, 5.0)
    real.now += 30
    assert clock.time() == START
    clock.permit()
    assert clock.time() == START
    real.now += 0.25
    assert clock.time() == pytest.approx(START + 60, abs=0.01)


def test_it_never_reaches_a_second_tick_before_the_first_is_recorded(tmp_path: Path, real: HandTime) -> None:
    clock = PacedClock.begin(tmp_path / "pace", START, 240.0, 5.0)
    clock.permit()
    ticks = []
    for _ in range(50):
        real.now += 1.7  # the machine takes 1.7 s for each tick: seven minutes by a clock that does not wait
        tick = clock.time() // 60 * 60
        ticks.append(tick)
        clock.permit()
    assert ticks == [START + 60 * number for number in range(1, 51)]


def test_both_processes_tell_one_time(tmp_path: Path, real: HandTime) -> None:
    clock = PacedClock.begin(tmp_path / "pace", START, 240.0, 5.0)
    other = PacedClock.join(tmp_path / "pace", clock.origin, clock.start, clock.rate)
    for passed in (3.0, 0.1, 0.4):
        real.now += passed
        assert other.time() == clock.time()
        clock.permit()
        assert other.time() == clock.time()


def test_once_it_has_caught_up_it_is_the_real_time_and_after_a_sleep_of_the_machine_it_follows(
    tmp_path: Path, real: HandTime
) -> None:
    clock = PacedClock.begin(tmp_path / "pace", real.now - 3600, 240.0, 5.0)
    for _ in range(200):
        clock.permit()
        real.now += 0.25
    assert clock.caught_up
    assert clock.time() == real.now
    real.now += 7200
    assert not clock.caught_up
    before = clock.time()
    clock.permit()
    assert clock.time() == before
    real.now += 0.25
    assert clock.time() == pytest.approx(before + 60, abs=0.01)


def test_a_sleep_ends_when_time_goes_on(tmp_path: Path) -> None:
    clock = PacedClock.begin(tmp_path / "pace", START, 600.0, 5.0)

    async def play() -> None:
        sleeping = asyncio.create_task(clock.sleep(60))
        await asyncio.sleep(0.05)
        assert not sleeping.done()
        clock.permit()
        await sleeping
        assert clock.time() >= START + 60

    asyncio.run(play())

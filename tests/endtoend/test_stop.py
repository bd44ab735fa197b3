"""SIGTERM ends it cleanly within 8 s with exit code 0, and the last tick is stored; the plain `run` in real time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from logger.clock import FastClock, SystemClock
from logger.daemon import app
from tests.commands.program import Done, program
from tests.databases.fake2 import Fake2
from tests.databases.fake_records import Scripted
from tests.databases.influx1 import Influx1
from tests.driven import driving
from tests.endtoend.points import as_points, stored
from tests.endtoend.recorder import DrivenRecorder, Recorder, environment
from tests.endtoend.sites import MORNING, driven_site, fast_clock, fast_site
from tests.standin import BackgroundSimulator, Fault, invent_gateway
from tests.waiting import LONGEST_S, wait_until

QUICK = {"LOGGER_TOTALS_INTERVAL_S": "15", "LOGGER_DEVICES_INTERVAL_S": "60"}


def soon() -> FastClock:
    """A clock whose first tick is near, however slow the machine."""
    return fast_clock(60.0, MORNING + 35)


def beside(recorder: Recorder, *words: str) -> Done:
    """Another command of the program beside the running recorder."""
    return program(recorder.home, *words, settings=recorder.settings)


def test_run_records_in_real_time_answers_health_and_status_and_stops_on_sigterm(tmp_path: Path) -> None:
    clock = SystemClock()
    plant = invent_gateway("8-battery", epoch=clock.time() - 20 * 86400)
    with (
        BackgroundSimulator(plant, clock) as gateway,
        Recorder(tmp_path, {**gateway.settings, **QUICK}, None) as recorder,
    ):
        status = recorder.wait_for_ticks(1)
        tick = status["polls"]["last_tick"]
        assert tick % 15 == 0
        assert beside(recorder, "health").code == 0
        told = beside(recorder, "status", "--json")
        assert told.code == 0
        assert json.loads(told.out)["gateway"]["serial"] == gateway.simulator.model.serial
        second = beside(recorder, "run")
        assert second.code == 69, "one recorder a state folder"
        assert recorder.terminate() == 0
        assert beside(recorder, "health").code in (0, 69)
    rows = stored(recorder.state)
    assert tick in {row.tick for row in rows}
    assert any(place.measurement == "envoy_totals" for place in as_points(rows))
    assert recorder.log.rstrip().endswith("stopped")


def test_sigterm_while_the_gateway_hangs_stores_what_came(tmp_path: Path) -> None:
    with driven_site(tmp_path) as here:
        here.recorder.start()
        before = here.recorder.wait_for_ticks(1)["polls"]["last_tick"]
        here.gateway.fail("/ivp/ensemble/power", Fault("hang", seconds=1200))
        played = here.gateway.simulator.faults.played
        here.recorder.wait_until(lambda _: played["/ivp/ensemble/power"] > 0)
        assert here.recorder.terminate() == 0
    totals = {place.time: fields for place, fields in as_points(stored(here.recorder.state)).items()
              if place.measurement == "envoy_totals"}  # fmt: skip
    last = max(totals)
    assert last > before
    assert "production_power_w" in totals[last], "what came before the path that hung"
    assert here.recorder.log.rstrip().endswith("stopped")


def test_sigterm_while_the_database_is_away_keeps_everything_for_the_next_start(
    influx1: Influx1, tmp_path: Path
) -> None:
    buckets = influx1.fresh_buckets()
    influx1.stop()
    with driven_site(tmp_path, influx1, buckets) as here:
        here.recorder.start()
        last = here.recorder.wait_for_ticks(2)["polls"]["last_tick"]
        assert here.recorder.terminate() == 0
    waiting = {row.tick for row in stored(here.recorder.state) if not row.delivered}
    assert last in waiting
    assert len(waiting) >= 2


@pytest.mark.long
def test_sigterm_while_the_database_hangs_ends_in_order(fake_influx2: Fake2, tmp_path: Path) -> None:
    buckets = fake_influx2.fresh_buckets()
    fake_influx2.fake.script(Scripted(204, delay_s=60.0), times=100)
    with fast_site(tmp_path, soon(), fake_influx2, buckets, QUICK) as here:
        here.recorder.start()
        last = here.recorder.wait_for_ticks(2)["polls"]["last_tick"]
        assert here.recorder.terminate() == 0
        fake_influx2.fake.forget_scripts()
    ticks = {row.tick for row in stored(here.recorder.state)}
    assert last in ticks
    assert len(ticks) >= 2
    assert here.recorder.log.rstrip().endswith("stopped")


def test_the_last_resort_is_within_the_time_that_systemd_and_containers_give() -> None:
    assert app._LAST_RESORT_S < 8.0


@pytest.mark.parametrize(
    "what",
    ["storing", pytest.param("opening", marks=pytest.mark.long), pytest.param("rescuing", marks=pytest.mark.long)],
)
def test_sigterm_while_the_disk_does_not_answer_ends_all_the_same(tmp_path: Path, what: str) -> None:
    clock = soon()
    with fast_site(tmp_path, clock, further=QUICK) as here:
        command = [sys.executable, "-m", "tests.endtoend.stalling_run", what,
                   *(repr(number) for number in (clock.origin, clock.start, clock.rate))]  # fmt: skip
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environment(tmp_path, here.recorder.settings), stdout=log, stderr=log
            )
        wait_until(lambda: (tmp_path / "stalled").exists() or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "log").read_text()
        process.terminate()
        assert process.wait(LONGEST_S) == 0
    assert "the recorder stopped without waiting for a disk" in (tmp_path / "log").read_text()
    with driving(clock.time()) as later, DrivenRecorder(tmp_path, here.recorder.settings, later) as second:
        second.wait_until(lambda status: True)
        assert second.terminate() == 0, "whatever was left is gone on with"

"""Recorder and database are killed over and over while thousands of ticks go through: each is there, exactly once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon.parts import START
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.endtoend.points import as_points, differences, in_database, stored
from tests.endtoend.recorder import ROOT, environment, influxdb
from tests.sizes import sized
from tests.waiting import LONGEST_S


class Hammered:
    """The recorder as a process, and the ticks that it said were stored."""

    def __init__(self, home: Path, settings: dict[str, str], ticks: int) -> None:
        self.state, self.told = home / "state", home / "ticks"
        self._home, self._settings, self._ticks = home, settings, ticks
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.endtoend.hammered", str(self.state), str(self._ticks)]
        with self.told.open("ab") as told, (self._home / "errors").open("ab") as errors:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment(self._home, {}), stdin=subprocess.PIPE, stdout=told, stderr=errors
            )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._settings).encode())
        self._process.stdin.close()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(LONGEST_S)

    @property
    def ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    @property
    def acknowledged(self) -> list[int]:
        """Every tick that it said was stored, in order; a last line cut by a kill said nothing."""
        text = self.told.read_text(encoding="ascii")
        return [int(line) for line in text[: text.rfind("\n") + 1].split()]

    def wait_for(self, ticks: int, within_s: float = 60.0) -> bool:
        """Until so many are acknowledged, or it has ended; True while it still runs."""
        until = time.monotonic() + within_s
        while len(self.acknowledged) < ticks and not self.ended:
            assert time.monotonic() < until, (self._home / "errors").read_text(encoding="utf-8")[-3000:]
            time.sleep(0.01)
        return not self.ended


@contextmanager
def running(home: Path, settings: dict[str, str], ticks: int) -> Iterator[Hammered]:
    hammered = Hammered(home, settings, ticks)
    hammered.start()
    try:
        yield hammered
    finally:
        hammered.kill()


@pytest.mark.long
@pytest.mark.parametrize("server", ["influx1", "real_influx2"])
def test_after_hundreds_of_kills_every_acknowledged_tick_is_in_the_database_exactly_once(
    request: pytest.FixtureRequest, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database: Influx1 | Influx2 = request.getfixturevalue(server)
    kills, ticks = sized(200), sized(10_000)
    dice = random.Random(f"hammer {server}")
    buckets = database.fresh_buckets()
    killed = {"recorder": 0, "database": 0}
    with running(tmp_path, influxdb(database.target(buckets)), ticks) as hammered:
        for left in range(kills, 0, -1):
            seen = len(hammered.acknowledged)
            fair = max(0.0, ticks * 0.97 - seen) / (left + 1)  # the last kills come before the last ticks
            assert hammered.wait_for(seen + max(1, int(dice.uniform(0.2, 1.8) * fair)))
            time.sleep(dice.uniform(0.0, 0.05))
            if dice.random() < 0.35:
                database.kill()
                killed["database"] += 1
                database.start()
            else:
                hammered.kill()
                killed["recorder"] += 1
                hammered.start()
        until = time.monotonic() + 600
        while not hammered.ended:
            assert time.monotonic() < until
            time.sleep(0.1)
        acknowledged = hammered.acknowledged
    rows = stored(tmp_path / "state")
    points, found = as_points(rows), in_database(database, buckets)
    times = {row.tick for row in rows if row.role == "totals"}
    assert times == {START + 60 * n for n in range(ticks)}
    assert set(acknowledged) <= times
    assert {place.time for place in found if place.measurement == "envoy_totals"} == times
    assert differences(found, points) == []
    with capsys.disabled():
        print(f"\n{server}: {ticks} ticks ({len(found)} points), killed: {killed}; 0 missing, each once")

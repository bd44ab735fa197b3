"""The real program as a process of its own: started, killed, ended in order, and asked what it does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from logger.clock import FastClock
from logger.influx.dialects import Target
from tests.waiting import LONGEST_S, wait_until

ROOT = Path(__file__).parents[2]
PATIENCE_S = 5.0
"""The least real time that the fast recorder gives an answer."""


def environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """An environment made from nothing: no setting of the machine's own gets in, and no proxy."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home),
        "NO_PROXY": "*",
        "PYTHONPATH": str(ROOT),
        "LOGGER_STATE_DIR": str(home / "state"),
        **settings,
    }


def influxdb(target: Target) -> dict[str, str]:
    """The settings that point the recorder at a database."""
    values = {
        "INFLUXDB_URL": target.url,
        "INFLUXDB_API": target.api,
        "INFLUXDB_TOKEN": target.token,
        "INFLUXDB_ORG": target.org,
        "INFLUXDB_USERNAME": target.username,
        "INFLUXDB_PASSWORD": target.password,
        "INFLUXDB_BUCKET": target.buckets["totals"],
        "INFLUXDB_BUCKET_DEVICES": target.buckets["devices"],
        "INFLUXDB_BUCKET_DAILY": target.buckets["daily"],
    }
    return {name: value for name, value in values.items() if value}


class Recorder:
    """One recorder with its folder `home`; `clock` None runs the plain command `run` in real time."""

    def __init__(self, home: Path, settings: Mapping[str, str], clock: FastClock | None) -> None:
        self.home = home
        self.state = home / "state"
        self.settings = dict(settings)
        self.starts = 0
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Recorder:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    @property
    def log(self) -> str:
        """Everything that it said on stderr, of all its starts."""
        return (self.home / "recorder.log").read_text(encoding="utf-8")

    def start(self) -> None:
        """Start it; what lies in its folder is what it goes on from."""
        clock = self._clock
        command = (
            [sys.executable, "-m", "logger", "run"]
            if clock is None
            else [sys.executable, "-m", "tests.endtoend.fast_run",
                  *(repr(number) for number in (clock.origin, clock.start, clock.rate, PATIENCE_S))]
        )  # fmt: skip
        with (self.home / "recorder.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.home, env=environment(self.home, self.settings), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL: it learns nothing of its end."""
        process = self._running()
        process.kill()
        process.wait(LONGEST_S)

    def terminate(self) -> int:
        """End it with SIGTERM → its exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        return process.wait(LONGEST_S)

    def status(self) -> dict[str, Any]:
        """What this process has written into `status.json`, empty before it did."""
        try:
            found: dict[str, Any] = json.loads((self.state / "status.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found if found.get("pid") == self._running().pid else {}

    def wait_until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for the first status for which `holds`; fails with the log if it does not come or the process ends."""

        def look() -> dict[str, Any]:
            ended = self._running().poll()
            assert ended is None, f"the recorder ended with {ended}:\n{self.log[-4000:]}"
            status = self.status()
            return status if status and holds(status) else {}

        return wait_until(look, lambda: f"{self.status()}\n{self.log}")

    def wait_for_ticks(self, ticks: int) -> dict[str, Any]:
        """Wait until so many ticks were stored since its start → the status."""
        return self.wait_until(lambda status: status["polls"]["ticks"] >= ticks)

    def wait_until_delivered(self, up_to: int) -> None:
        """Wait until the database has every tick up to that one; the newest tick is always still on its way."""
        self.wait_until(
            lambda status: (
                status["polls"]["last_tick"] > up_to
                and (status["store"]["oldest_tick"] is None or status["store"]["oldest_tick"] > up_to)
            )
        )

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the recorder was never started"
        return self._process

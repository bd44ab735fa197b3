"""The real program, started, ended in order, and asked what it does.

`Recorder` is a process of its own, which can be killed. `DrivenRecorder` runs on the test's own driven loop, where
hours pass at once and a busy machine changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Self

import pytest

from logger.clock import FastClock
from logger.commands.ui.start import configure_log
from logger.daemon import app
from logger.influx.dialects import Target
from logger.settings.load import load_settings
from tests.driven import DrivenClock
from tests.waiting import LONGEST_S, wait_until

ROOT = Path(__file__).parents[2]
PATIENCE_S = 5.0
"""The least real time that the fast recorder gives an answer."""
LONGEST_WAIT_S: Final = 86400.0
_LOOK_S: Final = 5.0
"""How often a driven test looks, by its own clock."""


def environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """An environment made from nothing: no setting of the machine's own gets in, and no proxy.

    Under `faketime` the children have the clock of the tests.
    """
    clock = {name: os.environ[name] for name in ("LD_PRELOAD", "FAKETIME") if name in os.environ}
    return {
        **clock,
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home),
        "NO_PROXY": "*",
        "PYTHONPATH": str(ROOT),
        "LOGGER_STATE_DIR": str(home / "state"),
        "LOGGER_HTTP": "off",
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


class Watched(ABC):
    """One recorder with its folder `home`; what lies in the folder is what it goes on from."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.state = home / "state"
        self.settings = dict(settings)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log(self) -> str:
        """Everything that it said on stderr, of all its starts."""
        return (self.home / "recorder.log").read_text(encoding="utf-8")

    @abstractmethod
    def start(self) -> None:
        """Start it."""

    @abstractmethod
    def terminate(self) -> int:
        """End it as SIGTERM does → its exit code."""

    @abstractmethod
    def close(self) -> None:
        """End it by force if it still runs."""

    @abstractmethod
    def wait_until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for the first status for which `holds`; fails with the log if none comes or the recorder ends."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """What it has written into `status.json` since its start, empty before it did."""

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

    def _read_status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.state / "status.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found


class Recorder(Watched):
    """A process; `clock` None runs the plain command `run` in real time."""

    def __init__(self, home: Path, settings: Mapping[str, str], clock: FastClock | None) -> None:
        super().__init__(home, settings)
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
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

    def kill(self) -> None:
        """SIGKILL: it learns nothing of its end."""
        process = self._running()
        process.kill()
        process.wait(LONGEST_S)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def terminate(self) -> int:
        process = self._running()
        process.send_signal(signal.SIGTERM)
        return process.wait(LONGEST_S)

    def status(self) -> dict[str, Any]:
        found = self._read_status()
        return found if found.get("pid") == self._running().pid else {}

    def wait_until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            ended = self._running().poll()
            assert ended is None, f"the recorder ended with {ended}:\n{self.log[-4000:]}"
            status = self.status()
            return status if status and holds(status) else {}

        return wait_until(look, lambda: f"{self.status()}\n{self.log}")

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the recorder was never started"
        return self._process


class DrivenRecorder(Watched):
    """The daemon on the loop of `clock`, with the environment and the log of a process of its own."""

    def __init__(self, home: Path, settings: Mapping[str, str], clock: DrivenClock) -> None:
        super().__init__(home, settings)
        self._clock = clock
        self._daemon: Future[None] | None = None
        self._as_process = contextlib.ExitStack()

    def start(self) -> None:
        (self.state / "status.json").unlink(missing_ok=True)  # each process tells its own by its number
        self._as_process.enter_context(_environment_and_log(self.home, self.settings))
        configured = load_settings(require=["ENPHASE_GATEWAY"])
        configure_log(configured)
        self._daemon = asyncio.run_coroutine_threadsafe(app.run(configured, self._clock), self._clock.loop)

    def terminate(self) -> int:
        self._clock.drive(self._end())
        self._as_process.close()
        return 0

    def close(self) -> None:
        if self._daemon is not None and not self._daemon.done():
            self._daemon.cancel()
            self._clock.drive(self._ended())
        self._as_process.close()

    def status(self) -> dict[str, Any]:
        return self._read_status()

    def wait_until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        return self._clock.drive(self._wait_until(holds))

    async def _wait_until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        daemon, until = self._started(), self._clock.time() + LONGEST_WAIT_S
        while not daemon.done():
            status = self.status()
            if status and holds(status):
                return status
            assert self._clock.time() < until, f"not within a day: {self.status()}\n{self.log[-4000:]}"
            await asyncio.sleep(_LOOK_S)
        raise AssertionError(f"the recorder ended: {daemon.exception()}\n{self.log[-4000:]}")

    async def _end(self) -> None:
        daemon, loop = self._started(), self._clock.loop
        while not daemon.done() and not loop.has_handler(signal.SIGTERM):
            await asyncio.sleep(_LOOK_S)
        if not daemon.done():
            loop.send_signal(signal.SIGTERM)
        await asyncio.wrap_future(daemon)

    async def _ended(self) -> None:
        await asyncio.wait([asyncio.wrap_future(self._started())])

    def _started(self) -> Future[None]:
        assert self._daemon is not None, "the recorder was never started"
        return self._daemon


@contextlib.contextmanager
def _environment_and_log(home: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Give the daemon what a process of its own would have, and take it back at the end."""
    root, own = logging.getLogger(), logging.getLogger("logger")
    handlers, levels = root.handlers[:], (root.level, own.level)
    with pytest.MonkeyPatch.context() as patch, (home / "recorder.log").open("a", encoding="utf-8") as log:
        for name in list(os.environ):
            patch.delenv(name)
        for name, value in environment(home, settings).items():
            patch.setenv(name, value)
        patch.setattr(sys, "stderr", log)
        patch.setattr(app, "_LAST_RESORT_S", LONGEST_S)  # an orderly end may take its time on a busy machine
        try:
            yield
        finally:
            root.handlers[:] = handlers
            root.setLevel(levels[0])
            own.setLevel(levels[1])

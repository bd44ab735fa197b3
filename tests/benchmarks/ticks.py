"""The processor time of a tick, of three programs that run side by side at the same pace against the same recording.

All are measured from outside, in windows of an hour of the clock. A busy machine slows all of them alike.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from logger.clock import FastClock
from logger.places import STATUS_FILE
from tests.benchmarks.processes import ROOT, own_python, read_cpu_s, read_memory_mb, running, say_json
from tests.databases.influx1 import Influx1
from tests.endtoend.recorder import PATIENCE_S, environment, influxdb
from tests.waiting import wait_until

TICK_S: Final = 60
EVERY_S: Final = 0.9
"""Real seconds from tick to tick. In less time a tick and its delivery would be two updates of the status."""
_IN_MEMORY: Final = "/dev/shm"
"""Here lies the runtime folder, which systemd makes in memory, too; the state folder is on the disk."""
_WARM_UP: Final = 15
_DAY_S: Final = 86400
_AGO_S: Final = 7 * _DAY_S
"""The clock begins so long ago, because it never passes the present."""
_BEFORE_S: Final = 900
"""Before midnight the recorder runs for the first time, because on its first day it also asks for other figures."""
ZONE: Final = {"LOGGER_TIMEZONE": "UTC"}
"""The site's days begin at the midnight of `make_clock`."""
WINDOW: Final = 60
"""Ticks of one window: each cadence up to an hour has its share."""


@dataclass
class Runner:
    """One of the programs: how many ticks it has done, which process it is, and what each window cost it in ms."""

    pid: int
    count: Callable[[], int]
    windows_ms: list[float] = field(default_factory=list)
    before: tuple[int, float] = (0, 0.0)

    def mark(self) -> None:
        """Begin a window."""
        self.before = self.count(), read_cpu_s(self.pid)

    def note(self) -> None:
        """End a window and begin the next."""
        ticks, cpu_s = self.before
        self.mark()
        self.windows_ms.append((self.before[1] - cpu_s) * 1000 / max(1, self.before[0] - ticks))


@dataclass(frozen=True)
class Costs:
    """What was measured with one recording: ms a tick in each window, requests a tick, and memory in MB."""

    windows_ms: Mapping[str, list[float]]
    requests: Mapping[str, float]
    resident_mb: float
    peak_mb: float
    ticks: int


def make_clock(every_s: float) -> tuple[FastClock, float]:
    """A fast clock with a tick every `every_s` real seconds that begins before a midnight, and that midnight."""
    midnight = (time.time() - _AGO_S) // _DAY_S * _DAY_S
    return FastClock(time.time(), midnight - _BEFORE_S, TICK_S / every_s, PATIENCE_S), midnight


def compare(home: Path, recording: Path, others_python: Path, *, windows: int, still: bool) -> Costs:
    """Run the recorder, pyenphase and a plain loop against their own copies of one recording."""
    clock, midnight = make_clock(EVERY_S)
    numbers = [repr(number) for number in (clock.origin, clock.start, clock.rate, PATIENCE_S)]
    mode = "still" if still else "moving"
    gateway = own_python("tests.benchmarks.served", str(recording), mode, *numbers)
    with contextlib.ExitStack() as stack:
        server = Influx1(home)
        server.start()
        stack.callback(server.stop)
        buckets = server.fresh_buckets()
        plain_env = {**environment(home, {}), "PYTHONPATH": ""}
        served = {
            name: stack.enter_context(running(gateway, home, environment(home, {}), f"{name}-gateway.log"))
            for name in ("recorder", "pyenphase", "plain")
        }
        said = {name: say_json(process) for name, process in served.items()}
        runners: dict[str, Runner] = {}
        settings = {name: text for name, text in said["recorder"].items() if name != "token"}
        settings |= influxdb(server.target(buckets)) | ZONE
        settings["RUNTIME_DIRECTORY"] = stack.enter_context(tempfile.TemporaryDirectory(dir=_IN_MEMORY))
        status = Path(settings["RUNTIME_DIRECTORY"]) / STATUS_FILE
        command = own_python("tests.benchmarks.recorded", *numbers)
        with running(command, home, environment(home, settings), "first-start.log"):
            # signs in, learns the certificate, and ends the first day
            wait_until(lambda: read_last_tick(status) > midnight)
        status.unlink()
        process = stack.enter_context(running(command, home, environment(home, settings), "recorder.log"))
        runners["recorder"] = Runner(process.pid, lambda: _read_ticks(status))
        for name in ("pyenphase", "plain"):
            told = {
                "host": urlsplit(said[name]["ENPHASE_GATEWAY"]).netloc,
                "token": said[name]["token"],
                "every_s": EVERY_S,
                "write_url": f"{server.url}/write?db={buckets['totals']}&precision=s",
            }
            other = [str(others_python), str(ROOT / "tests/benchmarks/others.py"), name, json.dumps(told)]
            process = stack.enter_context(running(other, home, plain_env, f"{name}.log"))
            assert process.stdout is not None
            runners[name] = Runner(process.pid, _follow(process.stdout))
        wait_until(lambda: all(runner.count() >= _WARM_UP for runner in runners.values()))
        for runner in runners.values():
            runner.mark()
        for number in range(1, windows + 1):
            wait_until(lambda number=number: runners["recorder"].count() >= _WARM_UP + number * WINDOW)  # type: ignore[misc]
            for runner in runners.values():
                runner.note()
        resident, peak = read_memory_mb(runners["recorder"].pid)
        ticks = {name: runner.count() for name, runner in runners.items()}
        requests = {name: _ask_requests(served[name]) / ticks[name] for name in served}
        return Costs(
            {name: runner.windows_ms for name, runner in runners.items()},
            requests,
            resident,
            peak,
            ticks["recorder"],
        )


def _read_ticks(status: Path) -> int:
    return _read_polls(status, "ticks")


def read_last_tick(status: Path) -> int:
    """The second of the last tick, or 0."""
    return _read_polls(status, "last_tick")


def _read_polls(status: Path, name: str) -> int:
    try:
        return int(json.loads(status.read_text(encoding="utf-8"))["polls"][name])
    except (OSError, ValueError):
        return 0


def _follow(lines: Iterator[str]) -> Callable[[], int]:
    """Read what a program prints, on a thread; returns what tells its newest number."""
    newest = [0]

    def read() -> None:
        for line in lines:
            newest[0] = int(line)

    threading.Thread(target=read, daemon=True).start()
    return lambda: newest[0]


def _ask_requests(process: subprocess.Popen[str]) -> int:
    """End a stand-in's input and read how many requests it has had."""
    assert process.stdin is not None
    process.stdin.close()
    return int(say_json(process))


if __name__ == "__main__":
    import sys
    from statistics import median

    with tempfile.TemporaryDirectory() as folder:
        costs = compare(
            Path(folder), Path(sys.argv[1]), Path(sys.argv[2]), windows=int(sys.argv[3]), still=sys.argv[4] == "still"
        )
        for log in ("recorder.log", "pyenphase.log", "plain.log"):
            print(log, (Path(folder) / log).read_text()[-600:])
        for name, windows in costs.windows_ms.items():
            print(name, round(median(windows), 2), [round(w, 2) for w in windows], costs.requests[name])
        print(costs.resident_mb, costs.peak_mb, costs.ticks)

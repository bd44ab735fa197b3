"""Processes that are measured from outside: processor time and memory, as the kernel counts them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.waiting import LONGEST_S

ROOT: Final = Path(__file__).parents[2]
_OF_ITS_SCHEDULER: Final = 2
"""With the process's number, Linux's name of the clock of its processor time: see clock_getcpuclockid(3)."""


def read_cpu_s(pid: int) -> float:
    """The processor time of all threads of a process so far, user and system, in seconds, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | _OF_ITS_SCHEDULER)


def read_threads_s(pid: int) -> float:
    """The processor time of the living threads of a process so far, to the nanosecond, in seconds."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((each / "schedstat").read_text(encoding="ascii").split()[0]) for each in threads) / 1e9


def read_memory_mb(pid: int) -> tuple[float, float]:
    """What of a process is in memory now, and the most that ever was, in MB of 1024 KB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    found = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
    return int(found["VmRSS"].split()[0]) / 1024, int(found["VmHWM"].split()[0]) / 1024


@contextlib.contextmanager
def running(
    command: Sequence[str], home: Path, environment: Mapping[str, str], log: str
) -> Iterator[subprocess.Popen[str]]:
    """A process with pipes at its input and output, and its errors in a log; ended by its own number."""
    with (home / log).open("ab") as errors:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LONGEST_S)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def say_json(process: subprocess.Popen[str]) -> Any:
    """The next line that a process prints, as JSON."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def own_python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this Python."""
    return [sys.executable, "-m", module, *arguments]

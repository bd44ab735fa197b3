"""From the start of the process to its first request, and what the imports take of it."""

from __future__ import annotations

import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.processes import own_python, read_cpu_s, running
from tests.endtoend.recorder import environment
from tests.waiting import LONGEST_S

_IMPORTS: Final = "import {}; import time; print(time.process_time())"


@dataclass(frozen=True)
class Startups:
    """Each round's seconds until the first request, of the wall and of the processor, and for imports."""

    wall_s: list[float]
    cpu_s: list[float]
    import_s: list[float]
    pyenphase_import_s: list[float]


def measure(home: Path, others_python: Path, rounds: int) -> Startups:
    found = Startups([], [], [], [])
    for _ in range(rounds):
        wall_s, cpu_s = _start(home)
        found.wall_s.append(wall_s)
        found.cpu_s.append(cpu_s)
        found.import_s.append(_import(own_python("x")[0], "logger.commands.run", home))
        found.pyenphase_import_s.append(_import(str(others_python), "pyenphase", home))
    return found


def _start(home: Path) -> tuple[float, float]:
    """Start `envoy-logger run` with a gateway that only listens, until it connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LONGEST_S)
        settings = {"ENPHASE_GATEWAY": f"http://127.0.0.1:{listener.getsockname()[1]}"}
        started = time.monotonic()
        with running(own_python("logger", "run"), home, environment(home, settings), "start.log") as process:
            connection, _ = listener.accept()
            took_s, cpu_s = time.monotonic() - started, read_cpu_s(process.pid)
            connection.close()
    return took_s, cpu_s


def _import(python: str, module: str, home: Path) -> float:
    """Seconds of processor that a Python takes to start and to import a module."""
    command = [python, "-c", _IMPORTS.format(module)]
    return float(
        subprocess.run(command, env=environment(home, {}), capture_output=True, text=True, check=True).stdout
    )

"""Run a database as a process on loopback, with its own folder and port; it is ended by its own process id.

A server that is not installed skips its tests with a reason that starts with `needs: `.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import httpx

from tests.databases.server import Server, http
from tests.waiting import LONGEST_S

NEEDS_1 = "needs: Debian package influxdb (an influxd of version 1 on the path)"
NEEDS_2 = "needs: InfluxDB 2 (INFLUXD2=/path/to/influxd, or an influxd of version 2 on the path)"
NEEDS_VICTORIA = "needs: Debian package victoria-metrics"
_CHANCE = random.SystemRandom()


class ServerProcess:
    """One server process with its folder, its port and its log."""

    def __init__(
        self,
        folder: Path,
        command: Callable[[Path, int], list[str]],
        ready: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._environment = environment or {}
        self.port = find_free_port()
        self._command = command
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.end, signal.SIGKILL)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        assert not self.running
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self.folder), **self._environment}
        log = self.folder / "server.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command(self.folder, self.port),
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=self.folder,
            )
        until = time.monotonic() + LONGEST_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(httpx.HTTPError):
                if http("GET", f"http://127.0.0.1:{self.port}{self._ready}").status_code in (200, 204, 401):
                    return
            time.sleep(0.03)
        self.end(signal.SIGKILL)
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self._command(self.folder, self.port)[0]} did not start:\n{tail}")

    def end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(LONGEST_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(LONGEST_S)
        self._process = None


class Binary(Server):
    """A server that is a process of its own."""

    process: ServerProcess

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.process.port}"

    @property
    def running(self) -> bool:
        return self.process.running

    def start(self) -> None:
        self.process.start()

    def stop(self) -> None:
        self.process.end(signal.SIGTERM)

    def kill(self) -> None:
        self.process.end(signal.SIGKILL)


def find_free_port() -> int:
    """A free port below those that the kernel gives to connections, so that none of these takes it first."""
    while True:
        port = _CHANCE.randrange(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@functools.cache
def influxd_of_version(major: Literal[1, 2]) -> str | None:
    """The path of an influxd of that version: INFLUXD2 first for 2, then the path. A self-built 2 says `dev`."""
    if major == 2 and (named := os.environ.get("INFLUXD2")):
        assert Path(named).is_file(), f"INFLUXD2={named} is no file"
        return named
    for folder in [*os.environ.get("PATH", "").split(":"), "/usr/bin", "/usr/sbin"]:
        path = Path(folder or ".") / "influxd"
        if os.access(path, os.X_OK):
            said = subprocess.run([path, "version"], capture_output=True, text=True, timeout=20).stdout
            if (1 if re.search(r"InfluxDB v?1\.", said) else 2) == major:
                return str(path)
    return None

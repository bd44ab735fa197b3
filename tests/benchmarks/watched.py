"""What the page, the metrics and MQTT cost a recorder: recorders with and without them run side by side.

Each has its own stand-in gateway with the same recording. "everything" is one recorder that publishes to mosquitto
while one browser holds the page's live stream open and Prometheus asks once a tick.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks.processes import own_python, read_memory_mb, read_threads_s, running, say_json
from tests.benchmarks.ticks import TICK_S, WINDOW, ZONE, make_clock, read_last_tick
from tests.databases.influx1 import Influx1
from tests.endtoend.recorder import PATIENCE_S, environment, influxdb
from tests.mqtt.broker_process import BrokerProcess
from tests.waiting import wait_until

EVERY_S: Final = 0.9
"""Real seconds from tick to tick: longer than the least time between two messages of the page's stream, and long
enough that six recorders end their ticks on a busy machine."""
_WARM_UP: Final = 20
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class Outfit:
    """What is switched on in one recorder, and who looks at it."""

    has_page: bool = False
    has_mqtt: bool = False
    is_streamed: bool = False
    is_scraped: bool = False


OFF: Final = "nothing"
OUTFITS: Final[Mapping[str, Outfit]] = {
    OFF: Outfit(),
    "page, nobody looks": Outfit(has_page=True),
    "page, one live stream": Outfit(has_page=True, is_streamed=True),
    "metrics, asked each tick": Outfit(has_page=True, is_scraped=True),
    "MQTT": Outfit(has_mqtt=True),
    "everything": Outfit(has_page=True, has_mqtt=True, is_streamed=True, is_scraped=True),
}
_APART_S: Final = TICK_S / len(OUTFITS)
"""Seconds of the clock between the ticks of two recorders. At the same moment they would wait for each other."""


@dataclass
class WatchedRecorder:
    """One recorder: its folder, its process, what each window cost it in ms a tick, and its visitors' counts."""

    home: Path
    pid: int
    windows_ms: list[float] = field(default_factory=list)
    messages: int = 0
    scrapes: int = 0
    _before: tuple[int, float] = (0, 0.0)

    def read_ticks(self) -> int:
        polls = self._read_status().get("polls")
        return int(polls["ticks"]) if isinstance(polls, dict) else 0

    def find_port(self) -> int:
        outlets = self._read_status().get("outlets")
        address = str(outlets.get("page", "")) if isinstance(outlets, dict) else ""
        return int(address.rstrip("/").rpartition(":")[2] or 0)

    def mark(self) -> None:
        """Begin a window."""
        self._before = self.read_ticks(), read_threads_s(self.pid)

    def note(self) -> None:
        """End a window and begin the next."""
        ticks, cpu_s = self._before
        self.mark()
        self.windows_ms.append((self._before[1] - cpu_s) * 1000 / max(1, self._before[0] - ticks))

    def open_visits(self, outfit: Outfit, stop: threading.Event) -> None:
        """Let those look who look at this recorder, on threads of their own."""
        if outfit.is_streamed:
            threading.Thread(target=self.follow, daemon=True).start()
        if outfit.is_scraped:
            threading.Thread(target=self.scrape, args=(stop,), daemon=True).start()

    def follow(self) -> None:
        """Open the page as a browser does, and read its stream until it ends."""
        connection = http.client.HTTPConnection(_HOST, self.find_port(), timeout=60)
        for path in ("/", "/api/v1/curve"):
            connection.request("GET", path)
            connection.getresponse().read()
        connection.request("GET", "/live")
        with contextlib.suppress(OSError, http.client.HTTPException):
            for line in connection.getresponse():
                self.messages += line.startswith(b"data: ")

    def scrape(self, stop: threading.Event) -> None:
        """Ask for the metrics once a tick, over one connection, as Prometheus does."""
        connection = http.client.HTTPConnection(_HOST, self.find_port(), timeout=60)
        while not stop.wait(EVERY_S):
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/metrics")
                self.scrapes += b"envoy_up" in connection.getresponse().read()

    def _read_status(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads((self.home / "state" / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found


@dataclass(frozen=True)
class WatchedCosts:
    """What was measured of each outfit: ms a tick in each window, MB in memory, messages and scrapes; and ticks."""

    windows_ms: Mapping[str, list[float]]
    resident_mb: Mapping[str, float]
    messages: Mapping[str, int]
    scrapes: Mapping[str, int]
    ticks: int


def compare(home: Path, recording: Path, *, windows: int) -> WatchedCosts:
    """Run a recorder of each outfit against its own copy of one recording whose times move."""
    clock, midnight = make_clock(EVERY_S)
    with contextlib.ExitStack() as stack:
        server, broker, stop = Influx1(home), BrokerProcess(home), threading.Event()
        for service, end in ((server, server.stop), (broker, broker.kill)):
            service.start()
            stack.callback(end)
        stack.callback(stop.set)
        recorders = {
            name: stack.enter_context(
                _record(
                    home / name.replace(" ", "-"),
                    recording,
                    outfit,
                    server,
                    broker,
                    [
                        repr(number)
                        for number in (clock.origin, clock.start + place * _APART_S, clock.rate, PATIENCE_S)
                    ],
                    midnight,
                )
            )
            for place, (name, outfit) in enumerate(OUTFITS.items())
        }
        wait_until(lambda: all(each.read_ticks() >= _WARM_UP for each in recorders.values()))
        for name, outfit in OUTFITS.items():
            recorders[name].open_visits(outfit, stop)
        first = recorders[OFF]
        begin = first.read_ticks() + _WARM_UP
        for number in range(windows + 1):
            wait_until(lambda number=number: first.read_ticks() >= begin + number * WINDOW)  # type: ignore[misc]
            for each in recorders.values():
                if number:
                    each.note()
                else:
                    each.mark()
        return WatchedCosts(
            {name: each.windows_ms for name, each in recorders.items()},
            {name: read_memory_mb(each.pid)[0] for name, each in recorders.items()},
            {name: each.messages for name, each in recorders.items()},
            {name: each.scrapes for name, each in recorders.items()},
            first.read_ticks() - begin,
        )


@contextlib.contextmanager
def _record(
    home: Path,
    recording: Path,
    outfit: Outfit,
    server: Influx1,
    broker: BrokerProcess,
    numbers: list[str],
    midnight: float,
) -> Iterator[WatchedRecorder]:
    """Run one recorder with its stand-in gateway.

    It is started twice, so that it knows the certificate, and its first day is over.
    """
    home.mkdir()
    gateway = own_python("tests.benchmarks.served", str(recording), "moving", *numbers)
    with running(gateway, home, environment(home, {}), "gateway.log") as served:
        said = say_json(served)
        settings = {name: text for name, text in said.items() if name != "token"}
        settings |= influxdb(server.target(server.fresh_buckets())) | ZONE
        if outfit.has_page:
            settings["LOGGER_HTTP"] = f"{_HOST}:0"
        if outfit.has_mqtt:
            settings["MQTT_URL"] = f"mqtt://{_HOST}:{broker.port}"
        command = own_python("tests.benchmarks.recorded", *numbers)
        status = home / "state" / "status.json"
        with running(command, home, environment(home, settings), "first-start.log"):
            wait_until(lambda: read_last_tick(status) > midnight)
        status.unlink()
        with running(command, home, environment(home, settings), "recorder.log") as process:
            yield WatchedRecorder(home, process.pid)

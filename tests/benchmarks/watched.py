"""What the page, the metrics and MQTT cost a recorder: recorders with and without them run side by side.

Each has its own stand-in gateway with the same recording. One recorder has everything switched on, and nobody looks.
Another one is used as well: a browser holds the page's live stream open, and Prometheus asks once a tick.

Two equal processes differ by some percent during a whole run. So two recorders have nothing switched on, and all
recorders are started anew in each round.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
_ROUND_TICKS: Final = 2 * WINDOW
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class Outfit:
    """What is switched on in one recorder, and who looks at it."""

    has_page: bool = False
    has_mqtt: bool = False
    is_streamed: bool = False
    is_scraped: bool = False


OFF: Final = ("nothing", "nothing, a second recorder")
"""The recorders with which the others are compared."""
ON: Final = "everything, nobody looks"
USED: Final = "everything, used at each tick"
OUTFITS: Final[Mapping[str, Outfit]] = {
    OFF[0]: Outfit(),
    ON: Outfit(has_page=True, has_mqtt=True),
    "page, one live stream": Outfit(has_page=True, is_streamed=True),
    "metrics, asked each tick": Outfit(has_page=True, is_scraped=True),
    USED: Outfit(has_page=True, has_mqtt=True, is_streamed=True, is_scraped=True),
    OFF[1]: Outfit(),
}
_APART_S: Final = TICK_S / len(OUTFITS)
"""Seconds of the clock between the ticks of two recorders. At the same moment they would wait for each other."""


@dataclass
class WatchedRecorder:
    """One recorder: its folder, its process, the cost of a tick in ms, its memory in MB, and its visitors' counts."""

    home: Path
    pid: int
    tick_ms: float = 0.0
    resident_mb: float = 0.0
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
        """Begin to measure."""
        self._before = self.read_ticks(), read_threads_s(self.pid)

    def note(self) -> None:
        """End the measurement."""
        ticks, cpu_s = self._before
        self.tick_ms = (read_threads_s(self.pid) - cpu_s) * 1000 / max(1, self.read_ticks() - ticks)
        self.resident_mb = read_memory_mb(self.pid)[0]

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
    """What was measured of each outfit in each round: ms a tick, MB in memory, messages and scrapes."""

    rounds_ms: Mapping[str, list[float]]
    resident_mb: Mapping[str, list[float]]
    messages: Mapping[str, list[int]]
    scrapes: Mapping[str, list[int]]


def compare(home: Path, recording: Path, *, rounds: int) -> WatchedCosts:
    """Run a recorder of each outfit against its own copy of one recording whose times move, in each round."""
    costs = WatchedCosts(*({name: [] for name in OUTFITS} for _ in range(4)))
    for number in range(rounds):
        names = list(OUTFITS)
        folder = home / f"round-{number}"
        folder.mkdir()
        for name, each in _run(folder, recording, [*names[number:], *names[:number]]).items():
            costs.rounds_ms[name].append(each.tick_ms)
            costs.resident_mb[name].append(each.resident_mb)
            costs.messages[name].append(each.messages)
            costs.scrapes[name].append(each.scrapes)
    return costs


def _run(home: Path, recording: Path, names: Sequence[str]) -> dict[str, WatchedRecorder]:
    """Run one recorder of each outfit through one window, in the order of `names`."""
    clock, midnight = make_clock(EVERY_S)
    with contextlib.ExitStack() as stack:
        server, broker, stop = Influx1(home), BrokerProcess(home), threading.Event()
        for service, end in ((server, server.stop), (broker, broker.kill)):
            service.start()
            stack.callback(end)
        stack.callback(stop.set)
        recorders = {}
        for place, name in enumerate(names):
            start = clock.start + place * _APART_S
            numbers = [repr(number) for number in (clock.origin, start, clock.rate, PATIENCE_S)]
            folder = home / name.replace(" ", "-")
            recorders[name] = stack.enter_context(
                _record(folder, recording, OUTFITS[name], server, broker, numbers, midnight)
            )
        wait_until(lambda: all(each.read_ticks() >= _WARM_UP for each in recorders.values()))
        for name, each in recorders.items():
            each.open_visits(OUTFITS[name], stop)
        first = recorders[OFF[0]]
        begin = first.read_ticks() + _WARM_UP
        wait_until(lambda: first.read_ticks() >= begin)
        for each in recorders.values():
            each.mark()
        wait_until(lambda: first.read_ticks() >= begin + _ROUND_TICKS)
        for each in recorders.values():
            each.note()
        return recorders


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

"""Many gateways in one recorder on one core: processor time and memory by number, and how late ticks are."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logger.clock import FastClock
from logger.daemon.config import FEW
from logger.settings.shards import spread
from tests.benchmarks.fleet_gateways import ILL
from tests.benchmarks.processes import own_python, read_cpu_s, read_memory_mb, running, say_json
from tests.databases.influx1 import Influx1
from tests.endtoend.recorder import PATIENCE_S, environment, influxdb
from tests.waiting import wait_until

MANY: Final = 100
_RATES: Final = (4.0, 1.0)
"""How many times faster than real time the clock runs with fewer gateways, and from MANY on."""
_TICK_S: Final = 60
_AGO_S: Final = 7 * 86400
_WARM_UP_TICKS: Final = 2


@dataclass(frozen=True)
class FleetCosts:
    """What so many gateways cost. `late_s`: of every tick, sorted. `ticks`: of each gateway, by serial.

    `is_ill`: some gateways are dead, slow, hostile, or have a wrong password.
    """

    gateways: int
    cpu_ms: float
    resident_mb: float
    peak_mb: float
    late_s: Sequence[float]
    ticks: Mapping[str, int]
    minutes: int
    is_ill: bool

    def late_at(self, share: float) -> float:
        """The seconds by which that share of the ticks is late at most."""
        return self.late_s[min(len(self.late_s) - 1, int(share * len(self.late_s)))] if self.late_s else 0.0


def measure(home: Path, gateways: int, minutes: int, *, is_ill: bool = False) -> FleetCosts:
    """Record that many gateways for some minutes of the clock, on the first core."""
    rate = _RATES[gateways >= MANY]
    clock = FastClock(time.time(), time.time() - _AGO_S, rate, PATIENCE_S)
    numbers = [repr(number) for number in (clock.origin, clock.start, clock.rate, PATIENCE_S)]
    served = own_python(
        "tests.benchmarks.fleet_gateways", str(home), str(gateways), "ill" if is_ill else "well", *numbers
    )
    with contextlib.ExitStack() as stack:
        server = Influx1(home)
        server.start()
        stack.callback(server.stop)
        stand_in = stack.enter_context(running(served, home, environment(home, {}), "fleet-gateways.log"))
        settings = {**say_json(stand_in), **influxdb(server.target(server.fresh_buckets()))}
        command = own_python("tests.benchmarks.recorded", *numbers)
        process = stack.enter_context(running(command, home, environment(home, settings), "fleet-recorder.log"))
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        wait_until(lambda: sum(_read_ticks(home).values()) >= gateways * _WARM_UP_TICKS * (0.9 if is_ill else 1.0))
        before, cpu_s, began = _read_ticks(home), read_cpu_s(process.pid), clock.time()
        time.sleep(minutes * _TICK_S / rate)
        cpu_s, after, ended = read_cpu_s(process.pid) - cpu_s, _read_ticks(home), clock.time()
        resident, peak = read_memory_mb(process.pid)
        assert stand_in.stdin is not None
        stand_in.stdin.close()
        asked = say_json(stand_in)
    ticks = {serial: count - before.get(serial, 0) for serial, count in after.items()}
    ill = {f"1222{number:08d}" for number in ILL.values()} if is_ill else set()
    late = sorted(
        late_s
        for serial, times in asked.items()
        if serial not in ill
        for late_s in list_late([at for at in times if began <= at < ended], serial, gateways)
    )
    per_tick = cpu_s * 1000 / max(1, sum(ticks.values()))
    return FleetCosts(gateways, per_tick, resident, peak, late, ticks, minutes, is_ill)


def list_late(times: Sequence[float], serial: str, gateways: int) -> list[float]:
    """By how many seconds the meters were asked after each tick's own second."""
    offset = spread(serial, _TICK_S) if gateways > FEW else 0
    return [(at - offset) % _TICK_S for at in times]


def _read_ticks(home: Path) -> dict[str, int]:
    """The ticks of each gateway so far, by serial."""
    try:
        status = json.loads((home / "state" / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    each = [status, *status.get("further_gateways", ())]
    return {one["gateway"]["serial"]: one["polls"]["ticks"] for one in each if one.get("gateway")}


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), int(sys.argv[1]), int(sys.argv[2]), is_ill=len(sys.argv) > 3)
        print((Path(folder) / "fleet-recorder.log").read_text()[-1500:])
        print(
            found.cpu_ms, found.resident_mb, found.peak_mb, found.late_at(0.5), found.late_at(0.99), found.late_at(1)
        )
        print(sorted(found.ticks.values())[:8], len(found.ticks), sum(found.ticks.values()))

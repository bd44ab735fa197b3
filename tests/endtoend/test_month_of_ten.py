"""A simulated month of a recorder with ten gateways and random faults: memory and open files stay as they are."""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.databases.influx1 import Influx1
from tests.endtoend.recorder import Recorder, influxdb
from tests.endtoend.sites import fast_clock
from tests.endtoend.test_kill_ten import ticks_in
from tests.several import Neighbours, neighbours
from tests.sizes import sized
from tests.standin import BackgroundSimulator, Fault

COUNT: Final = 10
EVERY_S: Final = 1800
RATE: Final = 3600.0
DAY_S: Final = 86400.0
MIB_A_MONTH: Final = 8.0
"""The growth of memory that is let pass; the processor's and the allocator's own is less."""
FAULTS: Final = (
    Fault("html", times=20),
    Fault("status", status=503, times=20),
    Fault("reset", times=10),
    Fault("cut", times=10),
    Fault("garbage", times=10),
)


def memory_mib(pid: int) -> float:
    """The resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def break_something(many: Neighbours, chance: random.Random) -> Callable[[], None]:
    """Let one gateway fail in some way → what heals it."""
    victim = chance.choice(many.gateways)
    if chance.random() < 0.3:
        victim.go_down()
        return victim.come_up
    victim.fail(chance.choice(("*", "/ivp", "/api/v1/production", "/info")), chance.choice(FAULTS))
    return lambda: heal(victim)


def heal(victim: BackgroundSimulator) -> None:
    victim.heal()


@pytest.mark.long
def test_memory_and_descriptors_stay_flat_over_a_month_of_faults(influx1: Influx1, tmp_path: Path) -> None:
    days, chance = sized(30), random.Random("a month of ten")
    clock = fast_clock(RATE)
    samples: list[tuple[float, float, int]] = []
    with neighbours(clock, COUNT, epoch=clock.start - 20 * DAY_S) as many:
        intervals = {"LOGGER_TOTALS_INTERVAL_S": str(EVERY_S), "LOGGER_DEVICES_INTERVAL_S": str(EVERY_S)}
        database = influxdb(influx1.target(influx1.fresh_buckets()))
        recorder = Recorder(tmp_path, many.write_file(tmp_path) | intervals | database, clock)
        with contextlib.closing(recorder):
            recorder.start()
            pid = recorder.wait_until(lambda status: len(ticks_in(status)) == COUNT)["pid"]
            until = clock.time() + days * DAY_S
            while clock.time() < until:
                cure = break_something(many, chance)
                time.sleep(chance.uniform(0.1, 0.25) * DAY_S / clock.rate / 6)
                cure()
                time.sleep(chance.uniform(0.1, 0.25) * DAY_S / clock.rate / 6)
                samples.append((clock.time(), memory_mib(pid), len(os.listdir(f"/proc/{pid}/fd"))))
                for each in many.gateways:
                    each.call(each.simulator.journal.clear)
            polls = [part["polls"] for part in _parts(recorder.status())]
            assert recorder.terminate() == 0
    late = samples[len(samples) // 3 :]
    slope, _ = statistics.linear_regression([at for at, _, _ in late], [mib for _, mib, _ in late])
    growth = slope * 30 * DAY_S
    files = [count for _, _, count in late]
    print(
        f"{days} days, {sum(poll['ticks'] for poll in polls)} ticks, {sum(poll['missed'] for poll in polls)} missed: "
        f"{late[0][1]:.1f} to {late[-1][1]:.1f} MiB, {growth:+.2f} MiB a month; "
        f"{min(files)} to {max(files)} open files"
    )
    assert min(poll["ticks"] for poll in polls) > 0
    if days >= 20:  # a slope of few days is the noise of the allocator
        assert growth < MIB_A_MONTH
    assert late[-1][1] < late[0][1] * 1.25
    assert max(files[-10:]) <= max(files[:10]) + 8


def _parts(status: dict[str, object]) -> list[dict[str, dict[str, int]]]:
    further = status.get("further_gateways")
    return [status, *(further if isinstance(further, list) else [])]

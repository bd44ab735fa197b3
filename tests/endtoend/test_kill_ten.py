"""SIGKILL of a recorder with ten gateways at any moment: every tick that it spoke of is there, once, of each."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.databases.influx1 import Influx1
from tests.endtoend.points import stored
from tests.endtoend.recorder import Recorder, influxdb
from tests.endtoend.sites import fast_clock
from tests.several import neighbours
from tests.sizes import sized

COUNT = 10
RATE = 30.0


def ticks_in(status: dict[str, Any]) -> dict[str, int]:
    """The last tick that a status tells of each gateway."""
    parts = [status, *status.get("further_gateways", [])]
    return {part["gateway"]["serial"]: part["polls"]["last_tick"] for part in parts if part.get("gateway")}


def has_ticks_of_all(status: dict[str, Any]) -> bool:
    """Return whether the recorder has a tick of each gateway."""
    ticks = ticks_in(status)
    return len(ticks) == COUNT and min(ticks.values()) > 0


@pytest.mark.long
def test_what_was_acknowledged_of_any_of_ten_gateways_is_there_once(influx1: Influx1, tmp_path: Path) -> None:
    moments = random.Random("kill ten")
    buckets = influx1.fresh_buckets()
    acknowledged: defaultdict[str, set[int]] = defaultdict(set)
    clock = fast_clock(RATE)
    with neighbours(clock, COUNT, epoch=clock.start - 20 * 86400) as many:
        intervals = {"LOGGER_TOTALS_INTERVAL_S": "15", "LOGGER_DEVICES_INTERVAL_S": "60"}
        settings = many.write_file(tmp_path) | intervals | influxdb(influx1.target(buckets))
        recorder = Recorder(tmp_path, settings, clock)
        with contextlib.closing(recorder):
            recorder.start()
            recorder.wait_until(has_ticks_of_all)  # a kill during a sign-in would cause another sign-in
            recorder.kill()
            for _ in range(sized(200)):
                recorder.start()
                recorder.wait_until(lambda status: any(ticks_in(status).values()))
                time.sleep(moments.uniform(0.0, 1.5))
                status = recorder.status()
                recorder.kill()
                for serial, tick in ticks_in(status).items():
                    acknowledged[serial] |= {tick} - {0}
            recorder.start()
            last = recorder.wait_until(has_ticks_of_all)
            recorder.wait_until_delivered(max(ticks_in(last).values()))
            assert recorder.terminate() == 0
        assert many.sign_ins == COUNT, "each token outlives the process"
    assert acknowledged.keys() == set(many.serials)
    held = Counter(
        (place.tag("gateway"), place.time)
        for row in stored(recorder.state)
        for place, _ in row.lines
        if place.measurement == "envoy_logger" and not place.tag("endpoint")
    )
    given = Counter(
        (row.tags["gateway"], row.time)
        for row in influx1.rows(buckets["totals"], "envoy_logger")
        if not row.tags.get("endpoint")
    )
    assert set(held.values()) == set(given.values()) == {1}
    for serial, ticks in acknowledged.items():
        missing = {tick for tick in ticks if (serial, tick) not in held or (serial, tick) not in given}
        assert not missing, serial

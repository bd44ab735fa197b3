"""Encode the same points by the recorder's encoder and by influxdb-client's `Point`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from influxdb_client import Point, WritePrecision

from logger.daemon.gateway_state import GatewayState
from logger.daemon.tick import run_tick
from logger.influx.line_protocol import encode
from logger.model import Reading
from tests.readings.recordings import SITE, load


def read_points(recording: str) -> list[Reading]:
    """Every point of one poll of a recording."""
    roles = frozenset({"totals", "devices"})
    return run_tick(load(recording).snapshot(), roles, GatewayState(), SITE).readings  # type: ignore[arg-type]


def encode_by_point(readings: Sequence[Reading]) -> bytes:
    """Encode as a program with influxdb-client does."""
    lines = []
    for reading in readings:
        point = Point(reading.measurement).time(reading.time, WritePrecision.S)
        for key, tag in reading.tags.items():
            point.tag(key, tag)
        for key, value in reading.fields.items():
            point.field(key, value)
        lines.append(point.to_line_protocol())
    return "\n".join(lines).encode()


def compare(readings: Sequence[Reading], rounds: int, times: int) -> tuple[list[float], list[float]]:
    """Microseconds of processor a point: ours and `Point`'s, in rounds that take turns."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_time(lambda: encode(readings), times) / len(readings))
        theirs.append(_time(lambda: encode_by_point(readings), times) / len(readings))
    return ours, theirs


def _time(work: Callable[[], object], times: int) -> float:
    """Microseconds of processor that `work` takes."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6

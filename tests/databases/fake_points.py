"""Read line protocol and store its points as InfluxDB 2 does, and refuse what it refuses."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from line_protocol_parser import LineFormatError, parse_line

from logger.model import Value
from tests.databases.fake_records import Bucket, Refusal

SECONDS = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
TYPES = {float: "float", int: "integer", bool: "boolean", str: "string"}


@dataclass(frozen=True, slots=True)
class Point:
    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: dict[str, Value]
    time: int


def parse_point(line: str, scale: int) -> Point:
    try:
        found = parse_line(line)
    except LineFormatError as error:
        raise Refusal(400, "invalid", f"unable to parse '{line}': {error}") from error
    values = found["fields"]
    if line.endswith("\r") or any(isinstance(value, float) and not math.isfinite(value) for value in values.values()):
        raise Refusal(400, "invalid", f"unable to parse '{line}': invalid number")
    if any(not value for value in found["tags"].values()):
        raise Refusal(400, "invalid", f"unable to parse '{line}': missing tag value")
    at = found.get("time")
    seconds = time.time() if at is None else at / scale
    if abs(seconds) > 9_223_372_036:
        raise Refusal(400, "invalid", f"unable to parse '{line}': time outside range")
    return Point(found["measurement"], tuple(sorted(found["tags"].items())), values, int(seconds))


def unpack(body: bytes) -> bytes:
    """Every member of a gzip body. A damaged one is an internal error in InfluxDB 2, not a bad request."""
    whole, rest = b"", body
    while rest:
        member = zlib.decompressobj(31)
        try:
            whole += member.decompress(rest)
        except zlib.error as error:
            raise Refusal(500, "internal error", "An internal error has occurred - check server logs") from error
        if not member.eof:
            raise Refusal(500, "internal error", "unable to read data: unexpected EOF")
        rest = member.unused_data
    return whole


def store_points(bucket: Bucket, points: Iterable[Point]) -> str:
    """Store everything that fits → what did not, retention first, in the server's words; empty if all did."""
    oldest = time.time() - bucket.retention_s if bucket.retention_s else -math.inf
    outside, conflicts, conflict = 0, 0, ""
    for point in points:
        if point.time < oldest:
            outside += 1
            continue
        clash = next(
            (
                key
                for key, value in point.fields.items()
                if bucket.types.get((point.measurement, key), type(value)) is not type(value)
            ),
            None,
        )
        if clash is not None:
            conflicts += 1
            old = TYPES[bucket.types[point.measurement, clash]]
            conflict = (
                f'field type conflict: input field "{clash}" on measurement "{point.measurement}" is '
                f"type {TYPES[type(point.fields[clash])]}, already exists as type {old} "
                f"dropped={conflicts}"
            )
            continue
        for key, value in point.fields.items():
            bucket.types[point.measurement, key] = type(value)
            bucket.points.setdefault((point.measurement, point.tags, key), {})[point.time] = value
    if outside:
        conflict = (
            f"dropped {outside} points outside retention policy of duration {bucket.retention_s}s - "
            "oldest point m at 1970 dropped because it violates a Retention Policy Lower Bound "
            f"dropped={outside}"
        )
    return conflict

"""Points as they lie in the recorder's store and as a database gives them back, in one shape to compare."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from line_protocol_parser import parse_line

from logger.model import Role, Value
from logger.readings.table import MEASUREMENTS
from logger.store.packed_lines import unpack_line
from tests.databases.server import Server

ROLE_OF: Mapping[str, Role] = {measurement.name: measurement.role for measurement in MEASUREMENTS}

HOURS = ("envoy_hour", "envoy_inverter_hour")
"""Rows of the daily bucket that are written once, like every tick's points."""


class Place(NamedTuple):
    """Where a point lies: two points at one place are one point. `time` in unix seconds."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    time: int

    def tag(self, name: str) -> str:
        """The value of a tag, empty if it has none."""
        return dict(self.tags).get(name, "")


Points = dict[Place, dict[str, Value]]


def parsed(lines: Iterable[str]) -> list[tuple[Place, dict[str, Value]]]:
    """Line protocol read back by a parser that is not ours; times in seconds as they stand."""
    found = []
    for line in lines:
        point = parse_line(line)
        place = Place(point["measurement"], tuple(sorted(point["tags"].items())), point["time"])
        found.append((place, dict(point["fields"])))
    return found


@dataclass(frozen=True)
class StoredRow:
    """One row of the outbox: what one tick has to say in one role."""

    tick: int
    role: Role
    delivered: bool
    lines: list[tuple[Place, dict[str, Value]]]


def stored(state: Path) -> list[StoredRow]:
    """Everything that the store of a recorder holds, delivered or not, in the order of its commits.

    A copy is read, so a killed recorder's files stay as it left them.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in state.glob("store.sqlite3*"):
            shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / "store.sqlite3")) as connection:
            rows = connection.execute("SELECT tick, role, delivered_at, body FROM outbox ORDER BY id").fetchall()
    return [StoredRow(tick, role, delivered_at is not None, parsed(gzip.decompress(body).decode().splitlines()))
            for tick, role, delivered_at, body in rows]  # fmt: skip


def stored_days(state: Path) -> tuple[Points, Points]:
    """The rows of days as they are now in the store of a recorder: every one, and of those the delivered ones."""
    with tempfile.TemporaryDirectory() as folder:
        for file in state.glob("store.sqlite3*"):
            shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / "store.sqlite3")) as connection:
            rows = connection.execute("SELECT line, dirty FROM daily").fetchall()
    lines = [((unpack_line(stored) or b"").decode(), dirty) for stored, dirty in rows]
    return dict(parsed(line for line, _ in lines)), dict(parsed(line for line, dirty in lines if not dirty))


def as_points(rows: Iterable[StoredRow]) -> Points:
    """The same as points; none may have been stored twice, and each is in its measurement's role."""
    found: Points = {}
    for row in rows:
        for place, fields in row.lines:
            assert place not in found, f"stored twice: {place}"
            assert ROLE_OF[place.measurement] == row.role, place
            found[place] = fields
    return found


def in_database(server: Server, buckets: Mapping[Role, str]) -> Points:
    """Every point of every measurement of the table that the database gives back, but for the rows that are renewed.

    A field that is not there has no row at all in InfluxDB 2, and its CSV shows an empty text as nothing.
    """
    found: Points = {}
    for name, role in ROLE_OF.items():
        if role != "daily" or name in HOURS:
            found |= _given_back(server, buckets[role], name)
    return found


def days_in_database(server: Server, buckets: Mapping[Role, str]) -> Points:
    """Every row of a day that the database gives back."""
    return {
        place: fields
        for name, role in ROLE_OF.items()
        if role == "daily"
        for place, fields in _given_back(server, buckets[role], name).items()
    }


def _given_back(server: Server, bucket: str, name: str) -> Points:
    found: Points = {}
    for row in server.rows(bucket, name):
        place = Place(name, tuple(sorted(row.tags.items())), row.time)
        assert place not in found, f"given back twice: {place}"
        empty = {name: "" for name, value in row.fields.items() if value is None}
        found[place] = {**row.fields, **empty}
    return found


def differences(got: Points, expected: Points) -> list[str]:
    """What differs, in words; types count, and 1.0 is not 1."""
    found = [f"missing: {place}" for place in expected.keys() - got.keys()]
    found += [f"extra: {place}" for place in got.keys() - expected.keys()]
    for place in got.keys() & expected.keys():
        mine, theirs = typed(got[place]), typed(expected[place])
        found += [f"{place}: {name} is {mine.get(name)}, not {theirs.get(name)}"
                  for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)]  # fmt: skip
    return sorted(found)


def typed(fields: Mapping[str, Value]) -> dict[str, tuple[str, Value]]:
    """Each value with the name of its type."""
    return {name: (type(value).__name__, value) for name, value in fields.items()}


Samples = dict[tuple[str, tuple[tuple[str, str], ...], int], float]
"""What VictoriaMetrics holds, by series name, tags and time."""


def numbers(points: Points) -> Samples:
    """As VictoriaMetrics keeps them: one series a field, everything a number, text as 0."""
    return {
        (f"{place.measurement}_{name}", place.tags, place.time): 0.0 if isinstance(value, str) else float(value)
        for place, fields in points.items()
        for name, value in fields.items()
    }


_OF_DAILY_ROWS = tuple(f"{name.removeprefix('envoy_')}_" for name, role in ROLE_OF.items() if role == "daily")


def in_victoria(server: Server) -> Samples:
    """Everything of ours that a VictoriaMetrics holds, but for the rows of days."""
    return {
        (f"envoy_{name}", tuple(sorted(row.tags.items())), row.time): float(value)
        for row in server.rows("", "envoy")
        for name, value in row.fields.items()
        if not name.startswith(_OF_DAILY_ROWS)
    }


def close_to(got: Samples, wanted: Samples) -> bool:
    """Whether they are the same but for the digits beyond fifteen, which VictoriaMetrics does not keep."""
    return got.keys() == wanted.keys() and all(
        abs(got[key] - value) <= 1e-12 * max(1.0, abs(value)) for key, value in wanted.items()
    )

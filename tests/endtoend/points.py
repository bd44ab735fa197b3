"""Points as they lie in the recorder's store and as a database gives them back, in one shape to compare."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from line_protocol_parser import parse_line

from logger.model import Role, Value
from logger.readings.table import MEASUREMENTS
from tests.servers import Server

ROLE_OF: Mapping[str, Role] = {measurement.name: measurement.role for measurement in MEASUREMENTS}


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


def stored(state: Path) -> dict[Role, list[tuple[Place, dict[str, Value]]]]:
    """Every line that the store of a recorder holds, delivered or not, in the order of their commits.

    A copy is read, so a killed recorder's files stay as it left them.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in state.glob("store.sqlite3*"):
            shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / "store.sqlite3")) as connection:
            rows = connection.execute("SELECT role, body FROM outbox ORDER BY id").fetchall()
    found: dict[Role, list[tuple[Place, dict[str, Value]]]] = {"totals": [], "devices": [], "daily": []}
    for role, body in rows:
        found[role] += parsed(gzip.decompress(body).decode().splitlines())
    return found


def as_points(lines: Mapping[Role, list[tuple[Place, dict[str, Value]]]]) -> Points:
    """The same as points; none may have been stored twice, and each is in its measurement's role."""
    everything = [place for part in lines.values() for place, _ in part]
    twice = [place for place, count in Counter(everything).items() if count > 1]
    assert not twice, f"stored twice: {twice[:5]}"
    assert all(ROLE_OF[place.measurement] == role for role, part in lines.items() for place, _ in part)
    return {place: fields for part in lines.values() for place, fields in part}


def in_database(server: Server, buckets: Mapping[Role, str]) -> Points:
    """Every point of every measurement of the table that the database gives back."""
    return {
        Place(name, tuple(sorted(row.tags.items())), row.time): dict(row.fields)
        for name, role in ROLE_OF.items()
        for row in server.rows(buckets[role], name)
    }


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


def numbers(points: Points) -> dict[tuple[str, tuple[tuple[str, str], ...], int], float]:
    """As VictoriaMetrics keeps them: one series a field, everything a float, text as 0."""
    return {
        (f"{place.measurement}_{name}", place.tags, place.time): 0.0 if isinstance(value, str) else float(value)
        for place, fields in points.items()
        for name, value in fields.items()
    }

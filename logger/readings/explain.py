"""Explain one value: list its sources, the value that each source gives now, and the source in use. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from logger.model import Json, Reading, Snapshot, Value
from logger.readings.json_values import dig
from logger.readings.rows import UNKNOWN, Row, View
from logger.readings.schema import Field, Key, Measurement
from logger.readings.table import COUNTERS

State = Literal["used", "not needed", "rejected", "no value", "not listed", "unknown", "absent"]
MEANINGS: Final[dict[State, str]] = {
    "used": "the first source that this gateway has",
    "not needed": "a better source gives the value",
    "rejected": "the source has a value, but this value may not be written now",
    "no value": "the source gives no plausible value; no worse source is used instead",
    "not listed": "the source does not list this device",
    "unknown": "it is unknown now whether the source has a value; no worse source is used instead",
    "absent": "this gateway does not have the source",
}
"""State of a source → its meaning in words."""
_RAW_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Candidate:
    """One source of a value: key, state, path of the document, raw value as JSON, and converted value."""

    key: Key
    state: State
    path: str = ""
    raw: str = ""
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """The explanation of a field in one series: its point or None, and its sources, the best source first.

    `counters`: the counters from which the field is computed, each with its sources, the best source first.
    """

    measurement: Measurement
    field: Field
    tags: Mapping[str, str]
    reading: Reading | None
    candidates: tuple[Candidate, ...]
    counters: tuple[tuple[Field, tuple[Candidate, ...]], ...] = ()

    @property
    def source(self) -> Candidate | None:
        """Return the source from which the value was read; None without such a source."""
        return next((c for c in self.candidates if c.state == "used"), None)


def explain(
    snapshot: Snapshot, readings: Sequence[Reading], measurement: Measurement, field: Field
) -> list[Explained]:
    """Explain a field in each series of its measurement. If there is no series, list only the field's sources."""
    view = View(snapshot, measurement.role)
    points = [r for r in readings if r.measurement == measurement.name]
    counters = tuple(
        (counter, _candidates(counter, (), View(snapshot, "totals"), None))
        for counter in COUNTERS
        if counter.name in re.findall(r"\w+", field.made_of)
    )
    if not points:
        return [Explained(measurement, field, {}, None, _candidates(field, (), view, None), counters)]
    return [
        Explained(measurement, field, point.tags, point, _candidates(field, measurement.tags, view, point), counters)
        for point in points
    ]


def _candidates(field: Field, tags: Sequence[str], view: View, point: Reading | None) -> tuple[Candidate, ...]:
    """List every source of a field in order. All sources after the deciding source have the state "not needed"."""
    found: list[Candidate] = []
    is_decided = False
    for key in field.keys:
        if point is not None and "kind" in tags and key.rowset.kind != point.tags["kind"]:
            continue
        candidate = _candidate(key, field, tags, view, point)
        if candidate.state not in ("absent", "not listed"):
            if is_decided:
                candidate = replace(candidate, state="not needed")
            elif candidate.state == "used" and point is not None and point.fields.get(field.name) != candidate.value:
                candidate = replace(candidate, state="rejected")
            is_decided = True
        found.append(candidate)
    return tuple(found)


def _candidate(key: Key, field: Field, tags: Sequence[str], view: View, point: Reading | None) -> Candidate:
    rows = key.rowset.select(view)
    if not rows:
        return Candidate(key, "unknown" if rows is UNKNOWN else "absent")
    row = next((row for row in rows if _is_of(row, tags, point)), None)
    if row is None:
        return Candidate(key, "not listed")
    path = row.document.path if row.document is not None else key.rowset.where.partition(",")[0]
    value = field.value_of(key, row, view)
    return Candidate(key, "no value" if value is None else "used", path, raw_of(key, row), value)


def _is_of(row: Row, tags: Sequence[str], point: Reading | None) -> bool:
    """Return True if a row belongs to the series of a point. Without a point, every row does.

    `tags`: the names of the measurement's tags; empty for the site, which has one series.
    """
    if point is None or not tags:
        return True
    if row.tags:
        return all(point.tags.get(name) == value for name, value in row.tags)
    return row.serial == point.tags.get("serial")


def raw_of(key: Key, row: Row) -> str:
    """Return the raw value of a key as JSON.

    For a value that is computed from several keys of the row, such as "a + b", return these keys with their values.
    """
    value = dig(row.values, key.name)
    if value is None:
        words = re.findall(r"[\w-]+", key.name)
        parts: dict[str, Json] = {name: part for name, part in row.values.items() if name in words}
        if not parts:
            return "made of more than one row"
        value = parts
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _RAW_LIMIT else f"{text[:_RAW_LIMIT]}…"

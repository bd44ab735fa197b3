"""Bring what Grafana answers into the form of `expected.Cells`, whatever the query language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.grafana.asking import Column
from tests.grafana.expected import BY_LABEL, LABELS, Cells, key_of

_UNSEEN = {"_time", "_start", "_stop", "_measurement", "_field", "time", "Time", "table", "result"}

_HIDDEN = {
    "CurveByPanel": {"panel", "digits", "panel_group"},
    "PanelNames": {"panel", "serial", "digits", "panel_group"},
    "RoofCells": {"name_row", "panel_row", "panel_column"},
    "WeekShares": {"panel"},
    "HoursOfDays": {"hour"},
    "PanelDays": {"panel", "digits", "panel_group"},
    "HourShares": {"panel", "hour", "digits", "panel_group"},
}


def read_cells(query: Any, frames: list[list[Column]], *, is_flux: bool) -> Cells:
    """The cells of one query's answer; a null is no cell."""
    found: Cells = {}
    kind = type(query).__name__
    for row in _rows_of_flux(frames) if is_flux else _rows_of_influxql(frames):
        if kind == "LastTime":
            found["newest", ""] = row.get("newest", row.get("time", 0.0))
            continue
        key = key_of(query, row)
        hidden = {LABELS[query.rows.measurement]} if kind in BY_LABEL else set()
        if kind not in ("Each", "Listing"):
            hidden |= set(row[""])
        if kind in _HIDDEN:
            hidden |= _HIDDEN[kind]
        if kind == "TotalByTag":
            hidden.add(query.tag)
        found |= {
            (name, key): value
            for name, value in row.items()
            if name
            and value is not None
            and value not in ("", getattr(query, "blank", ""))
            and name not in _UNSEEN | hidden
        }
    return found


def _rows_of_flux(frames: list[list[Column]]) -> Iterator[dict[str, Any]]:
    """Each row by its columns; under the empty name those that are labels."""
    for columns in frames:
        labels = {name: text for _, of, _ in columns for name, text in of.items()}
        for cells in zip(*(values for _, _, values in columns), strict=True):
            row: dict[str, Any] = {**labels, "": list(labels)}
            for (name, _, _), value in zip(columns, cells, strict=True):
                row[name] = value / 1000 if name == "newest" and value else value
                if name in ("_time", "time", "Time"):
                    row["time"] = value // 1000
            yield row


def _rows_of_influxql(frames: list[list[Column]]) -> Iterator[dict[str, Any]]:
    """The same, of one frame a column: a frame whose name was there begins another series."""
    series: list[list[list[Column]]] = []
    for frame in frames:
        same = series and series[-1][0][1][1] == frame[1][1] and all(one[1][0] != frame[1][0] for one in series[-1])
        if same:
            series[-1].append(frame)
        else:
            series.append([frame])
    for columns in series:
        labels = columns[0][1][1]
        for number, at in enumerate(columns[0][0][2]):
            row: dict[str, Any] = {**labels, "": list(labels), "time": at // 1000}
            row |= {frame[1][0]: frame[1][2][number] for frame in columns if number < len(frame[1][2])}
            yield row

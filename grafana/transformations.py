"""Make Grafana's transformations, with which Grafana's page turns answers into a panel's rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from grafana.query.cells import PLACE

Step: TypeAlias = tuple[str, Mapping[str, object]]
"""Grafana's name of a transformation, and its options."""
Steps: TypeAlias = tuple[Step, ...]
_NAMES: Final = ("panel", "serial", "local_year")


def as_words(columns: Iterable[str]) -> Steps:
    """Convert the columns with names to strings, so that Grafana does not show a name of digits as a number."""
    names = [column for column in columns if column in _NAMES]
    if not names:
        return ()
    return (
        ("convertFieldType", {"conversions": [{"targetField": name, "destinationType": "string"} for name in names]}),
    )


def hours_by_day(value: str) -> Steps:
    """Make a table with a row for each hour of the day and a column for each local day.

    Grafana places a column by a time. The time of a day's column is the day's midnight: for each row of the
    query's answer, the time of the row minus the local hour of the row.
    """
    return (
        _calculate("since_midnight", "hour", "*", 3_600_000),
        _calculate("midnight", "Time", "-", "since_midnight"),
        sort_by("hour"),
        ("groupingToMatrix", {"columnField": "hour", "rowField": "midnight", "valueField": value}),
        ("convertFieldType", {"conversions": [{"targetField": "midnight\\hour", "destinationType": "time"}]}),
        sort_by("midnight\\hour"),
    )


def begins(name: str, stem: str) -> Steps:
    """Make the column `name`: the time of the row minus the duration in the column `<stem>_s`."""
    return (
        _calculate(f"{stem}_ms", f"{stem}_s", "*", 1000),
        _calculate(name, "Time", "-", f"{stem}_ms"),
        ("convertFieldType", {"conversions": [{"targetField": name, "destinationType": "time"}]}),
    )


def roof_cells() -> Steps:
    """Make a table of the roof, in which a line of panel names is above each line of values."""
    return (
        ("convertFieldType", {"conversions": [{"targetField": "panel_row", "destinationType": "number"}]}),
        _calculate("panel_row", "name_row", "-", 0.5),
        ("merge", {}),
        sort_by("panel_row"),
        ("groupingToMatrix", {"columnField": "panel_column", "rowField": "panel_row", "valueField": "cell"}),
        ("filterFieldsByName", {"include": {"pattern": r"^\d+$"}}),
    )


def _calculate(name: str, left: str, operator: str, right: float | str) -> Step:
    """Make the column `name` from two columns, or from a column and a number."""
    binary = {"left": left, "operator": operator, "right": str(right)}
    return "calculateField", {"mode": "binary", "alias": name, "binary": binary, "timeSeries": False}


def join_by(column: str) -> Steps:
    """Join the answers of several queries into one table, by a column that all answers have."""
    return (("joinByField", {"byField": column, "mode": "outer"}),)


def in_one_row() -> Step:
    """Put the columns of all answers into one row, so that Grafana can order and calculate columns."""
    return "concatenate", {"frameNameMode": "drop"}


def sum_of(name: str, parts: Iterable[str]) -> Steps:
    """Replace all columns by the column `name`, the sum of the columns in `parts`."""
    reduce = {"reducer": "sum", "include": list(parts)}
    options = {"mode": "reduceRow", "alias": name, "reduce": reduce, "replaceFields": True, "timeSeries": False}
    return (in_one_row(), ("calculateField", options))


def changes(columns: Iterable[str], prefix: str) -> Steps:
    """Make a column `…_change` for each column: its ratio to the column with the prefix, minus 1."""
    steps = [in_one_row()]
    for column in columns:
        steps.append(_calculate(f"ratio_{column}", column, "/", f"{prefix}{column}"))
        steps.append(_calculate(f"{column}_change", f"ratio_{column}", "-", 1))
    return tuple(steps)


def cells(row: str, column: str, value: str) -> Steps:
    """Make a table of cells from an answer that has a row for each cell.

    `row`, `column`, `value`: the columns of the answer that give a cell's row, its column and its value. If the rows
    of the table are times, the times are in ascending order, and the panels are in the order of their names. If the
    rows of the table are panels, the panel with the least value comes first, because the cells are sorted by value,
    and the first cell of a panel makes the panel's row.

    Without a layout file, a curve's answer in InfluxQL has the panel's name in the column `serial`. In other answers,
    the column `serial` only identifies the row.
    """
    corner = f"{row}\\{column}"
    times: Steps = (
        ("convertFieldType", {"conversions": [{"targetField": corner, "destinationType": "time"}]}),
        sort_by(corner),
        # without these columns an answer of names alone is empty, so that Grafana shows the text of absence
        ("filterFieldsByName", {"exclude": {"names": ["Time", *PLACE]}}),
    )
    return (
        ("merge", {}),
        ("organize", {"excludeByName": {}, "indexByName": {}, "renameByName": {"serial": "panel"}})
        if row == "Time"
        else ("organize", {"excludeByName": {"serial": True}, "indexByName": {}, "renameByName": {}}),
        *(map(sort_by, PLACE) if row == "Time" else (sort_by(value),)),
        ("groupingToMatrix", {"columnField": column, "rowField": row, "valueField": value}),
        *(times if row == "Time" else ()),
    )


def sort_by(column: str, *, down: bool = False) -> Step:
    """Sort rows by a column."""
    return "sortBy", {"fields": {}, "sort": [{"field": column, "desc": down}]}

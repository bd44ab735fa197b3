"""Define the named queries about the hours of the day. Pure."""

from __future__ import annotations

from typing import Final

from logger.query.energy_queries import ENERGIES
from logger.query.named_query import AnswerTable, Cell, Column, NamedQuery, Need, Rows, Scope, group_by, mean, number

_NO_HOUR: Final = "the month has no row for this hour"


def _answer_shape(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each hour of the day, with the mean production in each month of the time span."""
    by_month = group_by(rows.of("envoy_hour"), lambda point: f"{scope.local(point.time):%Y-%m}")
    hours = {month: group_by(points, lambda p: p.tags.get("hour", "")) for month, points in by_month.items()}
    found: list[tuple[Cell, ...]] = []
    for hour in (f"{each:02}" for each in range(24)):
        cells = (mean(number(point, "production_wh") for point in hours[month].get(hour, ())) for month in by_month)
        found.append((hour, *cells))
    columns = (Column("hour", "hour"), *(Column(month, month, "wh", _NO_HOUR) for month in by_month))
    return AnswerTable(columns, found if by_month else [], curve=columns[-1].name if by_month else "")


def _answer_hours(rows: Rows, _scope: Scope) -> AnswerTable:
    """Make a row for each hour of the day, with the mean of each energy in the time span."""
    by_hour = group_by(rows.of("envoy_hour"), lambda point: point.tags.get("hour", ""))
    found = [
        (hour, *(mean(number(point, column.name) for point in points) for column in ENERGIES))
        for hour, points in by_hour.items()
    ]
    return AnswerTable((Column("hour", "hour"), *ENERGIES), found, curve="grid_import_wh")


HOUR_QUERIES: Final = (
    NamedQuery(
        "shape",
        "What does a usual day look like, hour by hour?",
        (Need("daily", "envoy_hour", ("production_wh",)),),
        _answer_shape,
    ),
    NamedQuery(
        "hours",
        "At which hours is energy bought and sold?",
        (Need("daily", "envoy_hour", tuple(column.name for column in ENERGIES)),),
        _answer_hours,
    ),
)

"""Define the named query about today. The page and `status` show the answer of this query, too. Pure.

On the day on which recording begins, a second row has what was counted since then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from logger.days import first_instant
from logger.energy.counting import UNKNOWN, Counting
from logger.query.named_query import AnswerTable, Column, NamedQuery, Need, Rows, Scope, number
from logger.query.shares import SHARES, compute_shares, explain_shares

_TODAY: Final = {
    "production": Column("production_today_wh", "made", "wh"),
    "load": Column("load_today_wh", "used", "wh"),
    "grid_import": Column("grid_import_today_wh", "bought", "wh"),
    "grid_export": Column("grid_export_today_wh", "sold", "wh"),
    "battery_charged": Column("battery_charged_today_wh", "charged", "wh"),
    "battery_discharged": Column("battery_discharged_today_wh", "discharged", "wh"),
}
_POWER: Final = "production_power_w"
_SINCE: Final = Column("since", "since")
_AT_MIDNIGHT_S: Final = 600
"""A first reading so soon after midnight is no beginning of the recording."""


def _answer_today(rows: Rows, scope: Scope) -> AnswerTable:
    last: dict[str, float | None] = {}
    rows = _keep_last_day(rows, scope)
    for point in rows.of("envoy_totals"):
        last |= {name: number(point, column.name) for name, column in _TODAY.items() if column.name in point.fields}
    counting = scope.counting if scope.counting is not None else _count_rows(rows, scope, last)
    begun = {name for name in _TODAY if name in counting.begun and last.get(name) is None}
    lines = {"": last} if last else {}
    clock = f"{scope.local(counting.since):%H:%M}"
    if begun:
        lines[clock] = {name: counting.wh.get(name) for name in _TODAY}
    energies = [[of_line.get(name) for name in _TODAY] for of_line in lines.values()]
    found = [
        (scope.last_day.isoformat(), *((since,) if begun else ()), *cells, *compute_shares(cells))
        for since, cells in zip(lines, energies, strict=True)
    ]
    reasons = {
        column.name: _explain(name, counting, clock)
        for place, (name, column) in enumerate(_TODAY.items())
        if any(cells[place] is None for cells in energies)
    }
    known = {name: reason for name, reason in reasons.items() if reason}
    notes = (
        (f"Recording began today at {clock} ({scope.zone.key}): the line since then has what was counted.",)
        if begun
        else ()
    )
    columns = (Column("local_date", "day"), *((_SINCE,) if begun else ()), *_TODAY.values(), *SHARES)
    return AnswerTable(columns, found, notes=notes, reasons=known | explain_shares(cells[:4] for cells in energies))


def has_counted(answer: AnswerTable) -> bool:
    """Return whether the last row of the answer has what was counted since a time of today."""
    return _SINCE in answer.columns


def find_figure(answer: AnswerTable, quantity: str) -> tuple[float, str] | None:
    """Return an energy of today in Wh, and the local time since which it was counted; empty for the whole day."""
    place = answer.columns.index(_TODAY[quantity])
    for row in answer.rows:
        if isinstance(wh := row[place], float):
            return wh, str(row[answer.columns.index(_SINCE)]) if has_counted(answer) else ""
    return None


def _keep_last_day(rows: Rows, scope: Scope) -> Rows:
    midnight = _find_midnight(scope)
    return Rows({name: [point for point in rows.of(name) if point.time >= midnight] for name in rows.points})


def _find_midnight(scope: Scope) -> int:
    return first_instant(scope.last_day.isoformat(), scope.zone.key)


def _explain(quantity: str, counting: Counting, clock: str) -> str:
    """Return why there is no figure of today; empty if the reason is not known."""
    if quantity in counting.waiting:
        return "its counter waits for a first value above zero, or an hour of zeros"
    if quantity in counting.begun:
        return (
            "this gateway gives no figure of today, so the whole day is unknown on the day on which recording "
            f"begins; it is counted since {clock}"
        )
    if counting.measured is not None and quantity not in counting.measured:
        return (
            "this site has no battery" if quantity.startswith("battery") else "this site has no meter that counts it"
        )
    return ""


def _count_rows(rows: Rows, scope: Scope, last: Mapping[str, float | None]) -> Counting:
    """Find what was counted since recording began today, from rows alone.

    A quantity began with the recording if the row of the day has a figure of it, and no reading has its figure of
    today.
    """
    first = next((point.time for point in rows.of("envoy_totals") if _POWER in point.fields), 0)
    if first < _find_midnight(scope) + _AT_MIDNIGHT_S:
        return UNKNOWN
    fields = {name: f"{name}_wh" for name in _TODAY}
    counted = {
        name: wh
        for point in rows.of("envoy_day")[-1:]
        for name, field in fields.items()
        if (wh := number(point, field)) is not None
    }
    begun = frozenset(name for name in counted if name not in last)
    return Counting(begun=begun, since=first, wh=counted)


TODAY: Final = NamedQuery(
    "today",
    "How much energy was it today?",
    (
        Need("totals", "envoy_totals", (*(column.name for column in _TODAY.values()), _POWER)),
        Need("daily", "envoy_day", ("local_date", *(f"{name}_wh" for name in _TODAY))),
    ),
    _answer_today,
    "day",
)

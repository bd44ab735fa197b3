"""Define the named query about today. The page and `status` show the answer of this query, too. Pure.

On the day on which recording begins, a second row has the energy counted since recording began.
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
"""If the first reading is less than this many seconds after midnight, the day counts as recorded from midnight."""


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
        (f"Recording began today at {clock} ({scope.zone.key}): the second row has the energy counted since then.",)
        if begun
        else ()
    )
    columns = (Column("local_date", "day"), *((_SINCE,) if begun else ()), *_TODAY.values(), *SHARES)
    return AnswerTable(columns, found, notes=notes, reasons=known | explain_shares(cells[:4] for cells in energies))


def has_counted(answer: AnswerTable) -> bool:
    """Return whether the last row of the answer has energy that was counted only since recording began today."""
    return _SINCE in answer.columns


def find_figure(answer: AnswerTable, quantity: str) -> tuple[float, str] | None:
    """Return an energy of today in Wh, and the local time since which it was counted.

    The time is empty if the energy covers the whole day. Return None if the energy is unknown.
    """
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
    """Return why an energy of today is unknown; empty if the reason is not known."""
    if quantity in counting.waiting:
        return "the counter waits for its first value above zero, or for an hour of zeros"
    if quantity in counting.begun:
        return (
            "this gateway gives no plausible figure of today for this energy, so the energy of the whole first day "
            f"is unknown; the energy is counted since {clock}"
        )
    if counting.measured is not None and quantity not in counting.measured:
        return (
            "this site has no battery"
            if quantity.startswith("battery")
            else "no meter of this site counts this energy"
        )
    return ""


def _count_rows(rows: Rows, scope: Scope, last: Mapping[str, float | None]) -> Counting:
    """If recording began today, return the energies of the newest day row; otherwise `UNKNOWN`.

    These energies are counted since recording began. `last`: quantity → its energy of the whole day, as the gateway
    gives it. The quantities in `last` are left out of `Counting.begun`.
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
    "How much energy flowed today?",
    (
        Need("totals", "envoy_totals", (*(column.name for column in _TODAY.values()), _POWER)),
        Need("daily", "envoy_day", ("local_date", *(f"{name}_wh" for name in _TODAY))),
    ),
    _answer_today,
    "day",
)

"""Define the named queries about batteries. Pure."""

from __future__ import annotations

from typing import Final

from logger.query.named_query import (
    AnswerTable,
    Cell,
    Column,
    NamedQuery,
    Need,
    Rows,
    Scope,
    number,
    percent,
    text,
    total,
)

_ENERGIES: Final = ("battery_charged_wh", "battery_discharged_wh")
_OVER_MIDNIGHT: Final = (
    "Energy that is sold on one day and bought after midnight is not counted, but a bigger battery could keep it."
)


def _capacity_wh(rows: Rows) -> float | None:
    """Return the newest capacity in Wh."""
    return next(
        (wh for p in reversed(rows.of("envoy_totals")) if (wh := number(p, "battery_capacity_wh")) is not None), None
    )


def _answer_battery(rows: Rows, _scope: Scope) -> AnswerTable:
    """Make a row for each month: energy in and out, efficiency, and full cycles."""
    capacity = _capacity_wh(rows)
    found: list[tuple[Cell, ...]] = []
    for point in rows.of("envoy_month"):
        charged, discharged = (number(point, name) for name in _ENERGIES)
        if charged is not None or discharged is not None:
            cycles = None if discharged is None or not capacity else discharged / capacity
            found.append((text(point, "local_month"), charged, discharged, percent(discharged, charged), cycles))
    every = [total(row[place] for row in found) for place in (1, 2)]  # type: ignore[misc]
    notes = () if every[1] is None or not capacity else (f"In all {every[1] / capacity:.1f} full cycles.",)
    columns = (
        Column("local_month", "month"),
        Column("battery_charged_wh", "charged", "wh"),
        Column("battery_discharged_wh", "discharged", "wh"),
        Column("efficiency_percent", "came back", "%", "nothing was charged, or one of the two energies is unknown"),
        Column("cycles", "full cycles", absent="no reading of the last 31 days tells the capacity of the battery"),
    )
    return AnswerTable(columns, found, curve="battery_discharged_wh", notes=notes)


def _answer_reserve(rows: Rows, scope: Scope) -> AnswerTable:
    found = [
        (text(p, "local_date"), number(p, "battery_min_percent"), number(p, "battery_max_percent"))
        for p in rows.of("envoy_day")
        if "battery_min_percent" in p.fields
    ]
    newest = next(
        (
            kept
            for p in reversed(rows.of("envoy_totals"))
            if (kept := number(p, "battery_reserve_percent")) is not None
        ),
        None,
    )
    columns = (
        Column("local_date", "day"),
        Column("battery_min_percent", "lowest", "%"),
        Column("battery_max_percent", "highest", "%"),
    )
    verb, when = ("was", "then") if scope.is_last_day_over else ("is", "now")
    notes = () if newest is None else (f"The reserve {verb} set to {newest:g} % {when}.",)
    return AnswerTable(columns, found, curve="battery_min_percent", notes=notes)


def _answer_bigger(rows: Rows, _scope: Scope) -> AnswerTable:
    """Make a row for each day: the energy bought, the energy sold, and the smaller of these two energies.

    A bigger battery could have stored this smaller energy and returned it on the same day. Energy that a battery
    keeps over midnight is not counted.
    """
    found: list[tuple[Cell, ...]] = []
    for point in rows.of("envoy_day"):
        bought, sold = number(point, "grid_import_wh"), number(point, "grid_export_wh")
        if bought is not None and sold is not None:
            found.append((text(point, "local_date"), bought, sold, min(bought, sold)))
    kept = total(row[3] for row in found)  # type: ignore[misc]
    notes = () if kept is None else (f"On average {kept / len(found) / 1000:.1f} kWh a day. {_OVER_MIDNIGHT}",)
    columns = (
        Column("local_date", "day"),
        Column("grid_import_wh", "bought", "wh"),
        Column("grid_export_wh", "sold", "wh"),
        Column("could_keep_wh", "could be kept", "wh"),
    )
    return AnswerTable(columns, found, curve="could_keep_wh", notes=notes)


_NEWEST_S: Final = 31 * 86400
_NOW: Final = Need("totals", "envoy_totals", ("battery_capacity_wh", "battery_reserve_percent"), _NEWEST_S)
"""The newest capacity and reserve. Only 31 days are read, so that a small computer has enough memory."""

BATTERY_QUERIES: Final = (
    NamedQuery(
        "battery",
        "How much of its energy does the battery give back, in how many full cycles?",
        (Need("daily", "envoy_month", ("local_month", *_ENERGIES)), _NOW),
        _answer_battery,
        "ever",
    ),
    NamedQuery(
        "reserve",
        "How low was the battery each day?",
        (Need("daily", "envoy_day", ("local_date", "battery_min_percent", "battery_max_percent")), _NOW),
        _answer_reserve,
    ),
    NamedQuery(
        "bigger-battery",
        "Would a bigger battery help?",
        (Need("daily", "envoy_day", ("local_date", "grid_import_wh", "grid_export_wh")),),
        _answer_bigger,
        "year",
    ),
)

"""Define the named queries about the grid and the recording: voltage, frequency, peaks, outages, gaps. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Final

from logger.backfill.history import Point
from logger.model import Value
from logger.query.named_query import (
    AnswerTable,
    Cell,
    Column,
    NamedQuery,
    Need,
    Rows,
    Scope,
    greatest,
    group_by,
    number,
    quarters,
    text,
)

_GAP_S: Final = 300
_NET_METERS: Final = ("net-consumption", "total-consumption")
_EVENT: Final = (
    Need("totals", "envoy_event", ("text", "severity", "duration_s")),
    Need("daily", "envoy_day", ("coverage_percent", "off_grid_s")),
)
"""Events, and rows of days.

A row of a day proves that the recorder ran on that day and could write events. If the row has no `off_grid_s`, the
state of the grid was not measured.
"""
_MEASURED: Final = ("production_power_w", "net_power_w", "battery_power_w", "production_lifetime_wh")
"""Measured totals. A tick with any of them is no gap, even if the others are absent."""
_ONLY_GATEWAY: Final = (
    "This site does not measure the state of the grid, so only outages of the gateway are known. During a power cut "
    "the gateway is usually silent, too."
)


def _list_fields(points: Iterable[Point], columns: tuple[Column, ...], key: str) -> list[tuple[Value | None, ...]]:
    """Return the fields that `columns` name, for each point that has the field `key`."""
    return [tuple(point.fields.get(column.name) for column in columns) for point in points if key in point.fields]


_VOLTAGES: Final = (
    Column("local_date", "day"),
    Column("voltage_min_v", "lowest", "v"),
    Column("voltage_max_v", "highest", "v"),
)
_FREQUENCIES: Final = (
    Column("local_date", "day"),
    Column("frequency_min_hz", "lowest", "hz"),
    Column("frequency_max_hz", "highest", "hz"),
)
_PEAKS: Final = (
    Column("local_month", "month"),
    Column("peak_import_w", "greatest import", "w"),
    Column("at", "at"),
    Column("peak_export_w", "greatest export", "w"),
)


def _answer_voltage(rows: Rows, _scope: Scope) -> AnswerTable:
    return AnswerTable(
        _VOLTAGES, _list_fields(rows.of("envoy_day"), _VOLTAGES, "voltage_max_v"), curve="voltage_max_v"
    )


def _answer_frequency(rows: Rows, _scope: Scope) -> AnswerTable:
    return AnswerTable(
        _FREQUENCIES,
        _list_fields(rows.of("envoy_day"), _FREQUENCIES, "frequency_min_hz"),
        curve="frequency_min_hz",
        notes=("Values while the site was connected to the grid.",),
    )


def _answer_peaks(rows: Rows, _scope: Scope) -> AnswerTable:
    """Make a row for each month: the greatest 15-minute means of import and export, in W.

    A row also has the time of the greatest import.
    """
    found: list[tuple[Cell, ...]] = []
    for month, days in group_by(rows.of("envoy_day"), lambda p: text(p, "local_date")[:7]).items():
        imports = [day for day in days if number(day, "peak_import_w") is not None]
        top = max(imports, key=lambda day: number(day, "peak_import_w") or 0.0, default=None)
        at = f"{text(top, 'local_date')} {text(top, 'peak_import_at')}".strip() if top else None
        peak = number(top, "peak_import_w") if top else None
        found.append((month, peak, at, greatest(number(day, "peak_export_w") for day in days)))
    return AnswerTable(_PEAKS, found, curve="peak_import_w", notes=("Means of 15 minutes.",))


def _answer_imbalance(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each day: the greatest difference between the powers of two phases, in W, and its time.

    The powers are means of 15 minutes.
    """
    points = [p for p in rows.of("envoy_phase") if p.tags.get("meter") in _NET_METERS]
    by_phase = group_by(points, lambda p: p.tags.get("phase", ""))
    means = {phase: quarters(of_phase, "power_w") for phase, of_phase in by_phase.items()}
    by_day: dict[str, list[tuple[float, int]]] = {}
    for at in sorted({at for of_phase in means.values() for at in of_phase}):
        powers = [of_phase[at] for of_phase in means.values() if at in of_phase]
        if len(powers) > 1:
            by_day.setdefault(scope.local(at).date().isoformat(), []).append((max(powers) - min(powers), at))
    found = [(day, *max(each)) for day, each in by_day.items()]
    columns = (Column("local_date", "day"), Column("difference_w", "greatest difference", "w"), Column("at", "at"))
    return AnswerTable(
        columns, [(day, watts, f"{scope.local(at):%H:%M}") for day, watts, at in found], curve="difference_w"
    )


def _answer_export_limit(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each day: the number of export readings at or above the user's limit."""
    limit = scope.numbers["limit-w"]
    found = []
    for day, points in group_by(rows.of("envoy_totals"), lambda p: scope.local(p.time).date().isoformat()).items():
        powers = [-(number(point, "net_power_w") or 0.0) for point in points]
        found.append((day, sum(power >= limit for power in powers), max(0.0, greatest(powers) or 0.0)))
    columns = (
        Column("local_date", "day"),
        Column("readings", "readings at the limit"),
        Column("peak_export_w", "greatest export", "w"),
    )
    return AnswerTable(columns, found, curve="readings")


def _answer_outages(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each event that ends an outage of the grid or the gateway, with the outage's duration."""
    found = [
        (
            f"{scope.local(point.time - (number(point, 'duration_s') or 0.0)):%Y-%m-%d %H:%M}",
            f"{scope.local(point.time):%Y-%m-%d %H:%M}",
            "grid" if point.tags.get("kind") == "grid_back" else "gateway",
            number(point, "duration_s"),
        )
        for point in rows.of("envoy_event")
        if point.tags.get("kind") in ("grid_back", "gateway_back")
    ]
    columns = (Column("from", "from"), Column("to", "to"), Column("what", "what"), Column("duration_s", "for", "s"))
    days = rows.of("envoy_day")
    is_unmeasured = days and not any("off_grid_s" in day.fields for day in days)
    only_gateway = is_unmeasured and all(what == "gateway" for _, _, what, _ in found)
    return AnswerTable(columns, found, notes=(_ONLY_GATEWAY,) if only_gateway else ())


def _answer_gaps(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each gap, a span of time without totals.

    A gap is longer than five minutes, and at least twice as long as the usual time between totals. The newest gap may
    not have ended.
    """
    times = sorted({point.time for point in rows.of("envoy_totals")})
    usual_s = median([b - a for a, b in pairwise(times)]) if len(times) > 1 else 0.0
    pairs = [*zip(times, [*times[1:], scope.until], strict=True)] if times else []
    found = [
        (f"{scope.local(a):%Y-%m-%d %H:%M}", f"{scope.local(b):%Y-%m-%d %H:%M}", float(b - a))
        for a, b in pairs
        if b - a > _GAP_S and b - a >= 2 * usual_s
    ]
    columns = (Column("from", "from"), Column("to", "to"), Column("duration_s", "for", "s"))
    return AnswerTable(columns, found)


def _answer_events(rows: Rows, scope: Scope) -> AnswerTable:
    found = [
        (f"{scope.local(p.time):%Y-%m-%d %H:%M}", text(p, "severity"), p.tags.get("kind", ""), text(p, "text"))
        for p in rows.of("envoy_event")
    ]
    columns = (Column("time", "at"), Column("severity", ""), Column("kind", "kind"), Column("text", "what happened"))
    return AnswerTable(columns, found)


def _of_day(*fields: str) -> tuple[Need, ...]:
    return (Need("daily", "envoy_day", ("local_date", *fields)),)


GRID_QUERIES: Final = (
    NamedQuery(
        "voltage",
        "Between which voltages was the grid each day?",
        _of_day("voltage_min_v", "voltage_max_v"),
        _answer_voltage,
    ),
    NamedQuery(
        "frequency",
        "Between which frequencies was the grid each day?",
        _of_day("frequency_min_hz", "frequency_max_hz"),
        _answer_frequency,
    ),
    NamedQuery(
        "peaks",
        "What was the greatest import of each month, and when?",
        _of_day("peak_import_w", "peak_import_at", "peak_export_w"),
        _answer_peaks,
        "ever",
    ),
    NamedQuery(
        "imbalance",
        "How differently are the phases loaded?",
        (Need("totals", "envoy_phase", ("power_w",)),),
        _answer_imbalance,
    ),
    NamedQuery(
        "export-limit",
        "How often did the export reach its limit?",
        (Need("totals", "envoy_totals", ("net_power_w",)),),
        _answer_export_limit,
        numbers={"limit-w": (5000.0, "the greatest export that you are allowed, in W")},
    ),
    NamedQuery(
        "outages",
        "When was the grid lost or the gateway silent, and for how long?",
        _EVENT,
        _answer_outages,
        "year",
        if_none="No outage ended",
    ),
    NamedQuery(
        "gaps",
        "When was nothing recorded for more than five minutes?",
        (Need("totals", "envoy_totals", _MEASURED),),
        _answer_gaps,
        if_none="There is no gap",
    ),
    NamedQuery("events", "What happened?", _EVENT, _answer_events, if_none="No event was recorded"),
)

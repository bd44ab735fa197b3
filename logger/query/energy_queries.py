"""Define the named queries about energy: now, days, months and years. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from logger.backfill.history import Point
from logger.query.named_query import (
    AnswerTable,
    Cell,
    Column,
    NamedQuery,
    Need,
    Rows,
    Scope,
    mean,
    note_sums,
    number,
    text,
    total,
)
from logger.query.shares import SHARES, compute_shares, explain_shares
from logger.query.today_query import TODAY

ENERGIES: Final = (
    Column("production_wh", "made", "wh"),
    Column("load_wh", "used", "wh"),
    Column("grid_import_wh", "bought", "wh"),
    Column("grid_export_wh", "sold", "wh"),
)
_BATTERY: Final = (
    Column("battery_charged_wh", "charged", "wh"),
    Column("battery_discharged_wh", "discharged", "wh"),
)
_NAMES: Final = tuple(column.name for column in (*ENERGIES, *_BATTERY))
DAY: Final = Need("daily", "envoy_day", ("local_date", *_NAMES, "coverage_percent"))
MONTH: Final = Need("daily", "envoy_month", ("local_month", *_NAMES, "days", "coverage_percent"))
YEAR: Final = Need("daily", "envoy_year", ("local_year", *_NAMES, "days", "coverage_percent"))
_NOTHING_THEN: Final = (
    "these days have no rows with this value: it was not recorded at that time, or the site does not measure it"
)
_WHOLE: Final = 99.5
"""From this coverage in percent on, a day is shown as whole, although some minutes may be missing."""
_PARTLY: Final = (
    "If less than 100 % of a day is recorded, there are three possible causes: the day has not ended, recording "
    "began on that day, or the recorder or the gateway was away for a time."
)
_NOW_S: Final = 3600
"""A value is shown for this number of seconds. The longest interval between readings is an hour."""
_NO_READING: Final = (
    "no reading of the hour before this time has this value. `envoy-logger status` names the missing values"
)
_POWERS: Final = (
    Column("production_power_w", "made", "w", _NO_READING),
    Column("load_power_w", "house", "w", _NO_READING),
    Column("net_power_w", "grid (from +, to −)", "w", _NO_READING),
    Column("battery_power_w", "battery (out +, in −)", "w", _NO_READING),
    Column("battery_charge_percent", "battery", "%", _NO_READING),
)


def _list_spans(points: Sequence[Point], label: str, title: str) -> AnswerTable:
    """Make a table with a row for each of the `points`: for each day, month or year.

    `label`: the tag or field with the day, month or year. `title`: the title of the column with this text.
    """
    rows: list[tuple[Cell, ...]] = []
    every: list[list[float | None]] = []
    for point in points:
        energies = [number(point, column.name) for column in (*ENERGIES, *_BATTERY)]
        every.append(energies[:4])
        rows.append((text(point, label), *energies, *compute_shares(energies), number(point, "coverage_percent")))
    columns = (Column(label, title), *ENERGIES, *_BATTERY, *SHARES, Column("coverage_percent", "recorded", "%"))
    sums = {column.title: total(number(point, column.name) for point in points) for column in (*ENERGIES, *_BATTERY)}
    notes = note_sums(sums, {}) if len(rows) > 1 else ()
    return AnswerTable(columns, rows, curve="production_wh", notes=notes, reasons=explain_shares(every))


def _answer_days(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each day. The notes name the figures that do not cover a whole day."""
    points = rows.of("envoy_day")
    answer = _list_spans(points, "local_date", "day")
    notes, today = [], scope.last_day.isoformat()
    if scope.counting is not None and scope.counting.begun:
        clock = f"{scope.local(scope.counting.since):%H:%M}"
        notes.append(f"The row of {today} counts from {clock} ({scope.zone.key}), when recording began.")
    if any((coverage := number(point, "coverage_percent")) is not None and coverage < _WHOLE for point in points):
        notes.append(_PARTLY)
    if not scope.is_last_day_over and any(text(point, "local_date") == today for point in points):
        notes.append(f"The row of {today} may be 15 minutes old. Try: `envoy-logger query today` for the newest.")
    return replace(answer, notes=(*answer.notes, *notes))


def _answer_now(rows: Rows, scope: Scope) -> AnswerTable:
    """Make one row: the newest value of each power. Some values are read less often than others."""
    points = rows.of("envoy_totals")
    at = max((point.time for point in points), default=None)
    latest: dict[str, Cell] = {}
    for point in points:
        if at is not None and point.time >= at - _NOW_S:
            latest |= {column.name: number(point, column.name) for column in _POWERS if column.name in point.fields}
    clock = f"{scope.local(at):%H:%M}" if at else None
    cells = tuple(latest.get(column.name) for column in _POWERS)
    return AnswerTable((Column("time", "at"), *_POWERS), [(clock, *cells)] if at else [])


def _answer_records(rows: Rows, _scope: Scope) -> AnswerTable:
    days = sorted(
        (point for point in rows.of("envoy_day") if number(point, "production_wh") is not None),
        key=lambda point: -(number(point, "production_wh") or 0.0),
    )
    columns = (Column("local_date", "day"), Column("production_wh", "made", "wh"))
    return AnswerTable(columns, [(text(day, "local_date"), number(day, "production_wh")) for day in days[:10]])


def _note_begin(points: Sequence[Point], spans: Iterable[str]) -> tuple[str, ...]:
    """Return a note that names the spans whose first days have no row; empty if there is no such span.

    `points`: the day rows. `spans`: the years (`2026`) and months (`2026-11`) whose days are summed.
    """
    first = min((text(point, "local_date") for point in points), default="")
    cut = [span for span in spans if first.startswith(span) and first > f"{span}-01-01"[:10]]
    return (f"The rows begin on {first}, so the figures of {' and '.join(cut)} lack the days before.",) if cut else ()


def _sum_same_days(points: Sequence[Point], year: int, month: int | None, day: date) -> list[float | None]:
    """Return the sum of each energy over the days of `year` up to the month and day of `day`.

    With `month`, only the days of this month are added up.
    """
    chosen = []
    for point in points:
        at = date.fromisoformat(text(point, "local_date"))
        if at.year == year and (month in (None, at.month)) and (at.month, at.day) <= (day.month, day.day):
            chosen.append(point)
    return [total(number(point, column.name) for point in chosen) for column in ENERGIES]


def _compare(rows: Rows, day: date, months: tuple[int | None, ...]) -> AnswerTable:
    points = [point for point in rows.of("envoy_day") if text(point, "local_date")]
    found: list[tuple[Cell, ...]] = []
    every: list[list[float | None]] = []
    for month in months:
        name = f"-{month:02}" if month else ""
        for year in (day.year, day.year - 1):
            sums = _sum_same_days(points, year, month, day)
            every.append(sums)
            found.append((f"{year}{name}", *sums, *compute_shares(sums)))
    spans = [str(row[0]) for row in found]
    notes = (f"Each row ends on {day:%m-%d}; this day may not be complete.", *_note_begin(points, spans))
    energies = tuple(replace(column, absent=_NOTHING_THEN) for column in ENERGIES)
    return AnswerTable((Column("span", ""), *energies, *SHARES), found, notes=notes, reasons=explain_shares(every))


def _answer_compare(rows: Rows, scope: Scope) -> AnswerTable:
    day = scope.last_day
    return _compare(rows, day, (day.month, None))


def _answer_progress(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each month of this year up to the present month.

    A row has the production since the first of January, for this year and for the last year.
    """
    today = scope.last_day
    by_month: dict[tuple[int, int], float] = {}
    for point in rows.of("envoy_day"):
        at, made = date.fromisoformat(text(point, "local_date")), number(point, "production_wh")
        if made is not None and (at.month, at.day) <= (today.month, today.day):
            by_month[at.year, at.month] = by_month.get((at.year, at.month), 0.0) + made
    found: list[tuple[Cell, ...]] = []
    sums: dict[int, float] = {}
    for month in range(1, today.month + 1):
        for year in (today.year, today.year - 1):
            if (year, month) in by_month:
                sums[year] = sums.get(year, 0.0) + by_month[year, month]
        found.append((f"{month:02}", sums.get(today.year), sums.get(today.year - 1)))
    years = tuple(Column(f"{year}", f"{year}", "wh", _NOTHING_THEN) for year in (today.year, today.year - 1))
    note = f"Energy made since the first of January, up to {today:%m-%d} of each year."
    begin = _note_begin(rows.of("envoy_day"), (column.name for column in years))
    return AnswerTable((Column("month", "month"), *years), found, curve=str(today.year), notes=(note, *begin))


def _answer_base_load(rows: Rows, _scope: Scope) -> AnswerTable:
    found = [(text(point, "local_date"), number(point, "base_load_w")) for point in rows.of("envoy_day")]
    found = [row for row in found if row[1] is not None]
    usual = mean(row[1] for row in found)
    notes = (
        ()
        if usual is None
        else (f"On average {usual:.0f} W, in the quarter of an hour of each day in which the house uses least.",)
    )
    columns = (Column("local_date", "day"), Column("base_load_w", "least mean of 15 minutes", "w"))
    return AnswerTable(columns, found, curve="base_load_w", notes=notes)


def _answer_co2(rows: Rows, scope: Scope) -> AnswerTable:
    factor = scope.numbers["kg-per-kwh"]
    found = []
    for point in rows.of("envoy_month"):
        made = number(point, "production_wh")
        found.append((text(point, "local_month"), made, None if made is None else made / 1000 * factor))
    columns = (
        Column("local_month", "month"),
        Column("production_wh", "made", "wh"),
        Column("co2_kg", "avoided", "kg"),
    )
    return AnswerTable(columns, found, curve="co2_kg")


ENERGY_QUERIES: Final = (
    NamedQuery(
        "now",
        "Which powers flow now?",
        (Need("totals", "envoy_totals", tuple(column.name for column in _POWERS)),),
        _answer_now,
        "day",
    ),
    TODAY,
    NamedQuery(
        "days",
        "How much energy flowed each day?",
        (DAY,),
        _answer_days,
    ),
    NamedQuery(
        "months",
        "How much energy flowed each month?",
        (MONTH,),
        lambda rows, _: _list_spans(rows.of("envoy_month"), "local_month", "month"),
        "ever",
    ),
    NamedQuery(
        "years",
        "How much energy flowed each year?",
        (YEAR,),
        lambda rows, _: _list_spans(rows.of("envoy_year"), "local_year", "year"),
        "ever",
    ),
    NamedQuery(
        "compare",
        "Are this month and this year better than the same time a year ago?",
        (DAY,),
        _answer_compare,
        "ever",
        is_comparison=True,
    ),
    NamedQuery(
        "progress",
        "How does the production of this year compare with last year?",
        (DAY,),
        _answer_progress,
        "ever",
        is_comparison=True,
    ),
    NamedQuery("records", "Which were the ten best days?", (DAY,), _answer_records, "ever"),
    NamedQuery(
        "base-load",
        "How much power does the house use at night?",
        (Need("daily", "envoy_day", ("local_date", "base_load_w")),),
        _answer_base_load,
    ),
    NamedQuery(
        "co2",
        "How much CO2 was avoided each month?",
        (MONTH,),
        _answer_co2,
        "ever",
        {"kg-per-kwh": (0.4, "CO2 of a kWh from your grid, in kg")},
    ),
)

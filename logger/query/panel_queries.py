"""Define the named queries about panels and their inverters. Pure."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
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
    greatest,
    group_by,
    mean,
    number,
    percent,
    text,
    total,
)

_BEST_DAYS: Final = 20
"""The number of best days of a year that `ageing` uses, so that the weather has little influence."""
_ONE_DAY_S: Final = 25 * 3600
_INVERTER_DAY: Final = Need(
    "daily",
    "envoy_inverter_day",
    (
        "energy_wh",
        "coverage_percent",
        "group_ratio",
        "group_ratio_7d",
        "panel",
        "silent_days",
        "low_days",
        "tripped_s",
    ),
)
_INVERTER_HOUR: Final = (Need("daily", "envoy_inverter_hour", ("energy_wh", "group_wh", "panel")),)
_NO_GROUP: Final = "no layout file names its group"
_NO_RATIO: Final = "no day has reports of the inverter and of others of its group"
_NO_REPORT: Final = "the inverter did not report; at night no inverter reports"
_TOO_FEW: Final = f"this year and the year before have fewer than {_BEST_DAYS} days in common"
_PANEL: Final = (
    Column("panel", "panel"),
    Column("serial", "serial"),
    Column("panel_group", "group", absent=_NO_GROUP),
)


def _serial(point: Point) -> str:
    return point.tags.get("serial", "")


def _group(point: Point) -> str:
    return point.tags.get("panel_group", "")


def _hour(point: Point) -> str:
    return point.tags.get("hour", "")


def _name(points: list[Point]) -> tuple[Cell, Cell, Cell]:
    """Return panel, serial and group of an inverter.

    The panel comes from the newest point that names one. Without such a point, the serial stands for the panel.
    """
    newest = points[-1]
    names = (text(point, "panel") or point.tags.get("panel", "") for point in reversed(points))
    panel = next(filter(None, names), "")
    return panel or _serial(newest), _serial(newest), _group(newest) or None


def _list_installed(rows: Rows) -> list[list[Point]]:
    """Return the rows of each inverter that has a row on the last day or the day before.

    An inverter without such a row was removed from the site.
    """
    every = rows.of("envoy_inverter_day")
    since = max((point.time for point in every), default=0) - _ONE_DAY_S
    return [points for points in group_by(every, _serial).values() if points[-1].time >= since]


def _answer_panels(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each inverter, the worst first.

    Silent inverters are first, then inverters with low days, then all others by their ratio to the group.
    """
    found, week_begin = [], scope.last_day - timedelta(days=6)
    for points in _list_installed(rows):
        newest = points[-1]
        silent, low = number(newest, "silent_days") or 0.0, number(newest, "low_days") or 0.0
        ratio = number(newest, "group_ratio_7d")
        week = [point for point in points if scope.local(point.time).date() >= week_begin]
        found.append(
            (
                (-silent, -low, 2.0 if ratio is None else ratio),
                (
                    *_name(points),
                    total(number(p, "energy_wh") for p in week),
                    total(number(p, "energy_wh") for p in points),
                    _as_percent(ratio),
                    int(silent),
                    int(low),
                ),
            )
        )
    columns = (
        *_PANEL,
        Column("energy_wh", "last 7 days", "wh", _NO_REPORT),
        Column("span_wh", "in all", "wh", _NO_REPORT),
        Column("group_percent", "against its group", "%", _NO_RATIO),
        Column("silent_days", "silent days"),
        Column("low_days", "low days"),
    )
    return AnswerTable(columns, [row for _, row in sorted(found, key=lambda pair: pair[0])])


def _as_percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100.0 * ratio


def _answer_silent(rows: Rows, scope: Scope) -> AnswerTable:
    found = []
    for points in _list_installed(rows):
        silent = number(points[-1], "silent_days") or 0.0
        if silent > 0:
            heard = [p.time for p in points if (number(p, "energy_wh") or 0.0) > 0]
            last = scope.local(heard[-1]).date().isoformat() if heard else None
            found.append((-silent, (*_name(points), last, int(silent))))
    columns = (
        *_PANEL,
        Column("last_day", "last day with energy", absent="it made nothing in this span of time"),
        Column("silent_days", "silent days"),
    )
    return AnswerTable(columns, [row for _, row in sorted(found, key=lambda pair: pair[0])])


def _answer_shading(rows: Rows, _scope: Scope) -> AnswerTable:
    """Make a row for each inverter, with a column for each hour of the day.

    The values are the energy of the inverter in percent of the median of the inverter's group.
    """
    points = [point for point in rows.of("envoy_inverter_hour") if number(point, "group_wh") is not None]
    hours = sorted({_hour(point) for point in points})
    found: list[tuple[Cell, ...]] = []
    for of_one in group_by(points, _serial).values():
        by_hour = group_by(of_one, _hour)
        cells = (
            percent(total(number(p, "energy_wh") for p in each), total(number(p, "group_wh") for p in each))
            for each in (by_hour.get(hour, ()) for hour in hours)
        )
        found.append((*_name(of_one)[:1], *cells))
    columns = (Column("panel", "panel"), *(Column(f"h{hour}", hour, "%", _NO_REPORT) for hour in hours))
    return AnswerTable(
        columns, found, notes=("Each inverter's energy in percent of the group's median energy, by hour of the day.",)
    )


def _answer_ageing(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each year: the mean energy of the year's best days, and its change from year to year.

    The days after today's month and day are left out in every year, because this year does not have them yet. Two
    years are compared by the days that both have, because recording may have begun in the middle of a year.
    """
    today = scope.last_day
    by_year: dict[str, dict[str, float]] = {}
    for point in rows.of("envoy_day"):
        day, made = text(point, "local_date"), number(point, "production_wh")
        if made is not None and day[5:] <= today.isoformat()[5:]:
            by_year.setdefault(day[:4], {})[day[5:]] = made
    found: list[tuple[Cell, ...]] = []
    for year, days in sorted(by_year.items()):
        before = by_year.get(f"{int(year) - 1}", {})
        both = sorted(days.keys() & before.keys())
        change = percent(*(_mean_of_best([each[day] for day in both]) for each in (days, before)))
        found.append((year, _mean_of_best([*days.values()]), change if len(both) >= _BEST_DAYS else None))
    columns = (
        Column("local_year", "year"),
        Column("best_days_wh", f"mean of the best {_BEST_DAYS} days", "wh"),
        Column("last_year_percent", "against the year before", "%", _TOO_FEW),
    )
    note = f"Days up to {today:%m-%d} of each year. Two years are compared by the days that both years have."
    return AnswerTable(columns, found, notes=(note,))


def _mean_of_best(made: list[float]) -> float | None:
    return mean(sorted(made)[-_BEST_DAYS:])


def _answer_clipping(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each inverter: the number of hours with a power at or above the user's limit."""
    limit = scope.numbers["limit-w"]
    found = []
    for points in group_by(rows.of("envoy_inverter"), _serial).values():
        times = [point.time for point in points]
        usual = median([b - a for a, b in zip(times, times[1:], strict=False)]) if len(times) > 1 else 0.0
        at_limit = sum((number(point, "power_w") or 0.0) >= limit for point in points)
        peak = greatest(number(point, "power_w") for point in points)
        hours = at_limit * usual / 3600
        found.append((-hours, (*_name(points), hours, peak)))
    columns = (*_PANEL, Column("hours", "hours at the limit", "h"), Column("peak_power_w", "greatest", "w"))
    return AnswerTable(columns, [row for _, row in sorted(found, key=lambda pair: pair[0])])


def _answer_heat(rows: Rows, _scope: Scope) -> AnswerTable:
    """Make a row for each range of ten degrees of temperature.

    A row has the number of reports, and their mean and greatest power.
    """
    warm = [point for point in rows.of("envoy_inverter") if number(point, "temperature_c") is not None]
    by_heat = group_by(warm, lambda p: f"{int((number(p, 'temperature_c') or 0.0) // 10 * 10)}")
    found = [
        (
            int(key),
            len(points),
            mean(number(p, "power_w") for p in points),
            greatest(number(p, "power_w") for p in points),
        )
        for key, points in sorted(by_heat.items(), key=lambda item: int(item[0]))
    ]
    columns = (
        Column("from_c", "from", "c"),
        Column("reports", "reports"),
        Column("mean_power_w", "mean", "w"),
        Column("peak_power_w", "greatest", "w"),
    )
    return AnswerTable(columns, found)


def _answer_trips(rows: Rows, _scope: Scope) -> AnswerTable:
    found = []
    for points in group_by(rows.of("envoy_inverter_day"), _serial).values():
        tripped = total(number(point, "tripped_s") for point in points)
        if tripped:
            days = sum((number(point, "tripped_s") or 0.0) > 0 for point in points)
            found.append((-tripped, (*_name(points), tripped, days)))
    columns = (*_PANEL, Column("tripped_s", "switched off by the grid", "s"), Column("days", "on days"))
    return AnswerTable(columns, [row for _, row in sorted(found, key=lambda pair: pair[0])])


def _inverter(*fields: str) -> tuple[Need, ...]:
    return (Need("devices", "envoy_inverter", fields),)


PANEL_QUERIES: Final = (
    NamedQuery("panels", "Which panels are worst?", (_INVERTER_DAY,), _answer_panels, is_by_panel=True),
    NamedQuery(
        "silent",
        "Which inverters are silent, and since when?",
        (_INVERTER_DAY,),
        _answer_silent,
        "year",
        is_by_panel=True,
        if_none="No inverter is silent; the inverters have been recorded",
    ),
    NamedQuery("shading", "When is each panel shaded?", _INVERTER_HOUR, _answer_shading, is_by_panel=True),
    NamedQuery(
        "ageing",
        "Do the panels produce less than a year ago?",
        (Need("daily", "envoy_day", ("local_date", "production_wh")),),
        _answer_ageing,
        "ever",
        is_comparison=True,
    ),
    NamedQuery(
        "clipping",
        "How long were the inverters at their limit?",
        _inverter("power_w"),
        _answer_clipping,
        numbers={"limit-w": (300.0, "the inverter's greatest power, in W")},
        is_by_panel=True,
    ),
    NamedQuery(
        "heat", "Does heat cost power?", _inverter("power_w", "temperature_c"), _answer_heat, is_by_panel=True
    ),
    NamedQuery(
        "trips",
        "Which inverters did the grid switch off?",
        (_INVERTER_DAY,),
        _answer_trips,
        "year",
        is_by_panel=True,
        if_none="No inverter has reported that the grid switched it off",
    ),
)

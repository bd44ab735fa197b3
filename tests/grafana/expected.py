"""Compute what each kind of query must answer, from the points that were written, with no query language."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final, TypeAlias

from grafana.query.asked import BEFORE
from logger.model import Value
from tests.grafana.known import Known, Points

Cells: TypeAlias = dict[tuple[str, str], Value]
"""Column and key of a row (its time in seconds, its label, or nothing where there is one row) → value."""
A_DAY_S: Final = 86400
UNITS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
LABELS: Final = {
    "envoy_day": "local_date", "envoy_site_day": "local_date", "envoy_band_day": "local_date",
    "envoy_month": "local_month", "envoy_year": "local_year",
}  # fmt: skip
FUNCTIONS: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "mean": fmean, "min": min, "max": max, "sum": sum, "count": len, "last": lambda values: values[-1],
    "median": median,
}  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """What was known, what was asked, and when: seconds; `end` is the last second that is asked for."""

    points: Points
    variables: Mapping[str, str | list[str]]
    begin: int
    end: int
    every_s: int
    now: int

    def rows(self, query: Any, fields: Iterable[str] = ()) -> list[Known]:
        """The points that a query reads, with its fields alone, by time."""
        rows = query.rows
        wanted, begin, end = tuple(fields) or rows.fields, self.begin, self.end
        if rows.since == BEFORE:
            begin, end = begin - 365 * 86400, end - 365 * 86400
        elif rows.since:
            begin, end = self.now - int(rows.since[:-1]) * UNITS[rows.since[-1]], self.now
            if rows.until:
                end -= int(rows.until[:-1]) * UNITS[rows.until[-1]]
        found = []
        for point in self.points.found[rows.measurement]:
            if begin <= point.time <= end and self._is_chosen(point, rows.where):
                kept = {name: point.fields[name] for name in wanted if name in point.fields}
                if kept:
                    found.append(Known(point.time, point.tags, kept))
        return sorted(found, key=lambda point: point.time)

    def _is_chosen(self, point: Known, where: Iterable[tuple[str, str]]) -> bool:
        owner = "gateway" if "gateway" in point.tags else "site"
        chosen = self.variables[owner]
        if point.tags[owner] not in ([chosen] if isinstance(chosen, str) else chosen):
            return False
        for tag, wanted in where:
            value = point.tags.get(tag, "")
            if match := re.fullmatch(r"\$\{(\w+)(?::\w+)?\}", wanted):
                choice = self.variables[match[1]]
                if not any(re.fullmatch(each, value) for each in ([choice] if isinstance(choice, str) else choice)):
                    return False
            elif value != wanted:
                return False
        return True

    def windows(self, every_s: int = 0) -> range:
        """The starts of all windows of the time shown."""
        every_s = every_s or self.every_s
        return range(self.begin, self.end + 1, every_s)


def merge_fn(field: str) -> Callable[[list[Any]], Any]:
    """How the values of several gateways become one."""
    if "_min_" in field or field == "token_expires_s":
        return min
    if (
        "_max_" in field
        or field.startswith("peak_")
        or field.endswith(("_age_s", "_oldest_s", "_delivery_s", "_skew_s"))
    ):
        return max
    return fmean if field.endswith(("_percent", "_v", "_hz", "_c", "_factor", "latency_s")) else sum


def _by(points: Iterable[Known], key: Callable[[Known], Any]) -> dict[Any, list[Known]]:
    found: dict[Any, list[Known]] = defaultdict(list)
    for point in points:
        found[key(point)].append(point)
    return found


def _values(points: Iterable[Known], field: str) -> list[Any]:
    return [point.fields[field] for point in points if field in point.fields]


def _windowed(scope: Scope, points: Iterable[Known], field: str, fn: str) -> dict[int, Any]:
    """One value a window of the time shown."""
    first, every_s = scope.begin, scope.every_s
    windows = _by((point for point in points if field in point.fields),
                  lambda point: first + (point.time - first) // every_s * every_s)  # fmt: skip
    return {at: FUNCTIONS[fn](_values(each, field)) for at, each in windows.items()}


def _owner(point: Known) -> str:
    return point.tags.get("gateway") or point.tags["site"]


def _name(point: Known) -> str:
    return point.tags.get("panel") or point.tags["serial"]


# --- over the time shown ----------------------------------------------------------------------------------------


def _curve(query: Any, scope: Scope) -> Cells:
    found: Cells = {}
    gateways = _by(scope.rows(query), _owner)
    for field in query.rows.fields:
        windows: dict[int, list[Any]] = defaultdict(list)
        for points in gateways.values():
            for at, value in _windowed(scope, points, field, query.fn).items():
                windows[at].append(value)
        found |= {(field, str(at)): merge_fn(field)(values) for at, values in windows.items()}
    return found


def _curve_by_sign(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    windows: dict[int, float] = defaultdict(float)
    for points in _by(scope.rows(query), _owner).values():
        for at, value in _windowed(scope, points, field, "mean").items():
            windows[at] += value
    above: Cells = {(query.positive, str(at)): max(0.0, value) for at, value in windows.items()}
    return above | {(query.negative, str(at)): max(0.0, -value) for at, value in windows.items()}


def _curve_by_tag(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    return {
        (name, str(at)): value
        for name, points in _by(scope.rows(query), lambda point: point.tags.get(query.tag, "")).items()
        for at, value in _windowed(scope, points, field, query.fn).items()
    }


def _curve_by_panel(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    return {
        (query.name, f"{at} {name}"): value
        for name, points in _by(scope.rows(query), _name).items()
        for at, value in _windowed(scope, points, field, "mean").items()
    }


def _day_curve(query: Any, scope: Scope) -> Cells:
    return {
        (field, str(at)): merge_fn(field)(values)
        for at, points in _by(scope.rows(query), lambda point: point.time).items()
        for field in query.rows.fields
        if (values := _values(points, field))
    }


def _median_of_group(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    windows: dict[int, list[float]] = defaultdict(list)
    for points in _by(scope.rows(query), lambda point: point.tags["serial"]).values():
        for at, value in _windowed(scope, points, field, "mean").items():
            windows[at].append(value)
    return {(query.name, str(at)): median(values) for at, values in windows.items()}


def _limit_line(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    at_all = _windowed(scope, scope.rows(query), field, "count")
    return {(query.name, str(at)): float(str(scope.variables[query.variable])) for at in at_all}


def _nominal_line(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    means = _windowed(scope, scope.rows(query), field, "mean")
    return {(query.name, str(at)): round(value / 10) * 10 + query.distance_hz for at, value in means.items()}


def _rate(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    windows: dict[int, list[float]] = defaultdict(list)
    for points in _by(scope.rows(query), _owner).values():
        counted = [(point.time, float(point.fields[field])) for point in points if field in point.fields]
        rates: dict[int, list[float]] = defaultdict(list)
        for (before, low), (at, high) in zip(counted, counted[1:], strict=False):
            if high >= low:
                start = scope.begin + (at - scope.begin) // scope.every_s * scope.every_s
                rates[start].append((high - low) / (at - before))
        for start, values in rates.items():
            windows[start].append(fmean(values))
    return {(query.name, str(at)): 100 * sum(values) for at, values in windows.items()}


def _shade(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    points = scope.rows(query)
    if query.when:
        points = [point for point in points if point.fields[field] == query.when]
    if not points:
        return {}
    every_s = scope.every_s if query.when else max(300, scope.every_s)
    some = {(point.time - scope.begin) // every_s for point in points}
    return {
        (query.name, str(at)): float((number in some) == bool(query.when))
        for number, at in enumerate(scope.windows(every_s))
    }


def _states(query: Any, scope: Scope) -> Cells:
    points = scope.rows(query)
    return {
        (field, str(at)): value
        for field in query.rows.fields
        for at, value in _windowed(scope, points, field, "last").items()
    }


# --- now --------------------------------------------------------------------------------------------------------


def _newest(query: Any, scope: Scope) -> Cells:
    gateways = _by(scope.rows(query), _owner).values()
    found: Cells = {}
    for field in query.rows.fields:
        if values := [known[-1] for points in gateways if (known := _values(points, field))]:
            found[field, ""] = merge_fn(field)(values)
    return found


def _number(cells: Cells, field: str) -> float | None:
    value = cells.get((field, ""))
    return None if value is None else float(value)


def _share(part: float, whole: float, *, left: bool, scale: float = 100.0) -> float:
    return scale - scale * part / whole if left else scale * part / whole


def _newest_share(query: Any, scope: Scope) -> Cells:
    newest = _newest(query, scope)
    part, whole = (_number(newest, field) for field in query.rows.fields)
    if part is None or whole is None or whole <= query.least:
        return {}
    return {(query.name, ""): _share(part, whole, left=query.left, scale=query.scale)}


def _reached(query: Any, scope: Scope) -> Cells:
    newest = _newest(query, scope)
    value, limit = (_number(newest, field) for field in query.rows.fields)
    if value is None or limit is None or value - limit > 1:
        return {}
    return {(query.name, ""): limit}


def _flow(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    watts = _number(_newest(query, scope), field)
    if watts is None:
        return {}
    name = query.idle if abs(watts) <= query.idle_w else query.positive if watts > 0 else query.negative
    return {(name, ""): abs(watts)}


def _flow_parts(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    watts = _number(_newest(query, scope), field)
    if watts is None:
        return {}
    return {(query.positive, ""): max(0.0, watts), (query.negative, ""): max(0.0, -watts)}


def _sign(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    value = _number(_newest(query, scope), field)
    if value is None or not (value < query.limit if query.is_below else value > query.limit):
        return {}
    return {(query.name, ""): query.number}


def _seen(query: Any, scope: Scope) -> Cells:
    return {(query.name, ""): query.number} if scope.rows(query) else {}


def _last_time(query: Any, scope: Scope) -> Cells:
    points = scope.rows(query)
    return {("newest", ""): float(points[-1].time)} if points else {}


def _newest_by_tag(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    groups = _by(scope.rows(query), lambda point: point.tags.get(query.tag, ""))
    return {(name, ""): _values(points, field)[-1] for name, points in groups.items()}


def _newest_in(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    value = _number(_newest(query, scope), field)
    return {} if value is None else {(query.name, ""): value / query.divisor}


def _each(query: Any, scope: Scope) -> Cells:
    found: Cells = {}
    for name, points in _by(scope.rows(query), lambda point: point.tags[query.tags[0]]).items():
        newest = {field: values[-1] for field in query.rows.fields if (values := _values(points, field))}
        is_ill = not query.above or any(newest.get(field, 0) > 0 for field in query.above)
        is_fresh = not query.age or newest.get(query.age, A_DAY_S) < A_DAY_S
        if is_ill and is_fresh and all(newest.get(field) for field in query.needs):
            found |= {(field, name): value for field, value in newest.items() if field != query.age}
            found |= {(tag, name): points[-1].tags.get(tag, "") for tag in query.tags}
    return found


def _count_above(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    newest = [_values(points, field)[-1] for points in _by(scope.rows(query), lambda p: p.tags["serial"]).values()]
    return {(query.name, ""): sum(value >= query.least for value in newest)} if newest else {}


def _panel_names(query: Any, scope: Scope) -> Cells:
    return {}  # names have no cells of their own


def _is_silent(newest: Mapping[str, Any], field: str) -> bool:
    return bool(newest.get(field, 0) > 0)


def _newest_of_each(query: Any, scope: Scope) -> Iterator[dict[str, Any]]:
    """The newest value of each field of each inverter."""
    for points in _by(scope.rows(query), lambda point: point.tags["serial"]).values():
        yield {field: values[-1] for field in query.rows.fields if (values := _values(points, field))}


def _roof_cells(query: Any, scope: Scope) -> Cells:
    row, column, name, share, silent = query.rows.fields
    found: Cells = {}
    for newest in _newest_of_each(query, scope):
        if newest.get(row) and newest.get(column):
            place = f"{newest[row]} {newest[column]}"
            found["cell", f"name {place}"] = newest[name]
            if _is_silent(newest, silent):
                found["cell", place] = -1.0
            elif share in newest:
                found["cell", place] = 100 * float(newest[share])
    return found


def _week_shares(query: Any, scope: Scope) -> Cells:
    name, share, silent = query.rows.fields
    found: Cells = {}
    for newest in _newest_of_each(query, scope):
        if _is_silent(newest, silent) or share in newest:
            found[share, newest[name]] = -1.0 if _is_silent(newest, silent) else newest[share]
    return found


def _hours_of_days(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    return {
        (field, f"{at} {hour}"): sum(_values(points, field))
        for (at, hour), points in _by(scope.rows(query), lambda p: (p.time, p.tags["hour"])).items()
        if sum(_values(points, field)) > 0
    }


def _panel_days(query: Any, scope: Scope) -> Cells:
    field, panel = query.rows.fields
    return {
        (query.name, f"{point.time} {point.fields[panel]}"): 100 * float(point.fields[field])
        for point in scope.rows(query)
        if field in point.fields and panel in point.fields
    }


def _hour_shares(query: Any, scope: Scope) -> Cells:
    own, usual = query.rows.fields
    (panel,) = query.names.fields
    found: Cells = {}
    rows = scope.rows(query, (own, usual, panel))
    for (_, hour), points in _by(rows, lambda p: (p.tags["serial"], p.tags["hour"])).items():
        whole = sum(_values(points, usual))
        if whole > 0:
            found[query.name, f"{_values(points, panel)[-1]} {hour}"] = 100 * sum(_values(points, own)) / whole
    return found


def _listing(query: Any, scope: Scope) -> Cells:
    return {
        (name, " ".join([str(point.time), *(point.tags.get(tag, "") for tag in query.tags)])): value
        for point in scope.rows(query)
        for name, value in {**point.fields, **{tag: point.tags.get(tag, "") for tag in query.tags}}.items()
    }


# --- days, months, years ----------------------------------------------------------------------------------------


def _span_rows(query: Any, scope: Scope) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each span's name and its merged fields."""
    label = LABELS[query.rows.measurement]
    rows = scope.rows(query, (*query.rows.fields, label))
    for points in _by(rows, lambda point: point.time).values():
        merged = {f: merge_fn(f)(values) for f in query.rows.fields if (values := _values(points, f))}
        if merged:
            yield str(_values(points, label)[0]), merged


def _spans(query: Any, scope: Scope) -> Cells:
    return {(column, name): value for name, fields in _span_rows(query, scope) for column, value in fields.items()}


def _day_rows(query: Any, scope: Scope) -> Iterator[tuple[str, dict[str, Any]]]:
    """The time of each row that has every field, and its fields."""
    for at, points in _by(scope.rows(query), lambda point: point.time).items():
        fields = {f: sum(values) for f in query.rows.fields if (values := _values(points, f))}
        if len(fields) == len(query.rows.fields):
            yield str(at), fields


def _day_in(query: Any, scope: Scope) -> Cells:
    (field,) = query.rows.fields
    return {(query.name, at): fields[field] / query.divisor for at, fields in _day_rows(query, scope)}


def _day_differences(query: Any, scope: Scope) -> Cells:
    found: Cells = {}
    for at, fields in _day_rows(query, scope):
        made = {name: fields[whole] - fields[part] for name, whole, part in query.differences}
        found |= {(name, at): value for name, value in {**fields, **made}.items()}
    return found


def _day_shares(query: Any, scope: Scope) -> Cells:
    return {
        (name, at): _share(fields[part], fields[whole], left=left)
        for at, fields in _day_rows(query, scope)
        if all(fields[whole] > 0 for _, _, whole, _ in query.shares)
        for name, part, whole, left in query.shares
    }


def _span_total(query: Any, scope: Scope) -> Cells:
    points = scope.rows(query)
    prefix = getattr(query, "prefix", "")
    return {(prefix + f, ""): sum(values) for f in query.rows.fields if (values := _values(points, f))}


def _span_total_share(query: Any, scope: Scope) -> Cells:
    total = _span_total(query, scope)
    part, whole = (_number(total, field) for field in query.rows.fields)
    if part is None or whole is None or whole <= 0:
        return {}
    return {(query.name, ""): _share(part, whole, left=query.left)}


def _total_by_tag(query: Any, scope: Scope) -> Cells:
    return {
        (field, name): sum(values)
        for name, points in _by(scope.rows(query), lambda point: point.tags.get(query.tag, "")).items()
        for field in query.rows.fields
        if (values := _values(points, field))
    }


def _top_spans(query: Any, scope: Scope) -> Cells:
    first = query.rows.fields[0]
    rows = [(name, fields) for name, fields in _span_rows(query, scope) if first in fields]
    rows.sort(key=lambda row: row[1][first], reverse=True)
    return {(field, name): value for name, fields in rows[: query.count] for field, value in fields.items()}


EXPECTED: Final[Mapping[str, Callable[[Any, Scope], Cells]]] = {
    "CurveBySign": _curve_by_sign, "NominalLine": _nominal_line,
    "FlowParts": _flow_parts, "Sign": _sign, "Seen": _seen, "Reached": _reached,
    "Curve": _curve, "CurveByTag": _curve_by_tag, "CurveByPanel": _curve_by_panel, "DayCurve": _day_curve,
    "MedianOfGroup": _median_of_group, "LimitLine": _limit_line, "Rate": _rate, "Shade": _shade, "States": _states,
    "Newest": _newest, "NewestShare": _newest_share, "Flow": _flow, "LastTime": _last_time,
    "NewestByTag": _newest_by_tag, "NewestIn": _newest_in, "Each": _each, "CountAbove": _count_above,
    "Listing": _listing, "Spans": _spans, "SpanTotal": _span_total,
    "SpanTotalShare": _span_total_share, "TotalByTag": _total_by_tag, "TopSpans": _top_spans,
    "PanelNames": _panel_names, "RoofCells": _roof_cells, "WeekShares": _week_shares,
    "HoursOfDays": _hours_of_days, "PanelDays": _panel_days, "HourShares": _hour_shares,
    "DayDifferences": _day_differences, "DayShares": _day_shares, "DayIn": _day_in,
}  # fmt: skip
"""How each class of query is computed, by its name."""
BY_TIME: Final = {
    "Curve",
    "CurveBySign",
    "NominalLine",
    "CurveByTag",
    "DayCurve",
    "MedianOfGroup",
    "LimitLine",
    "Rate",
    "Shade",
    "States",
    "DayDifferences",
    "DayIn",
    "DayShares",
}
BY_LABEL: Final = {"Spans", "TopSpans"}


def key_of(query: Any, row: Mapping[str, Any]) -> str:
    """The key of an answered row, as `Cells` have it; `row` has its time in seconds as `time`."""
    kind = type(query).__name__
    if kind in BY_TIME:
        return str(row["time"])
    if kind in BY_LABEL:
        return str(row[LABELS[query.rows.measurement]])
    if kind in ("CurveByPanel", "PanelDays"):
        return f"{row['time']} {row.get('panel') or row['serial']}"
    if kind == "HourShares":
        return f"{row['panel']} {row['hour']}"
    if kind == "HoursOfDays":
        return f"{row.get('time', row.get('Time', 0))} {row['hour']}"
    if kind == "RoofCells":
        is_name = row.get("name_row")
        return f"{'name ' * bool(is_name)}{is_name or row['panel_row']} {row['panel_column']}"
    if kind == "WeekShares":
        return str(row[query.rows.fields[0]])
    if kind == "Each":
        return str(row[query.tags[0]])
    if kind == "TotalByTag":
        return str(row.get(query.tag) or "")
    if kind == "Listing":
        return " ".join([str(row["time"]), *(str(row.get(tag) or "") for tag in query.tags)])
    return ""

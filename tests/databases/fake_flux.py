"""The little Flux that the fake InfluxDB 2 speaks, and its annotated CSV."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from logger.model import Value
from tests.databases.fake_records import Bucket, Refusal

_FROM = re.compile(r'^from\(bucket:\s*"((?:[^"\\]|\\.)*)"\)$')
_RANGE = re.compile(r"^range\(start:\s*([^,)]+?)(?:,\s*stop:\s*([^,)]+?))?\)$")
_FILTER = re.compile(r"^filter\(fn:\s*\(r\)\s*=>\s*(.+)\)$", re.S)
_TERM = re.compile(r'^\(?r(?:\.(\w+)|\["([^"]+)"\])\s*==\s*"((?:[^"\\]|\\.)*)"\)?$')
_CSV_TYPES = {float: "double", int: "long", bool: "boolean", str: "string"}


def run_flux(query: str, buckets: Mapping[str, Bucket]) -> str:
    """Answer `from |> range |> filter…` on the buckets that may be read, by name."""
    stages = [stage.strip() for stage in query.split("|>")]
    source, window = _FROM.match(stages[0]), _RANGE.match(stages[1] if len(stages) > 1 else "")
    filters = [_FILTER.match(stage) for stage in stages[2:]]
    if not source or not window or not all(filters):
        raise Refusal(400, "invalid", f"the fake does not speak this Flux: {query}")
    bucket = buckets.get(source[1])
    if bucket is None:
        raise Refusal(404, "not found", f'failed to initialize execute state: could not find bucket "{source[1]}"')
    start, stop = _read_moment(window[1]), _read_moment(window[2] or "now()")
    tables = []
    for series in sorted(bucket.points):
        columns = {"_measurement": series[0], "_field": series[2], **dict(series[1])}
        if all(_holds(one[1], columns) for one in filters if one):
            rows = [(at, value) for at, value in sorted(bucket.points[series].items()) if start <= at < stop]
            tables.append((columns, rows))
    return _as_csv([table for table in tables if table[1]], start, stop)


def _read_moment(text: str) -> float:
    text = text.strip()
    if text == "now()":
        return time.time()
    if re.fullmatch(r"-?\d+", text):
        return float(text)
    if match := re.fullmatch(r"-(\d+)([smhd])", text):
        return time.time() - int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    return datetime.fromisoformat(text).timestamp()


def _holds(expression: str, columns: Mapping[str, str]) -> bool:
    """`a and b or c`, without deeper nesting than one bracket a term."""

    def term(text: str) -> bool:
        match = _TERM.match(text.strip())
        if not match:
            raise Refusal(400, "invalid", f"the fake does not speak this filter: {text}")
        return columns.get(match[1] or match[2]) == re.sub(r"\\(.)", r"\1", match[3])

    return any(all(term(part) for part in either.split(" and ")) for either in expression.split(" or "))


def _as_csv(tables: list[tuple[dict[str, str], list[tuple[int, Value]]]], start: float, stop: float) -> str:
    """Annotated CSV, one block a series."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for number, (columns, rows) in enumerate(tables):
        names = sorted(columns)
        kind = _CSV_TYPES[type(rows[0][1])]
        stamp = "dateTime:RFC3339"
        writer.writerow(["#datatype", "string", "long", stamp, stamp, stamp, kind, *["string"] * len(names)])
        writer.writerow(["#group", "false", "false", "true", "true", "false", "false", *["true"] * len(names)])
        writer.writerow(["#default", "_result", *[""] * (5 + len(names))])
        writer.writerow(["", "result", "table", "_start", "_stop", "_time", "_value", *names])
        for at, value in rows:
            text = ("true" if value else "false") if isinstance(value, bool) else str(value)
            writer.writerow(
                [
                    "",
                    "",
                    number,
                    _rfc3339(start),
                    _rfc3339(stop),
                    _rfc3339(at),
                    text,
                    *(columns[name] for name in names),
                ]
            )
        out.write("\r\n")
    return out.getvalue()


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

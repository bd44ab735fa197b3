"""Ask for rows of days, months and years: one row each, added up over the chosen gateways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana.query import flux, influxql
from grafana.query.asked import Query, Rows, Statement, merge_of

LABELS: Final = {
    "envoy_day": "local_date",
    "envoy_month": "local_month",
    "envoy_year": "local_year",
    "envoy_band_day": "local_date",
}
"""The field with the span's own name, in the site's time zone."""
_EACH_ROW: Final = "GROUP BY time(15m) fill(none)"
"""Every local midnight is a quarter of an hour of UTC, so that rows of one day meet and no day is cut."""


@dataclass(frozen=True)
class Spans(Query):
    """A row for each span: its name, then the fields."""

    rows: Rows

    @property
    def label(self) -> str:
        """Return the column with the name of the span."""
        return LABELS[self.rows.measurement]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the name's column and the fields."""
        return (self.label, *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement: names and numbers are read apart, for they are of two types."""
        return [Statement(self.rows.role, flux.pipe(*wide_spans(self.rows), 'drop(columns: ["_time"])'))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        return [Statement(self.rows.role, merged_spans(self.rows))]


@dataclass(frozen=True)
class SpanShares(Query):
    """Percentages for each span, by name: what is left of `whole` without `part`, or `part` of `whole`."""

    rows: Rows
    shares: tuple[tuple[str, str, str, bool], ...]
    """(name, part, whole, whether what is left is asked)."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the name's column and the percentages."""
        return (LABELS[self.rows.measurement], *(name for name, *_ in self.shares))

    def flux(self) -> list[Statement]:
        """Return one statement."""
        made = ", ".join(f"{name}: {_share(part, whole, left)}" for name, part, whole, left in self.shares)
        known = [f"exists r.{field}" for field in self.rows.fields]
        above = [f"r.{whole} > 0.0" for _, _, whole, _ in self.shares]
        label = LABELS[self.rows.measurement]
        steps = (
            f"filter(fn: (r) => {' and '.join([*known, *above])})",
            f"map(fn: (r) => ({{_time: r._time, {label}: r.{label}, {made}}}))",
            'drop(columns: ["_time"])',
        )
        return [Statement(self.rows.role, flux.pipe(*wide_spans(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        label = influxql.quote(LABELS[self.rows.measurement])
        made = [
            f'100 - 100 * "{part}" / "{whole}" AS "{name}"' if left else f'100 * "{part}" / "{whole}" AS "{name}"'
            for name, part, whole, left in self.shares
        ]
        above = " AND ".join(f'"{whole}" > 0' for _, _, whole, _ in self.shares)
        text = influxql.select([label, *made], f"({merged_spans(self.rows)})", f"WHERE {above}")
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class SpanTotal(Query):
    """The sum of each field over the rows of days in the time shown; of a peak the greatest."""

    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the fields."""
        return self.rows.fields

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = ('group(columns: ["_field"])', "sum()", "map(fn: (r) => ({r with _time: now()}))", flux.WIDE)
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        text = influxql.select(
            [influxql.call("sum", field) for field in self.rows.fields],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
        )
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class TopSpans(Query):
    """The `count` rows with the greatest value of the first field."""

    rows: Rows
    count: int = 10

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the name's column and the fields."""
        return (LABELS[self.rows.measurement], *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        first = self.rows.fields[0]
        steps = (f"filter(fn: (r) => exists r.{first})", f'top(n: {self.count}, columns: ["{first}"])')
        return [Statement(self.rows.role, flux.pipe(*wide_spans(self.rows), *steps, 'drop(columns: ["_time"])'))]

    def influxql(self) -> list[Statement]:
        """Return one statement; its rows come in the order of time."""
        first, *others = self.rows.fields
        label = influxql.quote(LABELS[self.rows.measurement])
        text = influxql.select(
            [f'top("{first}", {self.count}) AS "{first}"', label, *map(influxql.quote, others)],
            f"({merged_spans(self.rows)})",
        )
        return [Statement(self.rows.role, text)]


def wide_spans(rows: Rows) -> tuple[str, ...]:
    """Write the Flux that has a row for each span, with its name and the fields."""
    merge = merge_of(rows.fields[0])
    label = rows.having([LABELS[rows.measurement]])
    numbers = flux.pipe(
        *flux.read(rows), 'group(columns: ["_time", "_field"])', f"{merge}()", 'group(columns: ["_field"])'
    )
    names = flux.pipe(*flux.read(label), 'group(columns: ["_field"])')
    return (
        f"numbers = {numbers}\nnames = {names}\n\nunion(tables: [numbers, names])",
        'keep(columns: ["_time", "_field", "_value"])',
        flux.WIDE,
        'sort(columns: ["_time"])',
    )


def merged_spans(rows: Rows) -> str:
    """Write the InfluxQL that has a row for each span, with its name and the fields."""
    return influxql.select(
        [
            influxql.call("first", LABELS[rows.measurement]),
            *(influxql.call(merge_of(field), field) for field in rows.fields),
        ],
        influxql.quote(rows.measurement),
        influxql.where(rows),
        _EACH_ROW,
    )


def _share(part: str, whole: str, left: bool) -> str:
    share = f"r.{part} / r.{whole}"
    return f"100.0 * {f'(1.0 - {share})' if left else share}"

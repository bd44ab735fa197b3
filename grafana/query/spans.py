"""Query one row for each span (day, month or year), in which the values of several gateways are merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana.query import flux, influxql
from grafana.query.asked import OneColumn, Query, Rows, Statement, merge_of

LABELS: Final = {
    "envoy_day": "local_date",
    "envoy_site_day": "local_date",
    "envoy_month": "local_month",
    "envoy_year": "local_year",
    "envoy_band_day": "local_date",
}
"""Measurement → the field with the span's local date, month or year."""


@dataclass(frozen=True)
class Spans(Query):
    """Query a row for each span: its local date, month or year, and the fields."""

    rows: Rows

    @property
    def label(self) -> str:
        """Return the field with the span's local date, month or year."""
        return LABELS[self.rows.measurement]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the label (a local date, month or year) and the fields."""
        return (self.label, *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement, which reads strings and numbers separately, because a Flux column has one type."""
        return [Statement(self.rows.role, flux.pipe(*wide_spans(self.rows), 'drop(columns: ["_time"])'))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        return [Statement(self.rows.role, merged_spans(self.rows))]


@dataclass(frozen=True)
class SpanTotal(Query):
    """Query the sum of each field over the day rows.

    `prefix`: a prefix of the column names, so that a panel can compare the sums of two times.
    """

    rows: Rows
    prefix: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the sums."""
        return tuple(f"{self.prefix}{field}" for field in self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        renamed = f'map(fn: (r) => ({{r with _field: "{self.prefix}" + r._field}}))'
        prefixed = (renamed,) if self.prefix else ()
        steps = ('group(columns: ["_field"])', "sum()", flux.AT_NOW, *prefixed, flux.WIDE)
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        text = influxql.select(
            [influxql.call("sum", field, f"{self.prefix}{field}") for field in self.rows.fields],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
        )
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class SpanTotalShare(OneColumn):
    """Query the sum of the first field over the day rows, as a percentage of the sum of the second field.

    `left`: subtract the percentage from 100 %.
    """

    left: bool = False

    def flux(self) -> list[Statement]:
        """Return one statement."""
        part, whole = self.rows.fields
        (total,) = SpanTotal(self.rows).flux()
        steps = (
            f"filter(fn: (r) => exists r.{part} and exists r.{whole} and r.{whole} > 0.0)",
            f"map(fn: (r) => ({{_time: r._time, {self.name}: {_share(part, whole, self.left)}}}))",
        )
        return [Statement(self.rows.role, flux.pipe(total.text, *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        part, whole = self.rows.fields
        (total,) = SpanTotal(self.rows).influxql()
        share = f'100 - 100 * "{part}" / "{whole}"' if self.left else f'100 * "{part}" / "{whole}"'
        text = influxql.select([f'{share} AS "{self.name}"'], f"({total.text})", f'WHERE "{whole}" > 0')
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class TotalByTag(Query):
    """Query the sum of each field over the day rows, with a row for each value of a tag."""

    rows: Rows
    tag: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the tag and the fields."""
        return (self.tag, *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (
            f'group(columns: ["{self.tag}", "_field"])',
            "sum()",
            "group()",
            f'pivot(rowKey: ["{self.tag}"], columnKey: ["_field"], valueColumn: "_value")',
        )
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (total,) = SpanTotal(self.rows).influxql()
        return [Statement(self.rows.role, f'{total.text} GROUP BY "{self.tag}"')]


@dataclass(frozen=True)
class TopSpans(Query):
    """Query the `count` rows with the greatest values of the first field."""

    rows: Rows
    count: int = 10

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the label (a local date, month or year) and the fields."""
        return (LABELS[self.rows.measurement], *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        first = self.rows.fields[0]
        steps: tuple[str, ...] = (
            f"filter(fn: (r) => exists r.{first})",
            f'top(n: {self.count}, columns: ["{first}"])',
        )
        return [Statement(self.rows.role, flux.pipe(*wide_spans(self.rows), *steps, 'drop(columns: ["_time"])'))]

    def influxql(self) -> list[Statement]:
        """Return one statement. Its rows are in the order of time."""
        first, *others = self.rows.fields
        label = influxql.quote(LABELS[self.rows.measurement])
        text = influxql.select(
            [f'top("{first}", {self.count}) AS "{first}"', label, *map(influxql.quote, others)],
            f"({merged_spans(self.rows)})",
        )
        return [Statement(self.rows.role, text)]


def wide_spans(rows: Rows) -> tuple[str, ...]:
    """Return the Flux steps for a row of each span, with its local date, month or year, and the fields."""
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
    """Return the InfluxQL for a row of each span, with its local date, month or year, and the fields."""
    return influxql.select(
        [
            influxql.call("first", LABELS[rows.measurement]),
            *(influxql.call(merge_of(field), field) for field in rows.fields),
        ],
        influxql.quote(rows.measurement),
        influxql.where(rows),
        influxql.EACH_ROW,
    )


def _share(part: str, whole: str, left: bool) -> str:
    share = f"r.{part} / r.{whole}"
    return f"100.0 * {f'(1.0 - {share})' if left else share}"

"""Query day, month and year rows with their time, for bars and curves along a time axis."""

from __future__ import annotations

from dataclasses import dataclass

from grafana.query import flux, influxql
from grafana.query.asked import OneColumn, Query, Rows, Statement, by_merge, merge_of


@dataclass(frozen=True)
class DayCurve(Query):
    """Query each field of each row in the time shown, at the time of the row."""

    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the fields."""
        return self.rows.fields

    def flux(self) -> list[Statement]:
        """Return one statement for each function that merges gateways."""
        return [
            Statement(
                self.rows.role,
                flux.pipe(
                    *flux.read(self.rows.having(fields)),
                    'group(columns: ["_time", "_field"])',
                    f"{merge}()",
                    "group()",
                    flux.WIDE,
                    'sort(columns: ["_time"])',
                ),
            )
            for merge, fields in by_merge(self.rows.fields).items()
        ]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        text = influxql.select(
            [influxql.call(merge_of(field), field) for field in self.rows.fields],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            influxql.EACH_ROW,
        )
        return [Statement(self.rows.role, text, "time_series", "$col")]


@dataclass(frozen=True)
class DayIn(OneColumn):
    """Query one field of each row in another unit: divided by `divisor`, in the column `name`."""

    divisor: int

    def flux(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        step = f"map(fn: (r) => ({{_time: r._time, {self.name}: r.{field} / {self.divisor}.0}}))"
        return [Statement(self.rows.role, flux.pipe(*_rows(self.rows), step))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        return [_select(self.rows, [f'"{field}" / {self.divisor} AS "{self.name}"'], f'"{field}" >= 0')]


@dataclass(frozen=True)
class DayDifferences(Query):
    """Query the fields of each row, and differences of two fields. A row that lacks a field is left out."""

    rows: Rows
    differences: tuple[tuple[str, str, str], ...]
    """(name of the difference, field, subtracted field)."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the differences, then the fields."""
        return (*(name for name, *_ in self.differences), *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        known = " and ".join(f"exists r.{field}" for field in self.rows.fields)
        made = ", ".join(f"{name}: r.{whole} - r.{part}" for name, whole, part in self.differences)
        steps = (f"filter(fn: (r) => {known})", f"map(fn: (r) => ({{r with {made}}}))")
        return [Statement(self.rows.role, flux.pipe(*_rows(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        known = " AND ".join(f'"{field}" >= 0' for field in self.rows.fields)
        made = [f'"{whole}" - "{part}" AS "{name}"' for name, whole, part in self.differences]
        return [_select(self.rows, [*map(influxql.quote, self.rows.fields), *made], known)]


@dataclass(frozen=True)
class DayShares(Query):
    """Query percentages of each row: 100 × part / whole, or 100 − 100 × part / whole.

    A row is left out if a `whole` of the row is not above 0.
    """

    rows: Rows
    shares: tuple[tuple[str, str, str, bool], ...]
    """(name of the percentage, part, whole, whether the part is subtracted from the whole)."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the percentages."""
        return tuple(name for name, *_ in self.shares)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        known = [f"exists r.{field}" for field in self.rows.fields]
        above = [f"r.{whole} > 0.0" for _, _, whole, _ in self.shares]
        made = ", ".join(f"{name}: {_share(part, whole, left)}" for name, part, whole, left in self.shares)
        steps = (
            f"filter(fn: (r) => {' and '.join([*known, *above])})",
            f"map(fn: (r) => ({{_time: r._time, {made}}}))",
        )
        return [Statement(self.rows.role, flux.pipe(*_rows(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        made = [
            f'100 - 100 * "{part}" / "{whole}" AS "{name}"' if left else f'100 * "{part}" / "{whole}" AS "{name}"'
            for name, part, whole, left in self.shares
        ]
        return [_select(self.rows, made, " AND ".join(f'"{whole}" > 0' for _, _, whole, _ in self.shares))]


def _rows(rows: Rows) -> tuple[str, ...]:
    """Write the Flux for the rows, with the values of several gateways added up."""
    return (
        *flux.read(rows),
        'group(columns: ["_time", "_field"])',
        "sum()",
        "group()",
        flux.WIDE,
        'sort(columns: ["_time"])',
    )


def _select(rows: Rows, columns: list[str], known: str) -> Statement:
    """Write the InfluxQL for columns of the rows, with the values of several gateways added up."""
    inner = influxql.select(
        [influxql.call("sum", field) for field in rows.fields],
        influxql.quote(rows.measurement),
        influxql.where(rows),
        influxql.EACH_ROW,
    )
    text = influxql.select(columns, f"({inner})", f"WHERE {known} AND {influxql.span(rows)}")
    return Statement(rows.role, text, "time_series", "$col")


def _share(part: str, whole: str, left: bool) -> str:
    share = f"r.{part} / r.{whole}"
    return f"100.0 * {f'(1.0 - {share})' if left else share}"

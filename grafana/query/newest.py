"""Query the newest values of the last minutes, merged over the chosen gateways."""

from __future__ import annotations

from dataclasses import dataclass

from grafana.query import flux, influxql
from grafana.query.asked import BySign, Merge, OneColumn, Query, Rows, Statement, by_merge, merge_of


@dataclass(frozen=True)
class Newest(Query):
    """Query the newest value of each field, in one row."""

    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the fields."""
        return self.rows.fields

    def flux(self) -> list[Statement]:
        """Return one statement for each function that merges gateways."""
        return [
            Statement(self.rows.role, flux.pipe(*newest(self.rows.having(fields), merge)))
            for merge, fields in by_merge(self.rows.fields).items()
        ]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        outer = [influxql.call(merge_of(field), field) for field in self.rows.fields]
        return [Statement(self.rows.role, influxql.select(outer, last(self.rows)))]


@dataclass(frozen=True)
class NewestShare(Query):
    """Query the newest value of the first field, as a percentage of the newest value of the second field.

    `left`: subtract the percentage from 100 %. The answer is empty while the second field is at most `least`, because
    a share of almost no energy has no meaning.
    """

    name: str
    rows: Rows
    left: bool = False
    least: float = 50.0
    scale: float = 100.0
    """The number that stands for the whole: 100 for a percentage, 1 for a ratio."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the name of the percentage."""
        return (self.name,)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        part, whole = self.rows.fields
        share = f"r.{part} / r.{whole}"
        value = f"{self.scale} * (1.0 - {share})" if self.left else f"{self.scale} * {share}"
        text = flux.pipe(
            *newest(self.rows, "sum"),
            f"filter(fn: (r) => exists r.{part} and exists r.{whole} and r.{whole} > {self.least})",
            f"map(fn: (r) => ({{_time: r._time, {self.name}: {value}}}))",
        )
        return [Statement(self.rows.role, text)]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        part, whole = self.rows.fields
        merged = influxql.select([influxql.call("sum", field) for field in self.rows.fields], last(self.rows))
        scale = f"{self.scale:g}"
        share = f'{scale} - {scale} * "{part}" / "{whole}"' if self.left else f'{scale} * "{part}" / "{whole}"'
        text = influxql.select([f'{share} AS "{self.name}"'], f"({merged})", f'WHERE "{whole}" > {self.least:g}')
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class Flow(Query):
    """Query a power with a sign as a power without a sign, in one of three columns.

    The column is `positive` above `idle_w`, `negative` below −`idle_w`, and `idle` between them.
    """

    rows: Rows
    positive: str
    negative: str
    idle: str
    idle_w: float = 20.0

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the three names."""
        return (self.positive, self.negative, self.idle)

    def flux(self) -> list[Statement]:
        """Return one statement, whose column depends on the sign."""
        name = (
            f'if r._value > {self.idle_w} then "{self.positive}" '
            f'else if r._value < -{self.idle_w} then "{self.negative}" else "{self.idle}"'
        )
        steps = (
            *newest(self.rows, "sum", wide=False),
            f"map(fn: (r) => ({{_time: r._time, _field: {name}, _value: math.abs(x: r._value)}}))",
            flux.WIDE,
        )
        return [Statement(self.rows.role, flux.pipe(*steps, imports=("math",)))]

    def influxql(self) -> list[Statement]:
        """Return a statement for each column. At most one statement gives a row."""
        (field,) = self.rows.fields
        merged = influxql.select([influxql.call("sum", field, "w")], last(self.rows))
        limits = {
            self.positive: ('"w"', f'"w" > {self.idle_w:g}'),
            self.negative: ('-1 * "w"', f'"w" < -{self.idle_w:g}'),
            self.idle: ('abs("w")', f'"w" >= -{self.idle_w:g} AND "w" <= {self.idle_w:g}'),
        }
        return [
            Statement(self.rows.role, influxql.select([f'{value} AS "{name}"'], f"({merged})", f"WHERE {limit}"))
            for name, (value, limit) in limits.items()
        ]


@dataclass(frozen=True)
class FlowParts(BySign):
    """Query the newest value of a power with a sign as two powers without a sign, of which one is 0."""

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (*newest(self.rows, "sum", wide=False), f"map(fn: (r) => ({{_time: r._time, {self.split_flux()}}}))")
        return [Statement(self.rows.role, flux.pipe(*steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        merged = influxql.select([influxql.call("sum", field, "w")], last(self.rows))
        return [Statement(self.rows.role, influxql.select([*self.split_influxql('"w"').values()], f"({merged})"))]


@dataclass(frozen=True)
class Sign(OneColumn):
    """Query a fixed number, if the newest value of a field is above `limit` (with `is_below`: below `limit`).

    Otherwise the answer is empty. A panel adds up the numbers of several signs, so that the sum identifies a fault.
    """

    number: int
    limit: float
    is_below: bool = False

    def flux(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        text = flux.pipe(
            *newest(self.rows, merge_of(field)),
            f"filter(fn: (r) => float(v: r.{field}) {'<' if self.is_below else '>'} {float(self.limit)})",
            f"map(fn: (r) => ({{_time: r._time, {self.name}: {float(self.number)}}}))",
        )
        return [Statement(self.rows.role, text)]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        merged = influxql.select([influxql.call(merge_of(field), field)], last(self.rows))
        value = f'"{field}" * 0 + {self.number} AS "{self.name}"'
        where = f'WHERE "{field}" {"<" if self.is_below else ">"} {self.limit:g}'
        return [Statement(self.rows.role, influxql.select([value], f"({merged})", where))]


@dataclass(frozen=True)
class Seen(OneColumn):
    """Query a fixed number, if one of the fields has a value. Otherwise the answer is empty."""

    number: int

    def flux(self) -> list[Statement]:
        """Return one statement."""
        row = f"map(fn: (r) => ({{_time: r._time, {self.name}: {float(self.number)}}}))"
        return [Statement(self.rows.role, flux.pipe(*newest_time(self.rows), row))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        value = f'sum("n") * 0 + {self.number} AS "{self.name}"'
        return [Statement(self.rows.role, influxql.select([value], each_field(self.rows, "count", "n")))]


@dataclass(frozen=True)
class Reached(OneColumn):
    """Query the newest value of the second field, a limit, if the first field has reached this limit.

    If the newest value of the first field is above limit + 1, the answer is empty.
    """

    def flux(self) -> list[Statement]:
        """Return one statement."""
        value, limit = self.rows.fields
        text = flux.pipe(
            *newest(self.rows, merge_of(limit)),
            f"filter(fn: (r) => exists r.{value} and exists r.{limit} and r.{value} <= r.{limit} + 1.0)",
            f"map(fn: (r) => ({{_time: r._time, {self.name}: r.{limit}}}))",
        )
        return [Statement(self.rows.role, text)]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        value, limit = self.rows.fields
        merged = influxql.select(
            [influxql.call(merge_of(field), field) for field in self.rows.fields], last(self.rows)
        )
        above = influxql.select([f'"{value}" - "{limit}" AS "above"', influxql.quote(limit)], f"({merged})")
        text = influxql.select([f'"{limit}" AS "{self.name}"'], f"({above})", 'WHERE "above" <= 1')
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class LastTime(Query):
    """Query the time of the newest point that has one of the fields."""

    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the name of the column with the time."""
        return ("newest",)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        step = "map(fn: (r) => ({newest: r._time}))"
        return [Statement(self.rows.role, flux.pipe(*newest_time(self.rows), step))]

    def influxql(self) -> list[Statement]:
        """Return one statement. The time of its row is the answer."""
        first = self.rows.fields[0]
        text = influxql.select([influxql.call("last", "n", first)], each_field(self.rows, "last", "n"))
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class NewestByTag(Query):
    """Query the newest value of one field for each value of a tag, in one row. `names`: the values of the tag."""

    rows: Rows
    tag: str
    names: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the known values of the tag."""
        return self.names

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (
            "last()",
            f'group(columns: ["{self.tag}"])',
            "mean()",
            "map(fn: (r) => ({r with _time: now()}))",
            f'pivot(rowKey: ["_time"], columnKey: ["{self.tag}"], valueColumn: "_value")',
        )
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement. The tag's values are the names of its series."""
        (field,) = self.rows.fields
        text = influxql.select([influxql.call("last", field)], *_of(self.rows), f'GROUP BY "{self.tag}"')
        return [Statement(self.rows.role, text, "time_series", f"$tag_{self.tag}")]


@dataclass(frozen=True)
class NewestIn(OneColumn):
    """Query one newest value in another unit: divided by `divisor`, in the column `name`."""

    divisor: int

    def flux(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        step = f"map(fn: (r) => ({{_time: r._time, {self.name}: r.{field} / {self.divisor}.0}}))"
        return [Statement(self.rows.role, flux.pipe(*newest(self.rows, merge_of(field)), step))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        merged = influxql.select([influxql.call(merge_of(field), field)], last(self.rows))
        text = influxql.select([f'"{field}" / {self.divisor} AS "{self.name}"'], f"({merged})")
        return [Statement(self.rows.role, text)]


def newest(rows: Rows, merge: Merge, *, wide: bool = True) -> tuple[str, ...]:
    """Return the Flux steps that merge the newest values of all chosen gateways into one row."""
    steps = ("last()", 'group(columns: ["_field"])', f"{merge}()", flux.AT_NOW)
    return (*flux.read(rows), *steps, *((flux.WIDE,) if wide else ()))


def newest_time(rows: Rows) -> tuple[str, ...]:
    """Return the Flux steps that find the time of the newest value of any field. The fields may differ in type."""
    return (*flux.read(rows), "last()", 'keep(columns: ["_time"])', "group()", 'max(column: "_time")')


def each_field(rows: Rows, fn: str, name: str) -> str:
    """Return InfluxQL subqueries, one for each number field, with an aggregate of the field in the column `name`.

    The fields may be integers and floats, so each field is read as a float.
    """
    aggregates = [f'{fn}("{field}"::float) AS "{name}"' for field in rows.fields]
    return ", ".join(f"({influxql.select([aggregate], *_of(rows))})" for aggregate in aggregates)


def last(rows: Rows) -> str:
    """Return the InfluxQL subquery for the newest values of each gateway."""
    inner = influxql.select([influxql.call("last", field) for field in rows.fields], *_of(rows), 'GROUP BY "gateway"')
    return f"({inner})"


def _of(rows: Rows) -> tuple[str, str]:
    return influxql.quote(rows.measurement), influxql.where(rows)

"""Query one value for each window of the time shown. A window without a value stays empty."""

from __future__ import annotations

from dataclasses import dataclass

from grafana.query import flux, influxql
from grafana.query.asked import BySign, OneColumn, Query, Rows, Statement, by_merge, merge_of


@dataclass(frozen=True)
class Curve(Query):
    """Query the mean (or another function `fn`) of each field in each window, merged over the chosen gateways."""

    rows: Rows
    fn: str = "mean"

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
                    *flux.read(self.rows.having(fields), flux.windows(self.fn, empty=False)),
                    'group(columns: ["_field"])',
                    flux.windows(merge, empty=True),
                    flux.WIDE,
                    'drop(columns: ["_start", "_stop"])',
                ),
            )
            for merge, fields in by_merge(self.rows.fields).items()
        ]

    def influxql(self) -> list[Statement]:
        """Return one statement for each field, because InfluxDB repeats a subquery for each field of a statement."""
        return [_merge_gateways(self.rows.having([field]), self.fn, field) for field in self.rows.fields]


@dataclass(frozen=True)
class CurveBySign(BySign):
    """Query a power with a sign as two curves without a sign: `positive` above zero and `negative` below zero.

    In a window of one direction, the curve of the opposite direction is 0. Without a value, both curves are empty.
    """

    def flux(self) -> list[Statement]:
        """Return one statement."""
        parts = self.split_flux("if not exists r._value then r._value else ")
        steps = (
            *flux.read(self.rows, flux.windows("mean", empty=False)),
            'group(columns: ["_field"])',
            flux.windows("sum", empty=True),
            f"map(fn: (r) => ({{_time: r._time, {parts}}}))",
        )
        return [Statement(self.rows.role, flux.pipe(*steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement for each direction."""
        (field,) = self.rows.fields
        inner = influxql.select(
            [influxql.call("mean", field, "w")],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            'GROUP BY time($__interval), "gateway" fill(none)',
        )
        where, group = f"WHERE {influxql.span(self.rows)}", "GROUP BY time($__interval) fill(null)"
        return [
            Statement(
                self.rows.role,
                influxql.select([value], f"({inner})", where, group),
                "time_series",
                name,
            )
            for name, value in self.split_influxql('sum("w")').items()
        ]


@dataclass(frozen=True)
class CurveByTag(Query):
    """Query a curve of one field for each value of a tag. `names`: the values of the tag, if they are known."""

    rows: Rows
    tag: str
    fn: str = "mean"
    names: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the known values of the tag."""
        return self.names

    def flux(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        steps = (
            *flux.read(self.rows, flux.windows(self.fn, empty=False)),
            f'group(columns: ["{self.tag}"])',
            flux.windows(merge_of(field), empty=True),
            f'pivot(rowKey: ["_time"], columnKey: ["{self.tag}"], valueColumn: "_value")',
            'drop(columns: ["_start", "_stop"])',
        )
        return [Statement(self.rows.role, flux.pipe(*steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement, or one statement for each known value of the tag.

        If `fn` is also the function that merges gateways, the statement needs no subquery. Otherwise each known value
        has its own statement, because InfluxDB repeats a subquery for each curve of a statement.
        """
        (field,) = self.rows.fields
        source, where = influxql.quote(self.rows.measurement), influxql.where(self.rows)
        if self.fn != merge_of(field):
            if self.names:
                return [_merge_gateways(self.rows.at(self.tag, name), self.fn, name) for name in self.names]
            each = f'GROUP BY time($__interval), "gateway", "{self.tag}" fill(none)'
            source = f"({influxql.select([influxql.call(self.fn, field)], source, where, each)})"
            where = f"WHERE {influxql.span(self.rows)}"
        text = influxql.select(
            [influxql.call(merge_of(field), field)],
            source,
            where,
            f'GROUP BY time($__interval), "{self.tag}" fill(null)',
        )
        return [Statement(self.rows.role, text, "time_series", f"$tag_{self.tag}")]


@dataclass(frozen=True)
class MedianOfGroup(OneColumn):
    """Query the median of one field over the inverters of a group, in each window."""

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (
            *flux.read(self.rows, flux.windows("mean", empty=False)),
            "group()",
            flux.windows("median", empty=True),
            f'rename(columns: {{_value: "{self.name}"}})',
            f'keep(columns: ["_time", "{self.name}"])',
        )
        return [Statement(self.rows.role, flux.pipe(*steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        inner = influxql.select(
            [influxql.call("mean", field)],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            'GROUP BY time($__interval), "serial" fill(none)',
        )
        text = influxql.select(
            [influxql.call("median", field, self.name)],
            f"({inner})",
            f"WHERE {influxql.span(self.rows)}",
            "GROUP BY time($__interval) fill(null)",
        )
        return [Statement(self.rows.role, text, "time_series", "$col")]


@dataclass(frozen=True)
class LimitLine(OneColumn):
    """Query a line at the number that is chosen in `variable`, in each window in which `rows` have a value."""

    variable: str

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (
            *flux.read(self.rows, flux.windows("mean", empty=False)),
            "group()",
            flux.windows("mean", empty=False),
            f'map(fn: (r) => ({{_time: r._time, {self.name}: float(v: "${{{self.variable}}}")}}))',
        )
        return [Statement(self.rows.role, flux.pipe(*steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        text = influxql.select(
            [f'mean("{field}") * 0 + ${{{self.variable}}} AS "{self.name}"'],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            "GROUP BY time($__interval) fill(none)",
        )
        return [Statement(self.rows.role, text, "time_series", "$col")]


@dataclass(frozen=True)
class NominalLine(OneColumn):
    """Query a line at a fixed distance from the grid's nominal frequency.

    The nominal frequency is the multiple of 10 Hz that is nearest to the measured frequency.
    """

    distance_hz: float

    def flux(self) -> list[Statement]:
        """Return one statement."""
        value = f"math.round(x: r._value / 10.0) * 10.0 + {self.distance_hz}"
        steps = (
            *flux.read(self.rows, flux.windows("mean", empty=False)),
            "group()",
            flux.windows("mean", empty=False),
            f"map(fn: (r) => ({{_time: r._time, {self.name}: {value}}}))",
        )
        return [Statement(self.rows.role, flux.pipe(*steps, imports=("math",)))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        text = influxql.select(
            [f'round(mean("{field}") / 10) * 10 + {self.distance_hz} AS "{self.name}"'],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            "GROUP BY time($__interval) fill(none)",
        )
        return [Statement(self.rows.role, text, "time_series", "$col")]


@dataclass(frozen=True)
class Rate(OneColumn):
    """Query the rate of a counter of seconds, in percent: processor time becomes load.

    First the rate between successive points is computed, then the mean of the rates in each window. Therefore the
    value of the last window is not too low, although this window is incomplete.
    """

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (
            *flux.read(self.rows),
            "derivative(unit: 1s, nonNegative: true)",
            flux.windows("mean", empty=False),
            'group(columns: ["_field"])',
            flux.windows("sum", empty=True),
            f"map(fn: (r) => ({{_time: r._time, {self.name}: r._value * 100.0}}))",
        )
        return [Statement(self.rows.role, flux.pipe(*steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        points = influxql.select(
            [f'non_negative_derivative("{field}", 1s) * 100 AS "r"'],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            'GROUP BY "gateway"',
        )
        inner = influxql.select(
            [influxql.call("mean", "r")],
            f"({points})",
            f"WHERE {influxql.span(self.rows)}",
            'GROUP BY time($__interval), "gateway" fill(none)',
        )
        text = influxql.select(
            [influxql.call("sum", "r", self.name)],
            f"({inner})",
            f"WHERE {influxql.span(self.rows)}",
            "GROUP BY time($__interval) fill(null)",
        )
        return [Statement(self.rows.role, text, "time_series", "$col")]


@dataclass(frozen=True)
class Shade(OneColumn):
    """Query 1 for each window in which a condition holds, and 0 for each other window: a band behind curves.

    With `when`, the condition is that a string field had this value. Without `when`, the condition is that `rows`
    have no value; these windows are at least five minutes long (the hidden choice `gap`), so that a recorder with a
    longer interval has no stripes.
    """

    when: str = ""

    def flux(self) -> list[Statement]:
        """Return one statement."""
        yes, no = ("1.0", "0.0") if self.when else ("0.0", "1.0")
        every = "v.windowPeriod" if self.when else "${gap}"
        steps = (
            *flux.read(
                self.rows,
                *((f'filter(fn: (r) => r._value == "{self.when}")',) if self.when else ()),
                flux.windows("count", empty=False, every=every),
            ),
            "group()",
            flux.windows("sum", empty=True, every=every),
            f"map(fn: (r) => ({{_time: r._time, {self.name}: if exists r._value then {yes} else {no}}}))",
        )
        return [Statement(self.rows.role, flux.pipe(*steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement, which turns the number of values of a window into 0 or 1.

        InfluxQL has no condition. So arithmetic makes 1 of every number except 0: (n + 1 − |n − 1|) / 2.
        """
        (field,) = self.rows.fields
        counted = influxql.select(
            [influxql.call("count", field, "n")],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows, *((f"\"{field}\" = '{self.when}'",) if self.when else ())),
            f"GROUP BY time({'$__interval' if self.when else '${gap}'}) fill(0)",
        )
        value = '("n" + 1 - abs("n" - 1.0)) / 2' if self.when else '(abs("n" - 1.0) + 1 - "n") / 2'
        text = influxql.select([f'{value} AS "{self.name}"'], f"({counted})", f"WHERE {influxql.span(self.rows)}")
        return [Statement(self.rows.role, text, "time_series", "$col")]


@dataclass(frozen=True)
class States(Query):
    """Query the last value of each string or boolean field in each window.

    `blank`: the text that stands for an empty string in Flux, whose answers show an empty string as no value.
    """

    rows: Rows
    blank: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the fields."""
        return self.rows.fields

    def flux(self) -> list[Statement]:
        """Return one statement."""
        blank = f'map(fn: (r) => ({{r with _value: if r._value == "" then "{self.blank}" else r._value}}))'
        steps = (
            *flux.read(self.rows, flux.windows("last", empty=False)),
            'group(columns: ["_field"])',
            flux.windows("last", empty=False),
            *((blank,) if self.blank else ()),
            flux.WIDE,
            'drop(columns: ["_start", "_stop"])',
        )
        return [Statement(self.rows.role, flux.pipe(*steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        text = influxql.select(
            [influxql.call("last", field) for field in self.rows.fields],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            "GROUP BY time($__interval) fill(none)",
        )
        return [Statement(self.rows.role, text)]


def _merge_gateways(rows: Rows, fn: str, name: str) -> Statement:
    """Write the InfluxQL for one value of a field in each window, merged over the chosen gateways."""
    (field,) = rows.fields
    inner = influxql.select(
        [influxql.call(fn, field)],
        influxql.quote(rows.measurement),
        influxql.where(rows),
        'GROUP BY time($__interval), "gateway" fill(none)',
    )
    text = influxql.select(
        [influxql.call(merge_of(field), field)],
        f"({inner})",
        f"WHERE {influxql.span(rows)}",
        "GROUP BY time($__interval) fill(null)",
    )
    return Statement(rows.role, text, "time_series", name)

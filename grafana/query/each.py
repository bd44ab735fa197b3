"""Ask for one row a device: its newest values."""

from __future__ import annotations

from dataclasses import dataclass

from grafana.query import flux, influxql
from grafana.query.asked import OneColumn, Query, Rows, Statement


@dataclass(frozen=True)
class Each(Query):
    """The newest value of each field of each device, with its tags. `tags[0]` tells one device from another."""

    rows: Rows
    tags: tuple[str, ...] = ("serial",)
    needs: tuple[str, ...] = ()
    """String fields without which a device is left out."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return tags and fields."""
        return (*self.tags, *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        kept = ", ".join(f'"{name}"' for name in self.columns)
        steps = (
            "last()",
            f'pivot(rowKey: ["{self.tags[0]}"], columnKey: ["_field"], valueColumn: "_value")',
            *(f"filter(fn: (r) => exists r.{field})" for field in self.needs),
            "group()",
            f"keep(columns: [{kept}])",
        )
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        text = influxql.select(
            [influxql.call("last", field) for field in self.rows.fields],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            "GROUP BY " + ", ".join(map(influxql.quote, self.tags)),
        )
        if self.needs:
            known = " AND ".join(f'"{field}" =~ /.+/' for field in self.needs)
            names = [influxql.quote(field) for field in self.columns]
            text = influxql.select(names, f"({text})", f"WHERE {known}")
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class CountAbove(OneColumn):
    """How many devices have a whole number above zero as the newest value of a field; 0 if none has."""

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (
            "last()",
            "group()",
            f"map(fn: (r) => ({{_time: now(), {self.name}: if r._value > 0 then 1.0 else 0.0}}))",
            f'sum(column: "{self.name}")',
        )
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement: (n + 1 − |n − 1|) / 2 is 0 for 0, and 1 for more.

        `abs` of 1.6 leaves a negative whole number as it is; so it gets a broken one.
        """
        (field,) = self.rows.fields
        inner = influxql.select(
            [influxql.call("last", field, "n")],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            'GROUP BY "serial"',
        )
        ones = influxql.select(['("n" + 1 - abs("n" - 1.0)) / 2 AS "is"'], f"({inner})")
        text = influxql.select([influxql.call("sum", "is", self.name)], f"({ones})")
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class Listing(Query):
    """Points as they are, the newest last: a line for each."""

    rows: Rows
    tags: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return tags and fields, after the time."""
        return (*self.tags, *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        kept = ", ".join(f'"{name}"' for name in ("_time", *self.columns))
        renamed = 'rename(columns: {_time: "Time"})'
        steps = (flux.WIDE, "group()", f"keep(columns: [{kept}])", 'sort(columns: ["_time"])', renamed)
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        names = [influxql.quote(name) for name in self.columns]
        text = influxql.select(names, influxql.quote(self.rows.measurement), influxql.where(self.rows))
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class PanelDays(Query):
    """A line for each panel and day: when, the panel's name, and a field times a hundred, under another name."""

    name: str
    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the panel's name and the percentage."""
        return ("panel", self.name)

    def flux(self) -> list[Statement]:
        """Return one statement, in the order of the panels' names, so that E2 comes before E10."""
        field = next(field for field in self.rows.fields if field != "panel")
        made = (
            f"{{Time: r._time, panel: r.panel, {self.name}: r.{field} * 100.0, length: strings.strlen(v: r.panel)}}"
        )
        steps = (
            flux.WIDE,
            f"filter(fn: (r) => exists r.panel and exists r.{field})",
            "group()",
            f"map(fn: (r) => ({made}))",
            'sort(columns: ["length", "panel", "Time"])',
            'drop(columns: ["length"])',
        )
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows), *steps, imports=("strings",)))]

    def influxql(self) -> list[Statement]:
        """Return one statement, in the order of the serial numbers."""
        field = next(field for field in self.rows.fields if field != "panel")
        text = influxql.select(
            ['"panel"', f'"{field}" * 100 AS "{self.name}"'],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            'GROUP BY "serial"',
        )
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class HourShares(Query):
    """A line for each inverter and hour of the day: name, hour, and energy as percent of its group's."""

    name: str
    rows: Rows
    """With the fields own energy, energy of the group, and name of the panel."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return name, hour and percentage."""
        return ("panel", "hour", self.name)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        own, usual, panel = self.rows.fields
        sums = flux.pipe(
            *flux.read(self.rows.having([own, usual])),
            'group(columns: ["serial", "hour", "_field"])',
            "sum()",
            'group(columns: ["_field"])',
        )
        names = flux.pipe(
            *flux.read(self.rows.having([panel])), 'group(columns: ["serial", "hour", "_field"])', "last()"
        )
        steps = (
            'keep(columns: ["serial", "hour", "_field", "_value"])',
            'group(columns: ["_field"])',
            'pivot(rowKey: ["serial", "hour"], columnKey: ["_field"], valueColumn: "_value")',
            f"filter(fn: (r) => exists r.{own} and exists r.{usual} and exists r.{panel} and r.{usual} > 0.0)",
            f"map(fn: (r) => ({{panel: r.{panel}, hour: r.hour, {self.name}: 100.0 * r.{own} / r.{usual}}}))",
            "map(fn: (r) => ({r with length: strings.strlen(v: r.panel)}))",
            'sort(columns: ["length", "panel", "hour"])',
            'drop(columns: ["length"])',
        )
        text = f'import "strings"\n\nsums = {sums}\nnames = {names}\n\nunion(tables: [sums, names])'
        return [Statement(self.rows.role, flux.pipe(text, *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement, in the order of the serial numbers."""
        own, usual, panel = self.rows.fields
        inner = influxql.select(
            [influxql.call("sum", own), influxql.call("sum", usual), influxql.call("last", panel)],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            'GROUP BY "serial", "hour"',
        )
        text = influxql.select(
            [f'"{panel}"', f'100 * "{own}" / "{usual}" AS "{self.name}"'],
            f"({inner})",
            f'WHERE "{usual}" > 0',
            'GROUP BY "serial", "hour"',
        )
        return [Statement(self.rows.role, text)]

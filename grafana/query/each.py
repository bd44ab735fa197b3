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
    above: tuple[str, ...] = ()
    """Numbers of which one must be above 0; without any, each device is shown."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return tags and fields."""
        return (*self.tags, *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        kept = ", ".join(f'"{name}"' for name in self.columns)
        some = " or ".join(f"(exists r.{field} and r.{field} > 0)" for field in self.above)
        steps = (
            f'pivot(rowKey: ["{self.tags[0]}"], columnKey: ["_field"], valueColumn: "_value")',
            *(f"filter(fn: (r) => exists r.{field})" for field in self.needs),
            *((f"filter(fn: (r) => {some})",) if some else ()),
            "group()",
            f"keep(columns: [{kept}])",
        )
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows, "last()"), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        text = influxql.select(
            [influxql.call("last", field) for field in self.rows.fields],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            "GROUP BY " + ", ".join(map(influxql.quote, self.tags)),
        )
        known = " AND ".join(f'"{field}" =~ /.+/' for field in self.needs)
        if wanted := known or " OR ".join(f'"{field}" > 0' for field in self.above):
            names = [influxql.quote(field) for field in self.columns]
            text = influxql.select(names, f"({text})", f"WHERE {wanted}")
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class CountAbove(OneColumn):
    """How many devices have a whole number above zero as the newest value of a field; 0 if none has."""

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (
            "group()",
            f"map(fn: (r) => ({{_time: now(), {self.name}: if r._value > 0 then 1.0 else 0.0}}))",
            f'sum(column: "{self.name}")',
        )
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows, "last()"), *steps))]

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

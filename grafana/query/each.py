"""Query one row for each device, and rows of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana.query import flux, influxql
from grafana.query.asked import OneColumn, Query, Rows, Statement

_A_DAY_S: Final = 86400


@dataclass(frozen=True)
class Each(Query):
    """Query the newest value of each field of each device, with its tags. `tags[0]` identifies a device."""

    rows: Rows
    tags: tuple[str, ...] = ("serial",)
    needs: tuple[str, ...] = ()
    """String fields. A device that lacks one of these fields is left out."""
    above: tuple[str, ...] = ()
    """Fields with numbers. A device that has no number above 0 in these fields is left out."""
    age: str = ""
    """The field with the age of a device's report in s. A device whose report is a day old or older is left out."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return tags and fields."""
        return (*self.tags, *(field for field in self.rows.fields if field != self.age))

    def flux(self) -> list[Statement]:
        """Return one statement."""
        kept = ", ".join(f'"{name}"' for name in self.columns)
        some = " or ".join(f"(exists r.{field} and r.{field} > 0)" for field in self.above)
        steps = (
            f'pivot(rowKey: ["{self.tags[0]}"], columnKey: ["_field"], valueColumn: "_value")',
            *(f"filter(fn: (r) => exists r.{field})" for field in self.needs),
            *((f"filter(fn: (r) => {some})",) if some else ()),
            *((f"filter(fn: (r) => exists r.{self.age} and r.{self.age} < {_A_DAY_S})",) if self.age else ()),
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
        fresh = f'"{self.age}" < {_A_DAY_S}' if self.age else ""
        if wanted := known or fresh or " OR ".join(f'"{field}" > 0' for field in self.above):
            names = [influxql.quote(field) for field in self.columns]
            text = influxql.select(names, f"({text})", f"WHERE {wanted}")
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class CountAbove(OneColumn):
    """Query the number of devices whose newest value of an integer field is at least `least`."""

    least: int = 1

    def flux(self) -> list[Statement]:
        """Return one statement."""
        steps = (
            "group()",
            f"map(fn: (r) => ({{_time: now(), {self.name}: if r._value >= {self.least} then 1.0 else 0.0}}))",
            f'sum(column: "{self.name}")',
        )
        return [Statement(self.rows.role, flux.pipe(*flux.read(self.rows, "last()"), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement, which adds up 1 for each device that has at least the value `least`, else 0.

        For a device's value n, the number is n − least + 1, limited to the range from 0 to 1. The argument of `abs`
        is a float, because `abs` of InfluxDB 1.6 returns a negative integer unchanged.
        """
        (field,) = self.rows.fields
        inner = influxql.select(
            [influxql.call("last", field, "n")],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows),
            'GROUP BY "serial"',
        )
        capped = f'("n" - {float(self.least - 2)} - abs("n" - {float(self.least)})) / 2 AS "most"'
        most = influxql.select([capped], f"({inner})")
        floored = influxql.select(['("most" + abs("most")) / 2 AS "is"'], f"({most})")
        text = influxql.select([influxql.call("sum", "is", self.name)], f"({floored})")
        return [Statement(self.rows.role, text)]


@dataclass(frozen=True)
class Listing(Query):
    """Query the points themselves in ascending order of time, with a row for each point."""

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

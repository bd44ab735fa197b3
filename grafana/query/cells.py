"""Query cells: a value for each panel and each time, or for each panel and each hour of the day.

An answer has a row for each cell. Grafana sorts these rows by `PLACE`: by group, then by length of the name, then by
name, so that E2 is before E10. Then Grafana turns the rows into columns. InfluxQL cannot compute the length of a
name. Therefore three statements read the names with one digit at the end, the names with two digits, and all other
names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from grafana.query import flux, influxql
from grafana.query.asked import OneColumn, Query, Rows, Statement

PLACE: Final = ("panel", "digits", "panel_group")
"""The columns by which the rows are sorted. The last column has the highest rank."""
_DIGITS: Final = (r"=~ /^\D*\d$/", r"=~ /^\D*\d\d$/", r"!~ /^\D*\d{1,2}$/")
_LABEL: Final = "${label:raw}"
"""The board's choice that holds the tag with an inverter's name."""
_EACH_WINDOW: Final = f'GROUP BY time($__interval), "panel_group", "{_LABEL}" fill(none)'


@dataclass(frozen=True)
class _PanelCells(OneColumn):
    """Define a query whose cells are in the column `name`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the panel's name and the value."""
        return ("panel", self.name)


@dataclass(frozen=True)
class CurveByPanel(_PanelCells):
    """Query the mean of one field of each inverter, in each window with a value."""

    def flux(self) -> list[Statement]:
        """Return one statement."""
        read = flux.read(self.rows, flux.windows("mean", empty=False))
        made = {"Time": "r._time", "panel": flux.NAME, self.name: "r._value"}
        return [Statement(self.rows.role, _place((*read, flux.WHOLE_WINDOWS), made))]

    def influxql(self) -> list[Statement]:
        """Return three statements. The choice `label` decides which tag holds the panel's name."""
        (field,) = self.rows.fields
        return _ask_by_digits(self.rows, _LABEL, f'mean("{field}")', influxql.call("mean", field, self.name))


@dataclass(frozen=True)
class PanelNames(Query):
    """Query the name of each listed inverter, without a value, so that a silent inverter has a row of cells.

    `rows`: the points that name the inverters, with one field that each listed inverter has. In a panel, this query
    stands before the query of the values, because Grafana shows the later of two cells with the same place.
    """

    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the panel's name."""
        return ("panel",)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        width = "int(v: v.windowPeriod)"
        made = {"Time": f"time(v: int(v: r._time) / {width} * {width})", "panel": flux.NAME}
        return [Statement(self.rows.role, _place(flux.read(self.rows, "last()"), made))]

    def influxql(self) -> list[Statement]:
        """Return three statements."""
        (field,) = self.rows.fields
        return _ask_by_digits(self.rows, _LABEL, f'count("{field}")')


@dataclass(frozen=True)
class PanelDays(_PanelCells):
    """Query a ratio of each panel on each day, in percent. `rows` names two fields: the ratio, and the name."""

    def flux(self) -> list[Statement]:
        """Return one statement."""
        field, panel = self.rows.fields
        known = f"filter(fn: (r) => exists r.{panel} and exists r.{field})"
        made = {"Time": "r._time", "panel": f"r.{panel}", self.name: f"r.{field} * 100.0"}
        return [Statement(self.rows.role, _place((*flux.read(self.rows), flux.WIDE, known), made))]

    def influxql(self) -> list[Statement]:
        """Return three statements."""
        field, panel = self.rows.fields
        values = (f'"{panel}" AS "panel"', f'"{field}" * 100 AS "{self.name}"')
        return _ask_by_digits(self.rows, panel, f'"{field}"', *values, group='GROUP BY "panel_group"')


@dataclass(frozen=True)
class HourShares(Query):
    """Query the energy of each inverter in each hour of the day, in percent of the group's median energy."""

    name: str
    rows: Rows
    """Rows with two fields: the energy of the inverter, and the median energy of the inverters of its group."""
    names: Rows
    """Rows with the name of each panel, for the join in Flux. InfluxQL reads the name from `rows`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return name, hour and percentage."""
        return ("panel", "hour", self.name)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        own, usual = self.rows.fields
        sums = flux.pipe(
            *flux.read(self.rows, "sum()"),
            'group(columns: ["serial", "hour", "_field"])',
            "sum()",
            "group()",
            'pivot(rowKey: ["serial", "hour"], columnKey: ["_field"], valueColumn: "_value")',
        )
        names = flux.pipe(*flux.read(self.names, "last()"), "group()", 'keep(columns: ["serial", "_value"])')
        joined = f'sums = {sums}\nnames = {names}\n\njoin(tables: {{sums, names}}, on: ["serial"])'
        known = f"filter(fn: (r) => exists r.{own} and exists r.{usual} and r.{usual} > 0.0)"
        made = f"panel: r._value, hour: r.hour, {self.name}: 100.0 * r.{own} / r.{usual}"
        return [Statement(self.rows.role, flux.pipe(joined, known, f"map(fn: (r) => ({{{made}}}))"))]

    def influxql(self) -> list[Statement]:
        """Return one statement, which leaves out hours in which the group had no energy.

        The statement has no subquery, because InfluxDB 2 loses the panels' names in a subquery.
        """
        own, usual = self.rows.fields
        (panel,) = self.names.fields
        text = influxql.select(
            [influxql.call("last", panel), f'100 * sum("{own}") / sum("{usual}") AS "{self.name}"'],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows, f'"{usual}" > 0'),
            'GROUP BY "serial", "hour"',
        )
        return [Statement(self.rows.role, text)]


def _place(steps: Iterable[str], made: dict[str, str]) -> str:
    """Write the Flux that makes the columns `made` and the columns of `PLACE`."""
    columns = ", ".join(f"{name}: {value}" for name, value in made.items())
    group = 'if exists r.panel_group then r.panel_group else ""'
    return flux.pipe(
        *steps,
        "group()",
        f"map(fn: (r) => ({{{columns}, panel_group: {group}}}))",
        "map(fn: (r) => ({r with digits: strings.strlen(v: r.panel)}))",
        imports=("strings",),
    )


def _ask_by_digits(rows: Rows, panel: str, number: str, *values: str, group: str = _EACH_WINDOW) -> list[Statement]:
    """Return a statement for each number of digits at the end of a panel's name, so that E2 is before E10.

    `panel`: the tag or field with the name. `number`: an expression that gives a number in each row; the column
    `digits` is computed from this number, because InfluxQL has no constant columns. `values`: the columns before
    the column `digits`.
    """
    return [
        Statement(
            rows.role,
            influxql.select(
                [*values, f'{number} * 0 + {digits} AS "digits"'],
                influxql.quote(rows.measurement),
                influxql.where(rows, f'"{panel}" {names}'),
                group,
            ),
        )
        for digits, names in enumerate(_DIGITS)
    ]

"""Query the name and the share of each panel: its energy in percent of the group's median energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana.query import flux, influxql
from grafana.query.asked import Query, Rows, Statement

SILENT: Final = -1
"""The number that marks a silent inverter in a column of shares, which are never below 0."""


@dataclass(frozen=True)
class RoofCells(Query):
    """Query the cells of a roof: each panel's name, and its energy in percent of the group's median energy.

    The column `name_row` is the number of the table's line that shows the name. The column `panel_row` is the number
    of the line that shows this percentage, the share. A silent panel has the number `SILENT` as share; the board
    shows this number as a word.
    """

    rows: Rows
    """Rows with the fields row, column, name, share, and number of silent days."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of place and content."""
        return ("name_row", "panel_row", "panel_column", "cell")

    def flux(self) -> list[Statement]:
        """Return one statement for the names and one for the shares."""
        row, column, name, share, silent = self.rows.fields
        known = f"filter(fn: (r) => exists r.{row} and exists r.{column})"
        place = f"panel_column: r.{column}, cell: "
        names = (known, f"map(fn: (r) => ({{name_row: r.{row}, {place}r.{name}}}))")
        is_silent = f"exists r.{silent} and r.{silent} > 0"
        cell = f"if {is_silent} then {SILENT:.1f} else r.{share} * 100.0"
        shares = (
            known,
            f"filter(fn: (r) => exists r.{share} or ({is_silent}))",
            f"map(fn: (r) => ({{panel_row: r.{row}, {place}{cell}}}))",
        )
        return [Statement(self.rows.role, flux.pipe(*_read_newest(self.rows), *steps)) for steps in (names, shares)]

    def influxql(self) -> list[Statement]:
        """Return one statement for the names, one for the shares, and one for the silent inverters."""
        row, column, name, share, silent = self.rows.fields
        known = f'"{row}" =~ /.+/ AND "{column}" =~ /.+/'
        wanted = (
            (f'"{row}" AS "name_row"', f'"{name}" AS "cell"', known),
            (f'"{row}"', f'"{share}" * 100 AS "cell"', f'{known} AND "{share}" >= 0 AND "{silent}" = 0'),
            (f'"{row}"', f'"{silent}" * 0 + {SILENT} AS "cell"', f'{known} AND "{silent}" > 0'),
        )
        return [
            Statement(
                self.rows.role,
                influxql.select(
                    [f'"{column}" AS "panel_column"', place, cell], _select_newest(self.rows), f"WHERE {which}"
                ),
            )
            for place, cell, which in wanted
        ]


@dataclass(frozen=True)
class WeekShares(Query):
    """Query the name of each inverter, and its energy as a share of the group's median energy.

    A silent inverter has the number `SILENT` instead of a share.
    """

    rows: Rows
    """Rows with the fields name, share, and number of silent days."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return name and share."""
        return self.rows.fields[:2]

    def flux(self) -> list[Statement]:
        """Return one statement."""
        name, share, silent = self.rows.fields
        is_silent = f"exists r.{silent} and r.{silent} > 0"
        steps = (
            f"filter(fn: (r) => exists r.{share} or ({is_silent}))",
            f"map(fn: (r) => ({{{name}: r.{name}, {share}: if {is_silent} then {SILENT:.1f} else r.{share}}}))",
        )
        return [Statement(self.rows.role, flux.pipe(*_read_newest(self.rows), *steps))]

    def influxql(self) -> list[Statement]:
        """Return one statement for the shares, and one for the silent inverters."""
        name, share, silent = self.rows.fields
        wanted = (
            (f'"{share}"', f'"{share}" >= 0 AND "{silent}" = 0'),
            (f'"{silent}" * 0 + {SILENT} AS "{share}"', f'"{silent}" > 0'),
        )
        return [
            Statement(
                self.rows.role,
                influxql.select([influxql.quote(name), cell], _select_newest(self.rows), f"WHERE {which}"),
            )
            for cell, which in wanted
        ]


def _read_newest(rows: Rows) -> tuple[str, ...]:
    """Return the Flux steps that make one row of the newest values of each inverter."""
    pivot = 'pivot(rowKey: ["serial"], columnKey: ["_field"], valueColumn: "_value")'
    return (*flux.read(rows, "last()"), pivot, "group()")


def _select_newest(rows: Rows) -> str:
    """Return the InfluxQL subquery that makes one row of the newest values of each inverter."""
    values = [influxql.call("last", field) for field in rows.fields]
    text = influxql.select(values, influxql.quote(rows.measurement), influxql.where(rows), 'GROUP BY "serial"')
    return f"({text})"

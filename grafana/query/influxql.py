"""Write the parts of InfluxQL that several queries share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grafana.query.asked import BEFORE, SHOWN, Rows

EACH_ROW: Final = "GROUP BY time(15m) fill(none)"
"""Groups the rows of one local day. Each local midnight is at a full quarter of an hour of UTC."""


def quote(name: str) -> str:
    """Return a name in the quotes of InfluxQL."""
    return f'"{name}"'


def call(fn: str, field: str, name: str = "") -> str:
    """Return an aggregate of a field as a column. `name`: the name of the column; if empty, the field's name."""
    return f'{fn}("{field}") AS "{name or field}"'


def select(columns: Iterable[str], source: str, *parts: str) -> str:
    """Return a SELECT statement. `parts`: the clauses after the source."""
    return " ".join(["SELECT", ", ".join(columns), "FROM", source, *(part for part in parts if part)])


def where(rows: Rows, *more: str) -> str:
    """Return the WHERE clause: the chosen gateways, the tags, the conditions `more`, and the time."""
    tags = [
        f'"{tag}" =~ /^{value}$/' if value.startswith("$") else f"\"{tag}\" = '{value}'" for tag, value in rows.where
    ]
    chosen = f'"{rows.owner}" =~ /^${{{rows.owner}:regex}}$/'
    return "WHERE " + " AND ".join([chosen, *tags, *more, span(rows)])


def span(rows: Rows) -> str:
    """Return the condition for the time that the query reads."""
    if rows.since == BEFORE:
        return "time >= ${__from}ms - 365d AND time <= ${__to}ms - 365d"
    end = f"now() - {rows.until}" if rows.until else "now()"
    return "$timeFilter" if rows.since == SHOWN else f"time > now() - {rows.since} AND time <= {end}"

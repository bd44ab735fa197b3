"""Write the parts of InfluxQL that several queries share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grafana.query.asked import BEFORE, SHOWN, Rows

EACH_ROW: Final = "GROUP BY time(15m) fill(none)"
"""Every local midnight is a quarter of an hour of UTC, so that rows of one day meet and no day is cut."""


def quote(name: str) -> str:
    """Write a name as InfluxQL has it."""
    return f'"{name}"'


def call(fn: str, field: str, name: str = "") -> str:
    """Write an aggregate of a field, under the field's own name or another."""
    return f'{fn}("{field}") AS "{name or field}"'


def select(columns: Iterable[str], source: str, *parts: str) -> str:
    """Write a SELECT with the parts that follow its source."""
    return " ".join(["SELECT", ", ".join(columns), "FROM", source, *(part for part in parts if part)])


def where(rows: Rows, *more: str) -> str:
    """Write which points are read: the chosen gateways, the tags, and the time."""
    tags = [
        f'"{tag}" =~ /^{value}$/' if value.startswith("$") else f"\"{tag}\" = '{value}'" for tag, value in rows.where
    ]
    chosen = f'"{rows.owner}" =~ /^${{{rows.owner}:regex}}$/'
    return "WHERE " + " AND ".join([chosen, *tags, *more, span(rows)])


def span(rows: Rows) -> str:
    """Write the time that is read."""
    if rows.since == BEFORE:
        return "time >= ${__from}ms - 365d AND time <= ${__to}ms - 365d"
    return "$timeFilter" if rows.since == SHOWN else f"time > now() - {rows.since} AND time <= now()"

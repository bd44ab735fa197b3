"""The ledger and what else is remembered of a gateway: sums, held values, its inverters' last reports."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from logger.model import Report

REPORTS_KEPT = 16
"""Reports remembered of each inverter, in the order in which they were first seen."""


def write(connection: sqlite3.Connection, gateway: str, changes: Mapping[str, str | None]) -> None:
    """Set the changed keys; None deletes one."""
    for key, value in changes.items():
        if value is None:
            connection.execute("DELETE FROM ledger WHERE gateway = ? AND key = ?", (gateway, key))
        else:
            connection.execute(
                "INSERT INTO ledger (gateway, key, value) VALUES (?, ?, ?) "
                "ON CONFLICT (gateway, key) DO UPDATE SET value = excluded.value",
                (gateway, key, value),
            )


def read(connection: sqlite3.Connection, gateway: str) -> dict[str, str]:
    """All keys of a gateway."""
    return dict(connection.execute("SELECT key, value FROM ledger WHERE gateway = ?", (gateway,)).fetchall())


def add_reports(connection: sqlite3.Connection, gateway: str, reports: Iterable[Report]) -> None:
    """Remember reports. One that is known keeps its first time and source; beyond 16 the first seen goes."""
    for report in reports:
        new = connection.execute(
            "INSERT INTO report (gateway, serial, gateway_second, time, source) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (gateway, report.serial, report.gateway_second, report.time, report.source),
        )
        if new.rowcount:
            connection.execute(
                "DELETE FROM report WHERE id IN (SELECT id FROM report WHERE gateway = ? AND serial = ? "
                "ORDER BY id DESC LIMIT -1 OFFSET ?)",
                (gateway, report.serial, REPORTS_KEPT),
            )


def reports(connection: sqlite3.Connection, gateway: str) -> dict[str, list[Report]]:
    """The remembered reports of each inverter, by serial, first seen first."""
    found: dict[str, list[Report]] = {}
    for row in connection.execute(
        "SELECT serial, gateway_second, time, source FROM report WHERE gateway = ? ORDER BY id", (gateway,)
    ):
        found.setdefault(row[0], []).append(Report(*row))
    return found


def gateways(connection: sqlite3.Connection) -> list[str]:
    """The serials of all gateways that the store knows."""
    return [
        row[0] for row in connection.execute("SELECT gateway FROM ledger UNION SELECT gateway FROM recent ORDER BY 1")
    ]

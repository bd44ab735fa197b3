"""Read and change the tables `ledger`, `report` and `recent`: states, inverters' last reports, the page's curve."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from logger.model import Report

REPORTS_KEPT = 16
"""The number of reports that are stored for each inverter: the latest ones, by the time of their first arrival."""
RECENT_S = 8 * 86400
"""Seconds for which the recent numbers of a tick are stored: a few values, from which the page draws its curve."""


def write(connection: sqlite3.Connection, gateway: str, changes: Mapping[str, str | None]) -> None:
    """Write the changed keys of a gateway's state. The value None deletes a key."""
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
    """Return the state of a gateway, as JSON text by key."""
    return dict(connection.execute("SELECT key, value FROM ledger WHERE gateway = ?", (gateway,)).fetchall())


def add_reports(connection: sqlite3.Connection, gateway: str, reports: Iterable[Report]) -> None:
    """Store reports of inverters.

    A report that is already stored stays unchanged. At most 16 reports of an inverter are stored. Beyond that number,
    the reports that were seen first are deleted.
    """
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


def read_reports(connection: sqlite3.Connection, gateway: str) -> dict[str, list[Report]]:
    """Return the stored reports: serial → the inverter's reports, in the order in which they were stored."""
    found: dict[str, list[Report]] = {}
    for row in connection.execute(
        "SELECT serial, gateway_second, time, source FROM report WHERE gateway = ? ORDER BY id", (gateway,)
    ):
        found.setdefault(row[0], []).append(Report(*row))
    return found


def add_recent(connection: sqlite3.Connection, gateway: str, tick: int, numbers: Mapping[str, float]) -> None:
    """Store a few values of a tick, for the curve of the page."""
    if numbers:
        connection.execute(
            "INSERT OR REPLACE INTO recent (gateway, tick, numbers) VALUES (?, ?, ?)",
            (gateway, tick, json.dumps(dict(numbers), separators=(",", ":"), allow_nan=False)),
        )


def read_recent(connection: sqlite3.Connection, gateway: str, since: int) -> list[tuple[int, dict[str, float]]]:
    """Read the page's curve: each tick from `since` on, oldest first, with its few values by name."""
    return [
        (tick, json.loads(text))
        for tick, text in connection.execute(
            "SELECT tick, numbers FROM recent WHERE gateway = ? AND tick >= ? ORDER BY tick", (gateway, since)
        )
    ]


def purge_recent(connection: sqlite3.Connection, before: int) -> int:
    """Delete the ticks of the page's curve that are earlier than `before`. Returns their number."""
    return connection.execute("DELETE FROM recent WHERE tick < ?", (before,)).rowcount


def list_gateways(connection: sqlite3.Connection) -> list[str]:
    """Return the serial of each gateway of which the store has the state or has values for the page's curve."""
    return [
        row[0] for row in connection.execute("SELECT gateway FROM ledger UNION SELECT gateway FROM recent ORDER BY 1")
    ]

"""Counts what waits in the store, and what ever went through."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from logger.model import ROLES, Role
from logger.store import daily_rows, outbox_rows
from logger.store.pending_acks import PendingAcks
from logger.store.records import RoleState, Waiting


def count(
    connection: sqlite3.Connection, pending: PendingAcks, missed: Mapping[Role, int], disk_bytes: int
) -> Waiting:
    """Count the rows of every role. Those of `pending` count as delivered; `missed` ticks are not in the file yet."""
    roles = {role: _count_role(connection, role, pending, missed.get(role, 0)) for role in ROLES}
    refused = connection.execute("SELECT count(*) FROM refused").fetchone()[0]
    at, _ = outbox_rows.find_last_sent(connection)
    return Waiting(roles, refused, disk_bytes, max(at, pending.newest_at()) or None)


def add_missed(connection: sqlite3.Connection, missed: Mapping[Role, int]) -> None:
    """Add ticks that could not be stored to what was ever missed, by role."""
    connection.executemany(
        "UPDATE tally SET missed = missed + ? WHERE role = ?", [(count, role) for role, count in missed.items()]
    )


def _count_role(connection: sqlite3.Connection, role: Role, pending: PendingAcks, missed: int) -> RoleState:
    row = connection.execute(
        "SELECT rows, lines, bytes, stored_rows, stored_lines, delivered_rows, delivered_lines, "
        "dropped_rows, dropped_lines, missed FROM tally WHERE role = ?",
        (role,),
    ).fetchone()
    rows, lines, size, stored_rows, stored_lines, delivered_rows, delivered_lines, *dropped, missed_before = row
    leases = pending.leases(role)
    pending_rows, pending_lines = sum(len(lease.ids) for lease in leases), sum(lease.lines for lease in leases)
    marked, marked_bytes = daily_rows.count_marked(connection) if role == "daily" else (0, 0)
    return RoleState(
        rows=max(0, rows + marked - pending_rows),
        lines=max(0, lines + marked - pending_lines),
        bytes=max(0, size + marked_bytes - sum(len(lease.body) for lease in leases)),
        oldest_tick=outbox_rows.find_oldest_tick(connection, role, pending.ids(role)),
        stored_rows=stored_rows,
        stored_lines=stored_lines,
        delivered_rows=delivered_rows + pending_rows,
        delivered_lines=delivered_lines + pending_lines,
        dropped_rows=dropped[0],
        dropped_lines=dropped[1],
        missed=missed_before + missed,
    )

"""Count how many rows wait now, and how many were stored, delivered and dropped so far."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace

from logger.model import ROLES, Role
from logger.store import daily_rows, outbox_rows
from logger.store.pending_acks import PendingAcks


@dataclass(frozen=True, slots=True)
class RoleFigures:
    """The figures of one role.

    `rows`, `lines`, `bytes` and `oldest_tick` describe the rows that wait now. All other figures count since the
    store was made. `missed`: ticks that could not be stored. `dropped_rows`: rows that were deleted undelivered
    because the store was full.
    """

    rows: int
    lines: int
    bytes: int
    oldest_tick: int | None
    stored_rows: int
    stored_lines: int
    delivered_rows: int
    delivered_lines: int
    dropped_rows: int
    dropped_lines: int
    missed: int


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """The figures of the whole store. `refused`: the number of refused lines.

    `last_delivery`: the latest delivery of a row that is still in the store, in unix seconds; None if there
    is no such row.
    """

    roles: Mapping[Role, RoleFigures]
    refused: int
    disk_bytes: int
    last_delivery: int | None = None

    @property
    def rows(self) -> int:
        """Return the number of rows that wait for delivery."""
        return sum(role.rows for role in self.roles.values())

    @property
    def lines(self) -> int:
        """Return the number of lines that wait for delivery."""
        return sum(role.lines for role in self.roles.values())

    @property
    def bytes(self) -> int:
        """Return the number of compressed bytes that wait for delivery."""
        return sum(role.bytes for role in self.roles.values())

    @property
    def oldest_tick(self) -> int | None:
        """Return the oldest tick with a row that waits for delivery, in unix seconds; None if no row waits."""
        return min((role.oldest_tick for role in self.roles.values() if role.oldest_tick is not None), default=None)

    @property
    def lines_stored(self) -> int:
        """Return the number of lines ever stored. Each new value of a daily row is counted, sent or not."""
        return sum(role.stored_lines for role in self.roles.values())

    @property
    def lines_delivered(self) -> int:
        """Return the number of lines ever delivered. A line that was sent twice is counted twice."""
        return sum(role.delivered_lines for role in self.roles.values())

    @property
    def lines_dropped(self) -> int:
        """Return the number of lines that were ever deleted undelivered because the store was full."""
        return sum(role.dropped_lines for role in self.roles.values())

    @property
    def ticks_missed(self) -> int:
        """Return the number of ticks that were ever lost because the store could not be written."""
        return max((role.missed for role in self.roles.values()), default=0)


def count(
    connection: sqlite3.Connection, pending: PendingAcks, missed: Mapping[Role, int], disk_bytes: int
) -> StoreFigures:
    """Return the figures of every role: the figures in the file, corrected by changes that are not in the file yet.

    The rows of `pending` count as delivered. The ticks of `missed` count as missed.
    """
    tally = {
        role: RoleFigures(*row)
        for role, *row in connection.execute(
            "SELECT role, rows, lines, bytes, NULL, stored_rows, stored_lines, delivered_rows, delivered_lines, "
            "dropped_rows, dropped_lines, missed FROM tally"
        )
    }
    roles = {role: _count_role(connection, role, tally[role], pending, missed.get(role, 0)) for role in ROLES}
    refused = connection.execute("SELECT count(*) FROM refused").fetchone()[0]
    at, _ = outbox_rows.find_last_sent(connection)
    return StoreFigures(roles, refused, disk_bytes, max(at, pending.find_newest_at()) or None)


def add_missed(connection: sqlite3.Connection, missed: Mapping[Role, int]) -> None:
    """Increase the missed ticks of each role. `missed`: role → how many ticks could not be stored."""
    connection.executemany(
        "UPDATE tally SET missed = missed + ? WHERE role = ?", [(count, role) for role, count in missed.items()]
    )


def _count_role(
    connection: sqlite3.Connection, role: Role, stored: RoleFigures, pending: PendingAcks, missed: int
) -> RoleFigures:
    """Return a role's figures: `stored` (from the store file), corrected by changes that are not in the file yet.

    The rows of `pending` count as delivered. `missed`: the number of ticks that could not be stored.
    """
    ids = pending.list_ids(role)
    pending_rows, pending_lines, pending_bytes = outbox_rows.count_waiting(connection, ids) if ids else (0, 0, 0)
    marked, marked_bytes = daily_rows.count_marked(connection) if role == "daily" else (0, 0)
    waits = stored.rows > pending_rows
    return replace(
        stored,
        rows=max(0, stored.rows + marked - pending_rows),
        lines=max(0, stored.lines + marked - pending_lines),
        bytes=max(0, stored.bytes + marked_bytes - pending_bytes),
        oldest_tick=outbox_rows.find_oldest_tick(connection, role, ids) if waits else None,
        delivered_rows=stored.delivered_rows + pending_rows,
        delivered_lines=stored.delivered_lines + pending_lines,
        missed=stored.missed + missed,
    )

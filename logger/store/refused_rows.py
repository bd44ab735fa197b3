"""Read and change the table `refused`: lines that InfluxDB refused, each with the reason."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from logger.model import RefusedLine, Role
from logger.store import outbox_rows
from logger.store.packed_lines import pack_line
from logger.store.records import Batch, Lease, RefusedRow

_FIELDS = "id, gateway, role, tick, at, status, reason, line"


def add(connection: sqlite3.Connection, lease: Lease, refused: Iterable[RefusedLine], at: int) -> None:
    """Store the refused lines of a lease. A line that is refused again gets no second entry, but the newest reason.

    A daily row has at most one entry, for its newest refused value. A daily row has no entry after InfluxDB accepted
    a value, or while a newer value waits.
    """
    if lease.revisions:
        _forget_days(connection, lease.ids)
    for item in refused:
        row_id, daily_id, tick = lease.ids[item.batch], None, lease.newest_tick
        if lease.revisions:
            daily_id = row_id
            if not _is_current(connection, row_id, lease.revisions[item.batch]):
                continue
        elif (row := connection.execute("SELECT tick FROM outbox WHERE id = ?", (row_id,)).fetchone()) is not None:
            tick = row[0]
        _insert(connection, (lease.gateway, lease.role, tick, at, item.status, item.reason), item.line, daily_id)


def _forget_days(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    known = {row[0] for row in connection.execute("SELECT daily_id FROM refused WHERE daily_id IS NOT NULL")}
    connection.executemany("DELETE FROM refused WHERE daily_id = ?", [(row_id,) for row_id in known & set(ids)])


def _is_current(connection: sqlite3.Connection, daily_id: int, revision: int) -> bool:
    return (
        connection.execute("SELECT 1 FROM daily WHERE id = ? AND revision = ?", (daily_id, revision)).fetchone()
        is not None
    )


def set_aside(connection: sqlite3.Connection, reasons: Mapping[int, str], at: int) -> None:
    """Move damaged outbox rows to the table `refused`, each with its reason. `reasons`: the reasons by row id.

    The moved rows can be read, but not sent again. `at`: the present time in unix seconds.
    """
    for row_id, reason in reasons.items():
        row = connection.execute("SELECT gateway, role, tick, body FROM outbox WHERE id = ?", (row_id,)).fetchone()
        if row is not None:
            _insert(connection, (*row[:3], at, 0, reason), row[3], None)
            connection.execute("DELETE FROM outbox WHERE id = ?", (row_id,))


def _insert(connection: sqlite3.Connection, about: tuple[object, ...], line: bytes, daily_id: int | None) -> None:
    connection.execute(
        "INSERT INTO refused (gateway, role, tick, at, status, reason, line, digest, daily_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (gateway, role, digest) DO UPDATE SET "
        "at = excluded.at, status = excluded.status, reason = excluded.reason",
        (*about, line, hashlib.blake2b(line, digest_size=16).digest(), daily_id),
    )


def read(connection: sqlite3.Connection, after: int, limit: int) -> list[RefusedRow]:
    """Read up to `limit` refused lines with ids above `after`, in the order in which they were first refused."""
    return [
        RefusedRow(*row)
        for row in connection.execute(
            f"SELECT {_FIELDS} FROM refused WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
    ]


def retry(connection: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Move refused lines back to the rows that wait for delivery. Return the number of lines.

    A daily row is sent with its current value, not with the refused value. Damaged rows (status 0) are not sent.
    """
    rows = connection.execute(
        f"SELECT {_FIELDS}, daily_id FROM refused WHERE status > 0 AND {_match(ids)} ORDER BY gateway, role, tick, id"
    ).fetchall()
    for (gateway, role, tick), group in groupby(rows, key=lambda row: row[1:4]):
        lines = []
        for row in group:
            if row[8] is None:
                lines.append(row[7])
            else:
                connection.execute("UPDATE daily SET dirty = 1, revision = revision + 1 WHERE id = ?", (row[8],))
        if lines:
            _enqueue(connection, gateway, role, tick, lines)
    connection.executemany("DELETE FROM refused WHERE id = ?", [(row[0],) for row in rows])
    return len(rows)


def put_back(connection: sqlite3.Connection, row_id: int, line: bytes) -> bool:
    """Store `line` for delivery in place of the refused line `row_id`. Return False if that id is unknown.

    The corrected line of a daily row becomes the row's current value.
    """
    row = connection.execute("SELECT gateway, role, tick, daily_id FROM refused WHERE id = ?", (row_id,)).fetchone()
    if row is None:
        return False
    gateway, role, tick, daily_id = row
    if daily_id is None:
        _enqueue(connection, gateway, role, tick, [line])
    else:
        connection.execute(
            "UPDATE daily SET line = ?, dirty = 1, revision = revision + 1 WHERE id = ?", (pack_line(line), daily_id)
        )
    discard(connection, [row_id])
    return True


def discard(connection: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Delete the refused lines with these ids. Returns the number of deleted lines."""
    return connection.execute(f"DELETE FROM refused WHERE {_match(ids)}").rowcount


def _match(ids: Sequence[int]) -> str:
    return f"id IN ({','.join(str(int(i)) for i in ids)})"


def _enqueue(connection: sqlite3.Connection, gateway: str, role: Role, tick: int, lines: Iterable[bytes]) -> None:
    packed = [line + b"\n" for line in lines]
    outbox_rows.insert(
        connection, gateway, tick, [Batch(role, len(packed), gzip.compress(b"".join(packed), 1, mtime=0))]
    )


def purge_oldest(connection: sqlite3.Connection, limit: int) -> int:
    """Delete up to `limit` refused lines, the oldest first. Returns the number of deleted lines."""
    return connection.execute(
        "DELETE FROM refused WHERE id IN (SELECT id FROM refused ORDER BY id LIMIT ?)", (limit,)
    ).rowcount

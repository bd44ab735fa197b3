"""Read and change the table `daily`: one current row for each series and day, with a mark while it must be sent."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from logger.store.packed_lines import pack_line, unpack_line
from logger.store.records import DailyRow, Lease, Sent


def put(connection: sqlite3.Connection, gateway: str, rows: Iterable[DailyRow]) -> None:
    """Write current rows. A new row, and a row with a changed line, is marked for sending and counted as stored."""
    changed = 0
    for row in rows:
        is_news = _is_news(connection, gateway, row)
        changed += is_news
        _set(connection, gateway, row, is_news=is_news)
    if changed:
        connection.execute(
            "UPDATE tally SET stored_rows = stored_rows + ?, stored_lines = stored_lines + ? WHERE role = 'daily'",
            (changed, changed),
        )


def _is_news(connection: sqlite3.Connection, gateway: str, row: DailyRow) -> bool:
    found = connection.execute(
        "SELECT line FROM daily WHERE gateway = ? AND measurement = ? AND series = ? AND day = ?",
        (gateway, row.measurement, row.series, row.day),
    ).fetchone()
    return found is None or unpack_line(found[0]) != row.line


def _set(connection: sqlite3.Connection, gateway: str, row: DailyRow, *, is_news: bool) -> None:
    connection.execute(
        "INSERT INTO daily (gateway, measurement, series, day, line, final, revision, dirty) "
        "VALUES (?, ?, ?, ?, ?, ?, 1, 1) ON CONFLICT (gateway, measurement, series, day) DO UPDATE SET "
        "final = excluded.final, line = excluded.line, revision = revision + ?, dirty = dirty OR ?",
        (gateway, row.measurement, row.series, row.day, pack_line(row.line), row.final, is_news, is_news),
    )


def lease(connection: sqlite3.Connection, max_lines: int) -> tuple[Lease | None, list[int]]:
    """Lease undelivered daily rows of one gateway, the oldest days first.

    Each row is one batch with tick 0. Return the lease, and the ids of the damaged rows.
    """
    found = [
        (row_id, revision, unpack_line(line), gateway)
        for row_id, revision, line, gateway in connection.execute(
            "SELECT id, revision, line, gateway FROM daily WHERE dirty ORDER BY day, id LIMIT ?", (max_lines,)
        )
    ]
    damaged = [row[0] for row in found if row[2] is None]
    rows = [(row_id, revision, line, gateway) for row_id, revision, line, gateway in found if line is not None]
    rows = [row for row in rows if row[3] == rows[0][3]]
    if not rows:
        return None, damaged
    leased = Lease(
        ids=tuple(row[0] for row in rows),
        gateway=rows[0][3],
        role="daily",
        batches=tuple(_compress(row[2]) for row in rows),
        lines=len(rows),
        oldest_tick=0,
        newest_tick=0,
        revisions=tuple(row[1] for row in rows),
    )
    return leased, damaged


def drop(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Delete the damaged rows with these ids."""
    connection.executemany("DELETE FROM daily WHERE id = ?", [(row_id,) for row_id in ids])


def ack(connection: sqlite3.Connection, lease: Lease, refused_lines: int) -> None:
    """Mark each leased row as delivered, if the row has not changed since the lease.

    `refused_lines`: the number of leased rows that InfluxDB refused. Refused rows are not counted as delivered.
    """
    for row_id, revision in zip(lease.ids, lease.revisions, strict=True):
        connection.execute("UPDATE daily SET dirty = 0 WHERE id = ? AND revision = ?", (row_id, revision))
    connection.execute(
        "UPDATE tally SET delivered_rows = delivered_rows + ?, delivered_lines = delivered_lines + ? "
        "WHERE role = 'daily'",
        (len(lease.ids) - refused_lines, len(lease.ids) - refused_lines),
    )


def replay(connection: sqlite3.Connection, since: int, after: int, limit: int) -> tuple[int, int | None]:
    """Mark at most `limit` rows as waiting to be sent. Only rows with ids greater than `after` are marked.

    Rows of days that had ended in every time zone before `since` (unix seconds) are left out. Returns the number of
    marked rows, and the last id, from which to continue (None at the end).
    """
    ids = connection.execute(
        "SELECT id FROM daily WHERE id > ? AND day >= ? ORDER BY id LIMIT ?",
        (after, _find_earliest_day(since), limit),
    ).fetchall()
    connection.executemany("UPDATE daily SET dirty = 1, revision = revision + 1 WHERE id = ?", ids)
    return len(ids), ids[-1][0] if len(ids) == limit else None


def read_sent(connection: sqlite3.Connection, since: int, after: int, max_lines: int) -> Sent | None:
    """Read undamaged delivered rows with ids greater than `after`; None at the end.

    Rows of days that had ended in every time zone before `since` (unix seconds) are left out.
    """
    found = connection.execute(
        "SELECT id, line FROM daily WHERE id > ? AND day >= ? AND NOT dirty ORDER BY id LIMIT ?",
        (after, _find_earliest_day(since), max_lines),
    ).fetchall()
    batches = tuple(_compress(line) for _, stored in found if (line := unpack_line(stored)) is not None)
    return Sent(batches, len(batches), (0, found[-1][0])) if found else None


def read(connection: sqlite3.Connection, gateway: str, since_day: str) -> list[DailyRow]:
    """Read a gateway's current rows of the day `since_day` and of all later days, in the order of their days."""
    return [
        DailyRow(m, s, d, line, bool(final))
        for m, s, d, stored, final in connection.execute(
            "SELECT measurement, series, day, line, final FROM daily WHERE gateway = ? AND day >= ? ORDER BY day, id",
            (gateway, since_day),
        )
        if (line := unpack_line(stored)) is not None
    ]


def read_between(
    connection: sqlite3.Connection, gateway: str, measurement: str, since_day: str, until_day: str
) -> list[DailyRow]:
    """Read a gateway's current rows of one measurement, in the order of their days.

    `since_day`, `until_day`: the first and the last ISO date.
    """
    return [
        DailyRow(measurement, series, day, line, bool(final))
        for series, day, stored, final in connection.execute(
            "SELECT series, day, line, final FROM daily WHERE gateway = ? AND measurement = ? "
            "AND day BETWEEN ? AND ? ORDER BY day, id",
            (gateway, measurement, since_day, until_day),
        )
        if (line := unpack_line(stored)) is not None
    ]


def read_lines(connection: sqlite3.Connection, after: int, limit: int) -> tuple[list[bytes], int | None]:
    """Read the lines of up to `limit` rows with ids greater than `after`.

    Returns the lines, and the last id, from which to continue (None at the end).
    """
    found = connection.execute(
        "SELECT id, line FROM daily WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
    ).fetchall()
    lines = [line for _, stored in found if (line := unpack_line(stored)) is not None]
    return lines, found[-1][0] if len(found) == limit else None


def count_marked(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of rows that wait for delivery, and the sum of their bytes."""
    count, size = connection.execute("SELECT count(*), total(length(line)) FROM daily WHERE dirty").fetchone()
    return int(count), int(size)


def _compress(line: bytes) -> bytes:
    return gzip.compress(line + b"\n", 1, mtime=0)


def _find_earliest_day(at: int) -> str:
    """Return an ISO date: at the unix second `at`, no time zone has an earlier date."""
    return datetime.fromtimestamp(max(0, at - 14 * 3600), UTC).date().isoformat()

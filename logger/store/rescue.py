"""Copy the readable rows of a damaged store file into the new file.

The state, the daily rows, the reports and the refused lines are copied first, in one transaction. The rows of the
outbox follow in small steps, so that recording does not wait for them. If the recorder is killed, the
copying continues at the next start: a damaged file that is not in the store's table `rescue` is not copied yet.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from logger.store import damage, outbox_rows
from logger.store.tables import transaction

_IDS_APART: Final = 1_000_000
_LARGEST_ID: Final = 2**48
_CARRIED: Final = (
    ("ledger", "gateway, key, value", "gateway {0}, key {0}"),
    ("daily", "id, gateway, measurement, series, day, line, final, revision, dirty", "id {0}"),
    ("report", "id, gateway, serial, gateway_second, time, source", "id {0}"),
    ("recent", "gateway, tick, numbers", "gateway {0}, tick {0}"),
    ("refused", "id, gateway, role, tick, at, status, reason, line, digest, daily_id", "id {0}"),
    ("rescue", "name, next, last, copied", "name {0}"),
)
_EVER: Final = (
    "stored_rows",
    "stored_lines",
    "delivered_rows",
    "delivered_lines",
    "dropped_rows",
    "dropped_lines",
    "missed",
)


def carry_over(connection: sqlite3.Connection, folder: Path) -> list[str]:
    """Copy the readable rows of each damaged file, the newest file first.

    A file that was copied before is left out. Returns lines for the recorder's log.
    """
    notes = []
    for path in sorted(damage.list_set_aside(folder), reverse=True):
        if connection.execute("SELECT 1 FROM rescue WHERE name = ?", (path.name,)).fetchone() is None:
            with _open_damaged(path) as source, transaction(connection):
                counts = {
                    table: _copy(source, connection, table, columns, order) for table, columns, order in _CARRIED
                }
                _carry_totals(source, connection)
                last = _keep_ids_apart(source, connection)
                connection.execute(
                    "INSERT OR REPLACE INTO rescue (name, next, last, copied) VALUES (?, 1, ?, 0)", (path.name, last)
                )
            carried = ", ".join(f"{count} of the table {table}" for table, count in counts.items() if count)
            notes.append(
                f"rows were copied from the damaged store {path.name}: {carried or 'none'}; "
                + ("the rows of its outbox follow" if last else "no row of its outbox can be read")
            )
    return notes


@contextlib.contextmanager
def _open_damaged(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a damaged file for reading, with its write-ahead log if the log can be used."""
    uri = path.absolute().as_uri()
    source = sqlite3.connect(f"{uri}?mode=ro", uri=True, isolation_level=None)
    try:
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError:
        source.close()
        source = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)
    source.text_factory = damage.decode
    try:
        yield source
    finally:
        source.close()


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str, columns: str, order: str) -> int:
    """Copy the readable rows of a table. Return the number of copied rows.

    The rows are read forwards up to the damage, and then backwards from the last row. `columns`: the columns to copy,
    separated by commas. `order`: the order of the rows in SQL, with a gap for the direction.
    """
    marks = ", ".join("?" * (columns.count(",") + 1))
    count = 0
    for direction in ("ASC", "DESC"):
        try:
            for row in source.execute(f"SELECT {columns} FROM {table} ORDER BY {order.format(direction)}"):
                with contextlib.suppress(sqlite3.IntegrityError):
                    count += target.execute(
                        f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", row
                    ).rowcount
        except sqlite3.Error as error:
            if target.in_transaction and _is_reading(error):
                continue
            raise
        else:
            break
    return count


def _is_reading(error: sqlite3.Error) -> bool:
    """Return whether the error came from reading, not from writing."""
    return getattr(error, "sqlite_errorname", "") not in ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_READONLY")


def _carry_totals(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    for column in _EVER:
        with contextlib.suppress(sqlite3.Error):
            for role, value in source.execute(f"SELECT role, {column} FROM tally").fetchall():
                if isinstance(value, int):
                    target.execute(f"UPDATE tally SET {column} = max({column}, ?) WHERE role = ?", (value, role))


def _keep_ids_apart(source: sqlite3.Connection, target: sqlite3.Connection) -> int:
    """Make the ids of new rows higher than the ids of all old rows. Return the last id of the old outbox, or 0."""
    found = {}
    for table in ("outbox", "daily"):
        ids = [0]
        for query in (
            f"SELECT max(seq) FROM sqlite_sequence WHERE name = '{table}'",
            f"SELECT max(id) FROM {table}",
        ):
            with contextlib.suppress(sqlite3.Error):
                ids.append(source.execute(query).fetchone()[0] or 0)
        found[table] = max(i for i in ids if isinstance(i, int) and i < _LARGEST_ID)
        own = target.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()[0] or 0
        target.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        target.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, max(own, found[table] + _IDS_APART))
        )
    return found["outbox"]


def rescue_rows(connection: sqlite3.Connection, folder: Path, limit: int) -> tuple[int, str | None]:
    """Copy up to `limit` outbox rows of one damaged file, inside the caller's transaction.

    Returns the number of ids that are not read yet, and a line for the recorder's log when a file is complete.
    """
    job = connection.execute(
        "SELECT name, next, last, copied FROM rescue WHERE next <= last ORDER BY name DESC LIMIT 1"
    ).fetchone()
    if job is None:
        return 0, None
    name, start, last, copied = job
    path = folder / name
    if not path.exists():
        connection.execute("UPDATE rescue SET next = last + 1 WHERE name = ?", (name,))
        return 0, f"{name} is gone: no more rows can be saved from it"
    with _open_damaged(path) as source:
        rows, following = _read_rows(source, start, last, limit)
    for row in rows:
        gateway, _, tick, lines, _, crc, _, body = row[1:]
        if isinstance(body, bytes) and outbox_rows.compute_crc(gateway, tick, lines, body) == crc:
            copied += connection.execute(
                "INSERT OR IGNORE INTO outbox (id, gateway, role, tick, lines, size, crc, delivered_at, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).rowcount
    connection.execute("UPDATE rescue SET next = ?, copied = ? WHERE name = ?", (following, copied, name))
    left = max(0, last + 1 - following)
    return left, None if left else f"{copied} outbox rows were saved from {name}"


def delete_saved(connection: sqlite3.Connection, folder: Path) -> list[str]:
    """Delete the damaged files whose readable rows are all copied. Keep the newest of these files.

    Otherwise a failing disk, which damages one file after another, would become full. Returns lines for the
    recorder's log.
    """
    saved = {name for (name,) in connection.execute("SELECT name FROM rescue WHERE next > last")}
    older = sorted(path for path in damage.list_set_aside(folder) if path.name in saved)[:-1]
    return [
        f"{path.name} is deleted, because its rows are saved and a newer damaged file is kept"
        for path in older
        if damage.delete(path)
    ]


_Row = tuple[int, str, str, int, int, int, int, "int | None", bytes]


def _read_rows(source: sqlite3.Connection, start: int, last: int, limit: int) -> tuple[list[_Row], int]:
    """Read up to `limit` readable outbox rows with ids from `start` to `last`.

    Returns the rows, and the id from which to continue.
    """
    query = (
        "SELECT id, gateway, role, tick, lines, size, crc, delivered_at, body FROM outbox "
        "WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?"
    )
    rows: list[_Row] = []
    try:
        rows = source.execute(query, (start, last, limit)).fetchall()
    except (sqlite3.Error, zlib.error):
        following, step, tries = start, 1, 0
        while following <= last and len(rows) < limit and tries < limit:
            tries += 1
            try:
                row = source.execute(query, (following, last, 1)).fetchone()
            except sqlite3.Error:
                following += step
                step = min(step * 2, 64) if tries > 32 else 1
                continue
            step = 1
            if row is None:
                return rows, last + 1
            rows.append(row)
            following = row[0] + 1
        return rows, following
    return rows, rows[-1][0] + 1 if len(rows) == limit else last + 1

"""The tables of the store, and how its file is opened: durable at every commit, bounded, one version a step."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from logger.errors import StateError
from logger.files import hand_over
from logger.store.ballast import SIZE as BALLAST_BYTES

FILE: Final = "store.sqlite3"
_PAGE: Final = 1024
"""Small, for a minute changes a few numbers on a few pages, and each such page is written whole, twice."""
_LOG_BYTES: Final = 4 * 1024 * 1024
_LEAST_BYTES: Final = 2 * 1024 * 1024
_UNLIKELY_VERSION: Final = 1000
_PATIENCE_S: Final = 10
_NO_SHARED_MEMORY: Final = (
    "SQLITE_CANTOPEN",
    "SQLITE_PROTOCOL",
    "SQLITE_READONLY",
    "SQLITE_IOERR_LOCK",
    "SQLITE_IOERR_SHMOPEN",
    "SQLITE_IOERR_SHMMAP",
    "SQLITE_IOERR_SHMLOCK",
)

_FIRST: Final = (
    # One row a tick and role. `crc` is the CRC-32 of `body`, so that bit rot is found before it is sent.
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, gateway TEXT NOT NULL, role TEXT NOT NULL, tick INTEGER NOT NULL,
        lines INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, delivered_at INTEGER,
        body BLOB NOT NULL)""",
    "CREATE INDEX outbox_waiting ON outbox (role, tick, id) WHERE delivered_at IS NULL",
    "CREATE INDEX outbox_delivered ON outbox (delivered_at) WHERE delivered_at IS NOT NULL",
    # What waits and what ever went through, so that nobody need count a long outbox.
    """CREATE TABLE tally (
        role TEXT PRIMARY KEY, rows INTEGER NOT NULL DEFAULT 0, lines INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0, stored_rows INTEGER NOT NULL DEFAULT 0,
        stored_lines INTEGER NOT NULL DEFAULT 0, delivered_rows INTEGER NOT NULL DEFAULT 0,
        delivered_lines INTEGER NOT NULL DEFAULT 0, dropped_rows INTEGER NOT NULL DEFAULT 0,
        dropped_lines INTEGER NOT NULL DEFAULT 0, missed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    "INSERT INTO tally (role) VALUES ('totals'), ('devices'), ('daily')",
    """CREATE TRIGGER outbox_in AFTER INSERT ON outbox WHEN new.delivered_at IS NULL BEGIN
        UPDATE tally SET rows = rows + 1, lines = lines + new.lines, bytes = bytes + new.size
        WHERE role = new.role; END""",
    """CREATE TRIGGER outbox_done AFTER UPDATE OF delivered_at ON outbox
        WHEN old.delivered_at IS NULL AND new.delivered_at IS NOT NULL BEGIN
        UPDATE tally SET rows = rows - 1, lines = lines - new.lines, bytes = bytes - new.size
        WHERE role = new.role; END""",
    """CREATE TRIGGER outbox_again AFTER UPDATE OF delivered_at ON outbox
        WHEN old.delivered_at IS NOT NULL AND new.delivered_at IS NULL BEGIN
        UPDATE tally SET rows = rows + 1, lines = lines + new.lines, bytes = bytes + new.size
        WHERE role = new.role; END""",
    """CREATE TRIGGER outbox_out AFTER DELETE ON outbox WHEN old.delivered_at IS NULL BEGIN
        UPDATE tally SET rows = rows - 1, lines = lines - old.lines, bytes = bytes - old.size
        WHERE role = old.role; END""",
    """CREATE TABLE daily (
        id INTEGER PRIMARY KEY AUTOINCREMENT, gateway TEXT NOT NULL, measurement TEXT NOT NULL,
        series TEXT NOT NULL, day TEXT NOT NULL, line BLOB NOT NULL, final INTEGER NOT NULL,
        revision INTEGER NOT NULL, dirty INTEGER NOT NULL, UNIQUE (gateway, measurement, series, day))""",
    "CREATE INDEX daily_dirty ON daily (day, id) WHERE dirty",
    "CREATE TABLE ledger (gateway TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (gateway, key)) WITHOUT ROWID",
    """CREATE TABLE report (
        id INTEGER PRIMARY KEY AUTOINCREMENT, gateway TEXT NOT NULL, serial TEXT NOT NULL,
        gateway_second INTEGER NOT NULL, time INTEGER NOT NULL, source TEXT NOT NULL,
        UNIQUE (gateway, serial, gateway_second))""",
    """CREATE TABLE recent (
        gateway TEXT, tick INTEGER, numbers TEXT NOT NULL, PRIMARY KEY (gateway, tick)) WITHOUT ROWID""",
    # `digest` is of `line`, to know it again. `daily_id` names the daily row that a refused line came from: its
    # current value is what is tried again.
    """CREATE TABLE refused (
        id INTEGER PRIMARY KEY AUTOINCREMENT, gateway TEXT NOT NULL, role TEXT NOT NULL, tick INTEGER NOT NULL,
        at INTEGER NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL, line BLOB NOT NULL,
        digest BLOB NOT NULL, daily_id INTEGER, UNIQUE (gateway, role, digest))""",
    # A damaged file whose outbox rows are still being copied: ids from `next` to `last` are to be looked at.
    """CREATE TABLE rescue (
        name TEXT PRIMARY KEY, next INTEGER NOT NULL, last INTEGER NOT NULL, copied INTEGER NOT NULL)""",
)
STEPS: Final[tuple[tuple[str, ...], ...]] = (_FIRST,)
"""What leads from each schema version to the next. Never change one; add one."""

TABLES: Final = frozenset({"outbox", "tally", "daily", "ledger", "report", "recent", "refused", "rescue"})
"""The tables of the newest version."""


class Torn(sqlite3.DatabaseError):
    """The file opens, but is not what was written."""


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing: what is done inside is durable when this ends, or never happened."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def connect(folder: Path, max_mb: int, notes: list[str]) -> sqlite3.Connection:
    """Open or make the store's file; raises sqlite3.Error, and StateError if a newer program wrote it.

    `max_mb` bounds file, log and ballast together. What a person should know is added to `notes`.
    """
    path = folder / FILE
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        hand_over(path)
    connection = _connection(path, notes)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        page = int(connection.execute("PRAGMA page_size").fetchone()[0])
        connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_BYTES // 2 // page}")
        connection.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
        pages = max(_LEAST_BYTES, max_mb * 1024 * 1024 - BALLAST_BYTES - _LOG_BYTES) // page
        connection.execute(f"PRAGMA max_page_count={pages}")
        _upgrade(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connection(path: Path, notes: list[str]) -> sqlite3.Connection:
    """Open with a write-ahead log where the file system can do it, a rollback journal elsewhere (network shares)."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_S)
    try:
        connection.execute(f"PRAGMA page_size={_PAGE}")  # of a new file; one that is there keeps its own
        if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] == "wal":
            with transaction(connection):  # the first write shows whether shared memory works
                return connection
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname not in _NO_SHARED_MEMORY:
            connection.close()
            raise
    except sqlite3.Error:
        connection.close()
        raise
    connection.close()
    connection = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_S)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # leaves write-ahead logging without shared memory
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        connection.execute("PRAGMA locking_mode=NORMAL")
        with transaction(connection):
            notes.append(f"the file system of {path.parent} has no shared memory: the store uses a rollback journal")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 <= version < _UNLIKELY_VERSION:
        raise Torn(f"schema version {version}")
    if version > len(STEPS):
        raise StateError(
            f"the store {path} was written by a newer envoy-logger (schema {version}, this one knows {len(STEPS)})",
            "install the newer version again, or set LOGGER_STATE_DIR to another folder.",
        )
    for number, statements in enumerate(STEPS[version:], start=version + 1):
        with transaction(connection):
            for statement in statements:
                try:
                    connection.execute(statement)
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorname == "SQLITE_ERROR":  # the tables do not fit the version
                        raise Torn(str(error)) from error
                    raise
            connection.execute(f"PRAGMA user_version={number}")

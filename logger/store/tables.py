"""Define the tables of the store, and the steps from each version to the next."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final

FILE: Final = "store.sqlite3"

_FIRST: Final = (
    # One row a tick and role. `crc` is the CRC-32 of `body`, so that bit rot is found before it is sent.
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, gateway TEXT NOT NULL, role TEXT NOT NULL, tick INTEGER NOT NULL,
        lines INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, delivered_at INTEGER,
        body BLOB NOT NULL)""",
    "CREATE INDEX outbox_waiting ON outbox (role, tick, id) WHERE delivered_at IS NULL",
    "CREATE INDEX outbox_delivered ON outbox (delivered_at) WHERE delivered_at IS NOT NULL",
    # The numbers of waiting rows and of all rows ever stored or delivered, so that a long outbox is not counted.
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
    # `digest` is a hash of `line`, to find an equal line. `daily_id` is the daily row of a refused line: a new try
    # sends the current value of this row.
    """CREATE TABLE refused (
        id INTEGER PRIMARY KEY AUTOINCREMENT, gateway TEXT NOT NULL, role TEXT NOT NULL, tick INTEGER NOT NULL,
        at INTEGER NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL, line BLOB NOT NULL,
        digest BLOB NOT NULL, daily_id INTEGER, UNIQUE (gateway, role, digest))""",
    # A damaged file whose outbox rows are still being copied: the ids from `next` to `last` must still be read.
    """CREATE TABLE rescue (
        name TEXT PRIMARY KEY, next INTEGER NOT NULL, last INTEGER NOT NULL, copied INTEGER NOT NULL)""",
)
STEPS: Final[tuple[tuple[str, ...], ...]] = (_FIRST,)
"""The SQL statements that convert each schema version to the next. Do not change a step, but add a new step."""

TABLES: Final = frozenset({"outbox", "tally", "daily", "ledger", "report", "recent", "refused", "rescue"})
"""The names of the tables of the newest schema version."""


class Torn(sqlite3.DatabaseError):
    """A store file that can be opened and whose content is damaged."""


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the statements of a `with` block in one transaction.

    After the block all changes are on the disk. After an error in the block no change is on the disk.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

"""Open the store's file with durable commits and a size limit. A damaged file is set aside first."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Final

from logger.clock import Clock
from logger.errors import StateError, StoreFullError, StoreHeldError
from logger.files import hand_over
from logger.store import damage, rescue
from logger.store.ballast import SIZE as BALLAST_BYTES
from logger.store.ballast import Ballast
from logger.store.tables import FILE, STEPS, Torn, transaction

NO_ROOM: Final = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
"""The names of SQLite's errors for a write without enough space."""
_PAGE: Final = 1024
"""The size of a page of the file, in bytes.

The pages are small, because a minute changes a few numbers on a few pages, and each changed page is written twice.
"""
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


def open_file(folder: Path, max_mb: int, ballast: Ballast, clock: Clock, notes: list[str]) -> sqlite3.Connection:
    """Open or make the store's file in `folder`, and copy the readable rows of damaged files into this file.

    `max_mb`: the greatest size, in MiB, of the file, its write-ahead log and the ballast together. Texts for the
    recorder's log are added to `notes`. Raises StateError for a file of a newer program, and if three files in a row
    are damaged. Raises sqlite3.Error or OSError if the file cannot be opened now.
    """
    path = folder / FILE
    for _ in range(3):
        try:
            if path.exists() and path.stat().st_size == 0 and ballast.held:
                raise Torn("the file is empty")
            return _open_undamaged(path, max_mb, notes)
        except sqlite3.DatabaseError as error:
            if damage.is_damage(error):
                notes.append(damage.set_aside(folder, error, clock.time()))
            elif getattr(error, "sqlite_errorname", "") not in NO_ROOM or not ballast.release():
                raise
    raise StateError(f"the store {path} is damaged each time it is made", "check the disk for faults.")


def make_full_error(folder: Path) -> StoreFullError:
    """Make the error for a write that failed for lack of space although old rows were deleted."""
    return StoreFullError(
        f"no room for the next tick in {folder}",
        "free some space on that disk, or raise LOGGER_STORE_MAX_MB if the store has reached this size.",
    )


def explain_unopened(folder: Path, error: sqlite3.Error | OSError) -> StateError | StoreHeldError | StoreFullError:
    """Return the error for a store that could not be opened at the start."""
    path, name = folder / FILE, getattr(error, "sqlite_errorname", "")
    if name in NO_ROOM or _is_no_room(error) or (name == "SQLITE_CANTOPEN" and not _can_make_file(folder)):
        return make_full_error(folder)
    if isinstance(error, OSError):
        return StateError(
            f"the store {path} cannot be opened: {error.strerror}", f"check that {folder} belongs to this user."
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreHeldError(f"the store {path} is locked by another program", "close the program that uses it.")
    return StateError(
        f"the store {path} cannot be opened: {error}",
        f"check that {folder} is on a healthy local disk and belongs to this user.",
    )


def _is_no_room(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _can_make_file(folder: Path) -> bool:
    """Return False if the disk has no room for another file. SQLite does not name this reason."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return not _is_no_room(error)
    return True


def _open_undamaged(path: Path, max_mb: int, notes: list[str]) -> sqlite3.Connection:
    """Open or make the file, and convert it to the newest schema version.

    Raises sqlite3.Error, StateError or OSError.
    """
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        hand_over(path)
    connection = _connect(path, notes)
    try:
        _configure(connection, max_mb)
        _upgrade(connection, path)
        connection.text_factory = damage.decode
        damage.check(connection, path)
        notes += rescue.carry_over(connection, path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, notes: list[str]) -> sqlite3.Connection:
    """Connect to the file with a write-ahead log.

    On a file system that does not support such a log, such as a network share, use a rollback journal.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_S)
    try:
        if _can_use_log(connection):
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    connection = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_S)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # leaves write-ahead logging without shared memory
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        connection.execute("PRAGMA locking_mode=NORMAL")
        with transaction(connection):
            notes.append(
                f"the file system of {path.parent} has no shared memory, so the store uses a rollback journal"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _can_use_log(connection: sqlite3.Connection) -> bool:
    """Turn write-ahead logging on. Return False if the file system has no shared memory."""
    try:
        connection.execute(f"PRAGMA page_size={_PAGE}")  # only of a new file; an existing file keeps its page size
        if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] == "wal":
            with transaction(connection):  # the first write shows whether shared memory works
                return True
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname not in _NO_SHARED_MEMORY:
            raise
    return False


def _configure(connection: sqlite3.Connection, max_mb: int) -> None:
    """Make every commit durable, let deletions write little, and limit the sizes of the file and of its log.

    Some builds of SQLite overwrite deleted rows with zeros. Then a deletion needs as much space in the log as the
    deleted rows, and on a full disk no row can be deleted.
    """
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=OFF").fetchone()
    page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_BYTES // 2 // page}")
    connection.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
    pages = max(_LEAST_BYTES, max_mb * 1024 * 1024 - BALLAST_BYTES - _LOG_BYTES) // page
    connection.execute(f"PRAGMA max_page_count={pages}")


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

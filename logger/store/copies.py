"""Copy the store as it is at one moment, even while a recorder writes, and put a copy in the place of a store."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from logger.errors import StateError
from logger.files import sync_folder
from logger.store import damage, state_rows
from logger.store.tables import FILE, STEPS, TABLES

_STEP_PAGES: Final = 4096
"""A store with a rollback journal is copied in steps of this many pages. During a step, its writers must wait."""
_PAUSE_S: Final = 0.05
_PATIENCE_S: Final = 10


@dataclass(frozen=True, slots=True)
class StoreCopy:
    """The contents of a copy of the store.

    `waiting`: the number of points that wait for InfluxDB. `gateways`: the serials of the gateways. `unfinished`: the
    names of damaged files beside the store. Some rows of these files are not in the store yet.
    """

    waiting: int
    gateways: tuple[str, ...]
    unfinished: tuple[str, ...]


def copy_store(folder: Path, target: Path) -> StoreCopy:
    """Copy the store of `folder` into the new file `target`, without changing the store.

    Raises StateError if the store cannot be copied.
    """
    source = folder / FILE
    try:
        with _open_for_reading(source) as connection, contextlib.closing(sqlite3.connect(target)) as copy:
            is_logged = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            connection.backup(copy, pages=-1 if is_logged else _STEP_PAGES, sleep=_PAUSE_S)
            copy.execute("PRAGMA journal_mode=DELETE").fetchone()  # so that the copy is one complete file
    except sqlite3.Error as error:
        raise StateError(
            f"the store {source} cannot be copied: {error}",
            "run the same command with sudo, or check the disk with `envoy-logger doctor`.",
        ) from error
    return check_copy(target)


def check_copy(path: Path) -> StoreCopy:
    """Read a copy of a store completely. Return the contents of the copy.

    Raises StateError if the copy is damaged, or was written by a newer program.
    """
    try:
        with _open_for_reading(path) as copy:
            version = int(copy.execute("PRAGMA user_version").fetchone()[0])
            tables = {row[0] for row in copy.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            if version > len(STEPS):
                raise StateError(
                    f"the copied store was written by a newer envoy-logger (schema {version})",
                    "install that version, or a newer one.",
                )
            if copy.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok" or (version and not tables >= TABLES):
                raise StateError("the copied store is damaged", "check the disk; use an earlier backup.")
            if not version:
                return StoreCopy(0, (), ())
            waiting = int(copy.execute("SELECT coalesce(sum(lines), 0) FROM tally").fetchone()[0])
            waiting += int(copy.execute("SELECT count(*) FROM daily WHERE dirty").fetchone()[0])
            rescued = copy.execute("SELECT name FROM rescue WHERE next <= last").fetchall()
            return StoreCopy(waiting, tuple(state_rows.list_gateways(copy)), tuple(name for (name,) in rescued))
    except sqlite3.Error as error:
        raise StateError(f"the copied store is damaged: {error}", "check the disk; use an earlier backup.") from error


def put_in_place(folder: Path, new: Path, at: float) -> Path | None:
    """Rename the file `new`, so that it becomes the store of `folder`.

    Return the new path of the old store; None if there was no store. `at`: the present time in unix seconds. The new
    path contains this time.
    """
    kept = None
    if (folder / FILE).exists():
        kept = folder / f"{FILE}.replaced-{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"
        damage.move(folder, kept)
    os.replace(new, folder / FILE)
    sync_folder(folder)
    return kept


@contextlib.contextmanager
def _open_for_reading(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_PATIENCE_S)
    try:
        yield connection
    finally:
        connection.close()

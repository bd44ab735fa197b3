"""Recognize a damaged store file, and rename the file to a name with the date."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from logger.files import sync_folder
from logger.store.tables import FILE, TABLES, Torn

_MARK: Final = f"{FILE}.damaged-"
_CHECKED_BYTES: Final = 64 * 1024 * 1024


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether `error` means that the store's file is damaged."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith("SQLITE_CORRUPT") or name in ("SQLITE_NOTADB", "SQLITE_FORMAT") or isinstance(error, Torn)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Check the store's file. Raises sqlite3.DatabaseError for a damaged file.

    A large file is not checked completely. Its damage may be found later, when the damaged part is read.
    """
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables >= TABLES:
        raise Torn("tables are missing")
    if path.stat().st_size > _CHECKED_BYTES:
        return
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found is None or found[0] != "ok":
        raise Torn(str(found[0]) if found else "no answer")


def set_aside(folder: Path, error: sqlite3.Error, at: float) -> str:
    """Rename the damaged file and its write-ahead log. Returns a line for the recorder's log, with the reason.

    `at`: the present time in unix seconds. The new name contains this time.
    """
    name = f"{_MARK}{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"
    target = folder / name
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{name}-{number}"
    move(folder, target)
    return f"the store was damaged ({error}) and is set aside as {target.name}; recording continues in a new file"


def finish_setting_aside(folder: Path) -> None:
    """Rename a damaged file if the recorder was killed after it had renamed the file's write-ahead log.

    A renamed log without its file can have another cause: a person deleted the renamed file. Then the present file of
    the store is newer than the log, and is not renamed.
    """
    for log in folder.glob(f"{_MARK}*-wal"):
        target = log.with_name(log.name.removesuffix("-wal"))
        if not target.exists() and (folder / FILE).exists() and not _is_later(folder, target.name):
            move(folder, target)


def _is_later(folder: Path, name: str) -> bool:
    """Return whether the present file of the store is newer than the damaged file.

    Otherwise the present file is the damaged file, and must still be renamed. `name`: the new name of the damaged
    file. The damaged file's write-ahead log was renamed first. So a present file with a log is newer. A present
    file is also newer if its table `rescue` contains `name`, because rows were then copied from the damaged file.
    """
    if (folder / f"{FILE}-wal").exists():
        return True
    uri = f"{(folder / FILE).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            return connection.execute("SELECT 1 FROM rescue WHERE name = ?", (name,)).fetchone() is not None
    except sqlite3.Error:
        return False


def move(folder: Path, target: Path) -> None:
    """Rename the store's file of `folder` to `target`, and the write-ahead log to the same name with `-wal`."""
    for suffix in ("-wal", ""):
        with contextlib.suppress(FileNotFoundError):
            (folder / f"{FILE}{suffix}").rename(f"{target}{suffix}")
    (folder / f"{FILE}-shm").unlink(missing_ok=True)
    sync_folder(folder)


def list_set_aside(folder: Path) -> Iterator[Path]:
    """Yield the damaged files in `folder` that were renamed, but not their write-ahead logs."""
    return (path for path in folder.glob(f"{_MARK}*") if not path.name.endswith(("-wal", "-shm", "-journal")))


def delete(path: Path) -> bool:
    """Delete a damaged file that was renamed. Return whether this succeeded.

    The write-ahead log is deleted first, so that no log is left without its file.
    """
    try:
        for suffix in ("-wal", "-shm", ""):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    except OSError:  # a later call tries again
        return False
    return True


def decode(raw: bytes) -> str:
    """Decode text, with a replacement character for each part that is not UTF-8."""
    return raw.decode("utf-8", "replace")

"""Run transactions in the store's file.

Free space on a full disk, and continue in a new file if the present file is damaged.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from logger.clock import Clock
from logger.errors import StateError, StoreFullError
from logger.store import damage, outbox_rows, refused_rows
from logger.store.ballast import Ballast
from logger.store.opening import NO_ROOM, explain_unopened, make_full_error, open_file
from logger.store.pending_acks import PendingAcks
from logger.store.tables import FILE, transaction

P = ParamSpec("P")
T = TypeVar("T")

STEP: Final = 500
"""The number of rows that one transaction of a long job changes, so that recording does not wait long."""
_DROP_STEP: Final = 64
_RESERVE_BYTES: Final = 4 * 1024 * 1024
"""While the ballast (the file that reserves disk space) is removed, recording leaves at least this many bytes of the
disk free, so that delivered rows can still be marked or deleted."""
_NEAR_CAP_BYTES: Final = 1024 * 1024


class StoreFile:
    """Run functions that need the connection: `file.read(outbox_rows.find_last_sent)`.

    Raises StoreFullError if there is no space or the disk cannot be used now. `notes`: lines for the recorder's log.
    """

    def __init__(self, folder: Path, *, max_mb: int, clock: Clock, pending: PendingAcks) -> None:
        """Open or make the store's file in a folder that this process has locked.

        `pending`: the delivered rows that are not marked yet. If space is needed, these rows are deleted. Raises
        StateError, StoreHeldError or StoreFullError if the file cannot be opened.
        """
        self.notes: list[str] = []
        self.ballast = Ballast(folder)
        self._folder, self._pending = folder, pending
        self._files = [folder / f"{FILE}{suffix}" for suffix in ("", "-wal", "-journal")]
        self._max_mb = max_mb
        self._clock = clock
        try:
            damage.finish_setting_aside(folder)
            self._connection = self._open()
        except (sqlite3.Error, OSError) as error:
            raise explain_unopened(folder, error) from error
        self._is_open = True
        self.ballast.restore()

    def close(self) -> None:
        """Close the connection. All committed rows are already on the disk."""
        self._connection.close()

    def count_bytes(self) -> int:
        """Return the size of the file together with SQLite's own journal files, in bytes."""
        total = 0
        for file in self._files:
            with contextlib.suppress(OSError):  # the file does not exist, or its disk is gone
                total += file.stat().st_size
        return total

    def read(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function that only reads. If the file is damaged, run the function again on a new file."""
        with self._explain_failure():
            self._ensure_open()
            try:
                return function(self._connection, *args, **kwargs)
            except sqlite3.DatabaseError as error:
                if not damage.is_damage(error):
                    raise
                self._replace(error)
            return function(self._connection, *args, **kwargs)

    def write(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function in one transaction.

        If the store or the disk is full, free space and run the function again.
        """
        return self._write(lambda connection: function(connection, *args, **kwargs), may_drop=False)

    def record(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function that adds rows, in one transaction.

        If the store or the disk is full, free space and run the function again. At the store's limit even the oldest
        undelivered rows may be dropped; if only the disk is full, they are kept.
        """
        with self._explain_failure():
            self._spare_reserve()
        return self._write(function, may_drop=True)

    def _write(self, function: Callable[[sqlite3.Connection], T], *, may_drop: bool) -> T:
        room: Iterator[None] | None = None
        replaced = False
        with self._explain_failure():
            self._ensure_open()
            while True:
                try:
                    return self._transact(function)
                except sqlite3.DatabaseError as error:
                    if damage.is_damage(error) and not replaced:
                        self._replace(error)
                        replaced = True
                        continue
                    if getattr(error, "sqlite_errorname", "") not in NO_ROOM:
                        raise
                    room = room or self._make_room(may_drop=may_drop)
                    if not self._take_step(room):
                        raise

    def _transact(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with transaction(self._connection):
            return function(self._connection, *args, **kwargs)

    # -- limits and room ----------------------------------------------------------------------------------------

    def _make_room(self, *, may_drop: bool) -> Iterator[None]:
        """Free some space at each step of the iterator, with the least valuable data first.

        `may_drop`: whether undelivered rows may be deleted if nothing else helps.
        """
        at_cap = _is_near_cap(self._connection)
        if not at_cap and self.ballast.release():
            self.notes.append(
                f"the disk of {self._folder} is full, so the reserved space (the file `ballast`) was released\n"
                "Try: free some space on that disk."
            )
            yield
        with contextlib.suppress(sqlite3.OperationalError):  # a deletion may still fit
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        yield
        while self._delete(outbox_rows.purge, None, STEP):
            yield
        if self._pending.list_leases():
            self._delete_pending()
            yield
        if not at_cap:
            return
        while self._delete(refused_rows.purge_oldest, STEP):
            self.notes.append("the store is full: the oldest refused lines were dropped")
            yield
        while may_drop and (dropped := self._delete(outbox_rows.drop_oldest, _DROP_STEP)):
            first, last = (
                datetime.fromtimestamp(tick, UTC).isoformat(" ", "minutes")
                for tick in (dropped.oldest_tick, dropped.newest_tick)
            )
            self.notes.append(
                f"the store reached its limit of {self._max_mb} MiB: {dropped.lines} undelivered lines "
                f"from {first} to {last} (UTC) were dropped\n"
                "Try: raise LOGGER_STORE_MAX_MB, or let an InfluxDB take the waiting readings."
            )
            yield

    def _delete(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function that deletes rows, in one transaction. Then free the log's space for the next deletion."""
        deleted = self._transact(function, *args, **kwargs)
        with contextlib.suppress(sqlite3.OperationalError):  # the deletion is in the log, and remains valid
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return deleted

    def _delete_pending(self) -> None:
        """Delete the delivered rows that are not marked yet, in small transactions that need little free space."""
        for lease in self._pending.list_leases():
            for part in lease.divide(STEP):
                self._delete(outbox_rows.deliver, part.role, part.ids, 0, None)
        self._pending.clear()

    def _take_step(self, room: Iterator[None]) -> bool:
        """Free space by the next step of `room`, the iterator of `_make_room`. Return False if no step is left."""
        try:
            return next(room, self) is None
        except sqlite3.DatabaseError as error:
            raise make_full_error(self._folder) from error

    def _spare_reserve(self) -> None:
        """Keep some unused pages in the file if the disk is full, so that delivered rows can be marked.

        The disk counts as full if the ballast is removed and little space is free. To get unused pages, delivered
        rows are deleted. If the store is at its limit, the oldest refused lines are deleted after these rows.
        Undelivered rows are not deleted for this purpose.
        """
        if self.ballast.held or self.ballast.count_free_bytes() >= _RESERVE_BYTES:
            return
        room = self._make_room(may_drop=False)
        while not self.read(_has_spare_pages):
            if not self._take_step(room):
                raise make_full_error(self._folder)

    # -- damage -------------------------------------------------------------------------------------------------

    def _replace(self, error: sqlite3.Error) -> None:
        """Rename the damaged file, and continue in a new file."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._is_open = False
        self.notes.append(damage.set_aside(self._folder, error, self._clock.time()))
        self._ensure_open()

    def _ensure_open(self) -> None:
        """Open the store's file if it is not open.

        It is not open after a damaged file was renamed and there was no space for a new file.
        """
        if not self._is_open:
            self._connection = self._open()
            self._is_open = True

    def _open(self) -> sqlite3.Connection:
        return open_file(self._folder, self._max_mb, self.ballast, self._clock, self.notes)

    @contextlib.contextmanager
    def _explain_failure(self) -> Iterator[None]:
        """Raise StoreFullError for every failure of the file or of the disk in this context.

        The failure may be temporary, so the recorder continues after a StoreFullError.
        """
        try:
            yield
        except StateError as error:  # a new file cannot be opened, which ends the recorder only at its start
            raise StoreFullError(error.message, error.hint) from error
        except (sqlite3.DatabaseError, OSError) as error:
            if getattr(error, "sqlite_errorname", "") in NO_ROOM:
                raise make_full_error(self._folder) from error
            raise StoreFullError(
                f"the store {self._folder / FILE} cannot be used now: {error}",
                "check the disk and its mount, and that no other program has the file open.",
            ) from error


def _read_pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _count_margin_pages(connection: sqlite3.Connection) -> int:
    return _NEAR_CAP_BYTES // _read_pragma(connection, "page_size")


def _is_near_cap(connection: sqlite3.Connection) -> bool:
    return _read_pragma(connection, "page_count") + _count_margin_pages(connection) >= _read_pragma(
        connection, "max_page_count"
    )


def _has_spare_pages(connection: sqlite3.Connection) -> bool:
    return _read_pragma(connection, "freelist_count") >= _count_margin_pages(connection)

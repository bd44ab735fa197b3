"""The store: one SQLite file that holds everything not yet delivered, and what the recorder must remember."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from logger.clock import Clock
from logger.errors import StateError, StoreFullError, StoreHeldError
from logger.model import ROLES, Report, Role
from logger.store import daily, damage, outbox_rows, recent, refused, state_rows
from logger.store.ballast import Ballast
from logger.store.folder import FolderLock, claim
from logger.store.records import (
    Commit,
    DailyRow,
    Lease,
    Refused,
    RefusedLine,
    RoleState,
    Sent,
    Waiting,
)
from logger.store.tables import FILE, Torn, connect, transaction

T = TypeVar("T")

MAX_LINES: Final = 5000
MAX_BYTES: Final = 4 * 1024 * 1024
_STEP: Final = 500
"""Rows that one transaction of a long job touches, so that recording never waits long."""
_DROP_STEP: Final = 64
_MOST_SOON: Final = 8
"""Leases that wait to be marked with the next tick, and no more."""
_PAGE_BYTES: Final = 256 * 1024
"""Compressed bytes of one page of lines."""
_RESERVE_BYTES: Final = 4 * 1024 * 1024
"""Of the released ballast this much is for marking rows delivered, not for new ones."""
_NEAR_CAP_BYTES: Final = 1024 * 1024
_FOR_EVER: Final = 2**62
_NO_ROOM: Final = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")


class Store:
    """The one owner of the store; used by one thread, the one that opened it.

    Every method that changes something is one transaction (or, where it says so, several small ones): when it
    returns, that is on the disk; when it raises, nothing has changed. Raises StoreFullError when there is no room
    or the disk cannot be written now, StateError when the folder cannot be used at all.
    """

    def __init__(self, lock: FolderLock, *, max_mb: int, keep_days: int, clock: Clock) -> None:
        """Open the store in a folder that is held already; use Store.open."""
        self._folder = lock.folder
        self._max_mb = max_mb
        self._keep_days = keep_days
        self._clock = clock
        self._notes: list[str] = []
        self._missed: Counter[Role] = Counter()
        self._soon: list[tuple[Lease, int]] = []
        self._ballast = Ballast(self._folder)
        damage.finish_setting_aside(self._folder)
        self._own_lock: FolderLock | None = None
        self._connection = self._open_file()
        self._is_open = True
        self._ballast.restore()

    @classmethod
    def open(
        cls, folder: Path, *, max_mb: int, keep_days: int, clock: Clock, lock: FolderLock | None = None
    ) -> Store:
        """Open or make the store of `folder`. Without a `lock` on it, it is claimed, and released by close()."""
        if lock is not None:
            return cls(lock, max_mb=max_mb, keep_days=keep_days, clock=clock)
        lock = claim(folder)
        try:
            store = cls(lock, max_mb=max_mb, keep_days=keep_days, clock=clock)
        except BaseException:
            lock.release()
            raise
        store._own_lock = lock
        return store

    def close(self) -> None:
        """Finish; everything is on the disk already."""
        with contextlib.suppress(StoreFullError):
            self._mark_soon()
        self._connection.close()
        if self._own_lock is not None:
            self._own_lock.release()

    def take_notes(self) -> list[str]:
        """What happened since the last call that a person should read: damage, rows dropped, a fallback."""
        notes, self._notes = self._notes, []
        return notes

    # -- recording ----------------------------------------------------------------------------------------------

    def put(self, commit: Commit) -> None:
        """Store a tick. On StoreFullError nothing of it is stored, and it is counted as missed."""

        def action() -> None:
            self._deliver_soon()
            outbox_rows.insert(self._connection, commit.gateway, commit.tick, commit.members)
            outbox_rows.count_stored(self._connection, commit.members)
            daily.put(self._connection, commit.gateway, commit.daily)
            state_rows.write(self._connection, commit.gateway, commit.ledger)
            state_rows.add_reports(self._connection, commit.gateway, commit.reports)
            recent.add(self._connection, commit.gateway, commit.tick, commit.recent)
            self._connection.executemany(
                "UPDATE tally SET missed = missed + ? WHERE role = ?",
                [(count, role) for role, count in self._missed.items()],
            )

        try:
            self._spare_reserve()
            self._write(action, may_drop=True)
        except StoreFullError:
            self._missed.update({member.role for member in commit.members})
            raise
        self._missed.clear()
        self._soon.clear()
        self._ballast.restore()

    def ledger(self, gateway: str) -> dict[str, str]:
        """The ledger of a gateway: JSON text by key."""
        return self._read(lambda: state_rows.read(self._connection, gateway))

    def reports(self, gateway: str) -> dict[str, list[Report]]:
        """The last 16 reports of each inverter, by serial, first seen first."""
        return self._read(lambda: state_rows.reports(self._connection, gateway))

    def recent(self, gateway: str, since: int) -> list[tuple[int, dict[str, float]]]:
        """The recent numbers of the ticks from `since` on; kept for eight days."""
        return self._read(lambda: recent.read(self._connection, gateway, since))

    def daily(self, gateway: str, since_day: str) -> list[DailyRow]:
        """The current daily rows of the days from `since_day` on."""
        return self._read(lambda: daily.rows(self._connection, gateway, since_day))

    def gateways(self) -> list[str]:
        """The serials of all gateways that the store knows."""
        return self._read(lambda: state_rows.gateways(self._connection))

    # -- delivery -----------------------------------------------------------------------------------------------

    def lease(
        self,
        role: Role,
        *,
        newest: bool,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        after: tuple[int, int] = (0, 0),
    ) -> Lease | None:
        """Undelivered rows of a role: those of the newest tick, or the oldest ones; None if nothing waits.

        `after` is the end of a lease that is under way: only what comes after that one.

        Without ack() the same rows are leased again. Rows that rotted are moved to the refused ones on the way. What
        was acknowledged `soon` is marked now if it is much: here, while a batch is under way, nobody waits for it.
        """
        if len(self._soon) >= _MOST_SOON:
            self._mark_soon()
        while True:
            lease, rotten = self._read(
                lambda: outbox_rows.lease(
                    self._connection,
                    role,
                    newest=newest,
                    max_lines=max_lines,
                    max_bytes=max_bytes,
                    without=self._soon_ids(role),
                    after=after,
                )
            )
            if rotten:
                self._set_rotten_aside(rotten)
            if lease is not None or not rotten:
                return lease

    def lease_daily(self, max_lines: int = MAX_LINES) -> Lease | None:
        """The current values of daily rows that must be sent; None if there are none."""
        return self._read(lambda: daily.lease(self._connection, max_lines))

    def ack(self, lease: Lease, refused_lines: Sequence[Refused] = (), *, soon: bool = False) -> None:
        """Mark a lease delivered, but for the lines that were refused: those are kept with their reason.

        A daily row that changed since it was leased stays marked for sending. `soon`: with the next tick, in its
        transaction, which halves what a minute costs the disk; a crash before that sends those rows once more.
        """
        if soon and not lease.revisions and not refused_lines:
            self._soon.append((lease, max(self._now(), lease.newest_tick)))
            return

        def action(keep: bool) -> None:  # never before its tick, or a clock not set would have it forgotten soon
            self._deliver_soon(keep=keep)
            if lease.revisions:
                daily.ack(self._connection, lease, len(refused_lines))
            else:
                at = max(self._now(), lease.newest_tick) if keep else None
                outbox_rows.deliver(self._connection, lease.role, lease.ids, len(refused_lines), at)
            refused.add(self._connection, lease, refused_lines, self._now())

        self._mark(action)

    def _mark(self, action: Callable[[bool], None]) -> None:
        """Mark rows delivered, which needs a little room; where there is none, delete them, which gives some."""
        try:
            self._write(lambda: action(True))
        except StoreFullError:
            self._write(lambda: action(False))
        self._soon.clear()

    def _mark_soon(self) -> None:
        """Do now what was to be done with the next tick."""
        if self._soon:
            self._mark(lambda keep: self._deliver_soon(keep=keep))

    def _deliver_soon(self, *, keep: bool = True) -> None:
        for lease, at in self._soon:
            outbox_rows.deliver(self._connection, lease.role, lease.ids, 0, at if keep else None)

    def _soon_ids(self, role: Role) -> frozenset[int]:
        return frozenset(row_id for lease, _ in self._soon if lease.role == role for row_id in lease.ids)

    def last_sent(self) -> tuple[int, int]:
        """The place (unix seconds, id) of the row that was delivered last; (0, 0) if none was."""
        self._mark_soon()
        return self._read(lambda: outbox_rows.last_sent(self._connection))

    def sent(
        self, role: Role, after: tuple[int, int], until: tuple[int, int], max_lines: int = MAX_LINES
    ) -> Sent | None:
        """Rows of a role delivered beyond the place `after` and up to `until`; None if there are no more."""
        return self._read(lambda: outbox_rows.sent(self._connection, role, after, until, max_lines, MAX_BYTES))

    # -- looking in and trying again ----------------------------------------------------------------------------

    def waiting(self) -> Waiting:
        """What waits, and what ever went through."""
        return self._read(self._count)

    def refused(self, after: int = 0, limit: int = 1000) -> list[RefusedLine]:
        """Up to `limit` refused lines with ids beyond `after`."""
        return self._read(lambda: refused.listed(self._connection, after, limit))

    def retry(self, ids: Sequence[int]) -> int:
        """Let these refused lines wait for delivery again; how many there were of them."""
        return self._write(lambda: refused.retry(self._connection, ids))

    def put_back(self, row_id: int, line: bytes) -> bool:
        """Let `line` wait for delivery in place of a refused line that it mends; False if that one is gone."""
        return self._write(lambda: refused.put_back(self._connection, row_id, line))

    def discard(self, ids: Sequence[int]) -> int:
        """Forget these refused lines; how many there were of them."""
        return self._write(lambda: refused.discard(self._connection, ids))

    def replay(self, since: int, after: int = 0) -> tuple[int, int | None]:
        """Let some of the delivered rows of ticks from `since` on (unix seconds) wait again.

        How many it were, and the id to go on from as `after`; None when that was all.
        """
        self._mark_soon()
        return self._write(lambda: outbox_rows.replay(self._connection, since, after, _STEP))

    def replay_daily(self, since: int, after: int = 0) -> tuple[int, int | None]:
        """The same for daily rows, from the day that `since` falls into anywhere on earth."""
        day = datetime.fromtimestamp(max(0, since - 14 * 3600), UTC).date().isoformat()
        return self._write(lambda: daily.replay(self._connection, day, after, _STEP))

    def lines_page(
        self, role: Role, since: int = 0, until: int = _FOR_EVER, after: int = 0
    ) -> tuple[list[bytes], int | None]:
        """Some stored lines of a role, delivered or not, of ticks from `since` to before `until`, as put.

        With the id to go on from as `after`; None when that was all. Of daily rows the current lines, all of them.
        """
        if role == "daily":
            return self._read(lambda: daily.page(self._connection, after, _STEP))
        return self._read(lambda: outbox_rows.page(self._connection, role, since, until, after, _PAGE_BYTES))

    # -- keeping house ------------------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Forget delivered rows and recent numbers that are old enough, in small transactions."""
        now = self._now()
        self._write(lambda: recent.purge(self._connection, now - recent.KEPT_S))
        while self._write(lambda: outbox_rows.purge(self._connection, now - self._keep_days * 86400, _STEP)):
            pass
        self._ballast.restore()

    def rescue(self) -> int:
        """Save some more outbox rows of a damaged file that was set aside; 0 when there is nothing left to do."""
        left, note = self._write(lambda: damage.rescue(self._connection, self._folder, _STEP))
        if note:
            self._notes.append(note)
            return 1
        return left

    # -- inside -------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return int(self._clock.time())

    def _count(self) -> Waiting:
        roles: dict[Role, RoleState] = {}
        for role in ROLES:
            rows, lines, size, *ever, missed = self._connection.execute(
                "SELECT rows, lines, bytes, stored_rows, stored_lines, delivered_rows, delivered_lines, "
                "dropped_rows, dropped_lines, missed FROM tally WHERE role = ?",
                (role,),
            ).fetchone()
            oldest = outbox_rows.oldest_tick(self._connection, role, self._soon_ids(role))
            soon = [lease for lease, _ in self._soon if lease.role == role]
            soon_rows, soon_lines = sum(len(lease.ids) for lease in soon), sum(lease.lines for lease in soon)
            soon_bytes = sum(len(lease.body) for lease in soon)
            marked, marked_bytes = daily.waiting(self._connection) if role == "daily" else (0, 0)
            stored_rows, stored_lines, delivered_rows, delivered_lines, dropped_rows, dropped_lines = ever
            roles[role] = RoleState(
                rows=max(0, rows + marked - soon_rows),
                lines=max(0, lines + marked - soon_lines),
                bytes=max(0, size + marked_bytes - soon_bytes),
                oldest_tick=oldest,
                stored_rows=stored_rows,
                stored_lines=stored_lines,
                delivered_rows=delivered_rows + soon_rows,
                delivered_lines=delivered_lines + soon_lines,
                dropped_rows=dropped_rows,
                dropped_lines=dropped_lines,
                missed=missed + self._missed[role],
            )
        count = self._connection.execute("SELECT count(*) FROM refused").fetchone()[0]
        return Waiting(roles, count, self._disk_bytes(), self._last_delivery())

    def _last_delivery(self) -> int | None:
        marked, _ = outbox_rows.last_sent(self._connection)
        return max(marked, *(at for _, at in self._soon), 0) or None

    def _disk_bytes(self) -> int:
        total = 0
        for suffix in ("", "-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                total += (self._folder / f"{FILE}{suffix}").stat().st_size
        return total

    def _set_rotten_aside(self, rotten: dict[int, str]) -> None:
        def action() -> None:
            for row_id, fault in rotten.items():
                refused.set_aside(self._connection, row_id, self._now(), fault)

        self._write(action)
        self._notes.append(f"{len(rotten)} stored row(s) were damaged and are set aside as refused")

    def _read(self, action: Callable[[], T]) -> T:
        self._be_open()
        try:
            return action()
        except sqlite3.DatabaseError as error:
            if not damage.is_damage(error):
                raise self._unwritable(error) from error
            self._replace_file(error)
        return action()

    def _write(self, action: Callable[[], T], *, may_drop: bool = False) -> T:
        """Run `action` in a transaction; on a full store or disk make room and run it again."""
        self._be_open()
        room: Iterator[None] | None = None
        replaced = False
        while True:
            try:
                with transaction(self._connection):
                    return action()
            except sqlite3.DatabaseError as error:
                if damage.is_damage(error) and not replaced:
                    self._replace_file(error)
                    replaced = True
                    continue
                if getattr(error, "sqlite_errorname", "") not in _NO_ROOM:
                    raise self._unwritable(error) from error
                room = room or self._make_room(may_drop=may_drop)
                if not self._more(room):
                    raise self._full() from error

    def _more(self, room: Iterator[None]) -> bool:
        """Take the next step of making room; False when none is left."""
        try:
            return next(room, self) is None
        except sqlite3.DatabaseError as error:
            raise self._full() from error

    def _make_room(self, *, may_drop: bool) -> Iterator[None]:
        """Each step frees some room, the least valuable first."""
        at_cap = self._near_cap()
        if not at_cap and self._ballast.release():
            self._notes.append(f"the disk of {self._folder} is full: the reserve was released")
            yield
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        yield
        while self._transact(lambda: outbox_rows.purge(self._connection, None, _STEP)):
            yield
        if not at_cap:
            return
        while self._transact(lambda: refused.purge_oldest(self._connection, _STEP)):
            self._notes.append("the store is full: the oldest refused lines were dropped")
            yield
        while may_drop and (gone := self._transact(lambda: outbox_rows.drop_oldest(self._connection, _DROP_STEP))):
            first, last = (
                datetime.fromtimestamp(tick, UTC).isoformat(" ", "minutes")
                for tick in (gone.oldest_tick, gone.newest_tick)
            )
            self._notes.append(
                f"the store reached its {self._max_mb} MB: {gone.lines} undelivered lines "
                f"from {first} to {last} (UTC) were dropped"
            )
            yield

    def _transact(self, action: Callable[[], T]) -> T:
        with transaction(self._connection):
            return action()

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _near_cap(self) -> bool:
        return self._pragma("page_count") + self._near_cap_pages() >= self._pragma("max_page_count")

    def _near_cap_pages(self) -> int:
        return _NEAR_CAP_BYTES // self._pragma("page_size")

    def _spare_reserve(self) -> None:
        """While the ballast is out, no new row may use the room that marking rows delivered needs."""
        if self._ballast.held or self._ballast.free_bytes() >= _RESERVE_BYTES:
            return
        room = self._make_room(may_drop=False)
        while self._read(lambda: self._pragma("freelist_count") - self._near_cap_pages()) < 0:
            if not self._more(room):
                raise self._full()

    def _full(self) -> StoreFullError:
        return StoreFullError(
            f"no room for the next tick in {self._folder}",
            "free some space on that disk, or raise LOGGER_STORE_MAX_MB if it is at its limit.",
        )

    def _unwritable(self, error: sqlite3.Error) -> StoreFullError:
        return StoreFullError(
            f"the store {self._folder / FILE} cannot be used now: {error}",
            "check the disk, its mount and that no other program holds the file.",
        )

    def _open_file(self) -> sqlite3.Connection:
        """The store's file, opened, whole and with everything carried over that older damaged files held."""
        path = self._folder / FILE
        for _ in range(3):
            connection: sqlite3.Connection | None = None
            try:
                if path.exists() and path.stat().st_size == 0 and self._ballast.held:
                    raise Torn("the file is empty")
                connection = connect(self._folder, self._max_mb, self._notes)
                connection.text_factory = damage.tolerant
                damage.check(connection, path)
                self._notes += damage.carry_over(connection, self._folder)
            except sqlite3.DatabaseError as error:
                if connection is not None:
                    connection.close()
                if damage.is_damage(error):
                    self._set_file_aside(error)
                elif getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                    raise StoreHeldError(
                        f"the store {path} is locked by another program", "close what has that file open."
                    ) from error
                elif getattr(error, "sqlite_errorname", "") not in _NO_ROOM:
                    raise StateError(
                        f"the store {path} cannot be opened: {error}",
                        f"check that {self._folder} is on a healthy local disk and belongs to this user.",
                    ) from error
                elif not self._ballast.release():
                    raise self._full() from error
            except OSError as error:
                raise StateError(
                    f"the store {path} cannot be opened: {error.strerror}",
                    f"check that {self._folder} belongs to this user.",
                ) from error
            else:
                return connection
        raise StateError(f"the store {path} is damaged each time it is made", "check the disk for faults.")

    def _set_file_aside(self, error: sqlite3.Error) -> None:
        aside = damage.set_aside(self._folder, self._clock.time())
        self._notes.append(f"the store was damaged ({error}) and is set aside as {aside.name}")

    def _replace_file(self, error: sqlite3.Error) -> None:
        """Go on with a new file in place of one that turned out damaged."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._is_open = False
        self._set_file_aside(error)
        self._be_open()

    def _be_open(self) -> None:
        """Have a file open; it is not if there was no room for a new one when the old one was damaged."""
        if not self._is_open:
            self._connection = self._open_file()
            self._is_open = True

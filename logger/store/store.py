"""Opens the store: one SQLite file with everything that is not delivered yet, and what the recorder must remember."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from logger.clock import Clock
from logger.errors import StoreFullError
from logger.model import RefusedLine, Report, Role
from logger.store import daily_rows, figures, kept_lines, outbox_rows, refused_rows, rescue, state_rows
from logger.store.figures import StoreFigures
from logger.store.folder import FolderLock, claim
from logger.store.pending_acks import PendingAcks
from logger.store.records import Commit, DailyRow, Lease, RefusedRow, Sent
from logger.store.store_file import STEP, StoreFile

MAX_LINES: Final = 5000
MAX_BYTES: Final = 4 * 1024 * 1024
_FOR_EVER: Final = 2**62
"""A time in unix seconds that is later than every tick."""


class Store:
    """Owns the store. Only the thread that opened it may use it.

    Every method that changes something is one transaction, or several small ones if its docstring says so. When the
    method returns, the change is on the disk (except of `ack_soon`). A transaction that raises changes nothing, but
    the earlier transactions of the same method remain. Raises StoreFullError if there is no space or the disk cannot
    be written now, StateError if the folder cannot be used at all.
    """

    def __init__(self, lock: FolderLock, *, max_mb: int, keep_days: int, clock: Clock) -> None:
        """Open the store in a folder that is already locked. Callers use Store.open."""
        self._folder = lock.folder
        self._keep_days = keep_days
        self._clock = clock
        self._missed: Counter[Role] = Counter()
        self._pending = PendingAcks()
        self._own_lock: FolderLock | None = None
        self._file = StoreFile(lock.folder, max_mb=max_mb, clock=clock, pending=self._pending)

    @classmethod
    def open(
        cls, folder: Path, *, max_mb: int, keep_days: int, clock: Clock, lock: FolderLock | None = None
    ) -> Store:
        """Open or make the store of `folder`. Without a `lock`, lock the folder, and unlock it in close()."""
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
        """Write the delivery marks that are not in the file yet, and close the file."""
        with contextlib.suppress(StoreFullError):
            self._mark_pending()
        self._file.close()
        if self._own_lock is not None:
            self._own_lock.release()

    def take_notes(self) -> list[str]:
        """Return the notes for the log since the last call, such as damage or dropped rows."""
        notes, self._file.notes = self._file.notes, []
        return notes

    def take_report(self) -> tuple[StoreFigures, list[str]]:
        """Return the figures for `status.json`, and the notes for the log, such as damage or dropped rows."""
        return self.read_figures(), self.take_notes()

    # -- recording ----------------------------------------------------------------------------------------------

    def put(self, commit: Commit) -> tuple[Lease, ...]:
        """Store a tick. Return a lease of each batch, so that the batch can be sent without being read again.

        On StoreFullError nothing of the tick is stored, and the tick counts as missed.
        """
        try:
            leases = self._file.record(lambda connection: self._insert(connection, commit))
        except StoreFullError:
            self._missed.update({batch.role for batch in commit.batches})
            raise
        self._missed.clear()
        self._pending.clear()
        self._file.ballast.restore()
        return leases

    def _insert(self, connection: sqlite3.Connection, commit: Commit) -> tuple[Lease, ...]:
        self._pending.mark(connection)
        leases = outbox_rows.insert(connection, commit.gateway, commit.tick, commit.batches)
        outbox_rows.count_stored(connection, commit.batches)
        daily_rows.put(connection, commit.gateway, commit.daily)
        state_rows.write(connection, commit.gateway, commit.state)
        state_rows.add_reports(connection, commit.gateway, commit.reports)
        state_rows.add_recent(connection, commit.gateway, commit.tick, commit.recent)
        if self._missed:
            figures.add_missed(connection, self._missed)
        return leases

    def read_state(self, gateway: str) -> dict[str, str]:
        """Read the state of a gateway: JSON text by key."""
        return self._file.read(state_rows.read, gateway)

    def read_reports(self, gateway: str) -> dict[str, list[Report]]:
        """Read the last 16 reports of each inverter: serial → its reports, in the order in which they were stored."""
        return self._file.read(state_rows.read_reports, gateway)

    def read_recent(self, gateway: str, since: int) -> list[tuple[int, dict[str, float]]]:
        """Read the page's curve: the numbers at each tick from `since` on. The store keeps them for eight days."""
        return self._file.read(state_rows.read_recent, gateway, since)

    def read_daily(self, gateway: str, since_day: str) -> list[DailyRow]:
        """Read a gateway's current daily rows of the day `since_day` and of all later days."""
        return self._file.read(daily_rows.read, gateway, since_day)

    def read_rows(self, gateway: str, measurement: str, since_day: str, until_day: str) -> list[DailyRow]:
        """Read a gateway's current daily rows of one measurement, from one ISO date to another, both included."""
        return self._file.read(daily_rows.read_between, gateway, measurement, since_day, until_day)

    def list_gateways(self) -> list[str]:
        """List the serials of all gateways that the store knows."""
        return self._file.read(state_rows.list_gateways)

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
        """Lease undelivered rows of a role: the rows of the newest tick, or the oldest rows; None if nothing waits.

        `after`: the `end` of an earlier lease that is not acknowledged yet; only rows after this end are leased. If
        `after` is not given, the rows of unacknowledged leases are leased again. Damaged rows are moved to the
        refused lines. If the rows of many delivered leases are not marked delivered yet, these rows are marked first.
        """
        if self._pending.are_many():
            self._mark_pending()
        while True:
            lease, damaged = self._file.read(
                outbox_rows.lease,
                role,
                newest=newest,
                max_lines=max_lines,
                max_bytes=max_bytes,
                without=self._pending.list_ids(role),
                after=after,
            )
            if damaged:
                self._file.write(refused_rows.set_aside, damaged, self._now())
                self._file.notes.append(f"{len(damaged)} stored row(s) were damaged and are kept as refused lines")
            if lease is not None or not damaged:
                return lease

    def lease_daily(self, max_lines: int = MAX_LINES) -> Lease | None:
        """Lease the daily rows that must be sent. If there are none, lease hours. Return None if nothing waits."""
        rows, damaged = self._file.read(daily_rows.lease, max_lines)
        if damaged:
            self._file.write(daily_rows.drop, damaged)
            self._file.notes.append(
                f"{len(damaged)} stored row(s) of days were damaged and are deleted\n"
                "Try: run envoy-logger backfill --since DATE --again, with the first day that InfluxDB lacks."
            )
        return rows or self.lease("daily", newest=False, max_lines=max_lines)

    def ack_soon(self, lease: Lease, at: float) -> None:
        """Mark a lease as delivered at the unix second `at`. The transaction of the next tick writes the mark."""
        self._pending.add(lease, lease.date_delivery(at))

    def ack(self, lease: Lease, refused_lines: Sequence[RefusedLine] = ()) -> None:
        """Mark a lease as delivered, and keep its refused lines. A daily row that changed meanwhile still waits.

        If the disk has no space for the marks, delete the delivered rows, in several small transactions.
        """
        try:
            self._file.write(self._ack, lease, refused_lines, keep=True)
            self._pending.clear()
        except StoreFullError:
            for part, refused in _divide(lease, refused_lines):
                self._file.write(self._ack, part, refused, keep=False)

    def _ack(
        self, connection: sqlite3.Connection, lease: Lease, refused_lines: Sequence[RefusedLine], *, keep: bool
    ) -> None:
        """Mark the rows of this lease and of all earlier leases as delivered.

        If `keep` is False, delete the outbox rows of this lease instead, and leave the earlier leases unmarked.
        """
        now = self._now()
        if keep:
            self._pending.mark(connection)
        if lease.revisions:
            daily_rows.ack(connection, lease, len(refused_lines))
        else:
            at = lease.date_delivery(now) if keep else None
            outbox_rows.deliver(connection, lease.role, lease.ids, len(refused_lines), at)
        refused_rows.add(connection, lease, refused_lines, now)

    def _mark_pending(self) -> None:
        """Write the delivery marks of `ack_soon` now, without waiting for the next tick."""
        if self._pending.list_leases():
            self._file.write(self._pending.mark)
            self._pending.clear()

    def find_last_sent(self) -> tuple[int, int]:
        """Return the delivery time (unix seconds) and id of the row delivered last; (0, 0) without deliveries."""
        self._mark_pending()
        return self._file.read(outbox_rows.find_last_sent)

    def read_sent(
        self, role: Role, after: tuple[int, int], until: tuple[int, int], max_lines: int = MAX_LINES
    ) -> Sent | None:
        """Read delivered rows of a role in order of delivery; None at the end.

        `after`: the last row that was already read. `until`: the last row to read. Both rows are given as delivery
        time in unix seconds and id.
        """
        return self._file.read(outbox_rows.read_sent, role, after, until, max_lines, MAX_BYTES)

    def read_sent_days(self, since: int, after: int = 0, max_lines: int = MAX_LINES) -> Sent | None:
        """Read delivered daily rows with ids greater than `after`; None at the end.

        Rows of days that had ended in every time zone before `since` (unix seconds) are left out.
        """
        return self._file.read(daily_rows.read_sent, since, after, max_lines)

    # -- looking in and trying again ----------------------------------------------------------------------------

    def read_figures(self) -> StoreFigures:
        """Return how many rows wait now, and how many were stored, delivered and dropped so far."""
        return self._file.read(figures.count, self._pending, self._missed, self._file.count_bytes())

    def list_refused(self, after: int = 0, limit: int = 1000) -> list[RefusedRow]:
        """List up to `limit` refused lines whose ids are greater than `after`."""
        return self._file.read(refused_rows.read, after, limit)

    def retry(self, ids: Sequence[int]) -> int:
        """Let refused lines wait for delivery again. Returns their number."""
        return self._file.write(refused_rows.retry, ids)

    def put_back(self, row_id: int, line: bytes) -> bool:
        """Let `line` wait for delivery in place of the refused line `row_id`. Return False if that id is unknown."""
        return self._file.write(refused_rows.put_back, row_id, line)

    def discard(self, ids: Sequence[int]) -> int:
        """Delete refused lines. Returns their number."""
        return self._file.write(refused_rows.discard, ids)

    def replay(self, since: int, after: int = 0) -> tuple[int, int | None]:
        """Let some delivered rows wait for delivery again: rows with ids greater than `after`.

        Rows of ticks before `since` (unix seconds) are left out. Returns the number of rows that wait again, and the
        value of `after` for the next call; None at the end.
        """
        self._mark_pending()
        return self._file.write(outbox_rows.replay, since, after, STEP)

    def replay_daily(self, since: int, after: int = 0) -> tuple[int, int | None]:
        """Let some daily rows wait for delivery again: rows with ids greater than `after`.

        Rows of days that had ended in every time zone before `since` (unix seconds) are left out. Returns the number
        of rows that wait again, and the value of `after` for the next call; None at the end.
        """
        return self._file.write(daily_rows.replay, since, after, STEP)

    def read_lines(
        self, role: Role, since: int = 0, until: int = _FOR_EVER, after: int = 0
    ) -> tuple[list[bytes], int | None]:
        """Read some lines of a role, delivered or not, of ticks from `since` to before `until`, in unix seconds.

        Returns the lines, and the value of `after` for the next call (None at the end). For the role
        `daily`, the daily rows of all days come first, and the hours follow.
        """
        return self._file.read(kept_lines.read, role, since, until, after)

    # -- keeping house ------------------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Delete old delivered rows, and old numbers for the page's curve, in small transactions."""
        now = self._now()
        self._file.write(state_rows.purge_recent, now - state_rows.RECENT_S)
        while self._file.write(outbox_rows.purge, now - self._keep_days * 86400, STEP):
            pass
        self._file.ballast.restore()

    def rescue(self) -> int:
        """Copy some more outbox rows of a damaged file. Return a number above 0 if more may be left to do, else 0."""
        left, note = self._file.write(rescue.rescue_rows, self._folder, STEP)
        notes = [note] if note else [] if left else self._file.read(rescue.delete_saved, self._folder)
        self._file.notes += notes
        return left + len(notes)

    def _now(self) -> int:
        return int(self._clock.time())


def _divide(lease: Lease, refused_lines: Sequence[RefusedLine]) -> Iterator[tuple[Lease, list[RefusedLine]]]:
    """Divide a lease into leases of at most STEP rows, each with the refused lines of its own batches."""
    for number, part in enumerate(lease.divide(STEP)):
        of_part = [line for line in refused_lines if line.batch // STEP == number]
        yield part, [replace(line, batch=line.batch % STEP) for line in of_part]

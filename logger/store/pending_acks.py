"""Leases that are delivered, but marked so only with the next tick: that halves what a minute costs the disk."""

from __future__ import annotations

import sqlite3
from typing import Final

from logger.model import Role
from logger.store import outbox_rows
from logger.store.records import Lease

_MANY: Final = 8


class PendingAcks:
    """What the next transaction marks delivered. A crash before that sends those rows once more."""

    def __init__(self) -> None:
        self._leases: list[tuple[Lease, int]] = []

    def add(self, lease: Lease, at: int) -> None:
        """Remember a lease that was delivered at `at`, in unix seconds."""
        self._leases.append((lease, at))

    def is_many(self) -> bool:
        """True if they should be marked without waiting for the next tick."""
        return len(self._leases) >= _MANY

    def mark(self, connection: sqlite3.Connection, *, keep: bool = True) -> None:
        """Mark the rows delivered, or delete them if they are not to be kept; inside the caller's transaction."""
        for lease, at in self._leases:
            outbox_rows.deliver(connection, lease.role, lease.ids, 0, at if keep else None)

    def clear(self) -> None:
        """Forget them, once the transaction that marked them is on the disk."""
        self._leases.clear()

    def leases(self, role: Role | None = None) -> list[Lease]:
        """The leases of a role, or all."""
        return [lease for lease, _ in self._leases if role in (None, lease.role)]

    def ids(self, role: Role) -> frozenset[int]:
        """The ids of the rows of a role, which count as delivered."""
        return frozenset(row_id for lease in self.leases(role) for row_id in lease.ids)

    def newest_at(self) -> int:
        """When the last of them was delivered, in unix seconds; 0 if there is none."""
        return max((at for _, at in self._leases), default=0)

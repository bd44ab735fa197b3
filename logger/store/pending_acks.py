"""Collect the leases that were delivered, until the next tick marks their rows delivered.

A lease is a group of rows that were taken from the outbox for sending. The transaction that stores the next tick also
marks the rows. This halves the disk writes of a minute.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from logger.model import Role
from logger.store import outbox_rows
from logger.store.records import Lease

_MANY: Final = 8


class PendingAcks:
    """The leases whose rows the next transaction marks delivered.

    If the recorder crashes before that transaction, the rows of these leases are sent again.
    """

    def __init__(self) -> None:
        self._leases: list[tuple[Lease, int]] = []

    def add(self, lease: Lease, at: int) -> None:
        """Add a lease that was delivered at `at`, in unix seconds."""
        self._leases.append((lease, at))

    def are_many(self) -> bool:
        """Return whether so many leases are collected that their rows must be marked before the next tick."""
        return len(self._leases) >= _MANY

    def mark(self, connection: sqlite3.Connection) -> None:
        """Mark the rows of all leases as delivered. The caller has begun a transaction."""
        for lease, at in self._leases:
            outbox_rows.deliver(connection, lease.role, lease.ids, 0, at)

    def clear(self) -> None:
        """Remove all leases. The caller has committed the transaction that marked or deleted their rows."""
        self._leases.clear()

    def list_leases(self, role: Role | None = None) -> list[Lease]:
        """List the leases of a role, or of all roles."""
        return [lease for lease, _ in self._leases if role in (None, lease.role)]

    def list_ids(self, role: Role) -> frozenset[int]:
        """List the ids of the rows in all collected leases of a role."""
        return frozenset(row_id for lease in self.list_leases(role) for row_id in lease.ids)

    def find_newest_at(self) -> int:
        """Return when the last of the collected leases was delivered, in unix seconds; 0 if there are none."""
        return max((at for _, at in self._leases), default=0)

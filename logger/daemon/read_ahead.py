"""Reads the rows of a backlog's next delivery from the store during the present delivery."""

from __future__ import annotations

import asyncio

from logger.model import Role
from logger.store.records import Lease
from logger.store.store import Store
from logger.store.thread import StoreCalls


class ReadAhead:
    """Reads the next lease of each role while the present lease is delivered.

    The ids of the rows that are delivered in the meantime are remembered, so that no row is sent twice.
    """

    def __init__(self, store: StoreCalls) -> None:
        self._store = store
        self._reading: dict[Role, asyncio.Task[Lease | None]] = {}
        self._sent: dict[Role, set[int]] = {}

    def begin(self, role: Role, lease: Lease, max_lines: int) -> None:
        """Start to read the lease that follows `lease`, of at most `max_lines` lines."""
        self._sent[role] = set()
        following = self._store.call(Store.lease, role, newest=False, max_lines=max_lines, after=lease.end)
        self._reading[role] = asyncio.create_task(following)
        self._reading[role].add_done_callback(lambda done: done.cancelled() or done.exception())

    def note_sent(self, role: Role, lease: Lease) -> None:
        """Record that the rows of `lease` were delivered while another lease was read ahead.

        If the other lease contains one of these rows, the other lease is not sent.
        """
        if role in self._reading:
            self._sent[role].update(lease.ids)

    async def take(self, role: Role) -> Lease | None:
        """Return the lease that was read ahead.

        Return None if no lease was read ahead, or if one of its rows was delivered meanwhile.
        """
        reading = self._reading.pop(role, None)
        lease = None if reading is None else await reading
        return lease if lease is not None and self._sent[role].isdisjoint(lease.ids) else None

    def drop(self, role: Role) -> None:
        """Discard the lease that was read ahead."""
        if (reading := self._reading.pop(role, None)) is not None:
            reading.cancel()

"""Run the ship loop: lease rows from the store, deliver them, and acknowledge what InfluxDB has confirmed.

Each round first sends new rows (the newest tick of totals and devices, the current day rows), and then, for each
role, one delivery of the oldest backlog. So boards stay live while a backlog drains. Only one request is in flight at
a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from logger import log
from logger.clock import Clock
from logger.daemon.batch_sizes import BatchSizes
from logger.daemon.delivery_troubles import SERVER, DeliveryTroubles, backlog_of
from logger.daemon.influxdb_credentials import Credentials
from logger.daemon.progress import Progress
from logger.daemon.read_ahead import ReadAhead
from logger.daemon.replay import PAUSE_S, Resending
from logger.errors import StoreFullError
from logger.influx.classify import Blocked, Wait
from logger.influx.deliver import Delivery, Search, deliver
from logger.influx.read_back import gateway_of
from logger.influx.write import Writer
from logger.model import ROLES, Event, RefusedLine, Role
from logger.retry import DELIVERY, Backoff
from logger.store.records import Lease
from logger.store.store import Store
from logger.store.thread import StoreCalls

_BACKLOG: Final[tuple[Role, ...]] = ("totals", "devices")
_IDLE_S: Final = 300.0
"""The longest wait of the loop in seconds. It may exceed the interval of ticks, because new rows end the wait."""
_STORE_S: Final = 60.0
"""Seconds until the next round, after a round in which the store could not be used."""
_LEASE_TIME_S: Final = 1800.0
"""The longest time in seconds for one delivery: a search for bad lines can send hundreds of requests."""
_BATCHES_AFTER: Final = 2
"""After this many failures in a row, which take about 2 s, a request of the backlog with status 500 is divided.

It is divided down to single batches, to find the batches that get status 500.
"""
_LINES_AFTER: Final = 10
"""After this many failures in a row, which take about 4 min, a request that gets status 500 is divided.

It is divided down to single lines, to find the lines that get status 500.
"""
_SUSPECTED_S: Final = 3600.0
"""For this many seconds after a line was refused with status 500, a request that gets status 500 is divided at once.

It is divided down to single lines, without waiting for `_LINES_AFTER` failures.
"""
_STORE: Final = "store"
_RESENDING: Final = "resending"


@dataclass(slots=True)
class Shipped:
    """Figures of the ship loop since the start, for `status`. Times in unix seconds.

    `waiting_for`: the reason why the last delivery failed; empty after a success.
    """

    batches: int = 0
    refused: int = 0
    outside_retention: int = 0
    last_delivery: float | None = None
    waiting_for: str = ""


class Shipper:
    """Delivers until cancelled. Each role has its own bucket, so a blocked bucket does not delay the other roles.

    `credentials` are read again after a refusal. `record` stores an event of the gateway with the given serial.
    `on_delivered` is called after deliveries, when no row is left that could be delivered now.
    """

    def __init__(
        self,
        writer: Writer,
        store: StoreCalls,
        clock: Clock,
        progress: Progress,
        changes: log.Changes,
        *,
        credentials: Credentials | None = None,
        shipped: Shipped | None = None,
        record: Callable[[str, Event], None] = lambda gateway, event: None,
        on_delivered: Callable[[], None] = lambda: None,
    ) -> None:
        self.shipped = shipped or Shipped()
        self._writer, self._store, self._clock, self._progress = writer, store, clock, progress
        self._changes, self._record = changes, record
        self._on_delivered = on_delivered
        self._wake = asyncio.Event()
        self._news: set[Role] = set(ROLES)
        self._new: dict[Role, Lease] = {}
        self._older: set[Role] = set(_BACKLOG)
        self._backoff = Backoff(DELIVERY, clock)
        self._troubles = DeliveryTroubles(self._backoff, changes, credentials)
        self._sizes = BatchSizes(writer)
        self._suspected_until: dict[Role, float] = {}
        self._ahead = ReadAhead(store)
        self._resending = Resending(store, clock)

    @property
    def troubles(self) -> Mapping[Role, Wait | Blocked]:
        """Return the roles whose deliveries fail now: role → the outcome of the last failed delivery."""
        return self._troubles.of_roles

    @property
    def is_resending(self) -> bool:
        """Return True while recently delivered points are being sent again."""
        return self._resending.role is not None

    def wake(self, roles: Collection[Role] | None = None, leases: Collection[Lease] = ()) -> None:
        """Start a round at once, because the store has new rows of these roles. None means any role.

        `leases`: new rows that need not be read from the store. Rows of an earlier call that are not sent yet become
        backlog.
        """
        self._news.update(ROLES if roles is None else roles)
        self._older.update(_BACKLOG if roles is None else [lease.role for lease in leases if lease.role in self._new])
        self._new.update({lease.role: lease for lease in leases if lease.role in _BACKLOG})
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled. Neither an outage of InfluxDB nor an error of the store ends the loop."""
        await self._plan_to_resend()  # the server may have crashed while the recorder was off
        while True:
            self._wake.clear()
            try:
                delivered = False
                while await self.round():
                    delivered = True
                if delivered:
                    self._on_delivered()
                await self._resend()
            except StoreFullError:  # the store has logged the error
                self._backoff.pause(_STORE, _STORE_S)
            await self.rest()

    async def round(self) -> bool:
        """Send new rows, then one delivery of backlog for each role. Return True if anything was delivered."""
        self._troubles.begin_round()
        delivered = False
        for role in self._troubles.list_roles():
            if role in self._news and self._backoff.may_try(SERVER, role):
                delivered |= await self._ship(role, live=True)
        for role in self._troubles.list_roles():
            if role in self._older and self._backoff.may_try(SERVER, role, backlog_of(role)):
                delivered |= await self._ship(role, live=False)
        return delivered

    async def _ship(self, role: Role, *, live: bool) -> bool:
        if live and role != "daily":
            self._news.discard(role)  # older waiting ticks belong to the backlog
        lease = self._new.pop(role, None) if live else None
        if lease is None:
            lease = await self._lease(role, live=live)
            self._note_older(role, lease, live=live)
        if lease is None:
            if not live:
                self._changes.end(
                    f"retention {role}", f"all waiting {role} points are now within the retention of their bucket"
                )
            return False
        self._progress.move("ship", _LEASE_TIME_S)
        started = self._clock.monotonic()
        if not live:
            self._ahead.begin(role, lease, self._sizes.most(role))
        search = self._choose_search(role, live=live)
        delivery = await deliver(self._writer, role, lease.batches, clock=self._clock, search=search)
        if any(line.status == 500 for line in delivery.refused):
            self._suspected_until[role] = self._clock.monotonic() + _SUSPECTED_S
        await self._acknowledge(role, lease, delivery, live=live)
        if len(delivery.done) < len(lease.ids):
            self._ahead.drop(role)  # earlier rows that are not delivered must be sent first
            self._older.add(role)
        if isinstance(delivery.outcome, (Wait, Blocked)):
            await self._put_off(role, delivery.outcome, live=live)
            return bool(delivery.done) and search != "none"
        if not live:
            self._sizes.fit(role, self._clock.monotonic() - started)
        else:
            self._ahead.note_sent(role, lease)
        self._end_trouble(role, live=live)
        return True

    def _note_older(self, role: Role, lease: Lease | None, *, live: bool) -> None:
        """Note whether older rows of a role may be waiting in the store. If none wait, the store is not searched.

        `lease`: the lease that was just taken; None if no row waits. `live`: the lease is of the newest rows.
        """
        if lease is None or (live and lease.is_all):
            self._older.discard(role)
            if role == "daily":
                self._news.discard(role)
        elif live:
            self._older.add(role)

    def _choose_search(self, role: Role, *, live: bool) -> Search:
        """Choose how finely to search for lines that the server answers with status 500.

        The more failures in a row, the finer the search. For an hour after a line was refused with status 500, the
        finest search is used at once. `live`: the newest rows are delivered, not the backlog.
        """
        failures = self._backoff.failures(role if live else backlog_of(role))
        if failures >= _LINES_AFTER or self._suspected_until.get(role, 0.0) > self._clock.monotonic():
            return "lines"
        return "batches" if not live and failures >= _BATCHES_AFTER else "none"

    async def _plan_to_resend(self) -> None:
        with contextlib.suppress(StoreFullError):
            await self._resending.plan()

    async def _resend(self) -> None:
        """Send again one delivery of points, because a crashed server may have lost them."""
        role = self._resending.role
        if role is None or not self._backoff.may_try(SERVER, role, backlog_of(role), _RESENDING):
            return
        if not self._writer.may_forget:
            if self.shipped.batches:  # the server has answered, so `may_forget` is valid
                self._resending.drop()
            return
        self._progress.move("ship", _LEASE_TIME_S)
        started = self._clock.monotonic()
        outcome = await self._resending.step(self._writer, self._sizes.most(role))
        self._backoff.pause(_RESENDING, PAUSE_S)
        if isinstance(outcome, (Wait, Blocked)):
            await self._put_off(role, outcome, live=False)
            return
        self._end_trouble(role, live=False)
        self._sizes.fit(role, self._clock.monotonic() - started)

    async def _lease(self, role: Role, *, live: bool) -> Lease | None:
        if role == "daily":
            return await self._store.call(Store.lease_daily, self._writer.most_lines)
        if not live and (lease := await self._ahead.take(role)) is not None:
            return lease
        return await self._store.call(Store.lease, role, newest=live, max_lines=self._sizes.most(role))

    async def _acknowledge(self, role: Role, lease: Lease, delivery: Delivery, *, live: bool) -> None:
        """Mark the confirmed rows as delivered, and keep refused lines with the reason of the refusal."""
        if not delivery.done:
            return
        places = {number: place for place, number in enumerate(delivery.done)}
        refused = tuple(
            RefusedLine(line.line, line.status, line.reason, places[line.batch]) for line in delivery.refused
        )
        if lease.revisions or refused or len(places) < len(lease.ids):
            await self._store.call(Store.ack, lease.select(delivery.done), refused)
        else:
            self._store.call_later(Store.ack_soon, lease, self._clock.time())
        self.shipped.batches += 1
        self.shipped.refused += len(refused)
        self.shipped.outside_retention += delivery.outside_retention
        self.shipped.last_delivery = self._clock.time()
        if refused:
            log.get("ship").warning(
                "InfluxDB refused points; they are kept as refused lines\nTry: envoy-logger outbox refused",
                extra={"role": role, "points": len(refused), "reason": refused[0].reason},
            )
            for gateway, count in Counter(gateway_of(line.line) for line in refused).items():
                points = "1 point" if count == 1 else f"{count} points"
                text = f"InfluxDB refused {points} for the {role} bucket: {refused[0].reason}"
                self._record(gateway, Event(int(self._clock.time()), "points_refused", text[:500], "warning"))
        if delivery.outside_retention:
            self._changes.begin(
                f"retention {role}",
                f"some {role} points are older than the retention of their bucket, so InfluxDB dropped them\n"
                "Try: set a longer retention, then run envoy-logger outbox replay.",
            )

    def _end_trouble(self, role: Role, *, live: bool) -> None:
        self._troubles.end(role, live=live)
        self.shipped.waiting_for = ""

    async def _put_off(self, role: Role, outcome: Wait | Blocked, *, live: bool) -> None:
        """Plan the next delivery after a failed one. If InfluxDB was away, plan to send recent points again.

        `live`: the failed delivery had new rows, not backlog.
        """
        self.shipped.waiting_for = outcome.reason
        if live:
            self._news.add(role)
        if isinstance(outcome, Blocked):
            if self._troubles.begin_block(role, outcome):
                self.wake()
            return
        self._troubles.begin_wait(role, outcome, live=live)
        if not live:
            self._sizes.halve(role)
        if outcome.away:
            await self._plan_to_resend()

    async def rest(self) -> None:
        """Wait for `wake` or the time of the next try, at most 300 s.

        After `wake`, the next round reads only the roles that were given to `wake`. Without `wake`, the next round
        searches the whole store.
        """
        await self._progress.wait("ship", self._wake, self._backoff.next_in_s(_IDLE_S))
        if not self._wake.is_set():
            self._news.add("daily")
            self._older.update(_BACKLOG)

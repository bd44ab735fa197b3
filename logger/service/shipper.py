"""The ship loop: leases rows from the store and delivers them; nothing leaves the store before InfluxDB has it.

The newest tick goes first, then the backlog from its oldest end, so that "now" is live while a backlog drains.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, Protocol

from logger import log
from logger.clock import Clock
from logger.errors import StoreFullError
from logger.influx.classify import Blocked, Wait
from logger.influx.deliver import Delivery, deliver
from logger.influx.write import Writer
from logger.model import Role
from logger.retry import DELIVERY, delay
from logger.service.progress import Progress
from logger.store.model import Lease, Refused

_SHIPPED_ROLES: Final[tuple[Role, ...]] = ("totals", "devices")
_BLOCKED_S: Final = 60.0
_IDLE_S: Final = 60.0
_LEASE_TIME_S: Final = 1800.0
"""The longest that one batch may take: a search for bad lines is hundreds of requests to a slow server."""


class LeasePort(Protocol):
    """What the shipper needs of the store."""

    async def lease(self, role: Role, *, newest: bool) -> Lease | None:
        """The next rows to deliver."""
        ...

    async def ack(self, lease: Lease, refused: tuple[Refused, ...] = ()) -> None:
        """They are delivered, but for the refused lines."""
        ...


@dataclass(slots=True)
class Shipped:
    """What the loop has done, for `status`. Times in unix seconds."""

    batches: int = 0
    refused: int = 0
    last_delivery: float | None = None
    waiting_for: str = ""


class Shipper:
    """Delivers for ever. Each role has its own bucket, so one that is blocked does not hold up the other."""

    def __init__(self, writer: Writer, store: LeasePort, clock: Clock, progress: Progress) -> None:
        self.shipped = Shipped()
        self.changes = log.Changes(log.get("ship"))
        self._writer, self._store, self._clock, self._progress = writer, store, clock, progress
        self._wake = asyncio.Event()
        self._failures: dict[Role, int] = {}
        self._not_before: dict[Role, float] = {}

    def wake(self) -> None:
        """There is something new to deliver."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled; an outage of InfluxDB never ends the loop."""
        while True:
            self._wake.clear()
            try:
                while await self.round():
                    pass
                self.changes.end("store", "the store can be read again")
            except StoreFullError as error:
                self.changes.begin("store", str(error), logging.ERROR)
            await self._idle()

    async def round(self) -> bool:
        """For each role the newest rows and one batch of the backlog; True if anything was delivered."""
        delivered = False
        for newest in (True, False):
            for role in _SHIPPED_ROLES:
                if self._not_before.get(role, 0.0) <= self._clock.monotonic():
                    delivered |= await self._ship(role, newest=newest)
        return delivered

    async def _ship(self, role: Role, *, newest: bool) -> bool:
        lease = await self._store.lease(role, newest=newest)
        if lease is None:
            return False
        self._progress.moved("ship", _LEASE_TIME_S)
        delivery = await deliver(self._writer, role, lease.members)
        await self._keep_books(role, lease.only(delivery.done), delivery)
        if isinstance(delivery.outcome, (Wait, Blocked)):
            self._put_off(role, delivery.outcome)
            return False
        self._failures.pop(role, None)
        self.changes.end(f"influx {role}", "InfluxDB takes points again")
        return True

    async def _keep_books(self, role: Role, part: Lease, delivery: Delivery) -> None:
        """What InfluxDB has is marked delivered, what it will never take is kept aside with its reason."""
        if not part.ids:
            return
        refused = tuple(Refused(line.line, line.status, line.reason) for line in delivery.refused)
        await self._store.ack(part, refused)
        self.shipped.batches += 1
        self.shipped.refused += len(refused)
        self.shipped.last_delivery = self._clock.time()
        self.shipped.waiting_for = ""
        if refused:
            log.get("ship").warning(
                "InfluxDB refused points; they are kept aside",
                extra={"role": role, "points": len(refused), "why": refused[0].reason},
            )
        if not delivery.outside_retention:
            self.changes.end(f"retention {role}", f"the points of the {role} are young enough for their bucket again")
        else:
            self.changes.begin(
                f"retention {role}",
                f"the bucket of the {role} keeps data for less long than some points are old: "
                "it has dropped those\nTry: a longer retention, then a replay.",
            )

    def _put_off(self, role: Role, outcome: Wait | Blocked) -> None:
        """Keep everything; say once what is wrong; try again later, or each minute if a person must act."""
        failures = self._failures[role] = self._failures.get(role, 0) + 1
        pause = _BLOCKED_S
        text = outcome.reason
        if isinstance(outcome, Wait):
            pause = max(delay(DELIVERY, failures), outcome.retry_after_s or 0.0)
        else:
            text = f"{outcome.reason}\nTry: {outcome.hint}"
        self._not_before[role] = self._clock.monotonic() + pause
        self.shipped.waiting_for = outcome.reason
        level = logging.ERROR if isinstance(outcome, Blocked) else logging.WARNING
        self.changes.begin(f"influx {role}", text, level)

    async def _idle(self) -> None:
        """Until there is news, or the next try is due."""
        now = self._clock.monotonic()
        pause = min([_IDLE_S, *(at - now for at in self._not_before.values() if at > now)])
        waiting = asyncio.ensure_future(self._progress.wait("ship", pause))
        news = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({waiting, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, news):
                task.cancel()
            await asyncio.gather(waiting, news, return_exceptions=True)

"""Send recently confirmed points to InfluxDB again, after a start of the recorder and after an outage.

InfluxDB 1.x and 2.x can lose confirmed points after they are killed. If the server is killed while it writes its log,
the end of the log is incomplete. At the next start the server cuts off the incomplete end, but continues to write at
the position of the old end. At the second start the server cuts the log at the same place again. So the server loses
every point that it confirmed between the two starts. The losses end only when InfluxDB begins a new shard of its data
(after a week, by default), or when the log has grown large.

Therefore the recorder sends all points of the last eight days again. InfluxDB overwrites each point with the same
point, so nothing changes if nothing was lost.
"""

from __future__ import annotations

from typing import Final

from logger import log
from logger.clock import Clock
from logger.influx.classify import Blocked, Done, Wait
from logger.influx.deliver import deliver
from logger.influx.write import Writer
from logger.model import Role
from logger.store.records import Sent
from logger.store.store import Store
from logger.store.thread import StoreCalls

WINDOW_S: Final = 8 * 86400
"""Eight days in seconds. Points that were delivered in the last eight days are sent again.

InfluxDB may lose points until it begins a new shard of its data, by default after a week. The eighth day covers
points that were delivered late.
"""
PAUSE_S: Final = 5.0
"""Seconds between two batches; resending is not urgent."""
_PARTS: Final[dict[str, Role]] = {"totals": "totals", "devices": "devices", "days": "daily", "hours": "daily"}
"""The kinds of rows that are sent again, in this order, and the role of each kind."""


class Resending:
    """Sends the delivered points of the last eight days again, in one pass.

    The pass changes no count of waiting or delivered points in the store. The pass skips each day row that waits for
    its own delivery because it changed. So old values of a day row are never sent after new values.
    """

    def __init__(self, store: StoreCalls, clock: Clock) -> None:
        self._lines = 0
        self._store, self._clock = store, clock
        self._left: dict[str, tuple[int, int]] = {}
        self._until = (0, 0)
        self._since = 0

    @property
    def role(self) -> Role | None:
        """Return the role of the next batch to send again; None if no batch is left."""
        return next(map(_PARTS.__getitem__, self._left), None)

    async def plan(self) -> None:
        """Plan to send again all rows that were delivered in the last 8 days. A running pass begins again."""
        self._until = await self._store.call(Store.find_last_sent)
        self._since = int(self._clock.time()) - WINDOW_S
        self._left = dict.fromkeys(_PARTS, (self._since, 0)) if self._until[0] >= self._since else {}
        self._lines = 0

    def drop(self) -> None:
        """End the pass, because this server never loses points that it confirmed."""
        self._left = {}

    async def step(self, writer: Writer, max_lines: int) -> Done | Wait | Blocked:
        """Send the next delivered points again. Call this method only while the property `role` is not None.

        If the server is away or blocks the delivery, the next call sends the same points. A line that the server
        refuses and a batch that gets status 500 are skipped without a report, because the first delivery reported
        such faults.
        """
        part, role = next((part, _PARTS[part]) for part in self._left)
        sent = await self._read(part, max_lines)
        if sent is None:
            del self._left[part]
            self._report_end()
            return Done()
        batches = sent.batches
        while batches:
            delivery = await deliver(writer, role, batches, clock=self._clock, search="batches")
            if isinstance(delivery.outcome, Wait) and delivery.outcome.status == 500:
                break
            if not isinstance(delivery.outcome, Done):
                return delivery.outcome
            batches = tuple(each for number, each in enumerate(batches) if number not in delivery.done)
        self._left[part] = sent.end
        self._lines += sent.lines
        return Done()

    def _report_end(self) -> None:
        if self.role is None and self._lines:
            log.get("ship").info(
                "the points of the last eight days were sent again, because InfluxDB may have lost some of them",
                extra={"points": self._lines, "days": WINDOW_S // 86400},
            )

    async def _read(self, part: str, max_lines: int) -> Sent | None:
        after = self._left[part]
        if part == "days":
            return await self._store.call(Store.read_sent_days, self._since, after[1], max_lines)
        return await self._store.call(Store.read_sent, _PARTS[part], after, self._until, max_lines)

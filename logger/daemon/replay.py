"""Send recently confirmed points to InfluxDB once more, after a start of the recorder and after an outage.

InfluxDB 1.x and 2.x can lose confirmed points after they are killed. If the server is killed while it writes its log,
it cuts off the torn end of the log at its next start. But it continues to write behind the old end. At the start
after that it cuts the log at the same place again, and so loses every point that it confirmed in between. This ends
only with a new shard (after a week, by default) or when the log has grown large.

Therefore the recorder sends all points of that time again. InfluxDB overwrites each point with the same point, so
nothing changes if nothing was lost.
"""

from __future__ import annotations

from typing import Final

from logger import log
from logger.clock import Clock
from logger.influx.classify import Blocked, Done, Wait
from logger.influx.deliver import deliver
from logger.influx.write import Writer
from logger.model import ROLES, Role
from logger.store.store import Store
from logger.store.thread import StoreCalls

WINDOW_S: Final = 8 * 86400
"""A shard holds one week; the eighth day covers points that were delivered late."""
PAUSE_S: Final = 5.0
"""Seconds between two batches; resending is not urgent."""


class Resending:
    """Sends all recently delivered points again, in one pass.

    The pass changes only the daily rows in the store: they wait for delivery again, with their current values.
    """

    def __init__(self, store: StoreCalls, clock: Clock) -> None:
        self._lines = 0
        self._store, self._clock = store, clock
        self._left: dict[Role, tuple[int, int]] = {}
        self._until = (0, 0)
        self._since = 0
        self._days_wait = False

    @property
    def role(self) -> Role | None:
        """Return the role to send next; None when nothing is left to send."""
        return next(iter(self._left), None)

    async def plan(self) -> None:
        """Plan to send again everything that was delivered in the last 8 days. A running pass starts again."""
        self._until = await self._store.call(Store.find_last_sent)
        self._since = int(self._clock.time()) - WINDOW_S
        self._left = dict.fromkeys(ROLES, (self._since, 0)) if self._until[0] >= self._since else {}
        self._lines, self._days_wait = 0, False

    def drop(self) -> None:
        """Cancel the pass, because this server cannot lose confirmed points."""
        self._left = {}

    async def step(self, writer: Writer, max_lines: int) -> Done | Wait | Blocked:
        """Send one batch of `role`, which must not be None. After an outage the next call sends the same batch.

        Lines that are refused, and batches that the server answers with 500, are skipped. They were reported when
        they were first sent.
        """
        role, after = next(iter(self._left.items()))
        if not self._days_wait:
            await self._let_days_wait()
        sent = await self._store.call(Store.read_sent, role, after, self._until, max_lines)
        if sent is None:
            del self._left[role]
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
        self._left[role] = sent.end
        self._lines += sent.lines
        return Done()

    def _report_end(self) -> None:
        if self.role is None and self._lines:
            log.get("ship").info(
                "recent points were sent again, in case InfluxDB has not kept them: it or the recorder was away",
                extra={"points": self._lines, "days": WINDOW_S // 86400},
            )

    async def _let_days_wait(self) -> None:
        self._days_wait = True
        after: int | None = 0
        while after is not None:
            _, after = await self._store.call(Store.replay_daily, self._since, after)

"""Send again what a database had confirmed lately, after a start and after an outage.

An InfluxDB 1.x or 2.x that was killed while it wrote its log cuts the torn end off when it starts, but goes on
writing where that end was. At its next start it cuts there again: all that it confirmed in between is gone. Only a
new shard (after a week, as buckets are made) or a log that has grown large ends that. So whatever it confirmed within
that time is sent again: the same points at the same places, which changes nothing where nothing was lost.
"""

from __future__ import annotations

from typing import Final

from logger.clock import Clock
from logger.influx.classify import Blocked, Done, Wait
from logger.influx.deliver import deliver
from logger.influx.write import Writer
from logger.model import Role
from logger.store.store import Store
from logger.store.thread import StoreCalls

WINDOW_S: Final = 8 * 86400
"""A shard holds a week; the eighth day is for what came late."""
PAUSE_S: Final = 5.0
"""Between two batches, for nobody waits for them."""
_ROLES: Final[tuple[Role, ...]] = ("totals", "devices")


class Resending:
    """One pass over what was delivered lately; `lines` counts what was sent.

    Nothing in the store changes but for the rows of days, which wait again as they are now.
    """

    def __init__(self, store: StoreCalls, clock: Clock) -> None:
        self.lines = 0
        self._store, self._clock = store, clock
        self._left: dict[Role, tuple[int, int]] = {}
        self._until = (0, 0)
        self._since = 0
        self._days_wait = False

    @property
    def role(self) -> Role | None:
        """Whose turn it is; None when nothing is left to send."""
        return next(iter(self._left), None)

    async def plan(self) -> None:
        """All that was delivered in the last days up to now is to be sent once more, from the beginning."""
        self._until = await self._store.call(Store.find_last_sent)
        self._since = int(self._clock.time()) - WINDOW_S
        self._left = dict.fromkeys(_ROLES, (self._since, 0)) if self._until[0] >= self._since else {}
        self.lines, self._days_wait = 0, False

    def drop(self) -> None:
        """It is not needed: this server forgets nothing."""
        self._left = {}

    async def step(self, writer: Writer, max_lines: int) -> Done | Wait | Blocked:
        """Send one batch of `role`, which is not None; the same one again next time if the server could not be asked.

        What it refuses, or fails over, it did before: that was told then.
        """
        role, after = next(iter(self._left.items()))
        if not self._days_wait:
            await self._let_days_wait()
        sent = await self._store.call(Store.read_sent, role, after, self._until, max_lines)
        if sent is None:
            del self._left[role]
            return Done()
        batches = sent.batches
        while batches:
            delivery = await deliver(writer, role, batches, clock=self._clock, around=True)
            if isinstance(delivery.outcome, Wait) and delivery.outcome.status == 500:
                break
            if not isinstance(delivery.outcome, Done):
                return delivery.outcome
            batches = tuple(each for number, each in enumerate(batches) if number not in delivery.done)
        self._left[role] = sent.end
        self.lines += sent.lines
        return Done()

    async def _let_days_wait(self) -> None:
        self._days_wait = True
        after: int | None = 0
        while after is not None:
            _, after = await self._store.call(Store.replay_daily, self._since, after)

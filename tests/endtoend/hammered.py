"""The recorder's own loops on ticks as fast as they can be told: from documents, stored, shipped to a real database.

A program that is meant to be killed: `python -m tests.endtoend.hammered FOLDER UNTIL` goes on from what lies in
FOLDER, prints each tick once it is stored, and ends when `UNTIL` ticks are recorded and delivered. The database is
told on standard input, as settings in JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from logger.clock import wait_really
from logger.daemon.collector import Collector
from logger.daemon.config import target_of
from logger.daemon.gateway_state import load_state
from logger.daemon.progress import Progress
from logger.daemon.shipper import Shipper
from logger.influx.write import Writer
from logger.log import Changes
from logger.settings.load import load_settings
from logger.site import Site
from logger.store.store import Store
from logger.store.thread import StoreThread
from tests.daemon.parts import START, ScriptedGateway, site

_AHEAD = 30
_PATIENCE_S = 0.2
"""The next tick waits this long at most for the database to come within that many rows: it shall be busy, too."""


class TickClock:
    """Shows the tick that was set and what went by since."""

    def __init__(self) -> None:
        self._tick, self._since = float(START), time.monotonic()

    def set(self, tick: int) -> None:
        self._tick, self._since = float(tick), time.monotonic()

    def time(self) -> float:
        return self._tick + time.monotonic() - self._since

    def monotonic(self) -> float:
        return self.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(max(0.0, seconds), 0.1))

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await wait_really(event, min(seconds, 0.1))

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds)


async def record(folder: Path, until: int, settings: dict[str, str]) -> None:
    clock = TickClock()
    target = target_of(load_settings(None, environ={"LOGGER_STATE_DIR": str(folder), **settings}))
    assert target is not None
    store = await StoreThread.open(folder, max_mb=512, keep_days=3650, clock=clock)
    documents = site()
    gateway = ScriptedGateway(clock, documents, takes_s=dict.fromkeys(documents, 0.0))
    writer, progress = Writer(target, clock), Progress(clock)
    shipper = Shipper(writer, store, clock, progress, Changes(None))
    collector = Collector(gateway, store, clock, Site(zone="Europe/Paris"), progress, on_commit=shipper.wake)
    stored = load_state(await store.call(Store.read_state, gateway.info.serial), {})
    clock.set(max(START, stored.energy.last_tick))  # a machine's clock goes on while no process runs
    await collector.poller.identify(START)
    tick = max(START, collector.state.energy.last_tick + 60)
    shipping = asyncio.create_task(shipper.run())
    while tick < START + 60 * until:
        clock.set(tick)
        await collector.tick(tick)
        assert collector.collected.last_tick == tick
        print(tick, flush=True)
        patience = time.monotonic() + _PATIENCE_S
        while (await store.call(Store.read_figures)).rows > _AHEAD and time.monotonic() < patience:
            await asyncio.sleep(0.005)
        tick += 60
    while (await store.call(Store.read_figures)).rows or shipper.is_resending:
        shipper.wake()
        await asyncio.sleep(0.05)
    shipping.cancel()
    await asyncio.gather(shipping, return_exceptions=True)
    await writer.aclose()
    await store.close()


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.stdin.read())))

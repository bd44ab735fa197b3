"""What a site's figures contradict, while the recorder runs: said once, seen in the status, and ended."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.model import Json
from logger.readings import paths
from logger.site import Site
from tests.daemon.parts import START, InlineStore, ScriptedGateway, collecting
from tests.readings.site import CONSUMPTION, PRODUCTION, inventory, meter, reading
from tests.virtual import VirtualClock, run_virtually

HOUR_S = 3600
ENDS_S = 4 * HOUR_S


def rows(now: float) -> Json:
    """For four hours a second system feeds in 1554 W behind the CT; then the house takes 400 W."""
    grid = -1554.0 if now < START + ENDS_S else -888.0
    found: Json = [
        {**reading(PRODUCTION, 1288.0, 5e6 + (now - START) * 0.3), "timestamp": int(now)},
        {**reading(CONSUMPTION, grid, 3e6, 1e6 + (now - START) * 0.3), "timestamp": int(now)},
    ]
    return found


def test_a_contradiction_is_said_once_shown_while_it_lasts_and_ended_after_a_day(tmp_path: Path) -> None:
    async def work() -> tuple[list[str], dict[str, str], dict[str, str]]:
        clock = VirtualClock(START - 30)
        lists: Json = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "net-consumption")]
        gateway = ScriptedGateway(clock, {paths.INVENTORY: lambda now: inventory(), paths.ENSEMBLE: lambda now: []})
        gateway.answers |= {paths.METERS: lambda now: lists, paths.READINGS: rows}
        with InlineStore(tmp_path, clock) as store:
            collector = Collector(gateway, store, clock, Site(zone="UTC", totals_s=600), Progress(clock))
            async with collecting(collector):
                await asyncio.sleep(2 * HOUR_S)
                during = dict(collector.changes.troubles)
                await asyncio.sleep(ENDS_S + 24 * HOUR_S)
                after = dict(collector.changes.troubles)
            lines = [line for commit in store.commits for batch in commit.batches
                     for line in gzip.decompress(batch.body).decode().splitlines()]  # fmt: skip
        return [line for line in lines if "kind=impossible_house" in line], during, after

    events, during, after = run_virtually(work())
    assert "feeds in behind the consumption CT" in during["house"]
    assert "house" not in after
    assert len(events) == 2
    assert "the house would use -266 W" in events[0]
    assert "was never below zero for a day" in events[1]

"""A day of a gateway before firmware 7 that asks for Digest on every path, read over real connections."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.simulator.credentials import DigestGuard
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.server import Served, Simulator
from logger.site import Site
from tests.clocks import HandClock
from tests.daemon.parts import InlineStore
from tests.sizes import sized

MIDNIGHT = 1_782_000_000 // 86400 * 86400 + 86400
DAY = "2026-06-21"
HOURS = sized(24)
BEGIN = MIDNIGHT - HOURS * 3600
READINGS = "/ivp/meters/readings"


@pytest.mark.long
@pytest.mark.parametrize("uses", [None, 1], ids=["a nonce for ever", "a nonce for each request"])
def test_a_day_behind_digest_is_counted_to_the_watt_hour(tmp_path: Path, uses: int | None) -> None:
    async def run() -> tuple[list[str], list[Served]]:
        clock = HandClock(BEGIN)
        model = invent_gateway("5-metered", epoch=BEGIN - 5 * 86400)
        async with Simulator(model, clock) as simulator:
            simulator.digest_on, simulator.digest = ("/",), DigestGuard(nonce_uses=uses)
            gateway = Gateway(Access(simulator.url, tmp_path), clock)
            with InlineStore(tmp_path, clock) as store:
                collector = Collector(gateway, store, clock, Site(zone="UTC"), Progress(clock))
                for at in range(BEGIN, MIDNIGHT + 900, 60):
                    clock.now = at
                    await collector.tick(at)
                await gateway.aclose()
                rows = [row for commit in store.commits for row in commit.daily if row.measurement == "envoy_day"]
                return [row.line.decode() for row in rows if row.day == DAY], list(simulator.journal)

    rows, served = asyncio.run(run())
    paths = {each.path for each in served if each.path != "/info"}
    assert {(each.path, each.status) for each in served if each.path in paths} >= {(path, 401) for path in paths}
    first, last = (counters(served, at) for at in (BEGIN, MIDNIGHT))
    for name, key in (("production_wh", 0), ("grid_import_wh", 1), ("grid_export_wh", 2)):
        assert field(rows[-1], name) == pytest.approx(last[key] - first[key], abs=1.0), name


def counters(served: list[Served], at: int) -> tuple[float, float, float]:
    """What the meters showed at a tick: produced, imported, exported."""
    body: Any = next(json.loads(each.body) for each in served if each.path == READINGS and each.status == 200
                     and each.time >= at)  # fmt: skip
    made, grid = body[0], body[1]
    return made["actEnergyDlvd"], grid["actEnergyDlvd"], grid["actEnergyRcvd"]


def field(line: str, name: str) -> float:
    return float(line.partition(f"{name}=")[2].partition(",")[0].partition(" ")[0])

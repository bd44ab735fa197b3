"""A gateway whose slow process hangs for a minute at every request costs no minute, not even the first."""

from __future__ import annotations

import asyncio
from pathlib import Path

from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.errors import TimedOutError
from logger.site import Site
from tests.daemon.parts import START, InlineStore, ScriptedGateway, collecting
from tests.daemon.parts import site as documents
from tests.endtoend.points import as_points, stored
from tests.endtoend.sites import driven_site
from tests.standin import Fault
from tests.virtual import VirtualClock, run_virtually

SLOW = ("/inventory", "/home", "/production")
MINUTES = 30


def test_every_minute_over_the_wire_gives_a_point(tmp_path: Path) -> None:
    with driven_site(tmp_path, further={"LOGGER_TIMEZONE": "Europe/Madrid"}) as here:
        for prefix in SLOW:
            here.gateway.fail(prefix, Fault("hang", seconds=60))
        here.recorder.start()
        here.recorder.wait_for_ticks(1)
        status = here.recorder.wait_until(
            lambda status: status["polls"]["ticks"] + status["polls"]["missed"] >= MINUTES
        )
        assert here.recorder.terminate() == 0
        hung = [served for served in here.gateway.journal if served.path.startswith(SLOW)]
    points = as_points(stored(here.recorder.state))
    powers = {
        place.time: fields.get("production_power_w")
        for place, fields in points.items()
        if place.measurement == "envoy_totals"
    }
    first = min(powers)
    assert status["polls"]["missed"] == 0
    assert [powers.get(first + 60 * n) is not None for n in range(MINUTES)] == [True] * MINUTES
    assert len(hung) >= MINUTES // 12, "it was asked again and again, ever more rarely"


def test_a_time_zone_that_the_gateway_never_tells_costs_no_minute(tmp_path: Path) -> None:
    """In virtual time: without LOGGER_TIMEZONE the first tick asks a slow path, which must not hold it up."""

    async def work() -> list[str]:
        clock = VirtualClock(START - 30)
        gateway = ScriptedGateway(clock, documents())
        for path in ("/home.json", "/inventory.json?deleted=1", "/production.json?details=1"):
            gateway.takes_s[path] = 60.0
            gateway.fails[path] = TimedOutError(f"{path} gave no complete answer in 60 s")
        with InlineStore(tmp_path, clock) as store:
            collector = Collector(gateway, store, clock, Site(system_zone="Europe/Rome"), Progress(clock))
            async with collecting(collector):
                await asyncio.sleep(MINUTES * 60)
        assert collector.state.energy.zone == "Europe/Rome"
        return store.lines("envoy_totals")

    lines = run_virtually(work())
    assert [int(line.rsplit(" ", 1)[1]) for line in lines] == [START + 60 * n for n in range(MINUTES)]
    assert all("production_power_w=" in line for line in lines)

"""A meter that stands still for half an hour while the gateway goes on answering, in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.model import Json
from logger.site import Site
from tests.daemon.parts import START, InlineStore, ScriptedGateway, collecting, site
from tests.virtual import VirtualClock, run_virtually

STILL, BACK = START + 600, START + 2400


def test_powers_are_left_out_and_it_is_said_once_and_once_when_the_meter_moves_again(tmp_path: Path) -> None:
    async def work() -> tuple[list[str], list[str], dict[str, Json]]:
        clock = VirtualClock(START - 30)
        answers = site()
        moving = answers["/ivp/meters/readings"]
        answers["/ivp/meters/readings"] = lambda now: moving(STILL if STILL <= now < BACK else now)
        with InlineStore(tmp_path, clock) as store:
            collector = Collector(
                ScriptedGateway(clock, answers), store, clock, Site(zone="Europe/Paris"), Progress(clock)
            )
            async with collecting(collector):
                await asyncio.sleep(BACK - START - 60)
                told: dict[str, Json] = {
                    name: absence.reason for name, absence in collector.state.readings.absences.lasting.items()
                }
                await asyncio.sleep(900)
            assert collector.state.readings.absences.lasting == {}
            return store.lines("envoy_totals"), store.lines("envoy_event"), told

    totals, events, told = run_virtually(work())
    powers = [int(line.rpartition(" ")[2]) for line in totals if "production_power_w=" in line]
    absent = set(range(START, BACK + 600, 60)) - set(powers)
    assert absent == set(range(STILL + 300, BACK, 60))
    assert told["production_power_w"] == "production meter: its reading has not changed since 2026-06-21 00:10 UTC"
    said = [line for line in events if "kind=meter_still" in line]
    assert [line.count("measures nothing") for line in said] == [2, 0], "both meters in one point"
    assert [line.count("measures again") for line in said] == [0, 2]

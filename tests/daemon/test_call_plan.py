"""What a gateway is asked and how often, in virtual time; the minute is never given up for anything else."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from logger.commands.ui.status_text import write_lines
from logger.daemon.collector import Collector
from logger.daemon.endpoint_state import EndpointState
from logger.daemon.news import News
from logger.daemon.progress import Progress
from logger.daemon.recorder import Recorder
from logger.daemon.status_file import describe
from logger.daemon.store_looks import StoreLooks
from logger.errors import AbsentError, BusyError, TimedOutError, UnreachableError
from logger.gateway.endpoints import ENDPOINTS
from logger.model import GatewayInfo, Json
from logger.simulator.generations import GENERATIONS
from logger.site import Site
from logger.store.figures import StoreFigures
from logger.store.thread import StoreThread
from tests.daemon.hours import DOCUMENT, NOON, PlantGateway, plant, poll, table, with_table
from tests.daemon.parts import START, InlineStore, ScriptedGateway, collecting, site
from tests.virtual import VirtualClock, run_virtually

INVENTORY, HOME, BLOCKS = "/inventory.json?deleted=1", "/home.json", "/production.json?details=1"
SLOW = {endpoint.path for endpoint in ENDPOINTS if endpoint.lane == "slow"}
RARE = {endpoint.path for endpoint in ENDPOINTS if isinstance(endpoint.every, int)}


def powers(store: InlineStore) -> list[int]:
    """The times of the minutes with a production."""
    return [int(line.rsplit(" ", 1)[1]) for line in store.lines("envoy_totals") if "production_power_w=" in line]


def events(store: InlineStore) -> list[str]:
    return [re.search("kind=([a-z_]+)", line).group(1) for line in store.events()]  # type: ignore[union-attr]


def minutes(count: int, start: int = NOON) -> list[int]:
    return [start + 60 * n for n in range(count)]


@pytest.mark.long
def test_the_table_of_requests_in_the_documentation_is_what_happens() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_table(text, table()) == text, "run `python -m tests.daemon.hours`"


@pytest.mark.long
def test_a_home_that_hangs_and_an_inventory_of_30_s_cost_no_minute() -> None:
    def hang(gateway: PlantGateway) -> None:
        gateway.takes_s |= {HOME: 600.0, BLOCKS: 600.0, INVENTORY: 30.0}

    gateway, store, collector = poll(plant("8-battery", 24, 3), 1, hang)
    assert powers(store) == minutes(60)
    assert collector.collected.missed == 0
    counts = gateway.counts(NOON - 30, NOON + 3600)
    assert 3 <= counts[INVENTORY] <= 5
    assert 1 <= counts[HOME] <= 6


def test_no_path_of_a_hanging_gateway_is_asked_by_two_requests_at_once() -> None:
    def hang(gateway: PlantGateway) -> None:
        gateway.takes_s |= dict.fromkeys(SLOW, 45.0)

    gateway, _, _ = poll(plant("7-standard", 8), 1, hang)
    asked = [at for at, path in gateway.asked if path in SLOW]
    ended = [at for at, path in gateway.ended if path in SLOW]
    assert len(asked) > 4
    assert all(end <= begin for end, begin in zip(ended, asked[1:], strict=False))


@pytest.mark.parametrize(
    "hung",
    [
        "/ivp/ensemble/secctrl",
        pytest.param("/api/v1/production/inverters", marks=pytest.mark.long),
        pytest.param("/ivp/meters/readings", marks=pytest.mark.long),
    ],
)
def test_a_fast_path_that_hangs_for_ever_takes_nothing_from_the_others(hung: str) -> None:
    def hang(gateway: PlantGateway) -> None:
        gateway.takes_s |= {hung: 600.0, "/ivp/ensemble/power": 600.0}

    gateway, store, _ = poll(plant("8-battery", 6), 1, hang)
    assert len(store.lines("envoy_totals")) >= 59
    found = powers(store)
    if hung == "/ivp/meters/readings":  # the blocks have them each quarter of an hour
        assert 0 < len(found) <= 4
    else:
        assert len(found) == 60
    assert gateway.counts(NOON, NOON + 3600)["/ivp/pdm/device_data"] >= 10


def test_in_the_quiet_window_only_what_makes_the_points_is_asked_and_nothing_is_said() -> None:
    start = NOON + 10 * 3600 + 1800  # 22:30 in Madrid
    quiet = (start + 27 * 60, start + 40 * 60)

    def deaf(collector: Collector, gateway: PlantGateway, clock: VirtualClock) -> object:
        async def script() -> None:
            await asyncio.sleep(28 * 60 + 30)
            gateway.fails |= {e.path: BusyError(f"{e.path} answered 503") for e in ENDPOINTS}
            await asyncio.sleep(8 * 60)
            gateway.fails.clear()

        return asyncio.create_task(script())

    gateway, store, collector = poll(plant("8-battery", 6), 1, start=start, meanwhile=deaf)
    in_window = {path for at, path in gateway.asked if quiet[0] <= at < quiet[1]}
    assert in_window >= {"/ivp/meters/readings", "/ivp/ensemble/power", "/api/v1/production/inverters"}
    assert not in_window & (SLOW | RARE)
    assert {path for at, path in gateway.asked if at >= quiet[1]} >= {INVENTORY, "/ivp/meters"}
    assert events(store) == []
    assert collector.changes.troubles == {}
    assert len(powers(store)) == 60 - 8


@pytest.mark.parametrize(
    ("begin", "severity"), [(22 * 60 + 59, "info"), pytest.param(23 * 60 + 20, "warning", marks=pytest.mark.long)]
)
def test_an_outage_in_the_quiet_window_is_an_event_but_no_warning(begin: int, severity: str) -> None:
    start = NOON + 10 * 3600 + 1800  # 22:30 in Madrid

    def away(collector: Collector, gateway: PlantGateway, clock: VirtualClock) -> object:
        async def script() -> None:
            await asyncio.sleep(60 * begin - 81000 - 30)
            gateway.fails |= {e.path: UnreachableError("the gateway refuses the connection") for e in ENDPOINTS}
            await asyncio.sleep(5 * 60)
            gateway.fails.clear()

        return asyncio.create_task(script())

    _, store, _ = poll(plant("8-battery", 6), 1, start=start, meanwhile=away)
    lost, back = store.events()
    assert (events(store), f'severity="{severity}"' in lost) == (["gateway_unreachable", "gateway_back"], True)
    assert "duration_s=300" in back


def test_an_outage_that_lasts_beyond_the_quiet_window_becomes_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    start = NOON + 10 * 3600 + 1800  # 22:30 in Madrid

    def away(collector: Collector, gateway: PlantGateway, clock: VirtualClock) -> object:
        async def refuse() -> GatewayInfo:
            raise UnreachableError("the gateway refuses the connection")

        async def script() -> None:
            await asyncio.sleep(29 * 60)
            gateway.fails |= {e.path: UnreachableError("the gateway refuses the connection") for e in ENDPOINTS}
            gateway.identify = refuse  # type: ignore[method-assign]

        return asyncio.create_task(script())

    with caplog.at_level("INFO", logger="logger"):
        _, store, _ = poll(plant("8-battery", 6), 1, start=start, meanwhile=away)
    at = [int(line.rsplit(" ", 1)[1]) for line in store.events()]
    severities = [re.search('severity="([a-z]+)"', line).group(1) for line in store.events()]  # type: ignore[union-attr]
    assert list(zip(at, severities, strict=True)) == [(start + 29 * 60, "info"), (start + 40 * 60, "warning")]
    said = [record.levelname for record in caplog.records if "refuses the connection" in record.message]
    assert said == ["INFO", "WARNING"]


def test_an_outage_from_before_the_quiet_window_is_one_event_although_its_reason_changes_in_the_window() -> None:
    start = NOON + 10 * 3600 + 1800  # 22:30 in Madrid

    def away(collector: Collector, gateway: PlantGateway, clock: VirtualClock) -> object:
        async def refuse() -> GatewayInfo:
            is_early = clock.time() < start + 32 * 60
            raise UnreachableError(
                "the gateway does not answer" if is_early else "the gateway refuses the connection"
            )

        async def script() -> None:
            await asyncio.sleep(9 * 60)
            gateway.fails |= {e.path: UnreachableError("the gateway does not answer") for e in ENDPOINTS}
            gateway.identify = refuse  # type: ignore[method-assign]
            await asyncio.sleep(23 * 60)
            gateway.fails |= {e.path: UnreachableError("the gateway refuses the connection") for e in ENDPOINTS}

        return asyncio.create_task(script())

    _, store, _ = poll(plant("8-battery", 6), 1, start=start, meanwhile=away)
    assert events(store) == ["gateway_unreachable"]


@pytest.mark.long
def test_a_gateway_with_one_process_for_everything_is_served_in_one_lane_and_keeps_its_minutes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def one(gateway: PlantGateway) -> None:
        gateway.one_process = True
        gateway.takes_s |= dict.fromkeys(SLOW, 59.5)

    with caplog.at_level("INFO", logger="logger"):
        gateway, store, collector = poll(plant("8-battery", 6), 1.5, one)
    assert powers(store)[-87:] == minutes(87, NOON + 180)
    assert collector.poller.requests.contention.one_lane
    assert sum("take turns" in record.message for record in caplog.records) == 1
    began = next(at for at, path in gateway.asked if at > NOON + 600)
    spans = [(at, end) for (at, path), (end, _) in zip(
        (x for x in gateway.asked if x[1] in SLOW), (x for x in gateway.ended if x[1] in SLOW), strict=False)
        if at > began]  # fmt: skip
    assert spans
    assert all(end % 60 <= 55.0 and end - at < 60 for at, end in spans)
    assert all(not (at < fast < end) for at, end in spans for fast, path in gateway.asked if path not in SLOW)


@pytest.mark.long
def test_two_lanes_stay_where_the_fast_paths_do_not_wait() -> None:
    def slow(gateway: PlantGateway) -> None:
        gateway.takes_s |= dict.fromkeys(SLOW, 59.5)

    _, _, collector = poll(plant("8-battery", 6), 1.5, slow)
    assert not collector.poller.requests.contention.one_lane


@pytest.mark.long
def test_a_gateway_that_answers_slowly_is_asked_less_but_for_the_minute_and_the_devices() -> None:
    def slow(gateway: PlantGateway) -> None:
        gateway.fast_s, gateway.slow_s = 2.5, 20.0

    gateway, store, _ = poll(plant("8-battery", 6), 2, slow)
    counts = gateway.counts(NOON + 3600, NOON + 2 * 3600)
    assert powers(store) == minutes(120)
    assert counts["/ivp/meters/readings"] == 60
    assert counts["/api/v1/production/inverters"] == 12
    assert counts[INVENTORY] == 4
    assert counts["/ivp/meters"] == 1


@pytest.mark.parametrize(
    "generation",
    [name if name == "8-battery" else pytest.param(name, marks=pytest.mark.long) for name in GENERATIONS],
)
def test_no_generation_is_asked_more_than_planned_but_for_first_probes(generation: str) -> None:
    gateway, _, collector = poll(plant(generation, 6), 0.75)
    planned = collector.poller.plan_per_hour()
    assert planned is not None
    assert len(gateway.asked) <= 1.1 * planned + 10
    assert collector.poller.requests.count_last_hour(NOON + 2700).total() == len(gateway.asked)


# --- paths that come and go ---------------------------------------------------------------------------------------


def record(
    folder: Path, hours: float, script: object, of_site: Site | None = None
) -> tuple[InlineStore, ScriptedGateway, Collector]:
    """A small site whose fate is a coroutine function of (gateway, clock)."""

    async def work() -> tuple[InlineStore, ScriptedGateway, Collector]:
        clock = VirtualClock(START - 30)
        gateway = ScriptedGateway(clock, site())
        with InlineStore(folder, clock) as store:
            collector = Collector(gateway, store, clock, of_site or Site(zone="Asia/Tokyo"), Progress(clock))
            fate = asyncio.create_task(script(gateway))  # type: ignore[operator]
            async with collecting(collector):
                await asyncio.sleep(hours * 3600)
        await fate
        return store, gateway, collector

    return run_virtually(work())


@pytest.mark.long
def test_a_path_that_disappears_is_said_once_and_again_when_it_is_back_and_the_rest_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fate(gateway: ScriptedGateway) -> None:
        await asyncio.sleep(1800)
        gateway.fails[INVENTORY] = BusyError(f"{INVENTORY} answered 503")
        await asyncio.sleep(2 * 3600)
        gateway.fails.clear()

    with caplog.at_level("INFO", logger="logger"):
        store, _, collector = record(tmp_path, 4, fate)
    assert events(store) == ["endpoint_lost", "endpoint_back"]
    assert powers(store) == minutes(240, START)
    assert sum("gives no document" in record.message for record in caplog.records) == 1
    assert sum(f"{INVENTORY} answers again" in record.message for record in caplog.records) == 1
    assert collector.changes.troubles == {}


def test_a_path_that_a_firmware_takes_away_is_said_and_one_that_it_brings_is_asked_at_once(tmp_path: Path) -> None:
    async def fate(gateway: ScriptedGateway) -> None:
        data = gateway.answers.pop("/api/v1/production/inverters")
        await asyncio.sleep(7200)
        gateway.answers["/api/v1/production/inverters"] = data
        del gateway.answers["/ivp/ensemble/inventory"]
        gateway.info = replace(gateway.info, firmware="D8.3.5433")

    store, gateway, _ = record(tmp_path, 3, fate)
    assert sorted(events(store)) == ["endpoint_lost", "firmware_changed"]
    assert "/ivp/ensemble/inventory" in next(line for line in store.events() if "endpoint_lost" in line)
    asked = [at for at, path in gateway.asked if path == "/api/v1/production/inverters"]
    assert len([at for at in asked if at < START + 7100]) == 3
    assert 5 <= len([at for at in asked if at > START + 7100]) <= 13
    assert store.lines("envoy_inverter")


def test_a_path_that_is_absent_is_asked_three_times_and_then_once_a_day(tmp_path: Path) -> None:
    async def fate(gateway: ScriptedGateway) -> None:
        del gateway.answers["/api/v1/production/inverters"]

    _, gateway, _ = record(tmp_path, 75, fate, Site(totals_s=3600, devices_s=3600, zone="Asia/Tokyo"))
    asked = [at for at, path in gateway.asked if path == "/api/v1/production/inverters"]
    assert [round(b - a) for a, b in pairwise(asked)] == [3600, 3600, *[86400] * 3]


@pytest.mark.long
def test_a_slow_path_that_fails_rests_longer_and_longer(tmp_path: Path) -> None:
    async def fate(gateway: ScriptedGateway) -> None:
        gateway.fails[INVENTORY] = TimedOutError(f"{INVENTORY} gave no complete answer in 60 s")

    _, gateway, _ = record(tmp_path, 12.5, fate, Site(totals_s=300, zone="Atlantic/Reykjavik"))
    asked = [at for at, path in gateway.asked if path == INVENTORY]
    rests = [round((b - a) / 300) * 300 for a, b in pairwise(asked)]
    assert rests[:2] == [300, 300]
    assert rests[2:5] == [900] * 3
    assert rests[5:8] == [3600] * 3
    assert set(rests[8:]) == {4 * 3600}


def test_the_gateway_as_a_whole_gone_loses_no_endpoint(tmp_path: Path) -> None:
    async def fate(gateway: ScriptedGateway) -> None:
        await asyncio.sleep(1800)
        gateway.fails |= {e.path: TimedOutError(f"{e.path} gave no complete answer in 10 s") for e in ENDPOINTS}
        await asyncio.sleep(1800)
        gateway.fails.clear()

    store, _, _ = record(tmp_path, 1.5, fate)
    assert "endpoint_lost" not in events(store)


def test_the_first_midnight_costs_no_minute() -> None:
    """The figures of the first day are asked no more from then on, and the plan shrinks by half."""
    evening = NOON + 11 * 3600 + 1800
    _, store, collector = poll(plant("new-stack", 6), 1.5, start=evening)
    assert powers(store) == minutes(90, evening)
    assert collector.collected.missed == 0


def test_an_absent_path_is_lost_only_if_it_ever_answered() -> None:
    endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.path == INVENTORY)
    state = EndpointState(endpoint, {"totals": 60, "devices": 300})
    state.record_failure(AbsentError("404"), START)
    assert state.is_surely_absent(START)
    assert not state.is_lost


def test_status_shows_the_requests_of_the_last_hour_and_the_plan() -> None:
    seen: list[dict[str, Json]] = []

    def meanwhile(collector: Collector, gateway: PlantGateway, clock: VirtualClock) -> object:
        async def script() -> None:
            await asyncio.sleep(1800)
            store, news, lock = (
                cast(StoreThread, None),
                News(),
                collector.between_ticks,
            )  # nothing is asked of the store
            looks = StoreLooks(store, clock)
            parts = looks, (), (collector,), None, Progress(clock), collector.changes, news, lock
            recorder = Recorder(store, *parts)
            seen.append(describe(recorder, StoreFigures({}, 0, 0), clock))

        return asyncio.create_task(script())

    gateway, _, _ = poll(plant("8-battery", 6), 0.6, meanwhile=meanwhile)
    slow = sum(1 for at, path in gateway.asked if at < NOON + 1770 and path in SLOW)
    both = sum(1 for at, _ in gateway.asked if at < NOON + 1770)
    text = "\n".join(write_lines(seen[0], NOON + 1770))
    found = re.search(
        r"^requests +(\d+) since the start \((\d+) of them slow\); (\d+) an hour are planned$", text, re.M
    )
    assert found is not None, text
    assert (int(found[1]), int(found[2])) == (both, slow)
    assert int(found[3]) > 2 * both * 0.9

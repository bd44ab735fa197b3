"""One recorder with two gateways behind TLS: each has its own outage, state and points; store and shipper are one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from logger.clock import Clock
from logger.daemon.config import GatewayConfig
from logger.daemon.gateway_state import Change, load_state
from logger.daemon.news import News
from logger.daemon.recorder import Recorder, build_recorder
from logger.daemon.status_file import describe
from logger.gateway.access import Access
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.log import Changes
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.server import Simulator
from logger.site import Site
from logger.store.store import Store
from logger.store.thread import StoreThread
from tests.clocks import HandClock
from tests.databases.fake2 import Fake2
from tests.driven import DrivenClock, driving

NOON = 1_782_043_200
HOUSE, BARN = "122233344455", "122233344466"


async def opened(
    stack: contextlib.AsyncExitStack,
    folder: Path,
    clock: Clock,
    configs: Sequence[GatewayConfig],
    writer: Writer | None = None,
) -> Recorder:
    """A recorder of these gateways with its own store; both are closed with the stack."""
    store = await StoreThread.open(folder, max_mb=64, keep_days=30, clock=clock)
    stack.push_async_callback(store.close)
    recorder = build_recorder(
        configs,
        store,
        clock,
        writer=writer,
        credentials=None,
        notify_address="",
        changes=Changes(None),
        news=News(),
        stopping=asyncio.Event(),
    )
    for gateway in recorder.gateways:
        stack.push_async_callback(gateway.aclose)
    return recorder


@contextlib.asynccontextmanager
async def two_gateways(
    folder: Path, clock: Clock, of_servers: Clock, target: Target | None = None, site: str = ""
) -> AsyncIterator[tuple[Recorder, dict[str, Simulator]]]:
    """A recorder of a house and of its barn, neither of which was polled yet."""
    async with contextlib.AsyncExitStack() as stack:
        simulators = {
            serial: await stack.enter_async_context(
                Simulator(invent_gateway("8-battery", serial=serial, epoch=NOON - 5 * 86400), of_servers)
            )
            for serial in (HOUSE, BARN)
        }
        writer = None if target is None else Writer(target, clock)
        if writer is not None:
            stack.push_async_callback(writer.aclose)
        configs = []
        for simulator in simulators.values():
            access = Access(simulator.url, folder, token=simulator.new_token())
            here = Site(site, zone="Europe/Madrid")
            configs.append(GatewayConfig(access, lambda access=access: access, here))  # type: ignore[misc]
        recorder = await opened(stack, folder, clock, configs, writer)
        yield recorder, simulators


@contextlib.asynccontextmanager
async def by_hand(folder: Path, site: str = "") -> AsyncIterator[tuple[Recorder, HandClock, dict[str, Simulator]]]:
    """The same, on a clock that is moved by hand."""
    clock = HandClock(NOON)
    async with two_gateways(folder, clock, clock, site=site) as (recorder, simulators):
        yield recorder, clock, simulators


async def tick(recorder: Recorder, clock: HandClock, minute: int) -> None:
    """One tick of both gateways at the same time."""
    clock.now = NOON + 60 * minute
    await asyncio.gather(*(collector.tick(NOON + 60 * minute) for collector in recorder.collectors))


async def minutes(recorder: Recorder, serial: str) -> list[int]:
    """The minutes of which the store holds a power of that gateway; facts may stand in between."""
    pages, _ = await recorder.store.call(Store.read_lines, "totals", 0, 2**62, 0)
    head = f"envoy_totals,gateway={serial} ".encode()
    lines = [line for line in pages if line.startswith(head) and b"production_power_w=" in line]
    return sorted((int(line.rsplit(b" ", 1)[1]) - NOON) // 60 for line in lines)


def test_the_outage_of_one_gateway_costs_the_other_no_tick(tmp_path: Path) -> None:
    async def run() -> None:
        async with by_hand(tmp_path) as (recorder, clock, simulators):
            for minute in range(12):
                if minute == 4:
                    await simulators[BARN].go_down()
                if minute == 8:
                    await simulators[BARN].come_up()
                await tick(recorder, clock, minute)
                if minute == 6:
                    troubles = recorder.changes.troubles
                    assert any(key.startswith(simulators[BARN].url) for key in troubles), troubles
                    assert not any(key.startswith(simulators[HOUSE].url) for key in troubles), troubles
            assert await minutes(recorder, HOUSE) == list(range(12))
            assert await minutes(recorder, BARN) == [0, 1, 2, 3, 8, 9, 10, 11]
            house, barn = recorder.collectors
            assert (house.serial, barn.serial) == (HOUSE, BARN)
            assert house.state.energy.counters.keys() == barn.state.energy.counters.keys()
            assert (house.state.energy.last_tick, barn.collected.ticks) == (NOON + 660, 12)
            assert not recorder.changes.troubles

    asyncio.run(run())


def test_one_shipper_delivers_for_both_while_one_gateway_and_then_the_database_are_away(
    tmp_path: Path, fake_influx2: Fake2
) -> None:
    buckets = fake_influx2.fresh_buckets()

    async def until(clock: DrivenClock, minute: float) -> None:
        await clock.sleep(NOON + 60 * minute - clock.time())

    async def run(clock: DrivenClock) -> None:
        target = fake_influx2.target(buckets)
        async with two_gateways(tmp_path, clock, clock.of_servers(), target) as (recorder, simulators):
            assert recorder.shipper is not None
            loops = [asyncio.create_task(recorder.collect()), asyncio.create_task(recorder.shipper.run())]
            await until(clock, 3.5)
            await simulators[BARN].go_down()
            await until(clock, 5.5)
            assert fake_influx2.rows(buckets["totals"], "envoy_totals"), "delivered while the barn is away"
            fake_influx2.stop()
            await until(clock, 7.5)
            await simulators[BARN].come_up()
            await until(clock, 9.5)
            fake_influx2.start()
            await until(clock, 16.5)
            assert not recorder.changes.troubles
            assert (await recorder.store.call(Store.read_figures)).rows == 0
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    with driving(NOON - 30) as clock:
        clock.drive(run(clock))
    recorded: dict[str, list[int]] = {HOUSE: [], BARN: []}
    for row in fake_influx2.rows(buckets["totals"], "envoy_totals"):
        if "production_power_w" in row.fields:
            recorded[row.tags["gateway"]].append((row.time - NOON) // 60)
    assert recorded[HOUSE] == list(range(17))
    assert recorded[BARN] == [minute for minute in range(17) if not 4 <= minute <= 7]
    inverters = fake_influx2.rows(buckets["devices"], "envoy_inverter")
    assert {row.tags["gateway"] for row in inverters} == {HOUSE, BARN}
    days = fake_influx2.rows(buckets["daily"], "envoy_day")
    assert sorted(row.tags["gateway"] for row in days) == [HOUSE, BARN]
    events = [(row.tags["gateway"], row.tags["kind"]) for row in fake_influx2.rows(buckets["totals"], "envoy_event")]
    away = [event for event in events if event[1].startswith("gateway_")]
    assert away == [(BARN, "gateway_unreachable"), (BARN, "gateway_back")]


def test_a_shard_without_a_gateway_waits_until_it_is_stopped(tmp_path: Path) -> None:
    async def run() -> None:
        stopping = asyncio.Event()
        store = await StoreThread.open(tmp_path, max_mb=64, keep_days=30, clock=HandClock(NOON))
        recorder = build_recorder(
            (),
            store,
            HandClock(NOON),
            writer=None,
            credentials=None,
            notify_address="",
            changes=Changes(None),
            news=News(),
            stopping=stopping,
        )
        status = describe(recorder, await store.call(Store.read_figures), HandClock(NOON))
        assert status["health"] == {"live": True, "ready": True, "reasons": []}
        collecting = asyncio.create_task(recorder.collect())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not collecting.done()
        stopping.set()
        await collecting
        await store.close()

    asyncio.run(run())


def with_first_day(day: str) -> Change:
    return lambda state: (replace(state, energy=replace(state.energy, first_day=day)), [])


async def stored_first_day(recorder: Recorder, serial: str) -> str:
    return load_state(await recorder.store.call(Store.read_state, serial), {}).energy.first_day


def test_a_state_is_changed_where_it_is_held_when_the_turn_comes(tmp_path: Path) -> None:
    async def run() -> None:
        async with by_hand(tmp_path) as (recorder, clock, _simulators):
            await tick(recorder, clock, 0)
            house, barn = recorder.collectors
            before = house.state
            await recorder.keeper_of(BARN).amend(with_first_day("2020-01-01"))
            assert barn.state.energy.first_day == await stored_first_day(recorder, BARN) == "2020-01-01"
            assert house.state is before
            async with recorder.between_ticks:
                later = asyncio.create_task(recorder.keeper_of(BARN).amend(with_first_day("2021-01-01")))
                await asyncio.sleep(0)
                assert barn.poller.info is not None
                barn.poller.info = replace(barn.poller.info, serial="122233344477")
            await later
            assert barn.state.energy.first_day == "2020-01-01", "it records another gateway now"
            assert await stored_first_day(recorder, BARN) == "2021-01-01"

    asyncio.run(run())


def test_a_state_that_a_collector_has_just_read_is_changed_at_the_collector(tmp_path: Path) -> None:
    async def run() -> None:
        async with by_hand(tmp_path) as (recorder, _clock, _simulators):
            _, barn = recorder.collectors
            async with recorder.between_ticks:
                recognised = asyncio.create_task(barn.poller.identify(NOON))
                while not recorder.between_ticks._waiters:
                    await asyncio.sleep(0.01)
                changed = asyncio.create_task(recorder.keeper_of(BARN).amend(with_first_day("2020-01-01")))
                await asyncio.sleep(0)
            await asyncio.gather(recognised, changed)
            assert barn.state.energy.first_day == await stored_first_day(recorder, BARN) == "2020-01-01"

    asyncio.run(run())


def test_each_gateway_has_its_own_state_pin_and_part_of_the_status(tmp_path: Path) -> None:
    async def run() -> None:
        async with by_hand(tmp_path) as (recorder, clock, _simulators):
            await tick(recorder, clock, 0)
            status = describe(recorder, await recorder.store.call(Store.read_figures), clock)
            assert await recorder.store.call(Store.list_gateways) == [HOUSE, BARN]
        assert isinstance(status["gateway"], dict)
        assert status["gateway"]["serial"] == HOUSE
        further = status["further_gateways"]
        assert isinstance(further, list)
        assert [part["gateway"]["serial"] for part in further] == [BARN]  # type: ignore[index,call-overload]
        assert {path.name for path in tmp_path.glob("pin-*")} == {f"pin-{HOUSE}.json", f"pin-{BARN}.json"}

    asyncio.run(run())


@contextlib.asynccontextmanager
async def one_by_two_addresses(folder: Path) -> AsyncIterator[tuple[Recorder, HandClock, list[Simulator]]]:
    """A recorder with two entries that lead to one gateway; two servers stand for its two addresses."""
    clock = HandClock(NOON)
    model = invent_gateway("8-battery", serial=HOUSE, epoch=NOON - 5 * 86400)
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(Simulator(model, clock))
        second = await stack.enter_async_context(Simulator(model, clock, certificate=first.certificate))
        configs = [
            GatewayConfig(access, lambda access=access: access, Site(zone="Europe/Madrid"))  # type: ignore[misc]
            for access in (Access(each.url, folder, token=each.new_token()) for each in (first, second))
        ]
        recorder = await opened(stack, folder, clock, configs)
        yield recorder, clock, [first, second]


def test_two_entries_of_one_gateway_are_told_and_polled_once_and_either_address_serves(tmp_path: Path) -> None:
    async def run() -> None:
        async with one_by_two_addresses(tmp_path) as (recorder, clock, servers):

            async def poll(minute: int) -> list[int]:
                before = [len(each.journal) for each in servers]
                await tick(recorder, clock, minute)
                return [len(each.journal) - count for each, count in zip(servers, before, strict=True)]

            first, second = recorder.collectors
            await poll(0)
            polled, idle = (first, second) if first.serial else (second, first)
            (trouble,) = recorder.changes.troubles.values()
            assert HOUSE in trouble
            assert polled.address in trouble
            assert idle.address in trouble
            assert idle.is_second_entry
            assert {served.path for served in servers[recorder.collectors.index(idle)].journal} == {"/info"}
            asked = await poll(1)
            assert asked[recorder.collectors.index(idle)] == 1, "it is looked at again, and nothing else is asked"
            await servers[recorder.collectors.index(polled)].go_down()
            await poll(2)
            await poll(3)
            assert idle.serial == HOUSE
            assert not polled.serial
            await servers[recorder.collectors.index(polled)].come_up()
            await poll(4)
            await poll(5)
            assert await minutes(recorder, HOUSE) in ([0, 1, 3, 4, 5], [0, 1, 2, 3, 4, 5])
            assert polled.is_second_entry
            assert not idle.is_second_entry
            status = describe(recorder, await recorder.store.call(Store.read_figures), clock)
            assert status["health"] == {"live": True, "ready": True, "reasons": []}

    asyncio.run(run())

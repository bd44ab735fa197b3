"""The collect loop in virtual time: every minute is stored, whatever single endpoints do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.errors import (
    BusyError,
    CredentialsError,
    NameUnknownError,
    StoreFullError,
    TimedOutError,
    UnreachableError,
    UnreadableError,
)
from logger.gateway.endpoints import ENDPOINTS
from logger.model import Json
from logger.site import Site
from tests.daemon.parts import INFO, START, InlineStore, ScriptedGateway, collecting, site
from tests.virtual import VirtualClock, run_virtually

SITE = Site(zone="Europe/Paris")


def record(
    folder: Path,
    minutes: float,
    shape: Callable[[ScriptedGateway], None] = lambda g: None,
    *,
    start: float = START - 30,
    of_site: Site = SITE,
    meanwhile: Callable[[Collector, ScriptedGateway, VirtualClock], object] | None = None,
) -> tuple[InlineStore, ScriptedGateway, Collector]:
    """Run the collect loop for some minutes of virtual time."""

    async def work() -> tuple[InlineStore, ScriptedGateway, Collector]:
        clock = VirtualClock(start)
        gateway = ScriptedGateway(clock, site())
        shape(gateway)
        with InlineStore(folder, clock) as store:
            collector = Collector(gateway, store, clock, of_site, Progress(clock))
            if meanwhile is not None:
                meanwhile(collector, gateway, clock)
            async with collecting(collector):
                await asyncio.sleep(minutes * 60)
        return store, gateway, collector

    return run_virtually(work())


def times(lines: list[str]) -> list[int]:
    return [int(line.rsplit(" ", 1)[1]) for line in lines]


def field(line: str, name: str) -> str | None:
    found = re.search(rf"[ ,]{name}=([^, ]+)", line)
    return found.group(1) if found else None


def test_every_minute_has_one_point_at_the_aligned_time(tmp_path: Path) -> None:
    store, _, _ = record(tmp_path, 60)
    assert times(store.lines("envoy_totals")) == [START + 60 * n for n in range(60)]


def test_devices_are_read_every_five_minutes_at_the_tick(tmp_path: Path) -> None:
    store, _, _ = record(tmp_path, 21)
    status = [line for line in store.lines("envoy_inverter_status") if "serial=482200000000" in line]
    assert times(status) == [START, START + 300, START + 600, START + 900, START + 1200]


@pytest.mark.parametrize("offset_s", [17, 45, 59])
def test_a_poll_that_begins_later_in_the_minute_keeps_the_ticks_time_and_cadences(
    tmp_path: Path, offset_s: int
) -> None:
    def slowly(gateway: ScriptedGateway) -> None:
        gateway.takes_s["/inventory.json?deleted=1"] = 20.0

    store, gateway, collector = record(tmp_path, 61, slowly, of_site=replace(SITE, offset_s=offset_s))
    readings = [at for at, path in gateway.asked if path == "/ivp/meters/readings"]
    assert {int(at) % 60 for at in readings} == {offset_s}
    totals = times(store.lines("envoy_totals"))
    assert totals == [int(at) - offset_s for at in readings]
    assert len(totals) >= 60
    status = [line for line in store.lines("envoy_inverter_status") if "serial=482200000000" in line]
    assert times(status) == [tick for tick in totals if tick % 300 == 0 or tick == totals[0]]
    assert collector.collected.missed == 0


def test_the_longest_interval_reads_the_meters_at_every_tick(tmp_path: Path) -> None:
    _, gateway, collector = record(tmp_path, 8 * 60, of_site=replace(SITE, totals_s=3600, devices_s=3600))
    asked = [round(at - START) for at, path in gateway.asked if path == "/ivp/meters/readings"]
    assert asked == [3600 * hour for hour in range(8)]
    assert sum(day.energy["production"].wh for day in collector.state.energy.days) == pytest.approx(7000, abs=1)


def test_a_report_that_did_not_change_is_written_once(tmp_path: Path) -> None:
    def frozen(gateway: ScriptedGateway) -> None:
        inverters = gateway.answers["/api/v1/production/inverters"]
        gateway.answers["/api/v1/production/inverters"] = lambda now: inverters(START)

    store, _, _ = record(tmp_path, 30, frozen)
    assert sorted(times(store.lines("envoy_inverter"))) == [START - 7 + n for n in range(5)]


def test_a_slow_lane_that_hangs_for_60_s_at_every_request_costs_no_minute(tmp_path: Path) -> None:
    def hang(gateway: ScriptedGateway) -> None:
        for path in ("/inventory.json?deleted=1", "/production.json?details=1"):
            gateway.takes_s[path] = 60.0
            gateway.fails[path] = TimedOutError(f"{path} gave no complete answer in 60 s")

    store, gateway, _ = record(tmp_path, 60, hang)
    assert times(store.lines("envoy_totals")) == [START + 60 * n for n in range(60)]
    assert gateway.most_in_flight == {"fast": 1, "slow": 1}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> ScriptedGateway:
    """The gateway after an hour in which nothing failed."""
    return record(tmp_path_factory.mktemp("calm"), 60)[1]


@pytest.mark.parametrize(("lane", "number"), [("fast", -1), ("slow", 0), ("slow", 1), ("slow", -1)])
def test_a_path_that_refuses_the_credentials_keeps_no_other_from_being_asked(
    tmp_path: Path, calm: ScriptedGateway, lane: str, number: int
) -> None:
    lanes = {each.path: each.lane for each in ENDPOINTS}
    paths = [path for path in dict.fromkeys(path for _, path in calm.asked) if lanes[path] == lane]
    refused = paths.pop(number)

    def refuse(gateway: ScriptedGateway) -> None:
        gateway.fails[refused] = CredentialsError("the gateway refuses the token")

    _, gateway, _ = record(tmp_path / "refused", 60, refuse)
    counts = {path: sum(path == asked for _, asked in gateway.asked) for path in paths}
    wanted = {path: sum(path == asked for _, asked in calm.asked) for path in paths}
    assert all(counts[path] >= wanted[path] - 1 for path in paths), (refused, counts, wanted)


def test_a_slow_answer_goes_once_into_the_next_tick(tmp_path: Path) -> None:
    def slow(gateway: ScriptedGateway) -> None:
        gateway.takes_s["/inventory.json?deleted=1"] = 25.0

    store, _, _ = record(tmp_path, 4, slow)
    counts = [field(line, "inverters") for line in store.lines("envoy_totals")]
    assert counts == [None, "5i", "5i", "5i"]


def test_facts_stand_for_twice_their_cadence_with_their_age_and_then_are_absent(tmp_path: Path) -> None:
    def dies(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
        async def later() -> None:
            await asyncio.sleep(130)
            gateway.fails["/inventory.json?deleted=1"] = BusyError("503")

        collector.later = asyncio.ensure_future(later())  # type: ignore[attr-defined]

    store, _, _ = record(tmp_path, 30, meanwhile=dies)
    seen = [(field(line, "inverters"), field(line, "inventory_age_s")) for line in store.lines("envoy_totals")]
    present = [pair for pair in seen if pair[0] is not None]
    assert 9 <= len(present) <= 11
    assert [int(age.rstrip("i")) for _, age in present if age] == sorted(
        int(age.rstrip("i")) for _, age in present if age
    )
    assert seen[-1] == (None, None)
    assert len(seen) == 30


def test_a_fast_endpoint_that_fails_leaves_the_others_in_the_tick(tmp_path: Path) -> None:
    def broken(gateway: ScriptedGateway) -> None:
        gateway.fails["/ivp/meters/readings"] = UnreadableError("HTML instead of JSON")

    store, _, _ = record(tmp_path, 11, broken)
    assert store.lines("envoy_meter") == []
    assert len(store.lines("envoy_inverter")) == 15
    assert all(field(line, "production_power_w") is None for line in store.lines("envoy_totals"))


def test_the_gateway_gone_for_ten_minutes_leaves_a_gap_and_is_said_once_at_each_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def away(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
        async def script() -> None:
            await asyncio.sleep(600)
            gone = NameUnknownError("the name envoy.local does not resolve", "use the IP address")
            gateway.fails |= dict.fromkeys([*gateway.answers, "/info"], gone)
            await asyncio.sleep(600)
            gateway.fails.clear()

        collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

    with caplog.at_level("INFO", logger="logger"):
        store, _, collector = record(tmp_path, 40, meanwhile=away)
    power = [
        t
        for t, line in zip(times(store.lines("envoy_totals")), store.lines("envoy_totals"), strict=True)
        if field(line, "production_power_w")
    ]
    assert power == [START + 60 * n for n in range(40) if not 10 <= n < 20]
    texts = [record.message for record in caplog.records]
    assert sum("does not resolve" in text for text in texts) == 1
    assert sum("the gateway answers again" in text for text in texts) == 1
    assert not collector.changes.troubles
    kinds = [re.search("kind=([a-z_]+)", line).group(1) for line in store.lines("envoy_event")]  # type: ignore[union-attr]
    assert kinds == ["recorder_started", "gateway_unreachable", "gateway_back"]
    assert [field(line, "duration_s") for line in store.lines("envoy_event")] == [None, None, "600.0"]


def test_refused_credentials_keep_it_running_and_are_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(gateway: ScriptedGateway) -> None:
        gateway.fails = dict.fromkeys(gateway.answers, CredentialsError("Enphase refused the password", "check it"))

    with caplog.at_level("INFO", logger="logger"):
        _, gateway, collector = record(tmp_path, 20, refuse)
    assert sum("refused the password" in record.message for record in caplog.records) == 1
    assert collector.changes.troubles["sign-in"] == "Enphase refused the password\nTry: check it"
    assert len({at // 60 for at, _ in gateway.asked}) >= 19


def test_stop_cancels_the_request_in_hand_and_stores_what_came(tmp_path: Path) -> None:
    async def work() -> tuple[float, InlineStore]:
        clock = VirtualClock(START - 1)
        gateway = ScriptedGateway(clock, site())
        gateway.takes_s["/api/v1/production/inverters"] = 9.0
        with InlineStore(tmp_path, clock) as store:
            async with collecting(Collector(gateway, store, clock, SITE, Progress(clock))):
                await asyncio.sleep(3)
                stopped = clock.monotonic()
            return clock.monotonic() - stopped, store

    took, store = run_virtually(work())
    assert took < 1
    assert times(store.lines("envoy_totals")) == [START]


def test_another_serial_opens_other_books_and_no_point_mixes_them(tmp_path: Path) -> None:
    def swap(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
        async def script() -> None:
            await asyncio.sleep(16 * 60)
            gateway.info = replace(INFO, serial="999888777666")

        collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

    store, _, _ = record(tmp_path, 50, meanwhile=swap)
    serials = [re.search(r"gateway=(\d+)", line).group(1) for line in store.lines("envoy_totals")]  # type: ignore[union-attr]
    assert serials == [
        *["122233344455"] * serials.count("122233344455"),
        *["999888777666"] * serials.count("999888777666"),
    ]
    assert serials.count("999888777666") > 15


def test_a_new_gateway_whose_state_cannot_be_read_yet_gives_no_point_to_the_one_before(tmp_path: Path) -> None:
    def swap(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
        store = collector._store
        assert isinstance(store, InlineStore)

        def unreadable(name: str) -> None:
            if name == "read_state":
                raise StoreFullError("the store cannot be used now", "check the disk")

        async def script() -> None:
            await asyncio.sleep(16 * 60)  # noticed at the next `/info`, in minute 30
            gateway.info = replace(INFO, serial="999888777666")
            store.before = unreadable
            await asyncio.sleep(20 * 60)
            store.before = lambda name: None

        collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

    store, _, _ = record(tmp_path, 50, meanwhile=swap)
    totals = store.lines("envoy_totals")
    assert max(times([line for line in totals if INFO.serial in line])) < START + 30 * 60
    assert START + 35 * 60 < min(times([line for line in totals if "999888777666" in line])) <= START + 37 * 60


def test_books_continue_after_a_restart(tmp_path: Path) -> None:
    first, _, _ = record(tmp_path, 20)
    second, _, collector = record(tmp_path, 20, start=START + 1200 + 30)
    assert collector.state.energy.today.energy["production"].wh == pytest.approx(1000 / 60 * 40, abs=0.1)
    written = first.lines("envoy_inverter") + second.lines("envoy_inverter")
    points = [line.split(" ")[0] + line.rsplit(" ", 1)[1] for line in written]
    assert len(points) == len(set(points))


def test_a_clock_set_back_a_little_repeats_no_tick_and_far_back_is_accepted_with_an_event(tmp_path: Path) -> None:
    def steps(back_s: float) -> Callable[[Collector, ScriptedGateway, VirtualClock], object]:
        def meanwhile(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
            async def script() -> None:
                await asyncio.sleep(20 * 60)
                clock.step = -back_s

            collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

        return meanwhile

    near, _, _ = record(tmp_path / "near", 40, meanwhile=steps(300))
    ticks = times(near.lines("envoy_totals"))
    assert ticks == [START + 60 * n for n in range(35)]
    far, _, _ = record(tmp_path / "far", 40, meanwhile=steps(7200))
    assert sum("kind=clock_set_back" in line for line in far.lines("envoy_event")) == 1
    assert min(times(far.lines("envoy_totals"))) < START - 3600


def test_after_our_clock_was_set_back_every_minute_is_polled_and_shown_at_its_new_time(tmp_path: Path) -> None:
    ahead_s, asked_before = 7200, list[int]()

    def has_its_own_clock(gateway: ScriptedGateway) -> None:
        def make(answer: Callable[[float], Json]) -> Callable[[float], Json]:
            def at_its_own_time(now: float) -> Json:
                assert isinstance(gateway.clock, VirtualClock)
                its_now = now - ahead_s - gateway.clock.step
                body = answer(its_now)
                if isinstance(body, list) and body and isinstance(body[0], dict) and "activePower" in body[0]:
                    body[0]["activePower"] = its_now - START + ahead_s + 1000
                return body

            return at_its_own_time

        gateway.info = replace(INFO, clock_skew_s=-float(ahead_s))
        gateway.answers = {path: make(answer) for path, answer in site().items()}

    def meanwhile(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
        async def script() -> None:
            await asyncio.sleep(20 * 60)
            clock.step, gateway.info = -float(ahead_s), INFO
            asked_before.append(len(gateway.asked))

        collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

    store, gateway, collector = record(tmp_path, 40, has_its_own_clock, meanwhile=meanwhile)
    minutes = [line for line in store.lines("envoy_totals") if times([line])[0] < START]
    assert times(minutes) == [START - ahead_s + 60 * n for n in range(21, 40)]
    powers = [field(line, "production_power_w") for line in minutes]
    assert len({power for power in powers if power is not None}) == len(minutes), "no value is written twice"
    reports = [time for time in times(store.lines("envoy_inverter")) if time < START - 600]
    assert sorted({*reports}) == [START - ahead_s + 300 * n for n in (5, 6, 7)]
    newest = collector.newest.find("envoy_totals")
    assert newest is not None
    assert newest.time == times(minutes)[-1]
    assert {path for _, path in gateway.asked[asked_before[0] :]} >= {
        "/ivp/meters/readings",
        "/inventory.json?deleted=1",
    }


def test_a_gateway_that_falls_silent_when_our_clock_is_set_back_counts_as_silent(tmp_path: Path) -> None:
    def meanwhile(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
        async def script() -> None:
            await asyncio.sleep(20 * 60)
            clock.step = -7200.0
            gateway.fails |= {path: UnreachableError("no device answers") for path in (*site(), "/info")}

        collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

    store, _, collector = record(tmp_path, 40, meanwhile=meanwhile)
    assert not collector.newest.is_heard(SITE, collector.collected.last_tick)
    assert not any("endpoint_lost" in line for line in store.lines("envoy_event"))


def test_a_machine_that_slept_says_once_what_is_missing_and_stamps_nothing_wrongly(tmp_path: Path) -> None:
    asleep_s = 8 * 3600

    def falls_asleep(in_a_poll: bool) -> Callable[[Collector, ScriptedGateway, VirtualClock], object]:
        def meanwhile(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
            async def script() -> None:
                await asyncio.sleep(20 * 60 + 30.1 if in_a_poll else 20 * 60)
                clock.step = asleep_s

            collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

        return meanwhile

    for in_a_poll in (False, True):
        store, _, _ = record(tmp_path / str(in_a_poll), 40, meanwhile=falls_asleep(in_a_poll))
        ticks = times(store.lines("envoy_totals"))
        before = [START + 60 * n for n in range(20)]  # the one in whose poll it slept is nobody's
        assert ticks[: len(before)] == before
        assert min(ticks[len(before) :]) >= before[-1] + asleep_s
        [event] = [line for line in store.lines("envoy_event") if "kind=clock_set_forward" in line]
        assert "the readings of 8 hours are missing" in event


def test_nothing_is_read_while_the_clock_is_not_set(tmp_path: Path) -> None:
    store, gateway, collector = record(tmp_path, 10, start=86400.0)
    assert store.commits == []
    assert gateway.asked == []
    assert "not set" in collector.changes.troubles["clock"]


def test_a_gateway_clock_that_is_off_is_said_once_and_corrected_in_report_times(tmp_path: Path) -> None:
    def ahead(gateway: ScriptedGateway) -> None:
        gateway.info = replace(INFO, clock_skew_s=90.0)
        inverters = gateway.answers["/api/v1/production/inverters"]
        gateway.answers["/api/v1/production/inverters"] = lambda now: inverters(now + 90)

    store, _, _ = record(tmp_path, 40, ahead)
    assert sum("kind=gateway_clock" in line for line in store.lines("envoy_event")) == 1
    assert all((t + 90 + 7) % 300 < 5 for t in times(store.lines("envoy_inverter")))


def test_a_clock_set_during_the_wait_stamps_nothing_with_the_old_time(tmp_path: Path) -> None:
    def jump(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
        async def script() -> None:
            await asyncio.sleep(10 * 60 + 10)
            clock.step = 2 * 86400

        collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

    store, _, _ = record(tmp_path, 20, meanwhile=jump)
    ticks = times(store.lines("envoy_totals"))
    assert [t for t in ticks if START + 600 <= t < START + 86400] == []
    assert max(ticks) > START + 2 * 86400


def test_another_time_zone_holds_from_the_next_local_midnight_on_with_an_event(tmp_path: Path) -> None:
    record(tmp_path, 10, of_site=Site(zone="UTC"))
    later = Site(zone="Australia/Sydney")
    same, _, collector = record(tmp_path, 10, start=START + 700, of_site=later)
    assert collector.state.energy.zone == "UTC"
    assert not any("kind=time_zone_changed" in line for line in same.lines("envoy_event"))
    days, _, collector = record(tmp_path, 10, start=START + 86400, of_site=later)
    assert collector.state.energy.zone == "Australia/Sydney"
    assert sum("kind=time_zone_changed" in line for line in days.lines("envoy_event")) == 1


def test_trouble_of_the_store_costs_ticks_and_not_the_loop(tmp_path: Path) -> None:
    def breaks(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> None:
        store = collector._store
        assert isinstance(store, InlineStore)

        def full(name: str) -> None:
            if name == "put":
                raise StoreFullError("no room", "free some space")

        async def script() -> None:
            await asyncio.sleep(5 * 60)
            store.before = full
            await asyncio.sleep(5 * 60)
            store.before = lambda name: None

        collector.script = asyncio.ensure_future(script())  # type: ignore[attr-defined]

    store, _, collector = record(tmp_path, 20, meanwhile=breaks)
    assert len(store.lines("envoy_totals")) == 15
    assert collector.collected.missed >= 5
    assert not collector.changes.troubles


def test_it_is_news_which_gateway_answers_before_its_first_poll(tmp_path: Path) -> None:
    polls: list[int] = []

    def watch(collector: Collector, _gateway: ScriptedGateway, _clock: VirtualClock) -> None:
        collector._on_recognised = lambda: polls.append(collector.collected.ticks)

    _, _, collector = record(tmp_path, 3, meanwhile=watch)
    assert polls == [0]
    assert collector.collected.ticks == 3

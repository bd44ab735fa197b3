"""A site of several gateways: its sums exist only while all of them are heard, and what is missing is named."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from logger.commands.ui.status_text import write_lines
from logger.daemon.site_members import SiteMembers
from logger.daemon.status_file import describe
from logger.energy.site_sums import SiteMember, sum_totals
from logger.energy.state import Day, DayEnergy, EnergyState, Wiring
from logger.errors import StoreFullError
from logger.influx.read_back import read_back
from logger.model import DayRow, Reading, Value
from logger.store.store import Store
from tests.daemon.test_two_gateways import BARN, HOUSE, NOON, by_hand, tick

NO_BATTERY = EnergyState(wiring=Wiring(batteries=0))
FULL: Mapping[str, Value] = {
    "production_power_w": 1000.0, "net_power_w": -200.0, "battery_power_w": 50.0, "production_today_wh": 400.0,
}  # fmt: skip


def sums(*members: SiteMember) -> Mapping[str, Value]:
    return sum_totals("farm", NOON, members).fields


def test_powers_and_energies_of_all_gateways_are_added() -> None:
    more = {"production_power_w": 500.0, "net_power_w": 10.0, "production_today_wh": 100.0}
    assert sums(SiteMember("house", FULL), SiteMember("barn", more, NO_BATTERY)) == {
        "gateways": 2,
        "gateways_heard": 2,
        "production_power_w": 1500.0,
        "net_power_w": -190.0,
        "battery_power_w": 50.0,
        "production_today_wh": 500.0,
    }


def test_without_one_gateway_there_is_no_sum_and_it_is_named() -> None:
    found = sums(SiteMember("house", FULL), SiteMember("barn"))
    assert found == {"gateways": 2, "gateways_heard": 1, "missing": "barn"}


def test_a_quantity_that_one_gateway_does_not_measure_is_absent_and_named() -> None:
    found = sums(SiteMember("house", FULL), SiteMember("barn", {"production_power_w": 500.0}))
    assert found == {
        "gateways": 2,
        "gateways_heard": 2,
        "production_power_w": 1500.0,
        "missing": "net of barn, battery of barn",
    }


def test_a_gateway_that_missed_a_tick_is_named_at_the_next_one() -> None:
    members = SiteMembers("farm", ["house", "barn"])
    assert members.note("house", NOON, FULL, NO_BATTERY) == []
    (late,) = members.note("house", NOON + 60, FULL, NO_BATTERY)
    assert (late.time, late.fields["missing"]) == (NOON, "barn")
    (whole,) = members.note("barn", NOON + 60, FULL, NO_BATTERY)
    assert (whole.time, whole.fields["production_power_w"]) == (NOON + 60, 2000.0)


def test_after_our_clock_was_set_back_the_points_of_the_site_have_their_new_times() -> None:
    members = SiteMembers("farm", ["house", "barn"])
    for at in (NOON, NOON - 7200, NOON - 7140):
        assert members.note("house", at, FULL, NO_BATTERY) == []
        (point,) = members.note("barn", at, FULL, NO_BATTERY)
        assert (point.time, point.fields["production_power_w"]) == (at, 2000.0)


def test_a_second_entry_of_a_gateway_is_no_part_of_the_site() -> None:
    members = SiteMembers("farm", ["house", "barn", "house by wifi"])
    members.leave("house by wifi")
    members.note("house", NOON, FULL, NO_BATTERY)
    (point,) = members.note("barn", NOON, FULL, NO_BATTERY)
    assert point.fields["gateways"] == 2
    assert "missing" not in point.fields


async def read(store_reader: object, measurement: str, role: str) -> list[Reading]:
    """The stored points of a measurement."""
    lines, _ = await store_reader.call(Store.read_lines, role, 0, 2**62, 0)  # type: ignore[attr-defined]
    found = [read_back(line.decode(), role) for line in lines]  # type: ignore[arg-type]
    return [point for point in found if point.measurement == measurement]


@pytest.mark.parametrize("is_away", [False, True])
def test_a_recorder_writes_the_sums_of_its_site_and_a_row_a_day(tmp_path: Path, is_away: bool) -> None:
    async def run() -> None:
        async with by_hand(tmp_path, site="farm") as (recorder, clock, simulators):
            if is_away:
                await simulators[BARN].go_down()
            for minute in range(3):
                await tick(recorder, clock, minute)
            status = describe(recorder, await recorder.store.call(Store.read_figures), clock)
            (line,) = [line for line in write_lines(status, clock.now) if line.startswith("site ")]
            assert ("missing: " + simulators[BARN].url in line) is is_away
            assert ("kWh produced today" in line) is not is_away
            points = await read(recorder.store, "envoy_site", "totals")
            assert [(point.time - NOON) // 60 for point in points] == [0, 1, 2]
            assert all(point.tags == {"site": "farm"} for point in points)
            rows = await read(recorder.store, "envoy_site_day", "daily")
            if is_away:
                assert all(point.fields["missing"] == simulators[BARN].url for point in points)
                assert not any("production_power_w" in point.fields for point in points)
                assert rows == []
                return
            totals = await read(recorder.store, "envoy_totals", "totals")
            for point in points:
                parts = [float(each.fields["production_power_w"]) for each in totals if each.time == point.time]
                assert len(parts) == 2
                assert point.fields["production_power_w"] == pytest.approx(sum(parts), abs=0.01)
            (row,) = rows
            days = await read(recorder.store, "envoy_day", "daily")
            assert {day.tags["gateway"] for day in days} == {HOUSE, BARN}
            assert row.time == days[0].time
            assert row.fields["local_date"] == "2026-06-21"
            assert row.fields["gateways"] == 2
            assert "production_estimated_wh" in row.fields

    asyncio.run(run())


def test_a_row_of_the_site_that_a_full_store_refused_is_written_at_the_next_tick(tmp_path: Path) -> None:
    async def run() -> None:
        async with by_hand(tmp_path, site="farm") as (recorder, clock, _simulators):
            house, store = recorder.collectors[0], recorder.store

            class FullStore:
                """The store of the house, which has no space for a tick."""

                async def call(self, function: Callable[..., object], /, *args: object) -> object:
                    if function is Store.put:
                        raise StoreFullError("no room")
                    return await store.call(function, *args)

            await tick(recorder, clock, 0)
            house._store = FullStore()  # type: ignore[assignment]
            with contextlib.suppress(StoreFullError):
                await tick(recorder, clock, 1)
            house._store = store
            await tick(recorder, clock, 2)
            (row,) = await read(store, "envoy_site_day", "daily")
            assert row.fields["local_date"] == "2026-06-21"

    asyncio.run(run())


def _with_row(members: SiteMembers, name: str, wh: float, *dates: str) -> None:
    """Let a gateway of a site report changed rows of its days, each with this production."""
    days = tuple(Day(date, NOON, NOON + 60, energy={"production": DayEnergy(wh)}) for date in dates)
    rows = [DayRow(Reading("envoy_day", {}, {}, NOON, "daily"), date, False) for date in dates]
    state = EnergyState(days=days)
    members.note(name, NOON, FULL, state)
    members.renew(name, state, rows)


def test_a_day_that_changes_while_the_row_of_the_site_is_being_stored_gets_another_row() -> None:
    members = SiteMembers("farm", ["house", "barn"])
    _with_row(members, "house", 100.0, "2026-06-20")
    _with_row(members, "barn", 100.0, "2026-06-20", "2026-06-19")
    rows = members.list_rows("house")
    assert [row.day for row in rows] == ["2026-06-20"], "the house has no day before"
    _with_row(members, "barn", 200.0, "2026-06-20")
    members.mark_stored(rows)
    assert [row.day for row in members.list_rows("house")] == ["2026-06-20"]
    members.mark_stored(rows)
    assert members.list_rows("house") == []

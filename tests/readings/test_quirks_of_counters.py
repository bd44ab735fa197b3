"""Quirks of counters over time, each by its name."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from logger.readings import paths
from logger.site import Site
from tests.energy.counted import MINUTE, Counted, metered, standard
from tests.readings.site import detailed, device_data

WRAP = 2**32 / 3600
NOON = int(datetime(2025, 6, 15, 12, tzinfo=UTC).timestamp())


def produced(site: Counted) -> float:
    """What the books have of today's production."""
    return site.state.energy.today.energy["production"].wh


# --- values -----------------------------------------------------------------------------------------------------


def pinned(site: Counted) -> str:
    """The source that production is pinned to."""
    sources = site.state.readings.sources
    assert "production" in sources.pinned
    return sources.counters["production"]


def test_q_p4_a_block_that_is_inactive_for_one_poll_changes_no_source_however_long_it_was_settled() -> None:
    eim = {"type": "eim", "measurementType": "production", "activeCount": 1, "wNow": 600.0, "whLifetime": 5e6}
    v1 = {"wattsNow": 590, "wattHoursToday": 1, "wattHoursSevenDays": 9, "wattHoursLifetime": 4_900_000}
    site = Counted()
    for minute in range(6):
        block = {**eim, "whLifetime": 5e6 + 10.0 * minute, "activeCount": int(minute != 4)}
        found = site.poll({paths.BLOCKS: {"production": [block], "consumption": []}, paths.V1: v1})
        assert found.get("production_lifetime_wh") == (None if minute == 4 else 5e6 + 10.0 * minute)
    assert pinned(site) == "production CT block"
    assert produced(site) == pytest.approx(50.0)
    assert "counter_reset" not in site.kinds()


def test_q_p8_zeros_of_a_gateway_that_starts_are_no_values_and_cost_no_energy() -> None:
    site = Counted()
    lifetimes = site.run("production", [5e6, 5e6 + 20, 0.0, 0.0, 0.0, 0.0, 5e6 + 120])
    assert lifetimes == [5e6, 5e6 + 20, None, None, None, None, 5e6 + 120]
    assert produced(site) == pytest.approx(120.0)
    assert site.kinds() == ["counter_refused"]
    assert "4 values of 0.0 kWh were rejected" in site.events[0].text
    assert site.events[0].time == site.tick - 4 * MINUTE


def test_q_p11_a_frozen_figure_of_today_is_only_a_start_and_then_left_alone() -> None:
    site = Counted(tick=NOON)
    v1 = {"wattsNow": 1, "wattHoursToday": 4000, "wattHoursSevenDays": 80_000, "wattHoursLifetime": 5_000_000}
    todays = [site.poll({**metered(5e6 + 30.0 * minute), paths.V1: v1})["production_today_wh"] for minute in range(4)]
    assert todays == [4000.0, 4030.0, 4060.0, 4090.0]


def test_q_p12_a_today_that_resets_late_or_never_is_not_ours() -> None:
    site = Counted(tick=int(datetime(2025, 6, 15, 23, 50, tzinfo=UTC).timestamp()))
    v1 = {"wattsNow": 1, "wattHoursToday": 31_000, "wattHoursSevenDays": 80_000, "wattHoursLifetime": 5_000_000}
    todays = [site.poll({**metered(5e6 + 6.0 * minute), paths.V1: v1})["production_today_wh"] for minute in range(15)]
    assert todays[:9] == [31_000.0 + 6.0 * minute for minute in range(9)]
    assert todays[9:] == pytest.approx([6.0 * (minute - 9) for minute in range(9, 15)])


def test_q_p19_a_sudden_step_is_held_and_if_it_stays_it_is_a_new_base_and_no_energy() -> None:
    site = Counted()
    lifetimes = site.run("production", [5e6, 5e6 + 10, 8e6, 8e6 + 20, 8e6 + 40, 8e6 + 60, 8e6 + 80])
    assert lifetimes == [5e6, 5e6 + 10, 8e6, 8e6 + 20, 8e6 + 40, 8e6 + 60, 8e6 + 80], "written at their own ticks"
    assert produced(site) == pytest.approx(90.0 + 20.0), "and a minute of 1200 W between the two bases"
    assert site.state.energy.today.energy["production"].estimated_wh == pytest.approx(20.0)
    assert site.kinds() == ["counter_reset"]
    day = next(iter(site.rows.values())).reading.fields
    assert day["counter_resets"] in (0, 1)


@pytest.mark.parametrize("watts", [5_000_000.0, 5_003_000.0])
def test_q_p21_a_lifetime_in_the_place_of_the_power_is_no_power(watts: float) -> None:
    site = Counted()
    site.poll(metered(5e6))
    found = site.poll(metered(5e6 + 20, watts=watts, net_w=3e6))
    powers = {"production_power_w", "net_power_w", "consumption_power_w", "load_power_w"}
    assert not powers & found.keys()
    assert found["production_lifetime_wh"] == 5e6 + 20
    assert powers <= site.poll(metered(5e6 + 40)).keys()


def test_q_p21_nor_is_it_where_the_site_is_new_and_its_lifetime_small() -> None:
    site = Counted()
    site.poll(metered(20_000.0))
    assert "production_power_w" not in site.poll(metered(20_020.0, watts=20_020.0))


def test_q_p22_a_today_of_thousands_of_kwh_is_no_start() -> None:
    v1 = {"wattsNow": 1, "wattHoursToday": 6_780_000, "wattHoursSevenDays": 80_000, "wattHoursLifetime": 5_000_000}
    assert "production_today_wh" not in Counted().poll({**metered(5e6), paths.V1: v1})


# --- lifetimes --------------------------------------------------------------------------------------------------


def test_q_l1_a_block_that_wraps_goes_on_and_the_offset_is_kept_over_a_restart() -> None:
    site, ever = Counted(), 1_193_000.0
    for minute in range(12):
        ever += 20.0
        found = site.poll(standard(float(int(ever % WRAP))))
        assert found["production_lifetime_wh"] == pytest.approx(ever, abs=1.5)
        if minute == 6:
            site.restart()
    assert produced(site) == pytest.approx(11 * 20.0, abs=1.5)
    assert site.kinds() == ["counter_wrapped"]
    assert site.state.energy.counters["production"].offset_wh == pytest.approx(WRAP)
    assert site.state.energy.counters["production"].resets == 0


def test_q_l1_one_inverter_after_the_other_wraps_in_the_sum() -> None:
    site, ever = Counted(), [WRAP - 100.0, WRAP - 160.0, 900_000.0]
    for _ in range(15):
        ever = [wh + 20.0 for wh in ever]
        found = site.poll(standard(float(int(sum(wh % WRAP for wh in ever)))))
        assert found["production_lifetime_wh"] == pytest.approx(sum(ever), abs=3.0)
    assert produced(site) == pytest.approx(14 * 60.0, abs=3.0)
    assert site.kinds() == ["counter_wrapped"] * 2


def test_q_l1_a_wrap_in_an_outage_of_two_days_is_a_wrap_and_the_energy_is_there() -> None:
    site, ever = Counted(tick=NOON), WRAP - 5000.0
    for _ in range(5):
        ever += 50.0
        site.poll(standard(float(int(ever % WRAP)), watts=3000.0))
    ever += 40_000.0
    for minute in range(5):
        ever += 50.0
        site.poll(standard(float(int(ever % WRAP)), watts=3000.0), after=2 * 86400 if minute == 0 else MINUTE)
    assert site.kinds() == ["counter_wrapped"]
    booked = sum(day.energy["production"].wh for day in site.state.energy.past) + produced(site)
    assert booked == pytest.approx(40_000.0 + 9 * 50.0, abs=2.0)


def test_q_l2_a_replaced_ct_is_an_event_and_a_new_base() -> None:
    site = Counted()
    lifetimes = site.run("imported", [3e6, 3e6 + 5, 2.0, 7.0, 12.0, 17.0, 22.0], net_w=300.0)
    assert lifetimes == [3e6, 3e6 + 5, 2.0, 7.0, 12.0, 17.0, 22.0]
    assert site.kinds() == ["counter_reset"]
    assert site.events[0].text == (
        "import from the grid: the lifetime counter went from 3,000.0 kWh to 0.0 kWh; "
        "counting continues from the new value"
    )
    assert site.state.energy.today.energy["import"].wh == pytest.approx(5.0 + 5.0 + 20.0)
    assert site.state.energy.counters["production"].resets == 0


def test_q_l3_an_inverter_that_leaves_the_sum_takes_no_energy_with_it() -> None:
    site, full = Counted(), [detailed(f"12200000000{n}") for n in range(3)]
    for minute in range(8):
        left = full if minute < 3 else full[:2]
        for device in left:
            device["channels"][0]["lifetime"] = {"joulesProduced": (1000.0 * 3600) * 1000 + 36_000.0 * minute}
        site.poll({paths.METERS: [], paths.DEVICE_DATA: device_data(*left)})
    assert site.kinds() == ["counter_reset"]
    assert produced(site) == pytest.approx(2 * 30.0 + 4 * 20.0)


def test_q_l4_and_q_p5_another_base_never_takes_the_place_of_a_silent_one() -> None:
    site = Counted()
    v1 = {"wattsNow": 1, "wattHoursToday": 1, "wattHoursSevenDays": 9, "wattHoursLifetime": 9_570_000}
    for minute in range(5):
        site.poll({**metered(14_400_000.0 + 10.0 * minute), paths.V1: v1})
    assert pinned(site) == "production meter"
    off = metered(14_400_060.0)
    off[paths.METERS][0]["state"] = "disabled"
    for _ in range(2):
        assert "production_lifetime_wh" not in site.poll({**off, paths.V1: v1})
    assert site.poll({**metered(14_400_080.0), paths.V1: v1})["production_lifetime_wh"] == 14_400_080.0
    assert produced(site) == pytest.approx(80.0)


def test_q_l7_a_counter_a_little_below_zero_is_a_counter() -> None:
    site = Counted()
    assert site.run("exported", [-0.3, -0.3, 0.2, 5.2]) == [-0.3, -0.3, 0.2, 5.2]
    assert site.state.energy.today.energy["export"].wh == pytest.approx(5.5)


def test_q_l8_a_firmware_that_wraps_no_more_adds_nothing() -> None:
    site, ever = Counted(), 7 * WRAP + 801_000.0
    for minute in range(10):
        ever += 20.0
        if minute == 5:
            site.firmware = "D8.2.4264"
        found = site.poll(standard(float(int(ever if minute >= 5 else ever % WRAP))))
        assert found["production_lifetime_wh"] == pytest.approx(ever - 7 * WRAP, abs=1.5)
    assert produced(site) == pytest.approx(9 * 20.0, abs=1.5)
    assert site.kinds() == ["counter_wrapped"]
    assert site.state.energy.counters["production"].offset_wh == pytest.approx(-7 * WRAP)


def test_q_l8_without_a_new_firmware_a_jump_of_whole_wraps_is_not_believed() -> None:
    site = Counted()
    for value in (801_000.0, 801_020.0, 801_040.0 + 7 * WRAP, 801_060.0):
        site.poll(standard(value))
    assert produced(site) == pytest.approx(60.0)
    assert site.kinds() == ["counter_refused"]


# --- time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "zone",
    [
        "America/Los_Angeles",
        pytest.param("Asia/Kolkata", marks=pytest.mark.long),
        pytest.param("Europe/Paris", marks=pytest.mark.long),
    ],
)
def test_q_t2_today_begins_at_the_sites_midnight_not_at_utcs(zone: str) -> None:
    site = Counted(Site(zone=zone), tick=NOON - 86400)
    todays = []
    for step in range(2 * 96):
        site.poll(metered(5e6 + 15.0 * step), after=900)
        todays.append((site.tick, produced(site)))
    begins = [tick for (_, before), (tick, today) in pairwise(todays) if today < before][-1]
    local = datetime.fromtimestamp(begins, UTC).astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute) == (0, 0)

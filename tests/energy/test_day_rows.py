"""The rows of `envoy_day`, held values at their own ticks, and flows without a counter (schema)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logger.daemon.counter_status import describe_energy, quantities_by_power
from logger.energy.rebuild import Past, replay
from logger.energy.state import EnergyState
from logger.model import DayRow, Value
from logger.readings import paths
from logger.site import Site
from tests.energy.counted import MINUTE, Counted, metered
from tests.readings.site import ensemble, inventory, listed, power

PARIS = "Europe/Paris"
QUANTITIES = ("production", "consumption", "load", "net", "grid_import", "grid_export")


def at(day: str, clock: str, zone: str = PARIS) -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).timestamp())


def site(day: str = "2025-06-15", clock: str = "12:00", zone: str = PARIS, **given: Any) -> Counted:
    """Its next poll is at that local time."""
    return Counted(Site("home", zone, **given), tick=at(day, clock, zone) - MINUTE)


def steadily(counted: Counted, until: int, *, w: float = 1200.0, every: int = MINUTE) -> None:
    """Polls up to `until` of a site that makes `w` and exports 500 W of it."""
    while counted.tick + every <= until:
        at_next = counted.tick + every
        wh = w * (at_next - 1_500_000_000) / 3600
        counted.poll(metered(1e6 + wh, 3e6, 1e6 + wh * 500 / w, watts=w, net_w=-500.0), after=every)


def fields(row: DayRow) -> dict[str, Value]:
    return dict(row.reading.fields)


def wh(row: DayRow, name: str) -> float:
    value = row.reading.fields[name]
    assert isinstance(value, float)
    return value


# --- the row ----------------------------------------------------------------------------------------------------


def test_a_row_has_every_field_of_the_schema_and_only_those() -> None:
    counted = site()
    steadily(counted, at("2025-06-15", "13:00"))
    row = counted.rows["2025-06-15"]
    assert row.reading.measurement == "envoy_day"
    assert row.reading.role == "daily"
    assert row.reading.tags == {"gateway": "122233344455", "site": "home"}
    assert row.reading.time == at("2025-06-15", "00:00")
    found = fields(row)
    energies = {f"{q}{part}_wh" for q in QUANTITIES for part in ("", "_estimated")}
    others = {"local_date", "peak_production_w", "peak_load_w", "coverage_percent", "counter_resets"}
    quarters = {"peak_import_w", "peak_export_w", "base_load_w", "voltage_min_v", "voltage_max_v"}
    assert found.keys() == energies | others | quarters
    assert [found[name] for name in ("peak_import_w", "peak_export_w", "base_load_w")] == [0.0, 500.0, 700.0]
    assert found["local_date"] == "2025-06-15"
    assert found["production_wh"] == pytest.approx(1200.0)
    flowed = [found[f"{q}_wh"] for q in ("grid_export", "grid_import", "net", "load")]
    assert flowed == pytest.approx([500.0, 0.0, -500.0, 700.0])
    assert {found[f"{q}_estimated_wh"] for q in QUANTITIES} == {0.0}
    assert (found["peak_production_w"], found["peak_load_w"]) == (1200.0, 700.0)
    assert found["coverage_percent"] == pytest.approx(100.0 * 61 / 1440)
    assert found["counter_resets"] == 0
    assert not isinstance(found["counter_resets"], bool)


def test_a_site_with_batteries_has_what_went_into_and_out_of_them() -> None:
    counted = site()
    for minute in range(16):
        counted.poll(metered(5e6 + 20 * minute, storage=(300.0, 2e6 + 5 * minute, 1e6)))
    found = fields(counted.rows["2025-06-15"])
    assert (found["battery_discharged_wh"], found["battery_charged_wh"]) == (75.0, 0.0)
    assert (found["battery_discharged_estimated_wh"], found["battery_charged_estimated_wh"]) == (0.0, 0.0)


def test_the_gateways_figure_of_the_first_day_is_no_part_of_its_row() -> None:
    counted = site()
    v1 = {"wattsNow": 1, "wattHoursToday": 4000, "wattHoursSevenDays": 80_000, "wattHoursLifetime": 5_000_000}
    for minute in range(16):
        found = counted.poll({**metered(5e6 + 10.0 * minute), paths.V1: v1})
    assert found["production_today_wh"] == 4150.0
    assert wh(counted.rows["2025-06-15"], "production_wh") == 150.0


def test_rows_are_rewritten_each_quarter_of_an_hour_and_at_the_first_tick_of_the_next_day() -> None:
    counted, seen = site("2025-06-15", "23:31"), []
    for _ in range(60):
        before = dict(counted.rows)
        steadily(counted, counted.tick + MINUTE)
        local = datetime.fromtimestamp(counted.tick, ZoneInfo(PARIS)).strftime("%H:%M")
        seen += [(local, day[-2:]) for day, row in counted.rows.items() if before.get(day) is not row]
    assert seen == [
        ("23:31", "15"),
        ("23:45", "15"),
        ("00:00", "15"),
        ("00:00", "16"),
        ("00:15", "16"),
        ("00:30", "16"),
    ]


def test_a_row_is_final_after_a_poll_past_three_in_the_morning_and_not_by_the_clock_alone() -> None:
    counted = site("2025-06-15", "23:00")
    steadily(counted, at("2025-06-16", "02:59"))
    assert not counted.rows["2025-06-15"].final
    while counted.tick < at("2025-06-16", "03:05"):  # the gateway is deaf
        counted.poll({})
    assert not counted.rows["2025-06-15"].final
    steadily(counted, at("2025-06-16", "03:06"))
    assert counted.rows["2025-06-15"].final
    assert not counted.rows["2025-06-16"].final


def test_a_gap_over_midnight_is_split_in_proportion_to_time_marked_and_covers_less() -> None:
    counted = site("2025-06-15", "00:00", totals_s=300)
    counted.tick -= 240
    steadily(counted, at("2025-06-15", "22:00"), every=300)
    steadily(counted, at("2025-06-16", "01:00"), every=3 * 3600)
    steadily(counted, at("2025-06-16", "01:15"))
    before, after = counted.rows["2025-06-15"], counted.rows["2025-06-16"]
    assert wh(before, "production_wh") == pytest.approx(24 * 1200.0)
    assert wh(before, "production_estimated_wh") == pytest.approx(2 * 1200.0)
    assert wh(after, "production_estimated_wh") == pytest.approx(1200.0)
    assert wh(before, "net_estimated_wh") == pytest.approx(2 * 500.0)
    assert wh(before, "load_estimated_wh") == pytest.approx(2 * 700.0)
    assert wh(before, "coverage_percent") == pytest.approx(100 * (22 * 12 + 1) / 288)


def test_a_gap_within_a_day_is_exact_and_not_marked() -> None:
    counted = site("2025-06-15", "08:00")
    steadily(counted, at("2025-06-15", "12:00"))
    steadily(counted, at("2025-06-15", "15:00"), every=3 * 3600)
    row = counted.rows["2025-06-15"]
    assert wh(row, "production_wh") == pytest.approx(7 * 1200.0)
    assert wh(row, "production_estimated_wh") == 0.0


def test_a_gap_of_days_reopens_the_final_day_and_gives_the_silent_ones_rows() -> None:
    counted = site("2025-06-14", "12:00", totals_s=300)
    steadily(counted, at("2025-06-15", "06:00"), every=300)
    assert counted.rows["2025-06-14"].final
    while counted.tick < at("2025-06-16", "04:00"):
        counted.poll({}, after=600)
    assert counted.rows["2025-06-15"].final is False, "no poll came past three"
    steadily(counted, at("2025-06-18", "12:00"), every=at("2025-06-18", "12:00") - counted.tick)
    for day in ("2025-06-15", "2025-06-16", "2025-06-17"):
        assert wh(counted.rows[day], "production_wh") == pytest.approx(24 * 1200.0)
        assert counted.rows[day].final
        assert wh(counted.rows[day], "coverage_percent") <= 100 * 6.1 / 24
    assert wh(counted.rows["2025-06-17"], "coverage_percent") == 0.0
    assert wh(counted.rows["2025-06-16"], "production_estimated_wh") == pytest.approx(24 * 1200.0)


@pytest.mark.parametrize(("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25)])
def test_coverage_and_energy_are_right_on_days_of_23_and_25_hours(day: str, hours: int) -> None:
    counted = site(day, "00:00", totals_s=300)
    counted.tick -= 240
    following = (datetime.fromisoformat(day).replace(tzinfo=UTC).date().toordinal()) + 1
    end = at(datetime.fromordinal(following).date().isoformat(), "00:00")
    steadily(counted, end, every=300)
    row = counted.rows[day]
    assert wh(row, "coverage_percent") == 100.0
    assert wh(row, "production_wh") == pytest.approx(hours * 1200.0)


def test_the_row_of_a_day_without_a_midnight_lies_at_its_first_instant() -> None:
    zone = "America/Sao_Paulo"  # 2018-11-04 began at one o'clock
    counted = site("2018-11-03", "23:30", zone)
    steadily(counted, at("2018-11-04", "02:00", zone))
    row = counted.rows["2018-11-04"]
    assert row.reading.time == at("2018-11-04", "01:00", zone)
    assert datetime.fromtimestamp(row.reading.time - 1, ZoneInfo(zone)).date().isoformat() == "2018-11-03"
    assert wh(counted.rows["2018-11-03"], "production_wh") == pytest.approx(30 / 60 * 1200.0)


# --- what a day keeps -------------------------------------------------------------------------------------------


def test_another_site_name_takes_effect_at_midnight_and_a_reopened_day_keeps_its_own() -> None:
    counted = site("2025-06-15", "22:00")
    steadily(counted, at("2025-06-15", "23:00"))
    counted.site = replace(counted.site, name="cabin")
    counted.restart()
    steadily(counted, at("2025-06-15", "23:50"))
    assert counted.rows["2025-06-15"].reading.tags["site"] == "home"
    steadily(counted, at("2025-06-16", "00:50"), every=3600)
    assert counted.rows["2025-06-15"].reading.tags["site"] == "home"
    assert counted.rows["2025-06-16"].reading.tags["site"] == "cabin"


def test_another_zone_takes_effect_at_the_next_midnight_with_an_event() -> None:
    counted = site("2025-06-15", "20:00")
    steadily(counted, at("2025-06-15", "21:00"))
    counted.site = replace(counted.site, zone="Asia/Tokyo")
    steadily(counted, at("2025-06-15", "23:59"))
    assert counted.kinds() == []
    assert counted.state.energy.zone == PARIS
    steadily(counted, at("2025-06-16", "00:15"))
    assert counted.kinds() == ["time_zone_changed"]
    assert counted.events[0].text == "days now begin at midnight in Asia/Tokyo, no longer in Europe/Paris"
    assert wh(counted.rows["2025-06-15"], "production_wh") == pytest.approx(4 * 1200.0)
    assert counted.rows["2025-06-16"].reading.time == at("2025-06-16", "00:00", "Asia/Tokyo")
    steadily(counted, at("2025-06-17", "00:00", "Asia/Tokyo"), every=300)
    assert wh(counted.rows["2025-06-16"], "production_wh") == pytest.approx(17 * 1200.0)


def test_a_zone_further_west_lets_the_same_day_go_on() -> None:
    counted = site("2025-06-15", "22:00")
    steadily(counted, at("2025-06-15", "23:00"))
    counted.site = replace(counted.site, zone="America/New_York")
    steadily(counted, at("2025-06-16", "00:00", "America/New_York"), every=300)
    assert counted.kinds() == ["time_zone_changed"]
    assert wh(counted.rows["2025-06-15"], "production_wh") == pytest.approx(8 * 1200.0)
    assert counted.rows["2025-06-15"].reading.time == at("2025-06-15", "00:00")
    assert counted.rows["2025-06-16"].reading.time == at("2025-06-16", "00:00", "America/New_York")


# --- held values ------------------------------------------------------------------------------------------------


def test_what_was_held_and_proves_right_is_written_at_its_own_ticks_with_all_that_follows_from_it() -> None:
    counted = site("2025-06-14", "12:00")
    counted.poll(metered(5e6))
    counted.tick = at("2025-06-15", "12:00")
    counted.poll(metered(5e6 + 500))
    start = counted.tick
    for minute in range(1, 5):
        counted.poll(metered(5e6 + 500 + 20 * minute, 100.0 + minute, 1e6))
        if minute == 2:
            counted.restart()
    needs_import = {"grid_import", "net", "consumption", "load"}
    whole = {f"{q}_{part}_wh" for q in (*needs_import, "production", "grid_export") for part in ("lifetime", "today")}
    for minute in range(1, 5):
        found = counted.written[start + minute * MINUTE]
        assert whole <= found.keys(), minute
        assert found["grid_import_lifetime_wh"] == 100.0 + minute
        assert found["consumption_lifetime_wh"] == 5e6 + 500 + 20 * minute + 100.0 + minute - 1e6
        assert found["grid_import_today_wh"] == pytest.approx(minute - 1)
        assert found["load_today_wh"] == pytest.approx(250.0 + 20 * minute + minute - 1, abs=251)


def test_late_fields_add_to_the_point_and_repeat_nothing() -> None:
    counted = site()
    for value in (5e6, 5e6 + 10, 9e6, 9e6 + 10, 9e6 + 20):
        counted.poll(metered(value))
    before = {tick: dict(found) for tick, found in counted.written.items()}
    counted.poll(metered(9e6 + 30))
    for tick, found in before.items():
        assert {name: counted.written[tick][name] for name in found} == found
    assert all("production_lifetime_wh" in found for found in counted.written.values())


def test_two_counters_that_are_held_at_once_are_each_written_when_they_prove_right() -> None:
    counted = site()
    counted.poll(metered(5e6, 3e6))
    values: Sequence[tuple[float, float]] = [
        (2_000_100.0, 3e6 + 1),
        (2_000_101.0, 50.0),
        (2_000_102.0, 51.0),
        (2_000_103.0, 52.0),
        (2_000_104.0, 53.0),
    ]
    for made, imported in values:
        counted.poll(metered(made, imported))
    for step, (made, imported) in enumerate(values, start=1):
        found = counted.written[at("2025-06-15", "12:00") + step * MINUTE]
        assert (found["production_lifetime_wh"], found["grid_import_lifetime_wh"]) == (made, imported)
        assert found["consumption_lifetime_wh"] == made + imported - 1e6


def test_a_rise_a_little_too_fast_is_right_at_the_next_poll_and_its_tick_gets_its_fields() -> None:
    counted = Counted(Site(zone="UTC", max_w=6000.0))
    lifetimes = counted.run("production", [5e6, 5e6 + 130, 5e6 + 190])
    assert lifetimes == [5e6, 5e6 + 130, 5e6 + 190]
    assert counted.kinds() == []


# --- without a counter ------------------------------------------------------------------------------------------


def encharge(production_wh: float, battery_w: float, *, kind: str = "ENCHARGE") -> dict[str, Any]:
    """A site with a battery that no meter measures."""
    found = metered(production_wh)
    found[paths.ENSEMBLE] = ensemble({"serial_num": "1", "percentFull": 50, "encharge_capacity": 5000})
    found[paths.ENSEMBLE_POWER] = power(("1", battery_w * 1000))
    return found


def test_a_battery_without_a_meter_is_integrated_from_zero_and_marked() -> None:
    counted = site()
    for minute in range(16):
        counted.poll(encharge(5e6 + 20.0 * minute, 600.0 if minute < 8 else -1200.0))
    row = counted.rows["2025-06-15"]
    discharged, charged = 7 * 10 + 5.0, 7 * 20 + 10.0  # the minute in between has half of each
    assert wh(row, "battery_discharged_wh") == pytest.approx(discharged)
    assert wh(row, "battery_charged_wh") == pytest.approx(charged)
    assert wh(row, "battery_charged_estimated_wh") == wh(row, "battery_charged_wh")
    assert wh(row, "load_estimated_wh") == pytest.approx(discharged + charged), "they do not cancel each other"
    found = counted.written[counted.tick]
    assert found["load_lifetime_wh"] == pytest.approx(7e6 + 300.0 + discharged - charged)
    assert "battery_charged_lifetime_wh" not in found
    assert "load_today_wh" not in found, "nobody says what the battery did before"
    integrated = ["load", "battery_charged", "battery_discharged"]
    assert quantities_by_power(counted.state.energy) == integrated
    assert describe_energy(counted.state.energy, counted.state.readings.sources)["integrated"] == integrated


def test_the_second_day_of_an_integrated_battery_has_its_house() -> None:
    counted = site("2025-06-15", "23:50")
    for _ in range(20):
        counted.poll(encharge(5e6, 600.0))
    found = counted.written[counted.tick]
    assert found["load_today_wh"] == pytest.approx(9 * 10.0)
    assert found["battery_charged_today_wh"] == 0.0
    assert found["battery_discharged_today_wh"] == pytest.approx(90.0)


def test_over_a_gap_nothing_is_integrated_and_coverage_tells() -> None:
    counted = site()
    for _ in range(5):
        counted.poll(encharge(5e6, 600.0))
    counted.poll(encharge(5e6, 600.0), after=301)
    assert counted.state.energy.counters["discharged"].accepted_wh == pytest.approx(4 * 10.0)
    counted.poll(encharge(5e6, 600.0), after=300)
    assert counted.state.energy.counters["discharged"].accepted_wh == pytest.approx(4 * 10.0 + 50.0)


def swapped(gap_s: int, *, imported: float = 8000.0, back: bool = False) -> Counted:
    """A grid CT is another one after a gap: export begins anew, and import shows more than the old one ever had."""
    counted = site("2025-06-15", "08:00")
    for minute in range(5):
        counted.poll(metered(5e6, 3000.0 + minute, 500_000.0 + minute))
    counted.tick += gap_s
    for minute in range(6):
        if back and minute >= 2:
            counted.poll(metered(5e6, imported + minute, 500_010.0 + minute))
        else:
            counted.poll(metered(5e6, imported + minute, 40_000.0 + minute))
        counted.restart()
    return counted


def test_a_grid_ct_replaced_in_a_gap_is_a_new_base_of_import_too_though_it_shows_more() -> None:
    counted = swapped(2 * 86400)
    counters = counted.state.energy.counters
    assert (counters["import"].resets, counters["export"].resets) == (1, 1)
    row = counted.rows["2025-06-15"]
    assert wh(row, "grid_import_wh") == pytest.approx(4.0)
    ticks = range(counted.tick - 5 * MINUTE, counted.tick + 1, MINUTE)
    assert [counted.written[tick].get("grid_import_lifetime_wh") for tick in ticks] == [8000.0 + n for n in range(6)]
    assert wh(counted.rows["2025-06-17"], "grid_import_wh") + counted.state.energy.today.energy["import"].wh < 20


def test_an_export_that_was_wrong_for_two_polls_after_a_gap_costs_no_import() -> None:
    counted = swapped(2 * 86400, back=True)
    counters = counted.state.energy.counters
    assert (counters["import"].resets, counters["export"].resets) == (0, 0)
    assert counters["import"].accepted_wh == 8005.0
    ticks = range(counted.tick - 5 * MINUTE, counted.tick + 1, MINUTE)
    assert [counted.written[tick].get("grid_import_lifetime_wh") for tick in ticks] == [8000.0 + n for n in range(6)]


def test_without_a_gap_a_counter_that_falls_takes_no_other_with_it() -> None:
    counters = swapped(0, imported=3010.0).state.energy.counters
    assert (counters["import"].resets, counters["export"].resets) == (0, 1)
    assert counters["import"].accepted_wh == 3015.0


@pytest.mark.parametrize("every", [15, 40])
def test_ac_batteries_that_are_heard_each_quarter_of_an_hour_are_integrated_and_those_each_hour_are_not(
    every: int,
) -> None:
    counted = site("2025-06-15", "12:00")
    devices = inventory(listed("122000000001"), batteries=[listed("121000000001")])
    began = counted.tick
    for minute in range(1, 122):
        documents = {**metered(5e6), paths.INVENTORY: devices}
        if (minute - 1) % every == 0:
            block = {"type": "acb", "activeCount": 1, "wNow": 240, "readingTime": began + 60 * minute - 10}
            documents[paths.BLOCKS] = {"production": [], "storage": [block]}
        counted.poll(documents)
    row = counted.rows["2025-06-15"]
    assert wh(row, "battery_discharged_wh") == (pytest.approx(480.0) if every == 15 else 0.0)
    assert round(wh(row, "coverage_percent") * 14.4) == (121 if every == 15 else 4 * 21 - 20)
    written = [Past(at, fields, {"gateway": "1"}) for at, fields in sorted(counted.written.items())]
    again, _, _ = replay(EnergyState(), written, Site(zone=PARIS))
    assert again.today.energy["discharged"].wh == pytest.approx(wh(row, "battery_discharged_wh"))


def test_while_the_list_of_meters_is_not_known_no_battery_is_integrated() -> None:
    counted = site()
    for _ in range(3):
        counted.poll({k: v for k, v in encharge(5e6, 600.0).items() if k != paths.METERS}, unknown=[paths.METERS])
    assert counted.state.energy.counters == {}


def test_a_poll_without_the_power_that_is_integrated_does_not_cover_its_time() -> None:
    counted = site()
    for minute in range(30):
        documents = encharge(5e6, 600.0)
        if minute >= 10:
            del documents[paths.ENSEMBLE_POWER]
        counted.poll(documents)
    assert counted.state.energy.today.polled_s == (10 + 5) * MINUTE, "five minutes may still be bridged"


def test_a_restart_loses_nothing_of_what_is_integrated() -> None:
    counted = site()
    for _ in range(6):
        counted.poll(encharge(5e6, 600.0))
        counted.restart()
    assert counted.state.energy.counters["discharged"].accepted_wh == pytest.approx(50.0)


def test_the_oldest_gateways_production_is_integrated_and_its_lifetime_stays_the_pages() -> None:
    page = (
        "<table><tr><td>Currently</td><td>1.20 kW</td></tr><tr><td>Today</td><td>4.00 kWh</td></tr>"
        "<tr><td>Past Week</td><td>80.0 kWh</td></tr><tr><td>Since Installation</td><td>12.3 MWh</td></tr></table>"
    )
    counted = site()
    for _ in range(16):
        found = counted.poll({paths.PAGE: page})
    assert found["production_lifetime_wh"] == 12.3e6
    row = counted.rows["2025-06-15"]
    assert wh(row, "production_wh") == pytest.approx(15 * 20.0)
    assert wh(row, "production_estimated_wh") == wh(row, "production_wh")

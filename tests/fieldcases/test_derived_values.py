"""What is computed on sites that people have: right, or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fieldcases.cases import DryRun, dry_run, lay_out, needs_cases, run_at

pytestmark = needs_cases


def run(case: str, tmp_path: Path) -> DryRun:
    found = dry_run(lay_out(case, tmp_path / case), tmp_path / "home")
    assert found.code == 0, found.said
    return found


def test_a_total_ct_on_three_phases_beside_a_production_ct_on_one(tmp_path: Path) -> None:
    totals = run("total_ct_3phase_production_1phase", tmp_path).totals
    wanted = {
        "production_power_w": 1820.5,
        "consumption_power_w": 1450.5,
        "net_power_w": -370.0,
        "net_lifetime_wh": 3_891_398.2,
    }
    assert {name: totals.get(name) for name in wanted} == pytest.approx(wanted, abs=0.05)


def test_a_phase_without_panels_keeps_its_zero(tmp_path: Path) -> None:
    found = run("three_phase_pv_on_two", tmp_path)
    powers = [found.of("envoy_phase", meter="production", phase=phase)["power_w"] for phase in ("L1", "L2", "L3")]
    assert [*powers, found.totals["production_power_w"]] == pytest.approx([600.0, 0.0, 603.0, 1203.0])


def test_ac_batteries_beside_an_iq_battery(tmp_path: Path) -> None:
    totals = run("acb_and_iq_battery", tmp_path).totals
    wanted = {
        "battery_power_w": 1851.0,
        "battery_charge_percent": 76.0,
        "battery_energy_wh": 5548.0,
        "load_power_w": 1006.8,
    }
    assert {name: totals.get(name) for name in wanted} == pytest.approx(wanted, abs=0.05)
    assert totals["battery_state"] == "discharging"


def test_two_batteries_that_are_listed_as_four_units(tmp_path: Path) -> None:
    totals = run("two_10C_four_units", tmp_path).totals
    wanted = {
        "batteries": 4,
        "battery_capacity_wh": 20_000.0,
        "battery_energy_wh": 17_800.0,
        "battery_power_w": -1297.7,
    }
    assert {name: totals.get(name) for name in wanted} == pytest.approx(wanted, abs=0.05)


def test_q_p24_means_of_inverters_and_a_net_ct_of_this_second_make_no_house(tmp_path: Path) -> None:
    totals = run("net_ct_only", tmp_path).totals
    assert (totals["production_power_w"], totals["net_power_w"]) == (2880.0, -5472.0)
    assert not {"load_power_w", "consumption_power_w"} & totals.keys()


def test_q_p25_a_second_pv_behind_the_net_ct_makes_no_negative_house(tmp_path: Path) -> None:
    totals = run("second_pv_behind_net_ct", tmp_path).totals
    assert (totals["production_power_w"], totals["net_power_w"]) == (1288.0, -1554.0)
    assert not {"load_power_w", "consumption_power_w"} & totals.keys()


def test_yesterdays_figure_is_no_seed_after_a_start_at_night(tmp_path: Path) -> None:
    case = lay_out("first_start_after_midnight", tmp_path / "case")
    at_night = dry_run(case, tmp_path / "night", at=46 * 60).totals
    assert at_night["production_lifetime_wh"] == 6_139_406.0
    assert not {"production_today_wh", "production_7d_wh"} & at_night.keys()
    by_day = dry_run(case, tmp_path / "day", at=14 * 3600).totals
    assert by_day["production_today_wh"] == 30_937.0


def test_counters_that_give_a_consumption_below_zero_give_none(tmp_path: Path) -> None:
    found = run("production_ct_enabled_not_there", tmp_path)
    assert (found.totals["production_power_w"], found.totals["production_lifetime_wh"]) == (1.0, 6120.5)
    assert not {"consumption_lifetime_wh", "load_lifetime_wh"} & found.totals.keys()
    assert "the production CT is not clamped" in found.said


@pytest.mark.parametrize(
    ("case", "cause"),
    [
        ("net_ct_only", "production_power_w is a mean of minutes"),
        ("second_pv_behind_net_ct", "feeds in behind the consumption CT"),
        ("production_ct_enabled_not_there", "the production CT shows 1 W, the inverters report 2594 W"),
        ("total_ct_3phase_production_1phase", "this poll shows no fault of the site"),
    ],
)
def test_doctor_names_the_cause(tmp_path: Path, case: str, cause: str) -> None:
    done = run_at(lay_out(case, tmp_path / case), tmp_path / "home", "doctor", "--sign-in")
    assert cause in " ".join(done.out.split())

"""What is written of readings that cannot be of now: nothing but flags, ages and counters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fieldcases.cases import DAY, DryRun, dry_run, lay_out, needs_cases, run_at

pytestmark = needs_cases

POWERS = {"production_power_w", "net_power_w", "consumption_power_w", "load_power_w"}


def run(case: str, tmp_path: Path) -> DryRun:
    found = dry_run(lay_out(case, tmp_path / case), tmp_path / "home")
    assert found.code == 0, found.said
    return found


def test_ct_rows_that_stand_still_for_five_hours_give_no_power(tmp_path: Path) -> None:
    found = run("ct_rows_frozen", tmp_path)
    assert not POWERS & found.totals.keys()
    assert not found.all_of("envoy_meter")
    assert not found.all_of("envoy_phase")
    assert found.totals["production_lifetime_wh"] == pytest.approx(1_243_812.228)
    assert found.totals["inverters"] == 15


def test_a_meter_without_voltage_measures_nothing(tmp_path: Path) -> None:
    found = run("standard_zero_meter_rows", tmp_path)
    assert not POWERS & found.totals.keys()
    assert not found.all_of("envoy_meter")
    assert not found.all_of("envoy_phase")
    assert found.totals["inverters"] == 24


def test_an_ac_battery_that_is_silent_for_41_hours_has_flags_and_an_age_alone(tmp_path: Path) -> None:
    found = run("ac_battery_silent_41h", tmp_path)
    silent = found.of("envoy_battery", serial="121917000000")
    assert silent.keys() == {"provisioned", "communicating", "operating", "report_age_s"}
    assert silent["report_age_s"] == pytest.approx(148_112, abs=5)
    assert found.of("envoy_battery", serial="122047000000")["charge_percent"] == 0.0


def test_a_collar_off_grid_is_off_grid_whatever_its_grid_state_says(tmp_path: Path) -> None:
    found = run("collar_off_grid", tmp_path)
    grid = found.of("envoy_grid")
    assert (grid["grid_state"], grid["relay_closed"]) == ("off-grid", False)
    assert "contradicts itself" in found.said


def test_reports_an_hour_ahead_are_written_at_the_time_they_were_first_seen(tmp_path: Path) -> None:
    found = dry_run(lay_out("reports_an_hour_ahead", tmp_path / "case"), tmp_path / "home", at=50_000)
    inverters = [place for place, _ in found.points if place.measurement == "envoy_inverter"]
    assert len(inverters) == 40
    assert {place.time for place in inverters} == {DAY + 50_000}
    assert "ahead of the gateway's clock" in found.said


@pytest.mark.parametrize(
    ("case", "cause"),
    [
        ("ct_rows_frozen", "the production meter measures nothing: its reading has not changed since"),
        ("standard_zero_meter_rows", "production meter: it shows no voltage on any phase"),
        ("ac_battery_silent_41h", "AC Battery 121917000000 is silent"),
        ("collar_off_grid", "admin_state_str is ENCMN_MDE_OFF_GRID"),
        ("reports_an_hour_ahead", "the times of inverter reports are ahead of the gateway's clock"),
    ],
)
def test_doctor_names_the_cause(case: str, cause: str, tmp_path: Path) -> None:
    done = run_at(lay_out(case, tmp_path / case), tmp_path / "home", "doctor", "--json", "--sign-in")
    texts = [check["text"] for check in json.loads(done.out)["checks"]]
    assert any(cause in text for text in texts), texts

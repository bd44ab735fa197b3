"""Sites whose documents contradict each other, invented after what gateways do; each right answer came first."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logger.simulator.faults import Fault
from logger.simulator.server import Simulator
from tests.fieldcases.cases import DryRun, dry_run, needs_cases, run_at, vary

pytestmark = needs_cases
PRODUCTION, STORAGE = 704643328, 704643840
Change = Callable[[Any], object]
COLLAR, GENERATOR, STANDARD = "8.3.1598_collar", "8.2.127_with_generator_running", "7.6.175_standard"


def set_keys(**values: object) -> Change:
    """A change of a document that is one object."""
    return lambda body: body.update(values)


def in_each(**values: object) -> Change:
    """A change of a document that is a list of objects."""
    return lambda body: [row.update(values) for row in body] and None


def power_of(eid: int, *phases: float) -> Change:
    """A change of the meters' readings: the power of each phase of a meter."""

    def change(rows: Any) -> None:
        row = next(row for row in rows if row["eid"] == eid)
        for part, watts in ((row, sum(phases)), *zip(row["channels"], phases, strict=False)):
            part["activePower"] = part["instantaneousDemand"] = watts

    return change


def close_the_mains(groups: Any) -> None:
    state = {"mains_oper_state": "closed", "admin_state_str": "ENPWR_STATE_OPER_CLOSED",
             "Enpwr_grid_mode": "multimode-ongrid", "Enchg_grid_mode": "multimode-ongrid"}  # fmt: skip
    for group in groups:
        if group["type"] == "ENPOWER":
            group["devices"][0].update(state)


def list_fifty_of_64(data: Any) -> None:
    one = next(device for device in data.values() if isinstance(device, dict) and device["devName"] == "pcu")
    data.clear()
    data.update(deviceCount=64, deviceDataLimit=50)
    data.update({str(1000 + n): {**copy.deepcopy(one), "sn": f"4820000000{n:02d}"} for n in range(50)})


def refuse(path: str) -> Callable[[Simulator], None]:
    return lambda simulator: simulator.faults.set(path, Fault("status", status=401))


def run(tmp_path: Path, recording: str, name: str, change: Change, **options: Any) -> tuple[DryRun, str]:
    """What `once --dry-run` writes of a changed recording, and what `doctor` says of it, on one line."""
    folder = vary(recording, tmp_path / "site", {name: change})
    found = dry_run(folder, tmp_path / "home", **options)
    done = run_at(folder, tmp_path / "doctor", "doctor", "--sign-in", **options)
    return found, " ".join(done.out.split())


@pytest.mark.parametrize(
    ("phases", "cause"),
    [((658.0, 639.667), "the storage CT is reversed"), ((0.0, 0.0), "the storage CT is not clamped")],
)
def test_q_m18_a_storage_ct_that_contradicts_the_batteries(tmp_path: Path, phases: Any, cause: str) -> None:
    """The batteries charge with 532 and 552 W by their own word."""
    found, said = run(tmp_path, COLLAR, "ivp_meters_readings", power_of(STORAGE, *phases))
    assert found.totals["battery_power_w"] == pytest.approx(sum(phases))
    assert "load_power_w" not in found.totals
    assert cause in found.said
    assert cause in said
    assert "load_power_w: absent, because its figures cannot be right today" in said


def test_q_m19_a_phase_of_the_production_ct_that_is_reversed(tmp_path: Path) -> None:
    """The inverters report 2292 W; the phases show 1150 W and −1140 W."""
    found, said = run(tmp_path, GENERATOR, "ivp_meters_readings", power_of(PRODUCTION, 1150.0, -1140.0))
    assert found.totals["production_power_w"] == pytest.approx(10.0)
    assert "the production CT of phase L2 is reversed" in found.said
    assert "the production CT of phase L2 is reversed" in said


def test_a_week_of_more_than_the_inverters_can_make_is_no_seed(tmp_path: Path) -> None:
    """24 inverters that made 7925 W at most: in seven days 1331.4 kWh."""
    folder = vary(STANDARD, tmp_path / "site", {"api_v1_production": set_keys(wattHoursSevenDays=1_400_000)})
    found = dry_run(folder, tmp_path / "home").totals
    assert "production_7d_wh" not in found
    assert found["production_today_wh"] == 36_462.0


@pytest.mark.parametrize(
    ("recording", "change", "absent", "cause"),
    [
        (
            COLLAR,
            set_keys(ENC_agg_avail_energy=57_134),
            "battery_energy_wh",
            "57134 Wh are stored, but full IQ Batteries hold 10000 Wh",
        ),
        (
            COLLAR,
            set_keys(agg_soc=20, ENC_agg_soc=20),
            "battery_charge_percent",
            "the mean of their own reports is 89 %",
        ),
        (COLLAR, set_keys(agg_soc=20, ENC_agg_soc=20), "battery_energy_wh", "the mean of their own reports is 89 %"),
        ("8.2.4382_ACB", set_keys(agg_soc=90), "battery_charge_percent", "ENC_agg_soc is 54 %, ACB_agg_soc is 25 %"),
        ("8.3.5169_ACB_inventory", set_keys(ACB_agg_soc=97), "battery_charge_percent", "ACB_agg_soc is 97 %"),
    ],
)
def test_q_b23_figures_of_all_batteries_that_contradict_the_batteries(
    tmp_path: Path, recording: str, change: Change, absent: str, cause: str
) -> None:
    found, said = run(tmp_path, recording, "ivp_ensemble_secctrl", change)
    assert absent not in found.totals
    assert cause in found.said
    assert cause in said


def test_q_b24_a_generator_and_the_grid_never_feed_the_house_together(tmp_path: Path) -> None:
    found, said = run(tmp_path, GENERATOR, "ivp_ensemble_inventory", close_the_mains)
    assert (found.of("envoy_grid")["grid_state"], found.of("envoy_grid")["relay_closed"]) == ("on-grid", True)
    assert "generator_state" not in found.of("envoy_grid")
    assert "the generator contradicts itself: oper_state is close" in said


def test_q_b3_the_age_of_the_ac_batteries_block_is_the_reason_for_their_absent_power(tmp_path: Path) -> None:
    """25 minutes before the newest block of the recording, of 20 November 2024, 08:55:58."""
    found, said = run(
        tmp_path, "8.2.4382_ACB", "production.json", lambda body: body["storage"][0].update(readingTime=1732091458)
    )
    assert "battery_power_w" not in found.totals
    assert "battery_power_w: absent" in said
    assert "its readingTime is 2024-11-20 08:30 UTC" in said


@pytest.mark.parametrize(
    "change", [in_each(lastReportWatts="212"), in_each(lastReportDate=0), in_each(lastReportDate=1.7e12)]
)
def test_q_i15_reports_that_cannot_be_read_are_told(tmp_path: Path, change: Change) -> None:
    found, said = run(tmp_path, STANDARD, "api_v1_production_inverters", change)
    assert not any("power_w" in fields for fields in found.all_of("envoy_inverter"))
    assert "envoy_inverter.power_w: absent" in said
    assert "gives no readable time and power of any inverter" in said


def test_q_i15_inverters_beyond_the_fiftieth_are_told_while_their_list_is_refused(tmp_path: Path) -> None:
    found, said = run(tmp_path, "8.2.4345_with_device_data", "ivp_pdm_device_data", list_fifty_of_64,
                      prepare=refuse("/api/v1/production/inverters"))  # fmt: skip
    assert len(found.all_of("envoy_inverter")) == 50
    assert "envoy_inverter.power_w: absent" in said
    assert "lists fifty devices at most" in said

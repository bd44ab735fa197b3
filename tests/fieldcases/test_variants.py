"""Situations of the same kinds on other recordings; each right answer is computed by hand from the bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fieldcases.cases import DryRun, dry_run, needs_cases, run_at, vary

pytestmark = needs_cases
PRODUCTION, CONSUMPTION = 704643328, 704643584
HOUSE = {"consumption_power_w", "load_power_w"}
Changes = Mapping[str, Callable[[Any], object]]


def watts(**by_meter: float) -> Callable[[Any], None]:
    """A change of the meters' readings: the power of each meter, on its first phase."""
    eids = {"production": PRODUCTION, "grid": CONSUMPTION}

    def change(rows: Any) -> None:
        for name, power in by_meter.items():
            row = next(row for row in rows if row["eid"] == eids[name])
            for part in (row, row["channels"][0]):
                part["activePower"] = part["instantaneousDemand"] = power

    return change


def block(side: str, kind: str, **values: float) -> Callable[[Any], None]:
    """A change of `production.json`: values of the block of that measurement type, or of that type."""

    def change(body: Any) -> None:
        for found in body[side]:
            if kind in (found.get("measurementType"), found["type"]):
                found.update(values)

    return change


def enable(kind: str) -> Callable[[Any], None]:
    def change(lines: Any) -> None:
        for line in lines:
            if line["measurementType"] == kind:
                line["state"] = "enabled"

    return change


def run(tmp_path: Path, recording: str, changes: Changes, *, at: float | None = None) -> DryRun:
    return dry_run(vary(recording, tmp_path / "case", changes), tmp_path / "home", at=at)


def test_blocks_of_two_times_are_not_added_up(tmp_path: Path) -> None:
    """7.3.517 has no readings of meters: production 4556.139 W at :14, grid −765.064 W."""
    older = {"production.json": block("production", "production", readingTime=1_692_818_014 - 300)}
    found = run(tmp_path, "7.3.517", older).totals
    assert (found["production_power_w"], found["net_power_w"]) == (4556.139, -765.064)
    assert not HOUSE & found.keys()
    same = dry_run(vary("7.3.517", tmp_path / "same", {}), tmp_path / "other home").totals
    assert same["load_power_w"] == pytest.approx(4556.139 - 765.064, abs=0.001)


def test_a_net_ct_on_three_phases_beside_inverters_alone(tmp_path: Path) -> None:
    """7.6.175_total: both CTs are disabled, and /api/v1/production is all zero; the inverters' block says 1322 W."""
    changes = {"ivp_meters": enable("net-consumption"), "ivp_meters_readings": watts(grid=-4000.0)}
    found = run(tmp_path, "7.6.175_total", changes).totals
    assert (found["production_power_w"], found["net_power_w"]) == (1322.0, -4000.0)
    assert not HOUSE & found.keys()


@pytest.mark.parametrize(
    ("recording", "production", "grid", "said"),
    [
        ("7.6.175_with_cts", -2000.0, -1700.0, "the production CT is reversed"),
        ("7.6.175_with_cts_3phase", 2.0, -600.0, "the production CT is not clamped (the inverters report 751 W)"),
        ("8.2.4345_with_device_data", 2600.0, -2900.0, "feeds in behind the consumption CT"),
        ("8.2.127_with_generator_running", -4.0, -2600.0, "the production CT is not clamped"),
        ("8.3.5169_ACB_inventory", -4.0, -700.0, None),
    ],
)
def test_a_house_below_zero(tmp_path: Path, recording: str, production: float, grid: float, said: str | None) -> None:
    """The battery of 8.2.127 charges with 1250 W; that of 8.3.5169 reported six minutes ago, so no house is known."""
    found = run(tmp_path, recording, {"ivp_meters_readings": watts(production=production, grid=grid)})
    assert (found.totals["production_power_w"], found.totals["net_power_w"]) == (production, grid)
    assert not HOUSE & found.totals.keys()
    assert ("the house would use" in found.said) == (said is not None)
    assert said is None or said in found.said


def test_a_total_ct_that_is_reversed(tmp_path: Path) -> None:
    found = run(tmp_path, "8.3.5433_tot_is_net_cons", {"ivp_meters_readings": watts(grid=-786.5)})
    assert found.totals["production_power_w"] == 352.751
    assert not {*HOUSE, "net_power_w"} & found.totals.keys()
    assert "the consumption CT is reversed" in found.said
    assert found.of("envoy_meter", meter="total-consumption")["power_w"] == -786.5


def test_a_battery_that_hides_the_house_is_no_contradiction(tmp_path: Path) -> None:
    """8.3.5167: production 5235.674 W, 9 kW flow out, the battery gives 4000 W: the house takes 235.674 W."""

    def discharge(body: Any) -> None:
        for number, device in enumerate(body["devices:"]):
            device["real_power_mw"] = 4_000_000 if number == 0 else 0

    changes = {"ivp_meters_readings": watts(grid=-9000.0), "ivp_ensemble_power": discharge}
    found = run(tmp_path, "8.3.5167_3rd-pv", changes)
    assert found.totals["load_power_w"] == pytest.approx(235.674, abs=0.001)
    assert "consumption_power_w" not in found.totals
    assert "the house would use" not in found.said


@pytest.mark.parametrize(("age_s", "is_written"), [(20, True), (480, False)])
def test_ac_batteries_count_for_the_house_only_while_their_report_is_new(
    tmp_path: Path, age_s: int, is_written: bool
) -> None:
    """8.2.4382_ACB: production 308.373 W, grid 22.54 W; the AC Batteries give 571 W, the IQ Battery 105 W."""
    at = 1_732_092_955 - age_s
    change = block("storage", "acb", readingTime=at, wNow=571)
    found = run(tmp_path, "8.2.4382_ACB", {"production.json": change, "production": change}).totals
    assert found.get("load_power_w") == (
        pytest.approx(308.373 + 22.54 + 571 + 105, abs=0.001) if is_written else None
    )
    assert found["consumption_power_w"] == pytest.approx(308.373 + 22.54, abs=0.001)


@pytest.mark.parametrize(
    ("recording", "minutes", "today"),
    [
        ("3.17.3", 30, None),  # the maxima sum to 9693 W: 4847 Wh; it says 5481 Wh
        ("3.17.3", 40, 5481.0),
        ("7.6.114_without_cts", 120, None),  # 4288 W: 8576 Wh; it says 10,363 Wh
        ("7.6.114_without_cts", 160, 10_363.0),
        ("7.6.175_with_cts", 60, None),  # 2332 W: 2332 Wh; it says 4374 Wh
    ],
)
def test_a_first_today_is_bounded_by_the_inverters_own_maxima(
    tmp_path: Path, recording: str, minutes: int, today: float | None
) -> None:
    found = run(tmp_path, recording, {}, at=minutes * 60.0).totals
    assert found.get("production_today_wh") == (None if today is None else pytest.approx(today, abs=50))


def test_doctor_names_the_cause_of_each(tmp_path: Path) -> None:
    folder = vary("7.6.175_with_cts", tmp_path / "case", {"ivp_meters_readings": watts(production=1.0, grid=-40.0)})
    done = run_at(folder, tmp_path / "home", "doctor", "--sign-in")
    assert "the production CT is not clamped" in " ".join(done.out.split())


def test_batteries_that_report_less_than_they_give_are_named(tmp_path: Path) -> None:
    """8.3.5167: 5235.674 W produced, 9010 W exported, and the batteries report 3500 W: 274.326 W are missing."""

    def discharge(body: Any) -> None:
        for number, device in enumerate(body["devices:"]):
            device["real_power_mw"] = 3_500_000 if number == 0 else 0

    changes = {"ivp_meters_readings": watts(grid=-9010.0), "ivp_ensemble_power": discharge}
    found = run(tmp_path, "8.3.5167_3rd-pv", changes)
    assert not HOUSE & found.totals.keys()
    assert "the batteries give more power than they report" in found.said

"""IQ Batteries whose figures are all zero for some minutes after a restart, and batteries that are really empty."""

from __future__ import annotations

import pytest

from logger.readings import paths
from tests.readings.playing import metered, play
from tests.readings.site import NOW, Bodies, battery, ensemble

SITE = {"agg_soc": 54, "ENC_agg_soc": 54, "ENC_agg_avail_energy": 2700, "Enc_max_available_capacity": 5000,
        "Enc_commissioned_capacity": 5000, "configured_backup_soc": 20, "ENC_agg_soh": 99}  # fmt: skip
ZEROS = dict.fromkeys(SITE, 0)


def site(at: int, percent: float, watts: float, figures: Bodies) -> Bodies:
    row = {"serial_num": "4921", "real_power_mw": 1000 * watts, "apparent_power_mva": 1000 * watts, "soc": percent}
    return {
        **metered(at, 2000.0, 300.0),
        paths.ENSEMBLE: ensemble(battery("4921", last_rpt_date=at - 30)),
        paths.ENSEMBLE_POWER: {"devices:": [row]},
        paths.SECCTRL: figures,
    }


@pytest.mark.parametrize("figures", [SITE, ZEROS])
@pytest.mark.parametrize("percent", [54, 100])
def test_q_b26_zeros_of_a_battery_that_was_charged_a_minute_ago_are_not_written(
    percent: float, figures: Bodies
) -> None:
    def answer(at: int) -> Bodies:
        is_restarted = NOW + 600 <= at < NOW + 960
        return site(at, 0, 0.0, figures) if is_restarted else site(at, percent, -1200.0, SITE)

    found = play(answer, 20)
    for name, right in (("battery_power_w", -1200.0), ("load_power_w", 1100.0), ("battery_reserve_percent", 20.0),
                        ("battery_energy_wh", 2700.0)):  # fmt: skip
        assert set(found.series(name)) <= {None, right}, name
        assert found.series(name)[16:] == found.series(name)[:4], name
    written = [p.fields for minute in found.minutes for p in minute.readings if p.measurement == "envoy_battery"]
    assert {fields.get("charge_percent") for fields in written} <= {None, percent}
    assert all("communicating" in fields for fields in written)


def test_a_battery_that_gives_its_charge_in_half_an_hour_is_empty() -> None:
    def answer(at: int) -> Bodies:
        return site(at, 0, 0.0, {**SITE, "agg_soc": 0, "ENC_agg_soc": 0}) if at > NOW else site(at, 54, 900.0, SITE)

    found = play(answer, 31)
    assert found.last["battery_power_w"] == 0.0
    assert found.last["battery_charge_percent"] == 0.0
    assert found.series("battery_power_w")[1:8] == [None] * 7


def test_a_battery_that_is_empty_from_the_beginning_or_from_its_last_percents_is_believed() -> None:
    empty = {**SITE, "agg_soc": 0, "ENC_agg_soc": 0, "ENC_agg_avail_energy": 0}
    for first in (0, 4):
        found = play(lambda at, first=first: site(at, first if at == NOW else 0, 0.0, empty), 3)  # type: ignore[misc]
        assert found.last["battery_power_w"] == 0.0


@pytest.mark.parametrize("charge", [None, "54", 255])
def test_a_battery_with_power_and_without_a_charge_is_said(charge: object) -> None:
    def answer(at: int) -> Bodies:
        bodies = site(at, 54, -300.0, SITE)
        rows = [{**row, "soc": charge} for row in bodies[paths.ENSEMBLE_POWER]["devices:"]]
        return {**bodies, paths.ENSEMBLE_POWER: {"devices:": rows}}

    found = play(answer, 21)
    assert "soc" in found.absences["envoy_battery.charge_percent 4921"]
    assert found.last["battery_power_w"] == -300.0

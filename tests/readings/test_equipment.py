"""Firmware, meters and batteries that change: values go on from what is there then, and not before that is sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from logger.daemon.gateway_state import dump_state, load_state
from logger.model import GatewayInfo, Json, Value
from logger.readings import paths
from tests.readings.site import (
    BOTH,
    CONSUMPTION,
    METERED,
    NOW,
    PRODUCTION,
    STANDARD,
    STORAGE,
    TOTALS,
    Bodies,
    Recorder,
    battery,
    detailed,
    device_data,
    ensemble,
    inverter,
    meter,
    once,
    power,
    reading,
    snapshot,
    totals,
)

BLOCK: Json = {"production": [{"type": "inverters", "activeCount": 12, "wNow": 1985, "whLifetime": 4_999_950}]}
OLD = GatewayInfo("122233344455", "D7.6.175", "800-00656-r06", False, True, 0.0)
NEW = replace(OLD, firmware="D8.3.5422")
DEAD_V1: Json = dict.fromkeys(("wattsNow", "wattHoursToday", "wattHoursSevenDays", "wattHoursLifetime"), 0)


def minute(recorder: Recorder, number: int, bodies: Bodies, info: GatewayInfo = OLD) -> dict[str, Value]:
    tick = NOW + 60 * number
    since = {"totals": tick - 30.0, "devices": tick - 30.0}
    return recorder.totals(replace(snapshot(bodies, tick=tick, since=since), gateway=info), TOTALS)  # type: ignore[arg-type]


def restarted(recorder: Recorder) -> Recorder:
    books = load_state(dump_state(recorder.state), recorder.state.readings.reports)
    return Recorder(recorder.site, books)


def test_a_firmware_that_kills_the_v1_totals_leaves_the_power_of_the_next_source() -> None:
    recorder = Recorder()
    bodies = {**STANDARD, paths.BLOCKS: BLOCK}
    assert minute(recorder, 0, bodies)["production_power_w"] == 1990.0
    recorder = restarted(recorder)
    dead = {**bodies, paths.V1: DEAD_V1}
    assert "production_power_w" not in minute(recorder, 1, dead), "zeros of a gateway that starts are no new source"
    assert minute(recorder, 2, dead, NEW)["production_power_w"] == 1985.0
    assert minute(recorder, 3, dead, NEW)["production_power_w"] == 1985.0
    assert minute(recorder, 4, bodies, NEW)["production_power_w"] == 1990.0, "the better one is there again"


def test_a_production_ct_that_was_removed_leaves_the_inverters_power_after_half_an_hour() -> None:
    recorder = Recorder()
    removed = {**METERED, paths.METERS: [meter(CONSUMPTION, "net-consumption")], paths.BLOCKS: BLOCK}
    assert minute(recorder, 0, {**METERED, paths.BLOCKS: BLOCK})["production_power_w"] == 2000.0
    for number in range(1, 31):
        assert "production_power_w" not in minute(recorder, number, removed)
        recorder = restarted(recorder)
    assert minute(recorder, 31, removed)["production_power_w"] == 1985.0


def test_one_odd_list_of_meters_switches_nothing_however_often_it_comes() -> None:
    recorder = Recorder()
    good = {**METERED, paths.BLOCKS: BLOCK}
    odd = {**good, paths.METERS: [meter(CONSUMPTION, "net-consumption")]}
    for number in range(0, 120, 20):
        assert minute(recorder, number, good)["production_power_w"] == 2000.0
        assert "production_power_w" not in minute(recorder, number + 15, odd)


def test_an_ac_battery_beside_iq_batteries_gives_way_to_the_sum_of_both() -> None:
    recorder = Recorder()

    def iq(number: int) -> Bodies:
        return {
            **METERED,
            paths.ENSEMBLE: ensemble(battery("492000000001", last_rpt_date=NOW + 60 * number)),
            paths.ENSEMBLE_POWER: power(("492000000001", 500_000)),
        }

    def both(number: int) -> Bodies:
        block: Json = {"type": "acb", "activeCount": 1, "wNow": 260, "readingTime": NOW + 60 * number}
        return {
            **iq(number),
            paths.V1_INVERTERS: [inverter("122000000001"), inverter("121000000001", kind=11)],
            paths.BLOCKS: {"production": [], "storage": [block]},
        }

    assert minute(recorder, 0, iq(0))["battery_power_w"] == 500.0
    found: Mapping[str, Value] = {}
    for number in range(1, 32):
        found = minute(recorder, number, both(number))
    assert found["battery_power_w"] == 760.0


def test_a_site_of_200_inverters_stays_large_while_nobody_counts_them() -> None:
    rows = [meter(PRODUCTION, "production", phases=3)]
    listed = [inverter(f"122000000{n:03d}") for n in range(200)]
    recorder = Recorder()

    def bodies(number: int) -> Bodies:
        return {paths.METERS: rows, paths.READINGS: [reading(PRODUCTION, 95_000.0, 5e6 + number * 1600.0)]}

    minute(recorder, 0, {**bodies(0), paths.V1_INVERTERS: listed})
    for number in range(1, 8):
        silent = snapshot(bodies(number), tick=NOW + 60 * number, unknown=[paths.V1_INVERTERS, paths.INVENTORY])
        found = totals(recorder.read(silent, TOTALS))
        assert "inverters" not in found
        assert found["production_power_w"] == 95_000.0
        assert found["production_lifetime_wh"] == 5e6 + number * 1600.0
        recorder = restarted(recorder)


# --- batteries without the figures of the site --------------------------------------------------------------------

ACB_BLOCK: Json = {
    "type": "acb", "activeCount": 2, "wNow": -130, "whNow": 1100, "percentFull": 46, "readingTime": NOW - 60,
}  # fmt: skip


def test_ac_batteries_of_a_gateway_before_tokens_have_their_charge_from_their_block() -> None:
    listed = [inverter("122000000001"), *(inverter(f"12100000000{n}", kind=11) for n in (1, 2))]
    bodies = {**METERED, paths.V1_INVERTERS: listed, paths.BLOCKS: {"production": [], "storage": [ACB_BLOCK]}}
    found = totals(once(bodies))
    names = ("batteries", "battery_charge_percent", "battery_power_w", "battery_energy_wh", "battery_capacity_wh")
    assert [found.get(name) for name in names] == [2, 46.0, -130.0, 1100.0, None]


def test_iq_batteries_without_the_sites_figures_are_weighted_by_capacity() -> None:
    batteries = ensemble(battery("492000000001", encharge_capacity=3500), battery("492000000002"))
    levels: Json = {"devices:": [{"serial_num": f"49200000000{n}", "soc": soc} for n, soc in ((1, 80), (2, 20))]}
    found = totals(once({**METERED, paths.ENSEMBLE: batteries, paths.ENSEMBLE_POWER: levels}))
    assert found["battery_charge_percent"] == pytest.approx((3500 * 80 + 5000 * 20) / 8500)
    assert found["battery_energy_wh"] == pytest.approx(3800.0)
    assert found["battery_capacity_wh"] == 8500.0


@pytest.mark.parametrize("missing", [0, 1])
def test_one_iq_battery_that_is_not_heard_leaves_the_charge_of_all_absent(missing: int) -> None:
    batteries = ensemble(battery("492000000001"), battery("492000000002"))
    levels = [{"serial_num": f"49200000000{n}", "soc": 50} for n in (1, 2)]
    del levels[missing]
    assert "battery_charge_percent" not in totals(
        once({**METERED, paths.ENSEMBLE: batteries, paths.ENSEMBLE_POWER: {"devices:": [*levels]}})
    )


def acb(serial: str, used: Json, produced: Json) -> Json:
    found = detailed(serial, name="acb")
    found["channels"][0]["lifetime"] = {"joulesUsed": used, "joulesProduced": produced}
    made: Json = found
    return made


AC_SITE: Bodies = {
    **METERED,
    paths.V1_INVERTERS: [inverter("122000000001"), *(inverter(f"12100000000{n}", kind=11) for n in (1, 2))],
    paths.DEVICE_DATA: device_data(
        detailed("122000000001"), acb("121000000001", 7.2e8, 3.6e8), acb("121000000002", 3.6e8, 3.6e8)
    ),
}


def test_what_ac_batteries_took_and_gave_is_counted_by_themselves() -> None:
    found = totals(once(AC_SITE))
    assert found["battery_charged_lifetime_wh"] == 300_000.0
    assert found["battery_discharged_lifetime_wh"] == 200_000.0
    assert found["load_lifetime_wh"] == found["consumption_lifetime_wh"] - 100_000.0  # type: ignore[operator]


@pytest.mark.parametrize("used", [None, "5", -1])
def test_an_ac_battery_that_does_not_tell_one_side_leaves_that_side_absent(used: Json) -> None:
    devices = device_data(detailed("122000000001"), acb("121000000001", used, 3.6e8), acb("121000000002", 1.0, 3.6e8))
    found = totals(once({**AC_SITE, paths.DEVICE_DATA: devices}))
    assert "battery_charged_lifetime_wh" not in found
    assert found["battery_discharged_lifetime_wh"] == 200_000.0


def test_ac_batteries_of_which_one_is_missing_are_no_sum() -> None:
    devices = device_data(detailed("122000000001"), acb("121000000001", 7.2e8, 3.6e8))
    assert "battery_charged_lifetime_wh" not in totals(once({**AC_SITE, paths.DEVICE_DATA: devices}))


def test_where_a_storage_ct_measures_it_counts_and_not_the_ac_batteries() -> None:
    metered = {
        paths.METERS: [*METERED[paths.METERS], meter(STORAGE, "storage")],
        paths.READINGS: [*METERED[paths.READINGS], reading(STORAGE, -130.0, 111.0, 222.0)],
    }
    found = totals(Recorder().read(snapshot({**AC_SITE, **metered}), BOTH))
    assert found["battery_charged_lifetime_wh"] == 222.0
    assert found["battery_discharged_lifetime_wh"] == 111.0


# --- an inventory that hangs --------------------------------------------------------------------------------------

INVENTORY: Json = [{"type": "PCU", "devices": []}, {"type": "ACB", "devices": []}]


def test_while_the_inventory_hangs_the_house_is_told_by_what_was_known() -> None:
    recorder = Recorder()
    lists = {path: body for path, body in METERED.items() if path != paths.V1_INVERTERS}
    assert minute(recorder, 0, {**lists, paths.INVENTORY: INVENTORY, paths.ENSEMBLE: []})["load_power_w"] == 1500.0
    recorder = restarted(recorder)
    for number in (1, 60, 600):
        silent = snapshot(
            lists, tick=NOW + 60 * number, unknown=[paths.INVENTORY, paths.V1_INVERTERS, paths.ENSEMBLE]
        )
        found = recorder.totals(silent, TOTALS)
        assert found["load_power_w"] == 1500.0
        assert "batteries" not in found, "a count is a fact, and it is too old"


def test_a_battery_is_read_while_the_inventory_hangs() -> None:
    site = "ENC_agg_avail_energy", "Enc_max_available_capacity", "agg_soc"
    bodies = {
        **METERED,
        paths.ENSEMBLE: ensemble(battery("492000000001")),
        paths.ENSEMBLE_POWER: power(("492000000001", 500_000)),
        paths.SECCTRL: dict(zip(site, (2500, 5000, 50), strict=True)),
    }
    found = totals(once(bodies, unknown=[paths.INVENTORY]))
    names = ("battery_power_w", "battery_charge_percent", "battery_energy_wh", "battery_capacity_wh", "load_power_w")
    assert [found.get(name) for name in names] == [500.0, 50.0, 2500.0, 5000.0, 2000.0]
    assert "batteries" not in found


@pytest.mark.parametrize("devices", [[], [{"serialNumber": "122000000001"}]])
def test_while_nothing_tells_whether_there_are_ac_batteries_none_are_left_out(devices: list[Json]) -> None:
    bodies = {
        **METERED,
        paths.V1_INVERTERS: devices,
        paths.ENSEMBLE: ensemble(battery("492000000001")),
        paths.ENSEMBLE_POWER: power(("492000000001", 500_000)),
        paths.SECCTRL: {"ENC_agg_avail_energy": 2500},
    }
    found = totals(once(bodies, unknown=[paths.INVENTORY]))
    assert not {"battery_power_w", "battery_energy_wh", "battery_capacity_wh", "load_power_w"} & found.keys()

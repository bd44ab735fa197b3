"""The gateways' quirks by their names in the reference, each with its treatment; `test_quirks_named.py` counts."""

from __future__ import annotations

from typing import Any

import pytest

from logger.capture.extra_endpoints import OPTIONAL
from logger.daemon.tick import TickResult
from logger.gateway.endpoints import ENDPOINTS
from logger.model import Json, Value
from logger.readings import paths
from logger.readings.site_warnings import find_warnings
from tests.readings.site import (
    CONSUMPTION,
    METERED,
    NOW,
    PRODUCTION,
    STANDARD,
    STORAGE,
    Bodies,
    Body,
    Recorder,
    battery,
    detailed,
    device_data,
    ensemble,
    inventory,
    inverter,
    listed,
    meter,
    once,
    points,
    power,
    reading,
    snapshot,
    totals,
)

ONE, TWO, OLD = "122000000001", "122000000002", "122000000009"
ENPOWER: Body = {"serial_num": "122029016399", "temperature": 88, "mains_oper_state": "closed", "communicating": True}
NEW_KINDS = {"backfeed": 704644352, "load": 704644608, "evse": 704644864, "pv3p": 704645120}
WEEK = {"wattsNow": 1990, "wattHoursToday": 4000, "wattHoursSevenDays": 80000, "wattHoursLifetime": 4_999_900}


def block(kind: str, *, active: int = 1, watts: float = 1000.0, **energies: float) -> Body:
    return {"type": "eim", "activeCount": active, "measurementType": kind, "wNow": watts, "readingTime": NOW,
            "whToday": 0.0, "whLastSevenDays": 0.0, "whLifetime": 0.0, **energies}  # fmt: skip


def blocks(
    *production: Body, consumption: list[Body] | None = None, inverters_w: float = 1234.0, **more: Body
) -> Body:
    first = {"type": "inverters", "activeCount": 12, "wNow": inverters_w, "whLifetime": 777.0, "readingTime": NOW}
    return {"production": [first, *production], "consumption": consumption or [], **more}


def off(**more: Body) -> Bodies:
    """Metered hardware whose CTs are not enabled."""
    lines = [
        meter(PRODUCTION, "production", state="disabled"),
        meter(CONSUMPTION, "net-consumption", state="disabled"),
    ]
    return {
        **METERED,
        paths.METERS: lines,
        paths.READINGS: [reading(PRODUCTION, 5.0), reading(CONSUMPTION, 6.0)],
        **more,
    }


def split(watts: float, volts: tuple[float, float, float] = (121.0, 120.0, 0.0), **keys: float) -> Body:
    """A row of a split-phase meter, with three channels."""
    row = {**reading(PRODUCTION, watts), "voltage": volts[0] + volts[1], "apparentPower": abs(watts) + 10.0, **keys}
    channels = [
        {"activePower": watts * share, "instantaneousDemand": watts * share + 1, "voltage": v,
         "actEnergyDlvd": 5.0 * v, "actEnergyRcvd": 0.0, "freq": 60.0, "pwrFactor": 0.9, "apparentEnergy": 0.01}
        for share, v in zip((0.6, 0.4, 0.0), volts, strict=True)
    ]  # fmt: skip
    return {**row, "channels": channels}


def new_stack(*, production: Body | None = None) -> Bodies:
    lines = [
        meter(PRODUCTION, "production", phases=2),
        meter(CONSUMPTION, "net-consumption", phases=2),
        *(meter(eid, kind, phases=2, state="disabled") for kind, eid in NEW_KINDS.items()),
    ]
    rows = [production or split(2000.0), {**split(500.0), "eid": CONSUMPTION}]
    return {**METERED, paths.METERS: lines, paths.READINGS: rows}


def of(found: TickResult, measurement: str, name: str) -> Any:
    return points(found, measurement)[name].fields


# --- 5.1 availability, as far as it is the readings' ------------------------------------------------------------


def test_q_c12_a_gateway_that_reaches_nobody_shows_by_its_last_report_and_its_clock() -> None:
    home: Json = {"network": {"last_enlighten_report_time": NOW - 55 * 86400, "web_comm": False}}
    (point,) = points(once({**METERED, paths.HOME: home}), "envoy_gateway").values()
    assert point.fields["last_cloud_report_age_s"] == 55 * 86400 + 5.0


@pytest.mark.parametrize("nothing", [[], {}], ids=str)
def test_q_c14_a_document_with_nothing_in_it_proves_no_hardware(nothing: Json) -> None:
    hardware = (
        paths.ENSEMBLE,
        paths.ENSEMBLE_POWER,
        paths.SECCTRL,
        paths.ENSEMBLE_STATUS,
        paths.CONTACTS,
        paths.GENERATOR,
        paths.GENERATOR_CONFIG,
    )
    found = once({**METERED, **dict.fromkeys(hardware, nothing)})
    assert not {"envoy_battery", "envoy_grid", "envoy_contact"} & {p.measurement for p in found.readings}
    assert not [name for name in totals(found) if name.startswith("battery_")]


# --- 5.2 production and consumption -----------------------------------------------------------------------------


def test_q_p1_a_disabled_ct_is_not_read_although_it_shows_numbers() -> None:
    found = once(off(**{paths.BLOCKS: blocks(block("production", active=0, watts=5815.0))}))
    assert totals(found)["production_power_w"] == 1234.0
    assert points(found, "envoy_meter") == {}


def test_q_p2_a_disabled_consumption_ct_gives_no_consumption() -> None:
    shown = block("total-consumption", active=0, watts=1234.0, whToday=9.0, whLastSevenDays=9.0, whLifetime=9.0)
    found = totals(once(off(**{paths.BLOCKS: blocks(consumption=[shown])})))
    assert not [name for name in found if name.startswith(("consumption", "load", "net"))]


def test_q_p3_dead_or_left_over_v1_totals_are_not_used() -> None:
    left_over = {**WEEK, "wattsNow": 4, "wattHoursLifetime": 1583}
    assert totals(once(off(**{paths.V1: left_over, paths.BLOCKS: blocks()})))["production_power_w"] == 1234.0
    dead = dict.fromkeys(WEEK, 0)
    assert totals(once({**STANDARD, paths.V1: dead, paths.BLOCKS: blocks()}))["production_power_w"] == 1234.0


def test_q_p4_a_ct_that_is_inactive_for_one_poll_hands_over_to_nobody() -> None:
    recorder, alive = Recorder(), block("production", whLifetime=5e6)
    body = {paths.BLOCKS: blocks(alive), paths.V1: WEEK, paths.V1_INVERTERS: STANDARD[paths.V1_INVERTERS]}
    assert recorder.totals(snapshot(body))["production_power_w"] == 1000.0
    glitch = {**body, paths.BLOCKS: blocks({**alive, "activeCount": 0})}
    found = recorder.totals(snapshot(glitch, tick=NOW + 60))
    assert not {"production_power_w", "production_lifetime_wh", "production_today_wh"} & found.keys()
    assert recorder.totals(snapshot(body, tick=NOW + 120))["production_power_w"] == 1000.0


def test_q_p5_power_and_lifetime_of_a_metered_site_are_both_of_its_ct() -> None:
    found = totals(once({**METERED, paths.BLOCKS: blocks()}))
    assert (found["production_power_w"], found["production_lifetime_wh"]) == (2000.0, 5e6)


def test_q_p6_the_draw_at_night_is_written_as_negative_production() -> None:
    rows = [reading(PRODUCTION, -3.98), reading(CONSUMPTION, 400.0)]
    assert totals(once({**METERED, paths.READINGS: rows}))["production_power_w"] == -3.98


def test_q_p7_an_inverters_block_of_the_night_is_zero_watts() -> None:
    night = blocks(inverters_w=0.0)
    night["production"][0]["readingTime"] = 0
    assert totals(once(off(**{paths.BLOCKS: night})))["production_power_w"] == 0.0


@pytest.mark.parametrize("week", [4.6, 19.0, 852.0])
def test_q_p9_a_tiny_figure_of_seven_days_is_not_taken(week: float) -> None:
    used = block("total-consumption", whToday=12_000.0, whLastSevenDays=week, whLifetime=5e6)
    found = totals(once({**METERED, paths.BLOCKS: blocks(consumption=[used])}))
    assert "consumption_7d_wh" not in found
    assert "consumption_today_wh" not in found, "the block contradicts itself"


def test_q_p10_seven_days_that_are_all_there_ever_was_are_not_taken() -> None:
    ever = {**WEEK, "wattHoursSevenDays": WEEK["wattHoursLifetime"] - WEEK["wattHoursToday"]}
    found = totals(once({**METERED, paths.V1: ever}))
    assert "production_today_wh" in found
    assert "production_7d_wh" not in found


def test_q_p13_the_nets_zeros_of_today_and_seven_days_are_not_taken() -> None:
    net = block("net-consumption", whToday=0.0, whLastSevenDays=0.0, whLifetime=2e6)
    assert (
        not {"net_today_wh", "net_7d_wh"} & totals(once({**METERED, paths.BLOCKS: blocks(consumption=[net])})).keys()
    )


def test_q_p14_net_energy_is_import_minus_export_whatever_the_block_calls_net() -> None:
    net = block("net-consumption", whLifetime=3e6)  # older firmware: imports alone
    assert totals(once({**METERED, paths.BLOCKS: blocks(consumption=[net])}))["net_lifetime_wh"] == 3e6 - 1e6


def test_q_p15_the_house_is_consumption_without_what_went_into_the_battery() -> None:
    bodies = {**METERED, paths.ENSEMBLE: ensemble(battery("492")), paths.ENSEMBLE_POWER: power(("492", -1_200_000))}
    found = totals(once(bodies))
    assert (found["consumption_power_w"], found["load_power_w"]) == (1500.0, 300.0)


def test_q_p16_a_total_ct_is_read_from_its_own_row_not_from_a_block_that_equals_the_net() -> None:
    lines = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "total-consumption")]
    rows = [reading(PRODUCTION, 352.0, 14e6), reading(CONSUMPTION, 786.0, 20e6)]
    same = [block("total-consumption", watts=434.0), block("net-consumption", watts=434.0)]
    found = totals(
        once({**METERED, paths.METERS: lines, paths.READINGS: rows, paths.BLOCKS: blocks(consumption=same)})
    )
    assert found["consumption_power_w"] == 786.0
    assert found["net_power_w"] == 434.0
    assert found["consumption_lifetime_wh"] == 20e6


def test_q_p17_artefacts_of_the_total_block_are_in_no_field() -> None:
    odd = block("total-consumption", apprntPwr=98_765.0, rmsCurrent=87_654.0, varhLagLifetime=76_543.0)
    said = [
        value
        for p in once({**METERED, paths.BLOCKS: blocks(consumption=[odd])}).readings
        for value in p.fields.values()
    ]
    assert not {98_765.0, 87_654.0, 76_543.0} & {value for value in said if isinstance(value, float)}


def test_q_p18_a_meter_that_does_not_say_what_its_phases_say_is_told() -> None:
    double = {**split(4000.0), "activePower": 8000.0}
    bodies = {**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=2)], paths.READINGS: [double]}
    assert "unequal production" in find_warnings(snapshot(bodies), ())
    assert find_warnings(snapshot({**bodies, paths.READINGS: [split(4000.0)]}), ()) == {}


def test_q_p20_a_lagging_figure_of_today_is_caught_up_by_what_the_ct_ran_on() -> None:
    assert totals(once(METERED))["production_today_wh"] == 4000 + (5_000_000 - 4_999_900)


# --- 5.3 lifetimes, as far as one poll shows them ---------------------------------------------------------------


def test_q_l5_consumption_is_computed_and_not_the_drifting_figure_of_the_block() -> None:
    used = block("total-consumption", whToday=1.0, whLastSevenDays=9.0, whLifetime=6_811_000.0)
    found = totals(once({**METERED, paths.BLOCKS: blocks(consumption=[used])}))
    assert found["consumption_lifetime_wh"] == 5e6 + 3e6 - 1e6


def test_q_l6_a_net_lifetime_may_be_negative() -> None:
    rows = [METERED[paths.READINGS][0], reading(CONSUMPTION, -500.0, 1e6, 3_662_918.0)]
    assert totals(once({**METERED, paths.READINGS: rows}))["net_lifetime_wh"] == 1e6 - 3_662_918.0


def test_q_l7_a_slightly_negative_counter_of_a_meter_is_written_as_it_came() -> None:
    lines = [*METERED[paths.METERS], meter(NEW_KINDS["evse"], "evse")]
    rows = [*METERED[paths.READINGS], reading(NEW_KINDS["evse"], 0.0, 123.1, -19.7)]
    fields = of(once({**METERED, paths.METERS: lines, paths.READINGS: rows}), "envoy_meter", "evse")
    assert fields["energy_received_wh"] == -19.7


# --- 5.4 meters and phases --------------------------------------------------------------------------------------


def test_q_m1_rows_of_meters_that_are_not_listed_are_skipped() -> None:
    rows = [*METERED[paths.READINGS], {**reading(1023410688, 0.0)}]
    assert set(points(once({**METERED, paths.READINGS: rows}), "envoy_meter")) == {"production", "net-consumption"}


def test_q_m2_listed_meters_without_a_row_are_left_out() -> None:
    found = once({**METERED, paths.READINGS: METERED[paths.READINGS][:1]})
    assert set(points(found, "envoy_meter")) == {"production"}
    assert "net_power_w" not in totals(found)


def test_q_m3_unused_channels_are_left_out_also_if_they_hold_another_meters_leg() -> None:
    row = split(1000.0, (121.0, 120.0, 121.5))
    bodies = {**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=2)], paths.READINGS: [row]}
    assert set(points(once(bodies), "envoy_phase")) == {"production/L1", "production/L2"}


def test_q_m4_the_number_of_phases_is_phase_count_not_phase_mode() -> None:
    lines = [meter(PRODUCTION, "production", phases=1, mode="three")]
    found = once({**METERED, paths.METERS: lines})
    assert set(points(found, "envoy_phase")) == {"production/L1"}
    assert of(found, "envoy_meter", "production")["voltage_v"] == 230.0


def test_q_m5_the_voltage_of_a_meter_is_the_mean_of_its_phases() -> None:
    bodies = {**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=2)], paths.READINGS: [split(1000.0)]}
    assert of(once(bodies), "envoy_meter", "production")["voltage_v"] == 120.5


@pytest.mark.parametrize("dead_v", [0.0, 2.0, 11.5])
def test_q_m17_a_phase_without_voltage_does_not_count_for_the_mean(dead_v: float) -> None:
    row = split(1000.0)
    row["voltage"] += dead_v
    row["channels"][2] = {**row["channels"][0], "voltage": dead_v, "activePower": 0.0}
    bodies = {**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=3)], paths.READINGS: [row]}
    assert of(once(bodies), "envoy_meter", "production")["voltage_v"] == 120.5
    assert of(once(bodies), "envoy_phase", "production/L3")["voltage_v"] == dead_v


def test_q_m6_lines_of_the_blocks_count_no_phases() -> None:
    with_lines = blocks({**block("production"), "lines": [{"wNow": 1.0}] * 3})
    assert set(points(once({**METERED, paths.BLOCKS: with_lines}), "envoy_phase")) == {
        "production/L1",
        "net-consumption/L1",
    }


@pytest.mark.parametrize(
    "bodies", [STANDARD, {p: b for p, b in STANDARD.items() if p not in (paths.METERS, paths.READINGS)}]
)
def test_q_m7_without_meters_in_either_form_there_is_no_meter(bodies: Bodies) -> None:
    found = once(bodies)
    assert points(found, "envoy_meter") == points(found, "envoy_phase") == {}
    assert totals(found)["production_power_w"] == 1990.0


def test_q_m8_the_wiring_of_a_disabled_meter_is_told_and_not_read() -> None:
    wrong = {"meteringStatus": "check-wiring", "statusFlags": ["negative-production"]}
    bodies = off()
    bodies = {**bodies, paths.METERS: [{**bodies[paths.METERS][0], **wrong}, bodies[paths.METERS][1]]}
    warning = find_warnings(snapshot(bodies), ())["meter production"]
    assert "check-wiring, negative-production" in warning.text
    assert points(once(bodies), "envoy_meter") == {}


@pytest.mark.parametrize("flag", ["power-on-unused-phase", "production-imbalance"])
def test_q_m9_flags_of_a_meter_are_told_and_change_no_value(flag: str) -> None:
    lines = [{**meter(PRODUCTION, "production"), "statusFlags": [flag]}, METERED[paths.METERS][1]]
    assert flag in find_warnings(snapshot({**METERED, paths.METERS: lines}), ())["meter production"].text
    assert totals(once({**METERED, paths.METERS: lines})) == totals(once(METERED))


def test_q_m10_a_ct_above_the_sum_of_the_inverters_stays_as_it_is() -> None:
    rows = [reading(PRODUCTION, 5305.0), reading(CONSUMPTION, 0.0)]
    found = once({**METERED, paths.READINGS: rows})
    assert totals(found)["production_power_w"] == 5305.0
    assert sum(p.fields["power_w"] for p in points(found, "envoy_inverter").values()) == 400.0  # type: ignore[misc]


def test_q_m11_a_running_generator_stands_beside_the_net_meter() -> None:
    bodies = {
        **METERED,
        paths.ENSEMBLE: [{"type": "ENPOWER", "devices": [{**ENPOWER, "mains_oper_state": "open"}]}],
        paths.GENERATOR_CONFIG: {"gen_type": "Standby"},
        paths.GENERATOR: {"oper_state": "close"},
    }
    found = once(bodies)
    assert of(found, "envoy_grid", "") == {
        "grid_state": "off-grid", "relay_closed": False, "controller_temperature_c": 31.1,
        "generator_state": "connected",
    }  # fmt: skip
    assert totals(found)["net_power_w"] == -500.0


def test_q_m12_a_reversed_ct_is_told_and_its_sign_left_alone() -> None:
    lines = [{**meter(PRODUCTION, "production"), "statusFlags": ["negative-production"]}, METERED[paths.METERS][1]]
    bodies = {
        **METERED,
        paths.METERS: lines,
        paths.READINGS: [reading(PRODUCTION, -3000.0), reading(CONSUMPTION, 10.0)],
    }
    assert totals(once(bodies))["production_power_w"] == -3000.0
    assert find_warnings(snapshot(bodies), ())["meter production"].event == "meter_wiring"


def test_q_m13_a_storage_row_with_one_dead_phase_is_not_believed() -> None:
    lines = [*METERED[paths.METERS], meter(STORAGE, "storage", phases=2)]
    half = {**split(-600.0, (121.0, 0.0, 0.0)), "eid": STORAGE}
    bodies = {**METERED, paths.METERS: lines, paths.ENSEMBLE: ensemble(battery("492")),
              paths.ENSEMBLE_POWER: power(("492", -1_200_000)),
              paths.READINGS: [*METERED[paths.READINGS], half]}  # fmt: skip
    found = once(bodies)
    assert "storage" not in points(found, "envoy_meter")
    assert not {"battery_power_w", "load_power_w", "battery_charged_lifetime_wh"} & totals(found).keys()


# --- 5.5 the new metering code ----------------------------------------------------------------------------------


def test_q_n1_an_interval_database_that_stands_still_seeds_nothing() -> None:
    same = block("production", whToday=5e6, whLastSevenDays=5e6, whLifetime=5e6)
    found = totals(once({**new_stack(), paths.V1: dict.fromkeys(WEEK, 0), paths.BLOCKS: blocks(same)}))
    assert not {"production_today_wh", "production_7d_wh"} & found.keys()


def test_q_n2_apparent_energy_that_stays_near_zero_is_left_out() -> None:
    bodies = new_stack(production={**split(2000.0), "apparentEnergy": 0.01})
    for measurement in ("envoy_meter", "envoy_phase"):
        assert not any("apparent_energy_vah" in p.fields for p in points(once(bodies), measurement).values())
    old = {**METERED, paths.READINGS: [{**reading(PRODUCTION, 1.0), "apparentEnergy": 5e6}]}
    assert of(once(old), "envoy_meter", "production")["apparent_energy_vah"] == 5e6


def test_q_n3_the_power_factor_of_a_meter_is_not_the_sum_of_its_phases() -> None:
    fields = of(once(new_stack(production=split(2000.0, pwrFactor=1.94))), "envoy_meter", "production")
    assert fields["power_factor"] == 2000.0 / 2010.0
    assert of(once(new_stack()), "envoy_phase", "production/L1")["power_factor"] == 0.9


def test_q_n4_lead_and_lag_are_taken_from_the_readings_alone() -> None:
    row = split(2000.0, reactEnergyLagg=111.0, reactEnergyLead=222.0)
    swapped = blocks(block("production", varhLagLifetime=222.0, varhLeadLifetime=111.0))
    fields = of(once({**new_stack(production=row), paths.BLOCKS: swapped}), "envoy_meter", "production")
    assert (fields["reactive_energy_lagging_varh"], fields["reactive_energy_leading_varh"]) == (111.0, 222.0)


def test_q_n5_a_phases_power_is_its_share_of_the_meters() -> None:
    found = once(new_stack())
    assert of(found, "envoy_phase", "production/L1")["power_w"] == 1201.0
    plain = {**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=2)], paths.READINGS: [split(2000.0)]}
    assert of(once(plain), "envoy_phase", "production/L1")["power_w"] == 1200.0


def test_q_n6_meters_that_are_not_set_up_are_left_out_and_one_leg_is_one_phase() -> None:
    bodies = new_stack()
    idle = {**reading(NEW_KINDS["evse"], -14.6, 123.1, -19.7), "timestamp": 0}
    one_leg = {**split(-686.0, (120.5, 0.0, 0.0)), "eid": NEW_KINDS["backfeed"], "freq": 0.0}
    lines = [{**m, "state": "enabled"} if m["measurementType"] == "backfeed" else m for m in bodies[paths.METERS]]
    found = once({**bodies, paths.METERS: lines, paths.READINGS: [*bodies[paths.READINGS], idle, one_leg]})
    assert set(points(found, "envoy_meter")) == {"production", "net-consumption", "backfeed"}
    assert of(found, "envoy_meter", "backfeed")["voltage_v"] == 120.5
    assert "frequency_hz" not in of(found, "envoy_meter", "backfeed")
    assert [name for name in points(found, "envoy_phase") if name.startswith("backfeed")] == ["backfeed/L1"]


def test_q_n7_stale_v1_totals_of_a_metered_gateway_are_not_used() -> None:
    stale = {**WEEK, "wattsNow": 0, "wattHoursLifetime": 9_573_830}
    found = totals(once({**new_stack(), paths.V1: stale}))
    assert (found["production_power_w"], found["production_lifetime_wh"]) == (2000.0, 5e6)
    assert "production_today_wh" not in found


def test_q_n8_a_timestamp_with_a_fraction_is_no_trouble() -> None:
    rows = [{**row, "timestamp": NOW + 0.25} for row in METERED[paths.READINGS]]
    assert totals(once({**METERED, paths.READINGS: rows})) == totals(once(METERED))


def test_q_n9_reactive_power_at_night_is_written_as_it_comes() -> None:
    row = split(0.0, apparentPower=352.088, reactivePower=352.088)
    fields = of(once(new_stack(production=row)), "envoy_meter", "production")
    assert fields["reactive_power_var"] == fields["apparent_power_va"] == 352.088
    assert fields["power_factor"] == 0.0


# --- 5.6 inverters ----------------------------------------------------------------------------------------------


def test_q_i1_a_report_is_one_point_at_its_own_time() -> None:
    recorder = Recorder()
    first = recorder.read(snapshot(METERED))
    assert {p.time for p in points(first, "envoy_inverter").values()} == {NOW - 60}
    again = recorder.read(snapshot(METERED, tick=NOW + 300))
    assert points(again, "envoy_inverter") == {}


def test_q_i2_values_that_stay_at_night_are_no_points_and_their_inverters_not_heard() -> None:
    bodies = {**STANDARD, paths.V1_INVERTERS: [inverter(ONE, NOW - 7200, 145)]}
    recorder = Recorder()
    recorder.read(snapshot(bodies))
    found = recorder.read(snapshot(bodies, tick=NOW + 300))
    assert points(found, "envoy_inverter") == {}
    assert of(found, "envoy_inverter_status", ONE)["communicating"] is False
    assert totals(found)["inverters_producing"] == 0


def test_q_i3_inverters_that_are_long_gone_do_not_count() -> None:
    rows = [inverter(ONE), inverter(OLD, NOW - 40 * 86400)]
    found = once({**STANDARD, paths.V1_INVERTERS: rows})
    assert totals(found)["inverters"] == 1
    assert set(points(found, "envoy_inverter_status")) == {ONE}
    winter = [inverter(ONE, NOW - 40 * 86400), inverter(TWO, NOW - 41 * 86400)]
    assert totals(once({**STANDARD, paths.V1_INVERTERS: winter}))["inverters"] == 2, "all are under snow"


def test_q_i3_an_inverter_that_has_not_reported_yet_is_installed_if_the_gateway_counts_it() -> None:
    """A new inverter has the time 0 and no report; a removed one may have the same time."""
    listed_two = {**STANDARD, paths.V1_INVERTERS: [inverter(ONE), inverter(TWO, 0, 0)]}
    counted = [{"type": "inverters", "activeCount": 2, "wNow": 200, "whLifetime": 5e6, "readingTime": NOW - 60}]
    found = once({**listed_two, paths.BLOCKS: blocks(production=counted)})
    assert (totals(found)["inverters"], totals(found)["inverters_communicating"]) == (2, 1)
    new = points(found, "envoy_inverter_status")[TWO].fields
    assert new == {"communicating": False, "producing": False, "inventory_age_s": 0}
    assert set(points(found, "envoy_inverter")) == {ONE}
    for other in ({}, {paths.BLOCKS: blocks(production=[{**counted[0], "activeCount": 1}])}):
        found = once({**listed_two, **other})
        assert totals(found)["inverters"] == 1
        assert set(points(found, "envoy_inverter_status")) == {ONE}


def test_q_i4_an_empty_list_at_night_says_nothing_of_how_many_there_are() -> None:
    recorder = Recorder()
    assert recorder.totals(snapshot(STANDARD))["inverters"] == 2
    night = {**STANDARD, paths.V1_INVERTERS: [], paths.BLOCKS: blocks()}
    assert "inverters" not in recorder.totals(snapshot(night, tick=NOW + 300))


def test_q_i5_ac_batteries_in_the_list_are_no_inverters() -> None:
    rows = [inverter(ONE), inverter("121000000001", kind=11)]
    found = once({**STANDARD, paths.V1_INVERTERS: rows})
    assert (totals(found)["inverters"], totals(found)["batteries"]) == (1, 1)
    assert set(points(found, "envoy_inverter")) == {ONE}
    assert set(points(found, "envoy_battery")) == {"121000000001"}


def test_q_i6_more_than_fifty_devices_are_filled_from_the_list() -> None:
    serials = [f"1220000{n:05d}" for n in range(70)]
    data = device_data(*(detailed(serial) for serial in serials[:50]), count=72)
    found = once({**STANDARD, paths.V1_INVERTERS: [inverter(s) for s in serials], paths.DEVICE_DATA: data})
    inverters = points(found, "envoy_inverter")
    assert set(inverters) == set(serials)
    assert sum("energy_lifetime_wh" in p.fields for p in inverters.values()) == 50
    assert totals(found)["inverters"] == 70
    assert totals(found)["production_lifetime_wh"] == WEEK["wattHoursLifetime"], "a sum of fifty would be short"


def test_q_i7_replaced_inverters_do_not_count_and_modgone_is_no_loss() -> None:
    gone = {**detailed(ONE), "modGone": True}
    replaced = {**detailed(OLD), "active": False}
    data = device_data(gone, replaced, {**detailed("EIM1", name="eim"), "modGone": True})
    found = once({paths.METERS: [], paths.DEVICE_DATA: data})
    assert totals(found)["inverters"] == 1
    assert set(points(found, "envoy_inverter")) == {ONE}
    assert of(found, "envoy_inverter_status", ONE)["communicating"] is False


def test_q_i8_empty_readings_of_an_inactive_device_are_no_values() -> None:
    empty = detailed(ONE)
    empty["channels"][0] |= {"lastReading": {}, "lifetime": {}}
    found = once(
        {**STANDARD, paths.V1_INVERTERS: [inverter(TWO)], paths.DEVICE_DATA: device_data(empty, detailed(TWO))}
    )
    assert set(points(found, "envoy_inverter")) == {TWO}


@pytest.mark.parametrize("nothing", [[], {}])
def test_q_i8_device_data_with_nothing_in_it_leaves_the_inverters_to_the_list(nothing: Json) -> None:
    """Q-C14: no inventory names them either."""
    found = once({**STANDARD, paths.V1_INVERTERS: [inverter(ONE), inverter(TWO)], paths.DEVICE_DATA: nothing})
    assert {serial: point.fields["power_w"] for serial, point in points(found, "envoy_inverter").items()} == {
        ONE: 200.0,
        TWO: 200.0,
    }
    assert totals(found)["inverters"] == 2


def test_q_i9_an_unsigned_negative_is_no_power() -> None:
    found = once({**STANDARD, paths.DEVICE_DATA: device_data(detailed(ONE, watts=4_294_967_292))})
    assert "power_w" not in of(found, "envoy_inverter", ONE)


def test_q_i10_each_key_is_read_as_it_is_spelled() -> None:
    last = {"endDate": NOW - 60, "acVoltageINmV": 240_500, "acCurrentInmA": 1_250, "acCurrentINmA": 9_999}
    data = detailed(ONE)
    data["channels"][0]["lastReading"] = last
    fields = of(once({**STANDARD, paths.DEVICE_DATA: device_data(data)}), "envoy_inverter", ONE)
    assert (fields["ac_voltage_v"], fields["ac_current_a"]) == (240.5, 1.25)


def test_q_i11_not_operating_is_written_and_counts_for_nothing() -> None:
    found = once({**STANDARD, paths.INVENTORY: inventory(listed(ONE, operating=False))})
    fields = of(found, "envoy_inverter_status", ONE)
    assert (fields["operating"], fields["producing"]) == (False, True)
    assert totals(found)["inverters_producing"] == 1


def test_q_i12_deleted_inverters_are_left_out_before_their_missing_flags_matter() -> None:
    found = once({**STANDARD, paths.INVENTORY: inventory(listed(ONE), listed(OLD, admin=3))})
    assert (totals(found)["inverters"], totals(found)["inverters_communicating"]) == (1, 1)
    assert set(points(found, "envoy_inverter_status")) == {ONE}


def test_q_i13_an_inverter_without_sun_is_in_its_place_with_its_conditions() -> None:
    dark = listed(ONE, producing=False, communicating=False, provisioned=False, operating=False,
                  device_status=["envoy.cond_flags.pcu_ctrl.dc-pwr-low"])  # fmt: skip
    found = once({**STANDARD, paths.INVENTORY: inventory(dark)})
    assert (totals(found)["inverters"], totals(found)["inverters_producing"]) == (1, 0)
    assert of(found, "envoy_inverter_status", ONE)["conditions"] == "pcu_ctrl.dc-pwr-low"


def test_q_i14_nothing_that_disturbs_the_power_line_is_ever_asked() -> None:
    asked = {endpoint.path for endpoint in (*ENDPOINTS, *OPTIONAL)}
    for path in asked:
        assert not any(word in path for word in ("comm_check", "newscan", "/stream", "/mode/power", "/installer"))


# --- 5.7 batteries and the controller ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["devices:", "devices"])
def test_q_b1_the_list_of_batteries_is_found_with_and_without_its_colon(key: str) -> None:
    bodies = {
        **METERED,
        paths.ENSEMBLE: ensemble(battery("492")),
        paths.ENSEMBLE_POWER: power(("492", 500_000), key=key),
    }
    assert of(once(bodies), "envoy_battery", "492")["power_w"] == 500.0


def test_q_b2_the_charge_is_that_of_the_power_list_not_of_the_inventory() -> None:
    bodies = {**METERED, paths.ENSEMBLE: ensemble(battery("492")), paths.ENSEMBLE_POWER: power(("492", 0))}
    assert of(once(bodies), "envoy_battery", "492")["charge_percent"] == 54.0
    del bodies[paths.ENSEMBLE_POWER]
    assert of(once(bodies), "envoy_battery", "492")["charge_percent"] == 10.0


@pytest.mark.parametrize(("age", "written"), [(60, True), (41 * 3600, False)])
def test_q_b3_an_old_ac_battery_block_says_nothing_of_now(age: int, written: bool) -> None:
    acb = [{"type": "acb", "activeCount": 1, "wNow": 260, "state": "discharging", "readingTime": NOW - age}]
    rows = [inverter(ONE), inverter("121000000001", kind=11)]
    found = totals(once({**METERED, paths.V1_INVERTERS: rows, paths.BLOCKS: blocks(storage=acb)}))
    assert (found.get("battery_power_w") == 260.0) is written
    assert ("battery_state" in found) is written


def test_q_b3_both_kinds_of_batteries_are_added_only_where_both_are_known() -> None:
    acb = [{"type": "acb", "activeCount": 1, "wNow": 260, "readingTime": NOW - 60}]
    rows = [inverter(ONE), inverter("121000000001", kind=11)]
    bodies = {**METERED, paths.V1_INVERTERS: rows, paths.BLOCKS: blocks(storage=acb),
              paths.ENSEMBLE: ensemble(battery("492")), paths.ENSEMBLE_POWER: power(("492", 500_000))}  # fmt: skip
    assert totals(once(bodies))["battery_power_w"] == 760.0
    del bodies[paths.BLOCKS]
    assert "battery_power_w" not in totals(once(bodies))


def test_q_b4_a_missing_charge_of_ac_batteries_is_absent() -> None:
    acb = listed("121000000001", charge_status="idle")
    found = once({**METERED, paths.INVENTORY: inventory(listed(ONE), batteries=[acb])})
    assert "charge_percent" not in of(found, "envoy_battery", "121000000001")
    assert totals(found)["batteries"] == 1


def test_q_b5_text_where_a_number_was_after_a_reboot_is_absent() -> None:
    odd = battery("492", temperature="NA", maxCellTemp=None, percentFull="n/a")
    fields = of(once({**METERED, paths.ENSEMBLE: ensemble(odd)}), "envoy_battery", "492")
    assert not {"temperature_c", "max_cell_temperature_c", "charge_percent"} & fields.keys()
    assert fields["capacity_wh"] == 5000.0


def test_q_b6_the_controller_counts_in_fahrenheit_and_all_else_in_celsius() -> None:
    assert of(once({**METERED, paths.ENSEMBLE: [{"type": "ENPOWER", "devices": [ENPOWER]}]}), "envoy_grid", "")[
        "controller_temperature_c"
    ] == pytest.approx((88 - 32) * 5 / 9, abs=0.05)
    collar = [{"type": "COLLAR", "devices": [{"temperature": 42, "mid_state": "close", "grid_state": "on_grid"}]}]
    assert of(once({**METERED, paths.ENSEMBLE: collar}), "envoy_grid", "") == {
        "grid_state": "on-grid", "relay_closed": True, "controller_temperature_c": 42.0,
    }  # fmt: skip
    assert (
        of(once({**METERED, paths.ENSEMBLE: ensemble(battery("492"))}), "envoy_battery", "492")["temperature_c"]
        == 21.0
    )


def test_q_b7_a_kind_without_devices_is_no_battery() -> None:
    assert totals(once({**METERED, paths.ENSEMBLE: ensemble()}))["batteries"] == 0


@pytest.mark.parametrize("lists_nothing", [True, False])
def test_q_b7_batteries_that_only_give_their_power_are_counted(lists_nothing: bool) -> None:
    """A house that takes 1,500 W as the gateway counts, while a battery gives 400 W, takes 1,900 W."""
    bodies = {**METERED, paths.ENSEMBLE: [], paths.ENSEMBLE_POWER: power(("492", 400_000))}
    if not lists_nothing:
        del bodies[paths.ENSEMBLE]
    found = totals(once(bodies))
    assert (found["batteries"], found["battery_power_w"]) == (1, 400.0)
    assert (found["consumption_power_w"], found["load_power_w"]) == (1500.0, 1900.0)


def test_q_b8_an_element_without_a_type_is_skipped() -> None:
    profile: Json = {"grid_profile_name": "IEEE 1547", "id": "x", "item_count": 5}
    bodies = {**METERED, paths.ENSEMBLE: [profile, *ensemble(battery("492"))]}
    assert totals(once(bodies))["batteries"] == 1


def test_q_b9_contacts_generator_and_relay_without_hardware_are_not_written() -> None:
    answered: Bodies = {
        **METERED,
        paths.ENSEMBLE: ensemble(battery("492")),
        paths.CONTACTS: {"dry_contacts": [{"id": "NC1", "status": "closed"}]},
        paths.CONTACT_SETTINGS: {"dry_contacts": [{"id": "NC1", "type": "LOAD", "load_name": "x"}]},
        paths.GENERATOR: {"oper_state": "open", "present": 1, "type": 0},
        paths.GENERATOR_CONFIG: {},
    }
    assert not {"envoy_grid", "envoy_contact"} & {p.measurement for p in once(answered).readings}


def test_q_b10_flags_that_vanish_with_firmware_8_are_absent_and_their_battery_is_not() -> None:
    assert of(once({**METERED, paths.ENSEMBLE: ensemble(battery("492", operating=True))}), "envoy_battery", "492")[
        "operating"
    ]
    fields = of(once({**METERED, paths.ENSEMBLE: ensemble(battery("492"))}), "envoy_battery", "492")
    assert "operating" not in fields
    assert fields["communicating"] is True


@pytest.mark.parametrize("phase", [1, "ph-a", None])
def test_q_b11_the_phase_of_a_battery_in_either_form_is_no_trouble(phase: Json) -> None:
    status: Json = {
        "inventory": {"serial_nums": {"492": {"device_type": 13, "phase": phase, "encharge_rated_power": 3840}}}
    }
    bodies = {**METERED, paths.ENSEMBLE: ensemble(battery("492", phase=phase)), paths.ENSEMBLE_STATUS: status}
    assert of(once(bodies), "envoy_battery", "492")["max_power_w"] == 3840.0


def test_q_b12_the_rating_of_a_generator_in_kw_is_no_power_in_w() -> None:
    bodies = {**METERED, paths.ENSEMBLE: [{"type": "ENPOWER", "devices": [ENPOWER]}],
              paths.GENERATOR_CONFIG: {"name_plate_rating_wat": 14.0},
              paths.GENERATOR: {"oper_state": "open"}}  # fmt: skip
    fields: dict[str, Value] = of(once(bodies), "envoy_grid", "")
    assert fields["generator_state"] == "disconnected"
    assert 14.0 not in fields.values()


def test_q_b13_flags_written_as_text_in_the_settings_of_contacts_are_no_trouble() -> None:
    bodies = {
        **METERED,
        paths.ENSEMBLE: [{"type": "ENPOWER", "devices": [ENPOWER]}],
        paths.CONTACTS: {"dry_contacts": [{"id": "NC1", "status": "open"}, {"id": "NO1", "status": "closed"}]},
        paths.CONTACT_SETTINGS: {"dry_contacts": [
            {"id": "NC1", "type": "LOAD", "load_name": " Pool pump ", "override": "false", "soc_low": 30},
            {"id": "NO1", "type": "NONE", "load_name": "", "manual_override": "true"},
        ]},
    }  # fmt: skip
    (contact,) = [p for p in once(bodies).readings if p.measurement == "envoy_contact"]
    assert contact.tags == {"gateway": "122233344455", "contact": "NC1", "contact_name": "Pool pump"}
    assert contact.fields == {"closed": False}


def test_q_b14_a_charge_of_zero_is_real_where_there_is_a_battery() -> None:
    empty: Json = {"agg_soc": 0, "ENC_agg_avail_energy": 0, "ACB_agg_energy": 24}
    rows = [inverter(ONE), inverter("121000000001", kind=11)]
    assert totals(once({**METERED, paths.V1_INVERTERS: rows, paths.SECCTRL: empty}))["battery_charge_percent"] == 0.0
    assert "battery_charge_percent" not in totals(once({**METERED, paths.SECCTRL: empty}))


def test_q_b15_a_contact_is_written_as_the_gateway_says_it_at_each_poll() -> None:
    """A state that lags for seconds is right again in the next poll; nothing here waits for a change."""
    assert next(e for e in ENDPOINTS if e.path == paths.CONTACTS).every == "devices"


def test_q_b16_what_an_ac_battery_calls_its_energy_of_today_is_not_read() -> None:
    acb = detailed("121000000001", name="acb")
    acb["channels"][0]["wattHours"]["today"] = 57_134
    rows = [inverter(ONE), inverter("121000000001", kind=11)]
    found = once({**METERED, paths.V1_INVERTERS: rows, paths.DEVICE_DATA: device_data(acb, detailed(ONE))})
    assert 57_134.0 not in of(found, "envoy_battery", "121000000001").values()


def test_q_b17_the_sites_battery_power_is_the_storage_cts_where_there_is_one() -> None:
    lines = [*METERED[paths.METERS], meter(STORAGE, "storage")]
    bodies = {**METERED, paths.METERS: lines, paths.READINGS: [*METERED[paths.READINGS], reading(STORAGE, -1298.0)],
              paths.ENSEMBLE: ensemble(battery("492")), paths.ENSEMBLE_POWER: power(("492", -1_084_000))}  # fmt: skip
    found = once(bodies)
    assert totals(found)["battery_power_w"] == -1298.0
    assert of(found, "envoy_battery", "492")["power_w"] == -1084.0


def test_q_b18_and_q_b19_nothing_is_read_from_the_live_stream_or_the_tariff() -> None:
    asked = {endpoint.path for endpoint in ENDPOINTS}
    assert not any("livedata" in path or "tariff" in path for path in asked | paths.PATHS)


# --- 5.8 time ---------------------------------------------------------------------------------------------------


def test_q_t1_a_gateways_clock_that_is_off_is_taken_out_of_report_times() -> None:
    bodies = {**STANDARD, paths.V1_INVERTERS: [inverter(ONE, NOW + 3600 - 60)]}
    found = points(once(bodies, skew_s=3600.0), "envoy_inverter")[ONE]
    assert found.time == NOW - 60


@pytest.mark.parametrize("written", [NOW - 300, str(NOW - 300)])
def test_q_t3_times_are_read_as_text_and_as_numbers(written: Json) -> None:
    fields = of(
        once({**METERED, paths.ENSEMBLE: ensemble(battery("492", last_rpt_date=written))}), "envoy_battery", "492"
    )
    assert fields["report_age_s"] == 305


@pytest.mark.parametrize("second", [0, None, "never"])
def test_q_t4_a_missing_time_makes_no_measured_point_of_an_inverter(second: Json) -> None:
    row = {**inverter(ONE), "lastReportDate": second}
    assert points(once({**STANDARD, paths.V1_INVERTERS: [row, inverter(TWO)]}), "envoy_inverter").keys() == {TWO}
    rows = [{**row, "timestamp": second} for row in METERED[paths.READINGS]]
    assert totals(once({**METERED, paths.READINGS: rows})) == totals(once(METERED)), "readings are of the poll"


def test_q_t5_each_device_has_its_own_time_beside_the_totals_tick() -> None:
    found = once({**METERED, paths.V1_INVERTERS: [inverter(ONE, NOW - 873), inverter(TWO, NOW - 11)]})
    assert {name: p.time for name, p in points(found, "envoy_inverter").items()} == {ONE: NOW - 873, TWO: NOW - 11}
    assert {p.time for p in found.readings if p.role == "totals"} == {NOW}

"""Gateways that nobody recorded yet, put together from what is known of them: the general case, not the file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from logger.daemon.gateway_state import GatewayState
from logger.daemon.tick import TickResult, run_tick
from logger.energy.state import EnergyState
from logger.gateway.endpoints import plan
from logger.model import GatewayInfo, Json, Snapshot
from logger.readings import paths
from logger.readings.source_selection import Sources
from logger.readings.wanted import find_wanted
from logger.simulator import household
from logger.simulator.invented_gateway import InventedGateway, invent_gateway
from logger.site import Site
from tests.readings.site import (
    BOTH,
    CONSUMPTION,
    INFO,
    METERED,
    NOW,
    PRODUCTION,
    STANDARD,
    STORAGE,
    Bodies,
    Body,
    battery,
    document,
    ensemble,
    inverter,
    meter,
    once,
    points,
    power,
    reading,
    totals,
)

NOON = 1_782_036_000
LEGACY = GatewayInfo("121621012167", "D5.0.62", "800-00551-r02", True, False, 0.0)
CONTROLLER: Body = {"type": "ENPOWER", "devices": [{"serial_num": "122", "temperature": 68, "communicating": True}]}


def documents_of(plant: InventedGateway) -> dict[str, Any]:
    found = {}
    for path in paths.PATHS:
        reply = plant.answer(path, NOON)
        if reply.status == 200 and not reply.body.lstrip().startswith(b"<"):
            found[path] = json.loads(reply.body)
    return found


def polled(info: GatewayInfo, bodies: Bodies, at: int = NOON) -> TickResult:
    """A first poll, of what this gateway's plan asks alone."""
    asked = {endpoint.path for endpoint in plan(info)}
    documents = {path: document(path, body, at + 5.0) for path, body in bodies.items() if path in asked}
    snapshot = Snapshot(info, at, documents, {}, paths.PATHS - documents.keys())
    return run_tick(snapshot, BOTH, GatewayState(), Site(zone="UTC"))


def controller(**state: Json) -> Bodies:
    group = {**CONTROLLER, "devices": [{**CONTROLLER["devices"][0], **state}]}
    return {
        **METERED,
        paths.ENSEMBLE: [*ensemble(battery("492")), group],
        paths.ENSEMBLE_POWER: power(("492", 900_000)),
    }


def grid(found: TickResult) -> dict[str, Any]:
    return dict(points(found, "envoy_grid")[""].fields)


@pytest.mark.parametrize("count", [50, 51, 120])
def test_a_standard_site_of_more_than_fifty_devices_counts_and_writes_each(count: int) -> None:
    bodies = documents_of(invent_gateway("8-standard", inverters=count, epoch=NOON - 30 * 86400))
    found = polled(INFO, {path: body for path, body in bodies.items() if path in (*STANDARD, paths.DEVICE_DATA)})
    assert totals(found)["inverters"] == count
    assert len(points(found, "envoy_inverter")) == len(points(found, "envoy_inverter_status")) == count
    assert sum("dc_voltage_v" in p.fields for p in points(found, "envoy_inverter").values()) == 50
    assert totals(found)["production_lifetime_wh"] == bodies[paths.V1]["wattHoursLifetime"]


def test_a_site_that_is_off_the_grid_runs_on_its_battery() -> None:
    bodies = controller(mains_oper_state="open", Enpwr_grid_mode="multimode-offgrid")
    rows = [reading(PRODUCTION, 0.0), {**reading(CONSUMPTION, 0.0), "voltage": 0.0}]
    found = once({**bodies, paths.READINGS: rows})
    assert grid(found) == {"grid_state": "off-grid", "relay_closed": False, "controller_temperature_c": 20.0}
    assert totals(found)["load_power_w"] == 900.0
    assert totals(found)["battery_state"] == "discharging"


@pytest.mark.parametrize(
    ("word", "closed"),
    [("closed", True), ("open", False), ("open synchronizing", False), ("open synchronized", False)],
)
def test_a_relay_is_open_until_it_is_closed(word: str, closed: bool) -> None:
    state = "on-grid" if closed else "off-grid"
    assert grid(once(controller(mains_oper_state=word)))["relay_closed"] is closed
    assert grid(once(controller(mains_oper_state=word)))["grid_state"] == state


@pytest.mark.parametrize("word", ["", "unknown", "opening", None, 5])
def test_a_word_for_the_relay_that_nobody_knows_is_no_state(word: Json) -> None:
    assert grid(once(controller(mains_oper_state=word))) == {"controller_temperature_c": 20.0}


def test_a_collar_that_cut_the_house_off_says_so() -> None:
    group: Json = {"type": "COLLAR", "devices": [{"mid_state": "open", "grid_state": "off_grid", "temperature": 31}]}
    found = grid(once({**METERED, paths.ENSEMBLE: [group]}))
    assert found == {"grid_state": "off-grid", "relay_closed": False, "controller_temperature_c": 31.0}


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"oper_state": "open"}, "disconnected"),
        ({"oper_state": "Close"}, "connected"),
        ({"generator": {"oper_state": "close"}}, "connected"),
        ({"oper_state": "Warming"}, "warming"),
        ({"oper_state": 1}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_generator_says_its_state_in_any_of_its_forms(body: Json, state: str | None) -> None:
    bodies = {**controller(mains_oper_state="open"), paths.GENERATOR_CONFIG: {"model": "x"}, paths.GENERATOR: body}
    assert grid(once(bodies)).get("generator_state") == state


def test_where_a_generator_is_set_up_its_state_is_asked_for_each_minute() -> None:
    bodies = {**controller(mains_oper_state="closed"), paths.GENERATOR_CONFIG: {"model": "x"}}

    def asked(config: Json) -> tuple[bool, bool]:
        known = {p: document(p, b, NOW) for p, b in {**bodies, paths.GENERATOR_CONFIG: config}.items()}
        found = find_wanted(Snapshot(INFO, NOW, known, {}, frozenset({paths.INVENTORY})), Sources(), EnergyState())
        return paths.GENERATOR in found.paths, {paths.GENERATOR, paths.ENSEMBLE} <= found.often

    assert asked({"model": "x"}) == (True, True)
    assert not asked({})[0]


def test_a_gateway_before_tokens_may_have_batteries() -> None:
    bodies = {**controller(mains_oper_state="closed"), paths.SECCTRL: {"agg_soc": 40, "ENC_agg_avail_energy": 2000}}
    found = polled(LEGACY, bodies, NOW)
    assert totals(found)["batteries"] == 1
    assert totals(found)["battery_power_w"] == 900.0
    assert grid(found)["grid_state"] == "on-grid"
    known = {path: document(path, bodies[path], NOW) for path in (paths.ENSEMBLE, paths.METERS, paths.V1_INVERTERS)}
    asked = find_wanted(Snapshot(LEGACY, NOW, known, {}, frozenset({paths.INVENTORY})), Sources(), EnergyState())
    assert {paths.ENSEMBLE_POWER, paths.SECCTRL} <= asked.paths & {endpoint.path for endpoint in plan(LEGACY)}


def test_the_first_firmware_with_batteries_named_its_energies_otherwise() -> None:
    profile: Json = {"grid_profile_name": "IEEE 1547", "id": "x", "grid_profile_version": "1", "item_count": 99}
    early = battery("492", real_power_w=-516, led_status=13)
    bodies = {**METERED, paths.ENSEMBLE: [profile, *ensemble(early)], paths.ENSEMBLE_POWER: power(("492", -516_000)),
              paths.SECCTRL: {"agg_soc": 44, "agg_backup_energy": 1000, "agg_avail_energy": 1452,
                          "Enc_max_available_capacity": 3300}}  # fmt: skip
    found = totals(once(bodies))
    assert (found["battery_energy_wh"], found["battery_capacity_wh"]) == (1452.0, 3300.0)
    assert (found["battery_power_w"], found["battery_state"]) == (-516.0, "charging")


def test_a_storage_ct_that_loses_a_phase_for_a_poll_is_left_out_for_that_poll() -> None:
    lines = [*METERED[paths.METERS], meter(STORAGE, "storage", phases=2)]

    def storage(second: float) -> Body:
        channels = [
            {"voltage": v, "activePower": -600.0 * (v > 0), "actEnergyDlvd": v, "actEnergyRcvd": v, "freq": 60.0}
            for v in (121.0, second, 0.0)
        ]
        return {**reading(STORAGE, -1200.0 if second else -600.0), "channels": channels}

    bodies = {**METERED, paths.METERS: lines, paths.ENSEMBLE: ensemble(battery("492"))}
    well = once({**bodies, paths.READINGS: [*METERED[paths.READINGS], storage(120.0)]})
    half = once({**bodies, paths.READINGS: [*METERED[paths.READINGS], storage(0.0)]})
    assert totals(well)["battery_power_w"] == -1200.0
    assert "battery_power_w" not in totals(half)
    assert set(points(half, "envoy_meter")) == {"production", "net-consumption"}
    assert {name: p.fields for name, p in points(half, "envoy_meter").items()} == {
        name: p.fields for name, p in points(well, "envoy_meter").items() if name != "storage"
    }


def test_a_three_phase_site_without_cts_has_inverters_and_no_phases() -> None:
    site = household.Household(inverters=9, phases=3, epoch=NOON - 30 * 86400)
    found = polled(INFO, documents_of(invent_gateway("8-standard", site)))
    assert points(found, "envoy_phase") == points(found, "envoy_meter") == {}
    assert len(points(found, "envoy_inverter")) == 9
    assert "net_power_w" not in totals(found)


def test_a_production_ct_alone_tells_of_production_alone() -> None:
    lines = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "net-consumption", state="disabled")]
    found = totals(once({**METERED, paths.METERS: lines}))
    assert found["production_power_w"] == 2000.0
    assert not [name for name in found if name.startswith(("consumption", "load", "net", "grid"))]


def test_a_consumption_ct_alone_stands_beside_the_inverters_own_figures() -> None:
    lines = [meter(PRODUCTION, "production", state="disabled"), meter(CONSUMPTION, "net-consumption")]
    block = {"type": "inverters", "activeCount": 2, "wNow": 600, "whLifetime": 777_000}
    found = totals(once({**METERED, paths.METERS: lines, paths.BLOCKS: {"production": [block], "consumption": []}}))
    assert (found["production_power_w"], found["net_power_w"]) == (600.0, -500.0)
    assert not {"load_power_w", "consumption_power_w"} & found.keys()  # a mean of minutes and a power of this second


def test_a_total_ct_with_a_battery_is_the_house_itself() -> None:
    lines = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "total-consumption")]
    rows = [reading(PRODUCTION, 2000.0), reading(CONSUMPTION, 800.0)]
    bodies = {**METERED, paths.METERS: lines, paths.READINGS: rows, paths.ENSEMBLE: ensemble(battery("492")),
              paths.ENSEMBLE_POWER: power(("492", -1_000_000))}  # fmt: skip
    found = totals(once(bodies))
    assert (found["load_power_w"], found["consumption_power_w"]) == (800.0, 800.0)


def test_a_meter_of_a_generator_is_a_meter_like_others() -> None:
    lines = [*METERED[paths.METERS], meter(704645376, "generator")]
    found = once(
        {**METERED, paths.METERS: lines, paths.READINGS: [*METERED[paths.READINGS], reading(704645376, 5000.0)]}
    )
    assert points(found, "envoy_meter")["generator"].fields["power_w"] == 5000.0
    assert totals(found)["production_power_w"] == 2000.0


def test_old_firmware_that_refuses_its_lists_still_gives_its_totals() -> None:
    refused = replace(LEGACY, firmware="D3.18.10")
    found = polled(refused, {paths.V1: STANDARD[paths.V1]}, NOW)
    assert totals(found)["production_power_w"] == 1990.0
    assert "inverters" not in totals(found)


def test_a_gateway_that_refuses_the_readings_of_its_meters_gives_its_blocks() -> None:
    eim: Json = {"type": "eim", "activeCount": 1, "measurementType": "production", "wNow": 2000.5, "whLifetime": 5e6}
    blocks: Json = {
        "production": [{"type": "inverters", "activeCount": 2, "wNow": 1985, "whLifetime": 4_999_950}, eim],
        "consumption": [{"type": "eim", "activeCount": 1, "measurementType": "net-consumption", "wNow": -500.0}],
    }
    refused = {path: body for path, body in METERED.items() if path != paths.READINGS}
    found = totals(once({**refused, paths.BLOCKS: blocks}))
    names = ("production_power_w", "production_lifetime_wh", "net_power_w", "load_power_w")
    assert [found.get(name) for name in names] == [2000.5, 5e6, -500.0, 1500.5]
    late = totals(once({**refused, paths.BLOCKS: blocks}, unknown=[paths.READINGS]))
    assert not late.keys() & set(names), "readings that are late are no refusal"


def test_a_gateway_with_a_kind_of_hardware_that_nobody_knows_gives_the_rest() -> None:
    strange: Json = {"type": "FUSION REACTOR", "devices": [{"serial_num": "1", "temperature": 1e7}]}
    meters = [*METERED[paths.METERS], {**meter(1, "antimatter"), "phaseCount": 9}]
    found = once({**METERED, paths.METERS: meters, paths.ENSEMBLE: [strange, *ensemble(battery("492"))],
                  paths.READINGS: [*METERED[paths.READINGS], reading(1, 1e9)]})  # fmt: skip
    assert totals(found)["batteries"] == 1
    assert set(points(found, "envoy_meter")) == {"production", "net-consumption"}


def test_inverters_under_one_serial_in_two_documents_are_one() -> None:
    bodies = documents_of(invent_gateway("8-metered", inverters=5, epoch=NOON - 30 * 86400))
    found = polled(INFO, bodies)
    assert len(points(found, "envoy_inverter")) == len(points(found, "envoy_inverter_status")) == 5
    more = {**bodies, paths.V1_INVERTERS: [*bodies[paths.V1_INVERTERS], inverter("122999999999", NOON - 60)]}
    assert len(points(polled(INFO, more), "envoy_inverter")) == 6


@pytest.mark.parametrize("config", [{"generator_settings": {}}, {"generator_settings": {}, "gen_type": ""}])
def test_a_configuration_with_nothing_in_it_is_no_generator(config: Json) -> None:
    bodies = {**controller(mains_oper_state="closed"), paths.GENERATOR_CONFIG: config}
    assert "generator_state" not in grid(once({**bodies, paths.GENERATOR: {"oper_state": "open", "present": 1}}))


def test_unknown_is_the_state_of_no_generator_and_of_no_grid() -> None:
    bodies = {**controller(mains_oper_state="closed"), paths.GENERATOR_CONFIG: {"model": "x"}}
    assert "generator_state" not in grid(once({**bodies, paths.GENERATOR: {"oper_state": "unknown"}}))
    collar: Json = {"type": "COLLAR", "devices": [{"serial_num": "4825", "grid_state": "unknown", "temperature": 31}]}
    assert grid(once({**METERED, paths.ENSEMBLE: [collar]})) == {"controller_temperature_c": 31.0}


def test_a_key_of_early_firmware_that_ends_with_a_blank_is_read() -> None:
    odd = {"Enchg_grid_mode ": "multimode-offgrid"}
    assert "grid_state" not in grid(once(controller(mains_oper_state="closed", **odd)))

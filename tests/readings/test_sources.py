"""Which document a value comes from: rows, surely none, or cannot tell; and never silently another one."""

from __future__ import annotations

import pytest

from logger.model import Json
from logger.readings import paths
from logger.readings.rows import ABSENT, UNKNOWN, Selector
from logger.readings.selectors import batteries, production
from logger.readings.selectors import device_data as data_rows
from logger.readings.selectors import ensemble as ensemble_rows
from logger.readings.selectors import inventory as inventory_rows
from logger.readings.selectors import inverters as inverter_rows
from tests.readings.site import (
    CONSUMPTION,
    METERED,
    NOW,
    PRODUCTION,
    STANDARD,
    STORAGE,
    Bodies,
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
    view,
)

PDM: Json = {
    "production": {
        "pcu": {"wattHoursToday": 1, "wattHoursSevenDays": 2, "wattHoursLifetime": 3, "wattsNow": 4},
        "eim": {"wattHoursToday": 1, "wattHoursSevenDays": 2, "wattHoursLifetime": 0, "wattsNow": 4},
    }
}
BLOCKS: Json = {
    "production": [
        {"type": "inverters", "activeCount": 2, "wNow": 434, "whLifetime": 777},
        {"type": "eim", "activeCount": 1, "measurementType": "production", "wNow": 2000.5, "whLifetime": 5e6},
    ],
    "storage": [{"type": "acb", "activeCount": 1, "wNow": 260, "readingTime": NOW - 60}],
}
SELECTORS: list[tuple[str, str, Selector]] = [
    (paths.V1, "v1 totals", production.v1_totals),
    (paths.PDM, "pdm", production.pdm("production", "pcu")),
    (paths.BLOCKS, "inverters block", production.inverters_block),
    (paths.BLOCKS, "both kinds", batteries.both_kinds_power_sum),
    (paths.V1_INVERTERS, "v1 list", inverter_rows.v1_inverters),
    (paths.V1_INVERTERS, "living", inverter_rows.living_inverters),
    (paths.V1_INVERTERS, "flags", inverter_rows.list_flags),
    (paths.V1_INVERTERS, "sum", inverter_rows.inverter_power_sum),
    (paths.DEVICE_DATA, "device data sums", data_rows.device_data_sums),
    (paths.DEVICE_DATA, "device data installed", data_rows.device_data_inverters),
    (paths.INVENTORY, "inventory", inventory_rows.inventory_inverters),
    (paths.ENSEMBLE, "ensemble", ensemble_rows.encharge_inventory),
    (paths.ENSEMBLE, "ensemble fresh", ensemble_rows.devices_now("ENCHARGE")),
    (paths.ENSEMBLE_POWER, "ensemble power", ensemble_rows.encharge_power),
    (paths.ENSEMBLE_STATUS, "ensemble status", ensemble_rows.encharge_status),
]
FULL: Bodies = {
    **STANDARD,
    paths.PDM: PDM,
    paths.BLOCKS: BLOCKS,
    paths.DEVICE_DATA: device_data(detailed("122000000001")),
    paths.INVENTORY: inventory(listed("122000000001"), batteries=[listed("121000000001")]),
    paths.ENSEMBLE: ensemble(battery("492000000001")),
    paths.ENSEMBLE_POWER: power(("492000000001", 1)),
    paths.ENSEMBLE_STATUS: {"inventory": {"serial_nums": {"492000000001": {"device_type": 13}}}},
}
IDS = [name for _, name, _ in SELECTORS]


def without(bodies: Bodies, path: str) -> Bodies:
    return {p: body for p, body in bodies.items() if p != path}


@pytest.mark.parametrize(("path", "name", "select"), SELECTORS, ids=IDS)
def test_a_document_that_is_there_gives_rows(path: str, name: str, select: Selector) -> None:
    assert select(view(FULL)), name


@pytest.mark.parametrize(("path", "name", "select"), SELECTORS, ids=IDS)
def test_a_document_that_is_settled_as_absent_is_surely_none(path: str, name: str, select: Selector) -> None:
    assert select(view(without(FULL, path))) is ABSENT, name


@pytest.mark.parametrize(("path", "name", "select"), SELECTORS, ids=IDS)
def test_a_document_that_has_not_answered_yet_cannot_tell(path: str, name: str, select: Selector) -> None:
    assert select(view(without(FULL, path), unknown=[path])) is UNKNOWN, name


@pytest.mark.parametrize("broken", [None, "text", 5, True], ids=str)
@pytest.mark.parametrize(("path", "name", "select"), SELECTORS, ids=IDS)
def test_a_body_of_another_shape_cannot_tell(path: str, name: str, select: Selector, broken: Json) -> None:
    assert select(view({**FULL, path: broken})) is UNKNOWN, name


@pytest.mark.parametrize(
    "body", [[], [{"devices": []}], [{"type": "PCU"}], [{"type": "PCU", "devices": None}]], ids=str
)
def test_a_cut_inventory_cannot_tell_and_does_not_hand_over_to_the_list(body: Json) -> None:
    found = once({**METERED, paths.INVENTORY: body})
    assert "inverters" not in totals(found)
    assert "communicating" not in points(found, "envoy_inverter_status")["122000000001"].fields


def test_an_inventory_without_inverters_hands_over_to_the_list() -> None:
    assert totals(once({**METERED, paths.INVENTORY: inventory()}))["inverters"] == 2


# --- the source of a total --------------------------------------------------------------------------------------


def test_a_source_once_chosen_that_is_silent_leaves_the_value_absent() -> None:
    recorder = Recorder()
    assert recorder.totals(snapshot(METERED))["production_power_w"] == 2000.0
    later = {**METERED, paths.METERS: [meter(PRODUCTION, "production", state="disabled")], paths.BLOCKS: BLOCKS}
    assert "production_power_w" not in recorder.totals(snapshot(later, tick=NOW + 60))


def test_a_reading_that_lacks_its_meter_leaves_the_value_absent() -> None:
    recorder = Recorder()
    recorder.read(snapshot(METERED))
    found = recorder.totals(snapshot({**METERED, paths.READINGS: [reading(CONSUMPTION, 5.0)]}, tick=NOW + 60))
    assert "production_power_w" not in found
    assert found["net_power_w"] == 5.0


def test_a_better_source_that_appears_is_used() -> None:
    recorder = Recorder()
    assert recorder.totals(snapshot(STANDARD))["production_power_w"] == 1990.0
    assert recorder.totals(snapshot(METERED, tick=NOW + 60))["production_power_w"] == 2000.0
    assert recorder.state.readings.sources.counters["production"] == "production meter"


def test_the_chosen_source_goes_on_while_a_better_one_that_had_nothing_is_silent() -> None:
    recorder = Recorder()
    first = without(STANDARD, paths.METERS)
    assert recorder.totals(snapshot(first))["production_power_w"] == 1990.0
    assert recorder.state.readings.sources.fields["envoy_totals.production_power_w"] == "v1 totals"
    again = snapshot(first, tick=NOW + 60, unknown=[paths.BLOCKS])
    assert recorder.totals(again)["production_power_w"] == 1990.0


def test_nothing_is_chosen_before_the_better_sources_have_had_their_word() -> None:
    assert "production_power_w" not in totals(once(without(STANDARD, paths.METERS), unknown=[paths.BLOCKS]))


@pytest.mark.parametrize("line", [{"eid": None}, {"state": None}, {"state": "?"}, {"measurementType": 7}], ids=str)
def test_a_meter_line_that_cannot_be_read_hands_over_to_no_other_source(line: dict[str, Json]) -> None:
    meters: Json = [{**meter(PRODUCTION, "production"), **line}, meter(CONSUMPTION, "net-consumption")]
    found = totals(once({**METERED, paths.METERS: meters, paths.BLOCKS: BLOCKS}))
    assert "production_power_w" not in found
    assert "production_lifetime_wh" not in found
    assert found["net_power_w"] == -500.0


def test_a_list_of_meters_that_cannot_be_read_leaves_production_absent() -> None:
    assert "production_power_w" not in totals(once({**METERED, paths.METERS: "?"}))


# --- production -------------------------------------------------------------------------------------------------


def test_v1_is_ignored_where_the_production_ct_is_disabled() -> None:
    """Q-P3."""
    bodies = {**METERED, paths.METERS: [meter(PRODUCTION, "production", state="disabled")]}
    assert production.v1_totals(view(bodies)) is ABSENT


def test_a_disabled_ct_gives_no_value_however_alive_it_looks() -> None:
    """Q-P1."""
    off: Json = [
        meter(PRODUCTION, "production", state="disabled"),
        meter(CONSUMPTION, "net-consumption", state="disabled"),
    ]
    found = once({**METERED, paths.METERS: off, paths.BLOCKS: BLOCKS})
    assert points(found, "envoy_meter") == {}
    assert totals(found)["production_power_w"] == 434.0
    assert not {"net_power_w", "consumption_power_w", "load_power_w"} & totals(found).keys()


def test_v1_with_a_lifetime_of_zero_is_dead() -> None:
    """Q-P3 on Standard firmware, and Q-P8 after a start."""
    dead = {**STANDARD, paths.V1: {"wattsNow": 0, "wattHoursToday": 0, "wattHoursLifetime": 0}, paths.BLOCKS: BLOCKS}
    assert totals(once(dead))["production_power_w"] == 434.0


def test_v1_without_its_lifetime_cannot_tell() -> None:
    assert production.v1_totals(view({**STANDARD, paths.V1: {"wattsNow": 5}})) is UNKNOWN


def test_power_is_summed_from_the_list_only_over_inverters_that_were_heard() -> None:
    fresh, stale = inverter("122000000001", watts=100), inverter("122000000002", NOW - 3600, 90)
    bodies: Bodies = {
        paths.METERS: [],
        paths.V1_INVERTERS: [fresh, stale, inverter("122000000003", kind=11, watts=250)],
    }
    assert totals(once(bodies))["production_power_w"] == 100.0


def test_a_sum_with_an_unreadable_part_is_no_sum() -> None:
    bodies: Bodies = {
        paths.METERS: [],
        paths.V1_INVERTERS: [inverter("122000000001"), {"serialNumber": "122000000002"}],
    }
    assert "production_power_w" not in totals(once(bodies))


@pytest.mark.parametrize("broken", [{"type": None}, {"activeCount": "x"}, {"measurementType": 5}], ids=str)
def test_a_ct_block_that_cannot_be_read_hands_over_to_no_other_block(broken: dict[str, Json]) -> None:
    eim: dict[str, Json] = {
        "type": "eim",
        "activeCount": 1,
        "measurementType": "production",
        "wNow": 9.0,
        "whLifetime": 5e6,
    }
    body: Json = {"production": [{"type": "inverters", "wNow": 8, "whLifetime": 777}, {**eim, **broken}]}
    assert not {"production_power_w", "production_lifetime_wh"} & totals(once({paths.BLOCKS: body})).keys()


@pytest.mark.parametrize("kind", [{}, {"measurementType": None}, {"measurementType": ""}], ids=str)
def test_q_p23_a_production_block_that_names_no_kind_is_the_production_meter(kind: dict[str, Json]) -> None:
    eim: dict[str, Json] = {"type": "eim", "activeCount": 1, "wNow": 9.0, "whLifetime": 5e6, **kind}
    assert totals(once({paths.BLOCKS: {"production": [eim]}}))["production_power_w"] == 9.0


def test_the_ct_block_counts_only_where_there_is_no_list_of_meters_and_with_active_count_1() -> None:
    """Q-P1, Q-P4."""
    select = production.ct_block("production", "production")
    assert select(view({paths.BLOCKS: BLOCKS}))
    assert select(view({paths.BLOCKS: BLOCKS, paths.METERS: []})) is ABSENT
    assert select(view({paths.BLOCKS: BLOCKS}, unknown=[paths.METERS])) is UNKNOWN
    assert select(view({paths.BLOCKS: {"production": [{"type": "eim", "activeCount": 0}]}})) is ABSENT


# --- meters -----------------------------------------------------------------------------------------------------


def test_readings_are_joined_by_eid_and_phantom_rows_are_ignored() -> None:
    """Q-M1: order and number of the rows are no promise."""
    rows: Json = [reading(1023410688, 9.0), reading(CONSUMPTION, -500.0), {"eid": [1]}, reading(PRODUCTION, 2000.0)]
    found = points(once({**METERED, paths.READINGS: rows}), "envoy_meter")
    assert {name: point.fields["power_w"] for name, point in found.items()} == {
        "production": 2000.0,
        "net-consumption": -500.0,
    }


def test_two_rows_with_one_eid_are_neither_written() -> None:
    rows: Json = [reading(PRODUCTION, 1.0), reading(PRODUCTION, 2.0), reading(CONSUMPTION, 3.0)]
    found = once({**METERED, paths.READINGS: rows})
    assert set(points(found, "envoy_meter")) == {"net-consumption"}
    assert "production_power_w" not in totals(found)


@pytest.mark.parametrize(("phases", "names"), [(1, ["L1"]), (2, ["L1", "L2"]), (3, ["L1", "L2", "L3"])])
def test_the_first_phase_count_channels_are_phases_whatever_the_mode_says(phases: int, names: list[str]) -> None:
    """Q-M3, Q-M4."""
    bodies = {**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=phases, mode="three")]}
    assert sorted(points(once(bodies), "envoy_phase")) == [f"production/{name}" for name in names]


@pytest.mark.parametrize("phases", [0, 4, None, "x", 2.5, True])
def test_an_unreadable_phase_count_gives_no_phase_and_no_voltage(phases: Json) -> None:
    found = once({**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=phases)]})
    assert points(found, "envoy_phase") == {}
    fields = points(found, "envoy_meter")["production"].fields
    assert "voltage_v" not in fields
    assert fields["power_w"] == 2000.0


def test_a_channel_that_is_missing_does_not_shift_the_others() -> None:
    row = reading(PRODUCTION, 2000.0)
    row["channels"] = [{"activePower": 1.0}, None, {"activePower": 3.0}]
    bodies = {**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=3)], paths.READINGS: [row]}
    found = points(once(bodies), "envoy_phase")
    assert {name: p.fields["power_w"] for name, p in found.items()} == {"production/L1": 1.0, "production/L3": 3.0}


def test_the_voltage_of_a_meter_is_the_mean_of_its_phases() -> None:
    """Q-M5."""
    channels: list[Json] = [{"activePower": 1.0, "voltage": volts} for volts in (233.0, 234.0, 235.0)]
    row: Json = {**reading(PRODUCTION, 1.0), "voltage": 702.0, "channels": channels}
    bodies = {**METERED, paths.METERS: [meter(PRODUCTION, "production", phases=3)], paths.READINGS: [row]}
    assert points(once(bodies), "envoy_meter")["production"].fields["voltage_v"] == 234.0


def storage_site(volts: tuple[float, float], kind: str = "storage") -> Bodies:
    row = reading(STORAGE, -1000.0)
    row["channels"] = [{"activePower": 1.0, "voltage": v} for v in volts]
    meters: Json = [meter(STORAGE, kind, phases=2, mode="split")]
    return {
        paths.METERS: meters,
        paths.READINGS: [row],
        paths.ENSEMBLE: ensemble(battery("492000000001")),
        paths.INVENTORY: inventory(),
    }


def test_a_half_dead_storage_meter_is_discarded() -> None:
    """Q-M13."""
    found = once(storage_site((0.0, 121.0)))
    assert points(found, "envoy_meter") == {}
    assert not [name for name in totals(found) if name.startswith("battery_power") or "charged" in name]
    assert points(once(storage_site((121.0, 120.0))), "envoy_meter")


def test_another_meter_with_one_leg_is_written_as_it_came() -> None:
    assert (
        points(once(storage_site((121.0, 0.0), "backfeed")), "envoy_meter")["backfeed"].fields["power_w"] == -1000.0
    )


def test_an_unknown_kind_of_meter_makes_no_series() -> None:
    found = once({**METERED, paths.METERS: [meter(5, "surprise")], paths.READINGS: [reading(5, 1.0)]})
    assert points(found, "envoy_meter") == {}


# --- batteries --------------------------------------------------------------------------------------------------

BATTERY_SITE: Bodies = {
    **METERED,
    paths.INVENTORY: inventory(listed("122000000001")),
    paths.ENSEMBLE: ensemble(battery("492000000001"), battery("492000000002")),
    paths.ENSEMBLE_POWER: power(("492000000001", 500_000), ("492000000002", 600_000)),
    paths.SECCTRL: {
        "agg_soc": 54,
        "ENC_agg_avail_energy": 5400,
        "ACB_agg_energy": 0,
        "Enc_max_available_capacity": 10000,
    },
}


@pytest.mark.parametrize("key", ["devices:", "devices"])
def test_the_power_list_is_found_with_and_without_the_colon(key: str) -> None:
    """Q-B1."""
    bodies = {**BATTERY_SITE, paths.ENSEMBLE_POWER: power(("492000000001", 1000), ("492000000002", 2000), key=key)}
    assert totals(once(bodies))["battery_power_w"] == 3.0


def test_battery_power_is_no_sum_while_one_battery_is_missing() -> None:
    found = once({**BATTERY_SITE, paths.ENSEMBLE_POWER: power(("492000000001", 1000))})
    assert not {"battery_power_w", "battery_state", "load_power_w"} & totals(found).keys()
    assert totals(found)["consumption_power_w"] == 1500.0


def test_batteries_that_are_not_installed_give_nothing_but_a_count() -> None:
    """Q-B7, Q-B9: a 200 does not prove that there are any."""
    bodies = {**BATTERY_SITE, paths.ENSEMBLE: ensemble(), paths.ENSEMBLE_POWER: {"devices:": []}}
    found = once(bodies)
    assert totals(found)["batteries"] == 0
    assert not [name for name in totals(found) if name.startswith("battery_")]
    assert points(found, "envoy_battery") == {}
    assert totals(found)["load_power_w"] == 1500.0


def test_elements_without_a_type_are_skipped() -> None:
    """Q-B8."""
    body: Json = [
        {"grid_profile_name": "x", "item_count": 3},
        *ensemble(battery("492000000001")),
    ]
    assert totals(once({**BATTERY_SITE, paths.ENSEMBLE: body}))["batteries"] == 1


def test_a_group_whose_type_cannot_be_read_leaves_the_number_of_batteries_open() -> None:
    found = totals(once({**BATTERY_SITE, paths.ENSEMBLE: [{"type": None, "devices": [battery("492000000001")]}]}))
    assert not {"batteries", "load_power_w"} & found.keys()


def test_the_charge_of_the_power_list_wins_over_the_inventory() -> None:
    """Q-B2."""
    assert points(once(BATTERY_SITE), "envoy_battery")["492000000001"].fields["charge_percent"] == 54.0


def test_an_ac_battery_block_older_than_20_minutes_is_silent() -> None:
    """Q-B3."""
    bodies: Bodies = {
        **METERED,
        paths.INVENTORY: inventory(listed("122000000001"), batteries=[listed("121000000001")]),
        paths.BLOCKS: BLOCKS,
    }
    assert totals(once(bodies))["battery_power_w"] == 260.0
    for age_s, alive in ((1190, True), (1210, False)):
        block: Json = {"type": "acb", "activeCount": 1, "wNow": 260, "readingTime": NOW + 5 - age_s}
        found = totals(once({**bodies, paths.BLOCKS: {"production": [], "storage": [block]}}))
        assert ("battery_power_w" in found) == alive


def test_an_ac_battery_discharges_by_its_charge_status_not_by_its_flag() -> None:
    for status, producing in (("idle", False), ("discharging", True), ("charging", False)):
        acb = listed("121000000001", producing=True, charge_status=status)
        found = once({**METERED, paths.INVENTORY: inventory(listed("122000000001"), batteries=[acb])})
        fields = points(found, "envoy_battery")["121000000001"].fields
        assert (fields["state"], fields["producing"]) == (status, producing)


@pytest.mark.parametrize(
    ("watts", "state"), [(60.0, "idle"), (61.0, "discharging"), (-60.0, "idle"), (-61.0, "charging")]
)
def test_the_battery_state_has_a_threshold_of_30_w_a_battery(watts: float, state: str) -> None:
    bodies = {**BATTERY_SITE, paths.ENSEMBLE_POWER: power(("492000000001", watts * 1000), ("492000000002", 0))}
    assert totals(once(bodies))["battery_state"] == state


def test_stored_energy_is_not_told_while_the_ac_batteries_part_is_missing() -> None:
    both = {**BATTERY_SITE, paths.INVENTORY: inventory(listed("122000000001"), batteries=[listed("121000000001")])}
    assert (
        totals(once({**both, paths.SECCTRL: {"ENC_agg_avail_energy": 100, "ACB_agg_energy": 20}}))[
            "battery_energy_wh"
        ]
        == 120
    )
    assert "battery_energy_wh" not in totals(once({**both, paths.SECCTRL: {"ENC_agg_avail_energy": 100}}))
    assert totals(once({**BATTERY_SITE, paths.SECCTRL: {"agg_avail_energy": 100}}))["battery_energy_wh"] == 100.0


def test_a_site_with_ac_batteries_has_no_known_capacity() -> None:
    assert totals(once(BATTERY_SITE))["battery_capacity_wh"] == 10000.0
    both = {**BATTERY_SITE, paths.INVENTORY: inventory(listed("122000000001"), batteries=[listed("121000000001")])}
    assert "battery_capacity_wh" not in totals(once(both))


def test_reserve_and_health_are_those_of_iq_batteries_and_a_health_of_zero_is_none() -> None:
    told: Json = {"configured_backup_soc": 0, "ENC_agg_soh": 97}
    found = totals(once({**BATTERY_SITE, paths.SECCTRL: told}))
    assert (found["battery_reserve_percent"], found["battery_health_percent"]) == (0.0, 97.0)
    silent: Json = {"configured_backup_soc": 30, "ENC_agg_soh": 0}
    found = totals(once({**BATTERY_SITE, paths.SECCTRL: silent}))
    assert found["battery_reserve_percent"] == 30.0
    assert "battery_health_percent" not in found
    acb = {**METERED, paths.INVENTORY: inventory(batteries=[listed("121000000001")]), paths.SECCTRL: told}
    assert not {"battery_reserve_percent", "battery_health_percent"} & totals(once(acb)).keys()


# --- consumption, load, net -------------------------------------------------------------------------------------


def test_with_a_net_ct_and_no_battery_consumption_and_load_are_production_plus_net() -> None:
    found = totals(once({**METERED, paths.ENSEMBLE: [], paths.INVENTORY: inventory(listed("122000000001"))}))
    assert (found["consumption_power_w"], found["load_power_w"], found["net_power_w"]) == (1500.0, 1500.0, -500.0)
    assert found["consumption_lifetime_wh"] == found["load_lifetime_wh"] == 5e6 + 3e6 - 1e6
    assert found["net_lifetime_wh"] == 3e6 - 1e6


def test_with_a_net_ct_and_a_battery_the_house_is_consumption_plus_discharge() -> None:
    found = totals(once(BATTERY_SITE))
    assert (found["consumption_power_w"], found["battery_power_w"], found["load_power_w"]) == (1500.0, 1100.0, 2600.0)
    assert found["load_lifetime_wh"] == found["consumption_lifetime_wh"]  # what the battery gave counts from now on
    assert "battery_discharged_lifetime_wh" not in found  # there is no storage meter to count it


def test_with_a_storage_meter_the_house_has_a_lifetime() -> None:
    meters: Json = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "net-consumption"), meter(STORAGE, "storage")]
    readings: Json = [
        reading(PRODUCTION, 2000.0, 5e6),
        reading(CONSUMPTION, -500.0, 3e6, 1e6),
        reading(STORAGE, 900.0, 2e5, 3e5),
    ]
    found = totals(once({**BATTERY_SITE, paths.METERS: meters, paths.READINGS: readings}))
    assert (found["battery_power_w"], found["battery_state"], found["load_power_w"]) == (900.0, "discharging", 2400.0)
    assert found["battery_discharged_lifetime_wh"] == 2e5
    assert found["battery_charged_lifetime_wh"] == 3e5
    assert found["load_lifetime_wh"] == 7e6 + 2e5 - 3e5


def test_with_a_total_ct_consumption_is_its_reading_and_net_the_difference() -> None:
    meters: Json = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "total-consumption")]
    readings: Json = [reading(PRODUCTION, 300.0, 5e6), reading(CONSUMPTION, 700.0, 9e6, 185.0)]
    found = totals(once({**METERED, paths.METERS: meters, paths.READINGS: readings}))
    assert (found["consumption_power_w"], found["load_power_w"], found["net_power_w"]) == (700.0, 700.0, 400.0)
    assert (found["consumption_lifetime_wh"], found["net_lifetime_wh"]) == (9e6, 4e6)
    assert not [name for name in found if name.startswith("grid_")]


def test_the_house_is_not_told_while_the_number_of_batteries_is_unknown() -> None:
    found = totals(once(METERED, unknown=[paths.ENSEMBLE]))
    assert found["consumption_power_w"] == 1500.0
    assert not {"load_power_w", "load_lifetime_wh", "batteries"} & found.keys()


# --- inverters --------------------------------------------------------------------------------------------------


def test_ac_batteries_are_not_counted_as_inverters() -> None:
    """Q-I5."""
    bodies = {**METERED, paths.V1_INVERTERS: [inverter("122000000001"), inverter("121000000001", kind=11)]}
    found = once(bodies)
    assert totals(found)["inverters"] == 1
    assert totals(found)["batteries"] == 1
    assert set(points(found, "envoy_inverter")) == {"122000000001"}


@pytest.mark.parametrize("admin", [0, 3])
def test_deleted_devices_of_the_inventory_are_not_there(admin: int) -> None:
    """Q-I12."""
    body = inventory(listed("122000000001"), listed("122000000002", admin=admin))
    found = once({**METERED, paths.INVENTORY: body})
    assert totals(found)["inverters"] == 1
    assert set(points(found, "envoy_inverter_status")) == {"122000000001"}


def test_inverters_gone_for_a_month_are_not_installed() -> None:
    """Q-I3."""
    bodies = {**METERED, paths.V1_INVERTERS: [inverter("122000000001"), inverter("122000000002", NOW - 31 * 86400)]}
    assert totals(once(bodies))["inverters"] == 1


@pytest.mark.parametrize("kind", [None, "x", [1]], ids=repr)
def test_a_device_that_does_not_say_what_it_is_makes_the_count_unclear_and_is_written_nowhere(kind: Json) -> None:
    found = once({**METERED, paths.V1_INVERTERS: [inverter("122000000001"), inverter("121000000001", kind=kind)]})
    assert not [name for name in totals(found) if name.startswith(("inverters", "batteries"))]
    assert set(points(found, "envoy_inverter")) == {"122000000001"}


def test_old_firmware_that_types_nothing_lists_only_inverters() -> None:
    untyped = [{k: v for k, v in inverter(f"12200000000{n}").items() if k != "devType"} for n in (1, 2)]
    assert totals(once({**METERED, paths.V1_INVERTERS: untyped}))["inverters"] == 2


def test_an_inverter_without_a_report_date_may_be_long_gone_and_nobody_counts_it() -> None:
    found = once(
        {
            **METERED,
            paths.V1_INVERTERS: [inverter("122000000001"), {**inverter("122000000002"), "lastReportDate": "?"}],
        }
    )
    assert not {"inverters", "inverters_communicating", "inverters_producing"} & totals(found).keys()
    assert "communicating" in points(found, "envoy_inverter_status")["122000000001"].fields


@pytest.mark.parametrize(
    "broken", [{"admin_state": None, "communicating": None}, {"admin_state": "x", "communicating": 1}]
)
def test_an_inventory_device_that_may_be_deleted_makes_the_count_unclear(broken: dict[str, Json]) -> None:
    body = inventory(listed("122000000001"), {**listed("122000000002"), **broken})
    assert "inverters" not in totals(once({**METERED, paths.INVENTORY: body}))


@pytest.mark.parametrize("broken", [{"active": None}, {"devName": 5}], ids=str)
def test_a_device_of_device_data_that_cannot_be_read_makes_count_and_sum_unclear(broken: dict[str, Json]) -> None:
    bodies = {paths.METERS: [], paths.DEVICE_DATA: device_data(detailed("1"), {**detailed("2"), **broken})}
    assert not {"inverters", "production_lifetime_wh"} & totals(once(bodies)).keys()
    short = {paths.METERS: [], paths.DEVICE_DATA: device_data(detailed("1"), count=2)}
    assert "inverters" not in totals(once(short))


def test_an_empty_list_is_no_site_without_inverters() -> None:
    """Q-I4."""
    assert "inverters" not in totals(once({**METERED, paths.V1_INVERTERS: []}))


def test_detail_comes_from_device_data_and_the_rest_from_the_list() -> None:
    """Q-I6: more than 50 devices, the others are silently missing from device_data."""
    many = [inverter(f"1220000000{n:02}") for n in range(60)]
    bodies = {
        **METERED,
        paths.V1_INVERTERS: many,
        paths.DEVICE_DATA: device_data(*(detailed(f"1220000000{n:02}") for n in range(48)), count=61),
    }
    found = once(bodies)
    inverters = points(found, "envoy_inverter")
    assert len(inverters) == totals(found)["inverters"] == 60
    assert inverters["122000000047"].fields["power_w"] == 201.0
    assert "dc_voltage_v" in inverters["122000000047"].fields
    assert inverters["122000000048"].fields == {"power_w": 200.0, "max_power_w": 300.0}
    assert data_rows.device_data_sums(view(bodies)) is ABSENT


def test_all_fields_of_one_inverter_come_from_one_document() -> None:
    device = detailed("122000000001")
    device["channels"] = [{"watts": {}, "lastReading": {"endDate": NOW - 60, "channelTemp": 30}}]
    found = points(once({**METERED, paths.DEVICE_DATA: device_data(device)}), "envoy_inverter")
    assert found["122000000001"].fields == {"power_w": 200.0, "max_power_w": 300.0}


@pytest.mark.parametrize("last", [{}, None])
def test_an_inverter_without_a_last_reading_comes_from_the_list(last: Json) -> None:
    """Q-I8."""
    device = {**detailed("122000000001"), "channels": [{"lastReading": last, "lifetime": {}}]}
    found = points(once({**METERED, paths.DEVICE_DATA: device_data(device)}), "envoy_inverter")
    assert found["122000000001"].fields["power_w"] == 200.0


def test_replaced_inverters_of_device_data_are_not_there() -> None:
    """Q-I7."""
    bodies: Bodies = {
        paths.METERS: [],
        paths.DEVICE_DATA: device_data(detailed("1"), {**detailed("2"), "active": False}),
    }
    found = once(bodies)
    assert totals(found)["inverters"] == 1
    assert set(points(found, "envoy_inverter")) == {"1"}


def test_while_device_data_is_silent_its_reports_wait_for_it_and_the_list_takes_over_when_it_is_gone() -> None:
    bodies = {**METERED, paths.DEVICE_DATA: device_data(detailed("122000000001"))}
    late = snapshot(
        bodies, received={paths.DEVICE_DATA: NOW - 300.0}, since={"devices": NOW - 290.0, "totals": NOW - 50.0}
    )
    waits = points(Recorder().read(late), "envoy_inverter")
    assert set(waits) == {"122000000002"}, "device data never had that one"
    gone = snapshot(METERED, unknown=[paths.DEVICE_DATA])
    assert set(points(Recorder().read(gone), "envoy_inverter")) == {"122000000001", "122000000002"}


def five_minutes(recorder: Recorder, number: int, second: int, *, detail: int | None) -> dict[int, set[str]]:
    """A poll at which the list shows a report of that second, and device data one of `detail`, or is silent."""
    tick = NOW + 300 * number
    data = device_data(detailed("122000000001", NOW if detail is None else detail))
    bodies = {**METERED, paths.V1_INVERTERS: [inverter("122000000001", second)], paths.DEVICE_DATA: data}
    received = {paths.DEVICE_DATA: tick - 295.0} if detail is None else {}
    found = recorder.read(snapshot(bodies, tick=tick, received=received, since={"devices": tick - 290.0}))
    written = [p for p in found.readings if p.measurement == "envoy_inverter"]
    assert len({p.time for p in written}) == len(written)
    return {p.time - NOW: {*p.fields} & {"power_w", "dc_voltage_v"} for p in written}


def test_a_report_that_waited_is_written_as_the_list_had_it_when_the_next_is_another_one() -> None:
    recorder = Recorder()
    full, list_only = {"power_w", "dc_voltage_v"}, {"power_w"}
    assert five_minutes(recorder, 0, NOW - 100, detail=NOW - 100) == {-100: full}
    assert five_minutes(recorder, 1, NOW + 200, detail=None) == {}
    assert five_minutes(recorder, 2, NOW + 500, detail=NOW + 502) == {200: list_only, 502: full}
    assert five_minutes(recorder, 3, NOW + 800, detail=None) == {}
    assert five_minutes(recorder, 4, NOW + 800, detail=NOW + 803) == {800: full}, "the first time stands"
    assert five_minutes(recorder, 5, NOW + 1400, detail=None) == {}
    assert five_minutes(recorder, 6, NOW + 1700, detail=None) == {1400: list_only}
    assert five_minutes(recorder, 7, NOW + 1700, detail=NOW + 1700) == {1700: full}
    assert recorder.state.readings.waiting == {}


@pytest.mark.parametrize("watts", ["5", None, True])
def test_q_i15_an_inverter_whose_power_cannot_be_read_comes_from_the_list(watts: Json) -> None:
    device = detailed("122000000001")
    device["channels"][0]["watts"]["now"] = watts
    found = points(once({**METERED, paths.DEVICE_DATA: device_data(device)}), "envoy_inverter")
    assert found["122000000001"].fields == {"power_w": 200.0, "max_power_w": 300.0}


@pytest.mark.parametrize("watts", [4_294_967_292, -4, 1e20])
def test_a_power_that_cannot_be_an_inverters_is_left_out(watts: Json) -> None:
    """Q-I9: -4 as an unsigned number is no power."""
    device = detailed("122000000001")
    device["channels"] = [{"watts": {"now": watts, "max": 301}, "lastReading": {"endDate": NOW - 60}}]
    found = points(once({**METERED, paths.DEVICE_DATA: device_data(device)}), "envoy_inverter")
    assert found["122000000001"].fields == {"max_power_w": 301.0}


def test_an_inverter_silent_for_half_an_hour_is_neither_heard_nor_producing_by_the_list() -> None:
    rows = [inverter("122000000001", NOW + 5 - 1790), inverter("122000000002", NOW + 5 - 1810)]
    found = once({**METERED, paths.V1_INVERTERS: rows})
    assert totals(found)["inverters_communicating"] == totals(found)["inverters_producing"] == 1
    fields = points(found, "envoy_inverter_status")["122000000002"].fields
    assert (fields["communicating"], fields["producing"]) == (False, False)


def test_flags_come_from_the_inventory_where_there_is_one_else_from_the_list() -> None:
    flags = listed("122000000001", producing=False, device_status=["envoy.cond_flags.pcu_ctrl.dc-pwr-low", "x"])
    fields = points(once({**METERED, paths.INVENTORY: inventory(flags)}), "envoy_inverter_status")[
        "122000000001"
    ].fields
    assert fields["producing"] is False
    assert fields["conditions"] == "pcu_ctrl.dc-pwr-low,x"
    without_inventory = points(once(METERED), "envoy_inverter_status")["122000000001"].fields
    assert without_inventory["producing"] is True
    assert "provisioned" not in without_inventory


# --- duplicate serials -------------------------------------------------------------------------------------------


def test_two_devices_with_one_serial_are_neither_written_and_named_once() -> None:
    same: Json = [inverter("122000000001"), inverter("122000000001", NOW - 30, 5), inverter("122000000002")]
    found = once({**METERED, paths.V1_INVERTERS: same})
    assert set(points(found, "envoy_inverter")) == {"122000000002"}
    assert set(points(found, "envoy_inverter_status")) == {"122000000002"}
    assert found.duplicates == {"122000000001"}


def test_no_other_document_speaks_for_duplicates() -> None:
    data = device_data(detailed("122000000001"), detailed("122000000001"), detailed("122000000002"))
    found = once({**METERED, paths.DEVICE_DATA: data})
    assert set(points(found, "envoy_inverter")) == {"122000000002"}
    flags = inventory(listed("122000000001"), listed("122000000001"), listed("122000000002"))
    found = once({**METERED, paths.INVENTORY: flags})
    assert set(points(found, "envoy_inverter_status")) == {"122000000002"}
    assert set(points(found, "envoy_inverter")) == {"122000000001", "122000000002"}
    only_duplicates = inventory(listed("122000000001"), listed("122000000001"))
    found = once({**METERED, paths.INVENTORY: only_duplicates})
    assert "122000000001" not in points(found, "envoy_inverter_status")


@pytest.mark.parametrize("serial", ["", " ", None, True, 1.5, "a,b=c d", "x" * 33, "ü", "12\n3"], ids=repr)
def test_a_serial_that_cannot_be_one_makes_no_series(serial: Json) -> None:
    body: Json = [{**inverter("1"), "serialNumber": serial}, inverter("122000000002")]
    assert set(points(once({**METERED, paths.V1_INVERTERS: body}), "envoy_inverter")) == {"122000000002"}


def test_a_serial_written_as_a_number_is_the_same_serial() -> None:
    body: Json = [{**inverter("1"), "serialNumber": 122000000002}]
    assert set(points(once({**METERED, paths.V1_INVERTERS: body}), "envoy_inverter")) == {"122000000002"}

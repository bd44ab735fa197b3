"""Facts stand, measured values never do; ints are ints and everything else is float; nothing is not a number."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logger.influx.line_protocol import encode
from logger.model import Json, Reading, Role, Value
from logger.readings import paths
from logger.readings.json_values import number, whole
from logger.readings.schema import Field
from logger.readings.table import MEASUREMENTS
from tests.mapping import CONTRACT
from tests.readings.site import (
    BOTH,
    CONSUMPTION,
    INFO,
    METERED,
    NOW,
    PRODUCTION,
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
)

INTS = {
    "inverters",
    "inverters_communicating",
    "inverters_producing",
    "batteries",
    "requests",
    "failures",
    "counter_resets",
    "report_age_s",
    "report_interval_s",
    "inventory_age_s",
    "days",
    "silent_days",
    "low_days",
}
"""Schema rule 1: these and no others are integers."""
FACTS = {
    "inverters",
    "inverters_communicating",
    "inverters_producing",
    "batteries",
    "inventory_age_s",
    "provisioned",
    "communicating",
    "producing",
    "operating",
    "conditions",
    "fault",
    "max_power_w",
    "capacity_wh",
}
"""Schema rule 2, and the ratings of a battery."""
ACB: dict[str, Json] = {
    **listed("121000000001"),
    "percentFull": 50,
    "maxCellTemp": 30,
    "charge_status": "charging",
}
EVERYTHING: Bodies = {
    **METERED,
    paths.METERS: [meter(PRODUCTION, "production"), meter(CONSUMPTION, "net-consumption"), meter(STORAGE, "storage")],
    paths.READINGS: [reading(PRODUCTION, 2000.0, 5e6), reading(CONSUMPTION, -500.0, 3e6), reading(STORAGE, 9.0, 2e5)],
    paths.DEVICE_DATA: device_data(detailed("122000000001"), detailed("121000000001", name="acb")),
    paths.V1_INVERTERS: [inverter("122000000001"), inverter("121000000001", kind=11)],
    paths.INVENTORY: inventory(listed("122000000001"), batteries=[ACB]),
    paths.ENSEMBLE: ensemble(battery("492000000001", operating=True)),
    paths.ENSEMBLE_POWER: power(("492000000001", -500_000)),
    paths.ENSEMBLE_STATUS: {
        "inventory": {"serial_nums": {"492000000001": {"device_type": 13, "encharge_rated_power": 3840}}}
    },
    paths.SECCTRL: {"agg_soc": 54, "ENC_agg_avail_energy": 5400, "ACB_agg_energy": 0},
}


def field_of(point: Reading, name: str) -> Field:
    measurement = next(m for m in MEASUREMENTS if m.name == point.measurement)
    return next(f for f in measurement.fields if f.name == name)


def kinds(fields: Mapping[str, Value]) -> dict[str, type]:
    return {name: type(value) for name, value in fields.items()}


# --- standing ---------------------------------------------------------------------------------------------------


def later(roles: frozenset[Role] = BOTH) -> dict[str, set[str]]:
    """The fields that are still written when no document is new since the last tick, less the closed seven days."""
    recorder = Recorder()
    recorder.read(snapshot(EVERYTHING))
    stale = snapshot(
        EVERYTHING,
        tick=NOW + 300,
        received=dict.fromkeys(EVERYTHING, NOW + 5.0),
        since={"totals": NOW + 6.0, "devices": NOW + 6.0},
    )
    found: dict[str, set[str]] = {}
    for point in recorder.read(stale, roles).readings:
        found.setdefault(point.measurement, set()).update(name for name in point.fields if "_7d_" not in name)
    return found


def test_a_document_that_was_used_once_gives_only_facts_the_second_time() -> None:
    assert set().union(*later().values()) <= FACTS


def test_the_facts_of_the_totals_stand_with_their_age_beside_them() -> None:
    assert later()["envoy_totals"] == {
        "inverters",
        "inverters_communicating",
        "inverters_producing",
        "batteries",
        "inventory_age_s",
    }


def test_the_flags_of_an_inverter_stand_with_their_age_beside_them() -> None:
    assert later()["envoy_inverter_status"] == {
        "provisioned",
        "communicating",
        "producing",
        "operating",
        "conditions",
        "fault",
        "inventory_age_s",
    }


def test_of_a_battery_only_what_it_is_stands_not_what_it_does() -> None:
    assert later()["envoy_battery"] == {"provisioned", "communicating", "operating", "max_power_w", "capacity_wh"}


def test_a_fact_that_stands_says_how_old_it_is() -> None:
    recorder = Recorder()
    old = snapshot(EVERYTHING, received={paths.INVENTORY: NOW - 295.0}, since={"totals": NOW - 60.0})
    assert recorder.totals(old)["inventory_age_s"] == 295


def test_a_count_by_the_list_of_inverters_stands_between_two_lists_too() -> None:
    minute = snapshot(METERED, received={paths.V1_INVERTERS: NOW - 120.0}, since={"totals": NOW - 55.0})
    found = Recorder().totals(minute, frozenset({"totals"}))
    assert (found["inverters"], found["inverters_communicating"], found["inventory_age_s"]) == (2, 2, 120)


def test_a_late_answer_goes_once_into_the_next_tick_of_each_role() -> None:
    slow = {paths.SECCTRL: NOW - 20.0}
    first = snapshot(EVERYTHING, received=slow, since={"totals": NOW - 40.0})
    assert Recorder().totals(first)["battery_charge_percent"] == 54.0
    second = snapshot(EVERYTHING, tick=NOW + 60, received=slow, since={"totals": NOW + 5.0})
    assert "battery_charge_percent" not in Recorder().totals(second)


def test_the_devices_roles_last_tick_does_not_make_a_document_old_for_the_totals() -> None:
    snap = snapshot(EVERYTHING, since={"totals": NOW - 50.0, "devices": NOW + 100.0})
    found = Recorder().read(snap)
    assert "production_power_w" in totals(found)
    assert "charge_percent" not in points(found, "envoy_battery")["492000000001"].fields


def test_nothing_at_all_gives_no_point_but_that_of_the_gateway_which_said_who_it_is() -> None:
    (point,) = once({}).readings
    assert (point.measurement, point.fields) == (
        "envoy_gateway",
        {"firmware": INFO.firmware, "part_number": INFO.part_number},
    )


# --- types ------------------------------------------------------------------------------------------------------


def test_only_the_named_fields_are_ints_and_no_flag_or_text_has_a_unit() -> None:
    for measurement in MEASUREMENTS:
        for item in measurement.fields:
            assert (item.kind == "int") == (item.name in INTS), f"{measurement.name}.{item.name}"
            assert item.kind in ("float", "int") or not item.unit, f"{measurement.name}.{item.name}"


def test_every_value_has_the_type_of_its_line_of_the_table() -> None:
    expected = {"float": float, "int": int, "bool": bool, "string": str}
    for point in once(EVERYTHING).readings:
        for name, kind in kinds(point.fields).items():
            assert kind is expected[field_of(point, name).kind], f"{point.measurement}.{name}"


def test_a_whole_number_of_the_gateway_is_a_float_where_the_table_says_float() -> None:
    row: Json = {**reading(PRODUCTION, 2000), "activePower": 2000, "actEnergyDlvd": 5_000_000}
    found = totals(once({**METERED, paths.READINGS: [row]}))
    assert kinds(found)["production_power_w"] is float
    assert kinds(found)["production_lifetime_wh"] is float


@pytest.mark.parametrize(
    "bad",
    [math.nan, math.inf, -math.inf, 1e308, -1e308, 10**400, "5", "", None, True, [], {}, [5]],
    ids=lambda bad: repr(bad)[:9],
)
@pytest.mark.parametrize("key", ["activePower", "actEnergyDlvd", "voltage", "freq", "pwrFactor"])
def test_what_is_no_plausible_number_is_left_out_and_the_rest_is_written(key: str, bad: Json) -> None:
    row: Json = {**reading(PRODUCTION, 2000.0, 5e6, 10.0), key: bad}
    good = points(once(METERED), "envoy_meter")["production"].fields
    found = once({**METERED, paths.READINGS: [row, reading(CONSUMPTION, -500.0, 3e6, 1e6)]})
    fields = points(found, "envoy_meter")["production"].fields
    assert len(good) - len(fields) == 1
    assert fields.items() <= good.items()
    assert encode(found.readings)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=3))
def test_a_number_is_finite_or_none(value: Json) -> None:
    found = number(value)
    assert found is None or math.isfinite(found)
    assert whole(value) is None or isinstance(whole(value), int)


@pytest.mark.parametrize(("text", "value"), [("1695752919", 1695752919), ("²", None), ("-5", None), ("1.5", None)])
def test_a_second_written_as_text_is_a_second(text: str, value: int | None) -> None:
    """Q-T3."""
    assert whole(text) == value


def test_a_negative_number_of_batteries_is_none() -> None:
    blocks: Json = {"storage": [{"type": "acb", "activeCount": -1}]}
    assert "batteries" not in totals(once({paths.BLOCKS: blocks, paths.METERS: []}))


def test_the_table_is_the_contract() -> None:
    table = {
        m.name: (m.role, " ".join(m.tags), {f"{f.name}:{f.kind}".removesuffix(":float") for f in m.fields})
        for m in MEASUREMENTS
    }
    assert table == {name: (role, tags, set(fields.split())) for name, (role, tags, fields) in CONTRACT.items()}

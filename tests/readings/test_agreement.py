"""Four recordings, value by value, against where each stands in the bodies."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from logger.daemon.tick import TickResult
from logger.model import Value
from tests.readings.recordings import first_poll, load, needs_recordings
from tests.readings.site import points, totals
from tests.readings.test_crosscheck import raw

pytestmark = needs_recordings

METERED, BATTERIES = "7.6.175_with_cts", "8.2.127_with_3cts_and_battery_split"
DETAILED, STANDARD = "8.2.4345_with_device_data", "7.6.114_without_cts"
Where = Callable[[dict[str, Any]], Any]


def reading(row: int, key: str) -> Where:
    return lambda bodies: bodies["/ivp/meters/readings"][row][key]


def v1(key: str) -> Where:
    return lambda bodies: bodies["/api/v1/production"][key]


def caught_up() -> Where:
    """A 15-minute figure of today and what the CT has run on since."""
    return lambda b: v1("wattHoursToday")(b) + reading(0, "actEnergyDlvd")(b) - v1("wattHoursLifetime")(b)


def listed(bodies: dict[str, Any]) -> int:
    return len(bodies["/api/v1/production/inverters"])


VALUES: list[tuple[str, str, Where]] = [
    (METERED, "production_power_w", reading(0, "activePower")),
    (METERED, "production_lifetime_wh", reading(0, "actEnergyDlvd")),
    (METERED, "production_today_wh", caught_up()),
    (METERED, "production_7d_wh", v1("wattHoursSevenDays")),
    (METERED, "net_power_w", reading(1, "activePower")),
    (METERED, "grid_import_lifetime_wh", reading(1, "actEnergyDlvd")),
    (METERED, "grid_export_lifetime_wh", reading(1, "actEnergyRcvd")),
    (METERED, "inverters", listed),
    (METERED, "batteries", lambda _: 0),
    (BATTERIES, "production_power_w", reading(0, "activePower")),
    (BATTERIES, "production_lifetime_wh", reading(0, "actEnergyDlvd")),
    (BATTERIES, "production_today_wh", lambda b: b["/production.json"]["production"][1]["whToday"]),
    (BATTERIES, "net_power_w", reading(1, "activePower")),
    (BATTERIES, "battery_power_w", reading(2, "activePower")),
    (BATTERIES, "battery_discharged_lifetime_wh", reading(2, "actEnergyDlvd")),
    (BATTERIES, "battery_charged_lifetime_wh", reading(2, "actEnergyRcvd")),
    (BATTERIES, "battery_charge_percent", lambda b: b["/ivp/ensemble/secctrl"]["agg_soc"]),
    (BATTERIES, "battery_energy_wh", lambda b: b["/ivp/ensemble/secctrl"]["ENC_agg_avail_energy"]),
    (BATTERIES, "battery_capacity_wh", lambda b: b["/ivp/ensemble/secctrl"]["Enc_max_available_capacity"]),
    (BATTERIES, "batteries", lambda b: len(b["/ivp/ensemble/power"]["devices:"])),
    (DETAILED, "production_power_w", reading(0, "activePower")),
    (DETAILED, "production_lifetime_wh", reading(0, "actEnergyDlvd")),
    (DETAILED, "production_today_wh", caught_up()),
    (DETAILED, "consumption_today_wh", lambda b: b["/production.json?details=1"]["consumption"][0]["whToday"]),
    (DETAILED, "consumption_7d_wh", lambda b: b["/production.json?details=1"]["consumption"][0]["whLastSevenDays"]),
    (DETAILED, "net_power_w", reading(1, "activePower")),
    (DETAILED, "inverters", listed),
    (STANDARD, "production_power_w", v1("wattsNow")),
    (STANDARD, "production_lifetime_wh", v1("wattHoursLifetime")),
    (STANDARD, "production_today_wh", v1("wattHoursToday")),
    (STANDARD, "production_7d_wh", v1("wattHoursSevenDays")),
    (STANDARD, "inverters", listed),
    (STANDARD, "inverters_communicating", listed),
]
ABSENT: list[tuple[str, str, str]] = [
    (METERED, "consumption_today_wh", "its seven days are 4.6 Wh"),
    (METERED, "battery_state", "there is no battery"),
    (DETAILED, "battery_power_w", "the list of batteries is empty"),
    (STANDARD, "net_power_w", "there is no meter"),
    (STANDARD, "consumption_power_w", "there is no meter"),
    (STANDARD, "grid_import_lifetime_wh", "there is no meter"),
]


@cache
def read(name: str) -> TickResult:
    return first_poll(load(name))


@pytest.mark.parametrize(("name", "field", "where"), VALUES, ids=[f"{name}-{field}" for name, field, _ in VALUES])
def test_a_total_is_what_the_body_says(name: str, field: str, where: Where) -> None:
    expected: Value = where(raw(name))
    assert totals(read(name))[field] == pytest.approx(expected)


@pytest.mark.parametrize(("name", "field", "why"), ABSENT, ids=[f"{name}-{field}" for name, field, _ in ABSENT])
def test_what_the_gateway_does_not_give_is_absent(name: str, field: str, why: str) -> None:
    assert field not in totals(read(name)), why


def test_the_wrapped_inverters_block_is_not_the_lifetime() -> None:
    """Q-L1: it is exactly 2**32 J short."""
    block = raw(STANDARD)["/production.json"]["production"][0]["whLifetime"]
    found = totals(read(STANDARD))["production_lifetime_wh"]
    assert isinstance(found, float)
    assert found - block == pytest.approx(2**32 / 3600, abs=1)


@pytest.mark.parametrize("name", [METERED, BATTERIES, STANDARD])
def test_inverters_are_what_the_list_says(name: str) -> None:
    found = points(read(name), "envoy_inverter")
    for row in raw(name)["/api/v1/production/inverters"]:
        point = found.pop(row["serialNumber"])
        assert point.time == row["lastReportDate"]
        assert point.fields == {"power_w": row["lastReportWatts"], "max_power_w": row["maxReportWatts"]}
    assert not found


def test_inverters_are_what_device_data_says() -> None:
    found = points(read(DETAILED), "envoy_inverter")
    devices = [d for d in raw(DETAILED)["/ivp/pdm/device_data"].values() if isinstance(d, dict)]
    for device in (d for d in devices if d["devName"] == "pcu"):
        channel = device["channels"][0]
        last, energy = channel["lastReading"], channel["wattHours"]
        point = found.pop(device["sn"])
        assert point.time == last["endDate"]
        assert point.fields == {
            "power_w": channel["watts"]["now"],
            "max_power_w": channel["watts"]["max"],
            "energy_today_wh": energy["today"],
            "energy_yesterday_wh": energy["yesterday"],
            "energy_7d_wh": energy["week"],
            "energy_lifetime_wh": channel["lifetime"]["joulesProduced"] / 3600,
            "dc_voltage_v": last["dcVoltageINmV"] / 1000,
            "dc_current_a": last["dcCurrentINmA"] / 1000,
            "ac_voltage_v": last["acVoltageINmV"] / 1000,
            "ac_current_a": last["acCurrentInmA"] / 1000,
            "ac_frequency_hz": last["acFrequencyINmHz"] / 1000,
            "temperature_c": last["channelTemp"],
            "rssi": last["rssi"],
            "issi": last["issi"],
        }
    assert not found


def test_batteries_are_what_the_ensemble_says() -> None:
    bodies, found = raw(BATTERIES), points(read(BATTERIES), "envoy_battery")
    powers = {d["serial_num"]: d for d in bodies["/ivp/ensemble/power"]["devices:"]}
    for device in bodies["/ivp/ensemble/inventory"][0]["devices"]:
        point, power = found.pop(device["serial_num"]), powers[device["serial_num"]]
        assert point.tags["kind"] == "encharge"
        assert point.fields == {
            "provisioned": True,
            "communicating": device["communicating"],
            "producing": False,
            "state": "charging",
            "power_w": power["real_power_mw"] / 1000,
            "apparent_power_va": power["apparent_power_mva"] / 1000,
            "charge_percent": power["soc"],
            "capacity_wh": device["encharge_capacity"],
            "energy_wh": device["encharge_capacity"] * power["soc"] / 100,
            "temperature_c": device["temperature"],
            "max_cell_temperature_c": device["maxCellTemp"],
        }
    assert not found


def test_phases_of_a_split_site_are_its_first_two_channels() -> None:
    bodies, found = raw(BATTERIES), points(read(BATTERIES), "envoy_phase")
    kinds = ("production", "net-consumption", "storage")
    assert set(found) == {f"{kind}/{phase}" for kind in kinds for phase in ("L1", "L2")}
    for kind, row in zip(kinds, bodies["/ivp/meters/readings"], strict=True):
        for index in (0, 1):
            fields = found[f"{kind}/L{index + 1}"].fields
            channel = row["channels"][index]
            assert fields["power_w"] == channel["activePower"]
            assert fields["voltage_v"] == channel["voltage"]
            assert fields["energy_delivered_wh"] == channel["actEnergyDlvd"]

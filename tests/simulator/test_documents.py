"""The documents of an invented gateway: true to the site, to each other, and to their generation."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from logger.simulator.generations import GENERATIONS
from logger.simulator.household import Household
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.site_facts import Phases
from tests.simulator.ask import NIGHT, NOON, document

SITE = Household(epoch=NOON - 30 * 86400)
TOKEN = ("8-battery", "8-metered", "8-standard", "7-metered", "7-standard", "new-stack")
METERED = ("8-battery", "8-metered", "7-metered", "5-metered", "new-stack")
STANDARD = ("8-standard", "7-standard", "5-standard")
JSON_PATHS = (
    "/api/v1/production", "/api/v1/production/inverters", "/production.json", "/production.json?details=1",
    "/production", "/ivp/meters", "/ivp/meters/readings", "/inventory.json?deleted=1", "/inventory", "/home.json",
    "/home", "/admin/lib/tariff",
)  # fmt: skip
TOKEN_PATHS = (
    "/ivp/ensemble/inventory", "/ivp/ensemble/power", "/ivp/ensemble/secctrl", "/ivp/ensemble/status",
    "/ivp/ensemble/relay", "/ivp/ensemble/dry_contacts", "/ivp/ensemble/generator", "/ivp/ss/dry_contact_settings",
    "/ivp/ss/gen_config", "/ivp/ss/gen_schedule", "/ivp/ss/pel_settings", "/ivp/sc/pvlimit", "/ivp/meters/reports",
    "/ivp/livedata/status",
)  # fmt: skip


def readings(generation: str, now: float, site: Household = SITE) -> dict[str, dict[str, Any]]:
    """The rows of the enabled meters by what they measure."""
    gateway = invent_gateway(generation, site)
    kinds = {m["eid"]: m["measurementType"] for m in document(gateway, "/ivp/meters", now) if m["state"] == "enabled"}
    return {kinds[row["eid"]]: row for row in document(gateway, "/ivp/meters/readings", now) if row["eid"] in kinds}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_info_names_serial_firmware_and_the_gateways_time(generation: str) -> None:
    gateway = invent_gateway(generation, replace(SITE, serial="122399988877"))
    root = ET.fromstring(gateway.answer("/info", NOON + 0.9).body)
    assert root.tag == "envoy_info"
    assert root.findtext("time") == str(int(NOON))
    assert root.findtext("device/sn") == gateway.serial == "122399988877"
    assert root.findtext("device/software") == GENERATIONS[generation].firmware
    assert (root.findtext("web-tokens") == "true") is gateway.needs_token is (generation in TOKEN)
    imeter = root.findtext("device/imeter")
    assert imeter == (None if generation in ("0", "3") else "true" if generation in METERED else "false")


@pytest.mark.parametrize("generation", [*TOKEN, "5-metered", "5-standard"])
def test_every_path_of_a_generation_is_json_by_day_and_by_night(generation: str) -> None:
    gateway = invent_gateway(generation, SITE)
    for now in (NOON, NIGHT, SITE.start + 60):
        for path in JSON_PATHS + (TOKEN_PATHS if generation in TOKEN else ()):
            document(gateway, path, now)


@pytest.mark.parametrize("generation", METERED)
@pytest.mark.parametrize("phases", [1, 2, 3])
@pytest.mark.parametrize("now", [NOON, NIGHT])
def test_meter_readings_are_the_sites_truth(generation: str, phases: Phases, now: float) -> None:
    gateway = invent_gateway(generation, replace(SITE, phases=phases))
    state, rows = gateway.site.at(now), readings(generation, now, gateway.site)
    expected = {
        "production": (state.production_w, state.total.produced_wh),
        "net-consumption": (state.net_w, state.total.imported_wh),
    }
    if gateway.site.battery:
        expected["storage"] = (state.battery_w, state.total.discharged_wh)
    assert rows.keys() == expected.keys()
    for kind, (watts, delivered) in expected.items():
        assert rows[kind]["activePower"] == pytest.approx(watts, abs=0.01)
        assert rows[kind]["actEnergyDlvd"] == pytest.approx(delivered, abs=0.01)
        assert rows[kind]["timestamp"] == int(now)
    assert rows["net-consumption"]["actEnergyRcvd"] == pytest.approx(state.total.exported_wh, abs=0.01)


@pytest.mark.parametrize("phases", [1, 2, 3])
def test_channels_in_use_add_up_to_their_meter(phases: Phases) -> None:
    for kind, row in readings("8-battery", NOON, replace(SITE, phases=phases)).items():
        used = row["channels"][:phases]
        assert len(row["channels"]) == 3
        for name in ("activePower", "actEnergyDlvd", "actEnergyRcvd", "voltage", "current"):
            assert sum(channel[name] for channel in used) == pytest.approx(row[name], abs=0.01), (kind, name)
        assert all(channel["voltage"] > 100 for channel in used)


def test_split_phase_with_a_storage_meter_shows_its_second_leg_in_the_net_meters_third_channel() -> None:
    rows = readings("8-battery", NOON, replace(SITE, phases=2))
    leg, stray = rows["storage"]["channels"][1], rows["net-consumption"]["channels"][2]
    assert {**leg, "eid": 0} == {**stray, "eid": 0}
    assert readings("8-metered", NOON, replace(SITE, phases=2))["net-consumption"]["channels"][2]["voltage"] == 0


def test_meters_conserve_energy_over_a_day() -> None:
    gateway = invent_gateway("8-battery", SITE)
    first, last = readings("8-battery", NOON), readings("8-battery", NOON + 86400)
    rise = {kind: (last[kind]["actEnergyDlvd"] - first[kind]["actEnergyDlvd"],
                   last[kind]["actEnergyRcvd"] - first[kind]["actEnergyRcvd"]) for kind in first}  # fmt: skip
    assert all(value >= 0 for pair in rise.values() for value in pair)
    came = rise["production"][0] + rise["net-consumption"][0] + rise["storage"][0]
    went = rise["net-consumption"][1] + rise["storage"][1]
    assert came - went == pytest.approx(gateway.site.energy(NOON, NOON + 86400).house_wh, abs=0.05)


@pytest.mark.parametrize("generation", STANDARD)
def test_without_cts_there_are_no_meters_and_v1_lives(generation: str) -> None:
    gateway = invent_gateway(generation, SITE)
    assert document(gateway, "/ivp/meters", NOON) == document(gateway, "/ivp/meters/readings", NOON) == []
    v1 = document(gateway, "/api/v1/production", NOON)
    at = NOON // GENERATIONS[generation].refresh_s * GENERATIONS[generation].refresh_s
    assert v1["wattHoursLifetime"] == int(SITE_WITHOUT.at(at).total.produced_wh)
    assert v1["wattsNow"] == round(SITE_WITHOUT.at(at).production_w) > 0
    assert "consumption" not in document(gateway, "/production.json", NOON)


SITE_WITHOUT = replace(SITE, battery=None)


@pytest.mark.parametrize("generation", ["8-metered", "7-metered", "5-metered"])
def test_v1_counts_today_from_local_midnight_and_seven_days_before_it(generation: str) -> None:
    v1 = document(invent_gateway(generation, SITE), "/api/v1/production", NOON)
    step = GENERATIONS[generation].refresh_s
    at, midnight = NOON // step * step, SITE.midnight(NOON)
    assert v1["wattHoursToday"] == int(SITE_WITHOUT.energy(midnight, at).produced_wh)
    assert v1["wattHoursSevenDays"] == int(SITE_WITHOUT.energy(midnight - 7 * 86400, midnight).produced_wh)
    assert document(invent_gateway(generation, SITE), "/api/v1/production", midnight + 1)["wattHoursToday"] == 0


def test_production_json_agrees_with_the_meters_and_the_inverters() -> None:
    gateway = invent_gateway("8-battery", SITE)
    body = document(gateway, "/production.json?details=1", NOON)
    eim = next(b for b in body["production"] if b["type"] == "eim")
    pcu = next(b for b in body["production"] if b["type"] == "inverters")
    net = next(b for b in body["consumption"] if b["measurementType"] == "net-consumption")
    total = next(b for b in body["consumption"] if b["measurementType"] == "total-consumption")
    rows, state = readings("8-battery", NOON), gateway.site.at(NOON)
    assert (eim["wNow"], eim["whLifetime"]) == (
        rows["production"]["activePower"],
        rows["production"]["actEnergyDlvd"],
    )
    assert net["wNow"] == rows["net-consumption"]["activePower"]
    assert net["whLifetime"] == pytest.approx(state.total.net_wh, abs=0.01)
    assert total["wNow"] == pytest.approx(eim["wNow"] + net["wNow"], abs=0.01)
    assert total["wNow"] == pytest.approx(state.house_w - state.battery_w, abs=0.01)
    assert eim["whToday"] == pytest.approx(gateway.site.energy(gateway.site.midnight(NOON), NOON).produced_wh, abs=2)
    listed = document(gateway, "/api/v1/production/inverters", NOON)
    assert pcu["activeCount"] == len(listed) == 12
    assert pcu["wNow"] == sum(row["lastReportWatts"] for row in listed)
    assert pcu["readingTime"] == max(row["lastReportDate"] for row in listed)
    assert (net["whToday"], net["whLastSevenDays"]) == (0, 0)


def test_lines_are_given_only_with_details_and_one_a_phase() -> None:
    gateway = invent_gateway("8-battery", replace(SITE, phases=3))
    with_lines = document(gateway, "/production.json?details=1", NOON)
    without = document(gateway, "/production.json", NOON)
    for block in with_lines["production"][1:] + with_lines["consumption"]:
        assert len(block["lines"]) == 3
        assert sum(line["wNow"] for line in block["lines"]) == pytest.approx(block["wNow"], abs=0.01)
    assert all("lines" not in block for block in without["production"] + without["consumption"])


def test_the_inverters_block_wraps_before_8_2_4264_and_device_data_never() -> None:
    wrapped = document(invent_gateway("7-standard", SITE), "/production.json", NOON)["production"][0]["whLifetime"]
    whole = document(invent_gateway("8-standard", SITE), "/production.json", NOON)["production"][0]["whLifetime"]
    assert wrapped < 2**32 / 3600 < whole
    assert (whole - wrapped) / (2**32 / 3600) == pytest.approx(round((whole - wrapped) / (2**32 / 3600)), abs=1e-5)


@pytest.mark.parametrize("generation", ["8-battery", "8-metered", "8-standard"])
def test_device_data_tells_the_same_as_the_list(generation: str) -> None:
    gateway = invent_gateway(generation, SITE)
    details = document(gateway, "/ivp/pdm/device_data", NOON)
    pcus = {d["sn"]: d["channels"][0] for d in details.values() if isinstance(d, dict) and d["devName"] == "pcu"}
    assert details["deviceCount"] == 12 + (0 if generation == "8-standard" else 2)
    joules = 0
    for row in document(gateway, "/api/v1/production/inverters", NOON):
        channel = pcus[row["serialNumber"]]
        assert channel["watts"] == {"now": row["lastReportWatts"], "nowUsed": 0, "max": row["maxReportWatts"]}
        assert channel["lastReading"]["endDate"] == row["lastReportDate"]
        assert row["lastReportWatts"] <= row["maxReportWatts"]
        joules += channel["lifetime"]["joulesProduced"]
    assert joules / 3600 == pytest.approx(gateway.site.at(NOON).total.produced_wh, abs=500)


def test_device_data_leaves_out_what_comes_after_fifty() -> None:
    gateway = invent_gateway("8-standard", inverters=63, epoch=SITE.epoch)
    details = document(gateway, "/ivp/pdm/device_data", NOON)
    assert details.pop("deviceCount") == 63
    assert details.pop("deviceDataLimit") == len(details) == 50
    assert len(document(gateway, "/api/v1/production/inverters", NOON)) == 63


def test_inventory_flags_follow_the_sun() -> None:
    gateway = invent_gateway("8-metered", SITE)

    def flags(now: float) -> set[tuple[bool, bool, bool]]:
        devices = document(gateway, "/inventory.json?deleted=1", now)[0]["devices"]
        assert len(devices) == 12
        return {(d["producing"], d["communicating"], d["provisioned"]) for d in devices}

    assert flags(NOON) == {(True, True, True)}
    assert flags(NIGHT) == {(False, False, True)}


def test_at_night_nothing_is_produced() -> None:
    gateway = invent_gateway("8-battery", SITE)
    assert readings("8-battery", NIGHT)["production"]["activePower"] == 0
    before = document(gateway, "/api/v1/production/inverters", NIGHT)
    assert document(gateway, "/api/v1/production/inverters", NIGHT + 7200) == before
    assert all(row["lastReportDate"] < NIGHT - 1800 for row in before)


@pytest.mark.parametrize("generation", ["8-battery", "new-stack"])
def test_batteries_agree_with_the_storage_meter_and_the_controller(generation: str) -> None:
    gateway = invent_gateway(generation, SITE)
    battery = gateway.site.battery
    assert battery is not None
    for now in (NOON, NOON - 3 * 3600, NIGHT):
        powers = document(gateway, "/ivp/ensemble/power", now)["devices:"]
        secctrl = document(gateway, "/ivp/ensemble/secctrl", now)
        listed = document(gateway, "/ivp/ensemble/inventory", now)[0]
        assert sum(d["real_power_mw"] for d in powers) / 1000 == pytest.approx(
            gateway.site.at(now).battery_w, abs=0.01
        )
        assert {d["soc"] for d in powers} == {secctrl["agg_soc"]} == {d["percentFull"] for d in listed["devices"]}
        assert secctrl["ENC_agg_avail_energy"] == int(gateway.site.at(now).stored_wh)
        assert secctrl["Enc_max_available_capacity"] == 10_000
        assert [d["serial_num"] for d in powers] == [d["serial_num"] for d in listed["devices"]]
        rated = document(gateway, "/ivp/ensemble/status", now)["inventory"]["serial_nums"]
        assert {rated[d["serial_num"]]["encharge_rated_power"] for d in powers} == {3840}


@pytest.mark.parametrize("generation", [g for g in TOKEN if not GENERATIONS[g].battery])
def test_without_batteries_the_ensemble_answers_with_nothing_in_it(generation: str) -> None:
    gateway = invent_gateway(generation, SITE)
    assert gateway.site.battery is None
    assert document(gateway, "/ivp/ensemble/inventory", NOON) == []
    assert document(gateway, "/ivp/ensemble/power", NOON) == {"devices:": []}
    assert document(gateway, "/ivp/ensemble/secctrl", NOON)["Enc_max_available_capacity"] == 0


@pytest.mark.parametrize("path", ["/ivp/pdm/device_data", "/ivp/pdm/energy"])
def test_firmware_7_keeps_the_interval_database_from_owners(path: str) -> None:
    assert invent_gateway("7-metered", SITE).answer(path, NOON).status == 401
    assert invent_gateway("8-metered", SITE).answer(path, NOON).status == 200
    assert invent_gateway("5-metered", SITE).answer(path, NOON).status == 404


def test_pdm_energy_is_consumption_as_the_gateway_counts() -> None:
    gateway = invent_gateway("8-battery", SITE)
    body = document(gateway, "/ivp/pdm/energy", NOON)
    at = NOON // 900 * 900
    assert body["production"]["eim"] == body["production"]["pcu"]
    assert body["consumption"]["eim"]["wattHoursLifetime"] == int(gateway.site.at(at).total.consumption_wh)


def test_the_new_stack_lists_seven_meters_and_a_phantom_and_its_days_are_useless() -> None:
    gateway = invent_gateway("new-stack", replace(SITE, phases=2))
    meters = document(gateway, "/ivp/meters", NOON)
    assert [m["measurementType"] for m in meters if m["state"] == "enabled"] == [
        "production",
        "net-consumption",
        "storage",
    ]
    assert len(meters) == 7
    rows = document(gateway, "/ivp/meters/readings", NOON)
    assert {row["eid"] for row in rows} == {m["eid"] for m in meters} | {1023410688}
    assert rows[0]["pwrFactor"] > 1
    assert set(document(gateway, "/api/v1/production", NOON).values()) == {0}
    eim = document(gateway, "/production.json?details=1", NOON)["production"][1]
    assert eim["whToday"] == eim["whLastSevenDays"] == eim["whLifetime"]
    assert len(eim["lines"]) == 3


def test_firmware_3_has_v1_and_a_page_but_no_documents() -> None:
    gateway = invent_gateway("3", SITE)
    rows = document(gateway, "/api/v1/production/inverters", NOON)
    assert all("devType" not in row for row in rows)
    assert document(gateway, "/api/v1/production", NOON)["wattsNow"] > 0
    for path in ("/production.json", "/inventory.json", "/home.json"):
        reply = gateway.answer(path, NOON)
        assert (reply.status, reply.content_type) == (200, "text/html")
        assert b"Page Not Found" in reply.body
    missing = gateway.answer("/ivp/meters", NOON)
    assert (missing.status, json.loads(missing.body)) == (404, {"error": "404 - Not Found"})


def test_firmware_0_has_one_page_whose_figures_have_three_digits_and_growing_units() -> None:
    gateway = invent_gateway("0", SITE)
    assert gateway.answer("/api/v1/production", NOON).status == 404
    page = gateway.answer("/production", NOON).body.decode()
    figures = dict(re.findall(r"<tr><td>([\w ]+)</td>\s*<td>\s*([\d.]+ k?M?Wh?)</td></tr>", page))
    assert list(figures) == ["Currently", "Today", "Past Week", "Since Installation"]
    scale = {"W": 1, "kW": 1e3, "Wh": 1, "kWh": 1e3, "MWh": 1e6}
    watts, lifetime = (
        float(n) * scale[u] for n, u in (figures[k].split() for k in ("Currently", "Since Installation"))
    )
    at = NOON // 300 * 300
    assert watts == pytest.approx(gateway.site.at(at).production_w, rel=0.01)
    assert lifetime == pytest.approx(gateway.site.at(at).total.produced_wh, rel=0.01)
    assert figures["Since Installation"].endswith(" MWh")
    assert all(len(figure.split()[0].replace(".", "")) <= 3 for figure in figures.values())


@pytest.mark.parametrize(
    ("generation", "status", "body"), [("8-standard", 404, b"<html>"), ("5-metered", 404, b'{ "error"')]
)
def test_unknown_paths_are_not_found_in_the_words_of_their_generation(
    generation: str, status: int, body: bytes
) -> None:
    reply = invent_gateway(generation, SITE).answer("/ivp/nothing/here", NOON)
    assert reply.status == status
    assert reply.body.startswith(body)


@pytest.mark.parametrize("generation", TOKEN)
def test_installers_paths_are_closed_to_owners(generation: str) -> None:
    assert invent_gateway(generation, SITE).answer("/ivp/peb/devstatus", NOON).status == 401


def test_home_tells_the_sites_local_time_and_zone() -> None:
    home = document(invent_gateway("8-metered", SITE), "/home.json", NOON)
    assert (home["timezone"], home["current_date"], home["current_time"]) == ("Europe/Madrid", "06/15/2025", "13:02")


def test_firmware_can_be_pushed_and_the_counters_go_on() -> None:
    gateway = invent_gateway("7-metered", SITE)
    before = document(gateway, "/ivp/meters/readings", NOON)[0]["actEnergyDlvd"]
    gateway.generation = GENERATIONS["8-metered"]
    assert b"D8.2.4345" in gateway.answer("/info", NOON).body
    assert document(gateway, "/ivp/meters/readings", NOON)[0]["actEnergyDlvd"] == before
    assert gateway.answer("/ivp/pdm/device_data", NOON).status == 200

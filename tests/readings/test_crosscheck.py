"""The totals of every recording once more, worked out here from the raw bodies without the room's code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from logger.readings.table import MEASUREMENTS
from tests.readings.recordings import CORPUS, first_poll, load, names, needs_recordings
from tests.readings.site import totals

pytestmark = needs_recordings

MONTH = 30 * 86400
FORMED = {
    "grid_state",
    "relay_closed",
    "controller_temperature_c",
    "generator_state",
    "closed",
    "firmware",
    "part_number",
    "interface",
    "battery_state",
    "state",
    "conditions",
    "producing",
    "communicating",
    "provisioned",
    "operating",
}
SUMMED = {
    "battery_power_w",
    "battery_energy_wh",
    "energy_wh",
    "power_factor",
    "power_w",
    "voltage_v",
    "inverters",
    "inverters_communicating",
    "inverters_producing",
    "batteries",
}
"""Sums, means and counts; each has a test of its own here or in test_sources."""
DERIVED = ("consumption_", "load_", "net_", "production_today", "production_lifetime")


def raw(name: str) -> dict[str, Any]:
    """Every body of a recording that is JSON and came with status 200, by path."""
    folder = CORPUS / name
    found: dict[str, Any] = {}
    for route in json.loads((folder / "manifest.json").read_text())["routes"]:
        if route["status"] == 200:
            try:
                found[route["path"]] = json.loads((folder / route["file"]).read_text())
            except ValueError:
                continue
    page = (folder / "production").read_text() if (folder / "production").is_file() else ""
    figures = re.findall(r"<td>([A-Z][\w ]+)</td>\s*<td>\s*([\d.]+) ([kMG]?)Wh?</td>", page)
    found["page"] = {label: float(n) * 1000 ** " kMG".index(prefix or " ") for label, n, prefix in figures}
    found["blocks"] = found.get("/production.json?details=1", found.get("/production.json"))
    return found


def readings_by_kind(bodies: dict[str, Any]) -> dict[str, Any]:
    by_eid = {row["eid"]: row for row in bodies.get("/ivp/meters/readings", [])}
    meters = bodies.get("/ivp/meters", [])
    return {m["measurementType"]: by_eid[m["eid"]] for m in meters if m["state"] == "enabled" and m["eid"] in by_eid}


def block(bodies: dict[str, Any], side: str, kind: str) -> Any:
    for part in (bodies["blocks"] or {}).get(side, []):
        if kind == part["type"] or (part["type"] == "eim" and part.get("measurementType") == kind):
            return part if part["type"] != "eim" or part["activeCount"] == 1 else None
    return None


def without_meter_list(bodies: dict[str, Any]) -> bool:
    return "/ivp/meters" not in bodies


def v1_alive(bodies: dict[str, Any]) -> bool:
    meters = bodies.get("/ivp/meters", [])
    off = bool(meters) and not any(m["measurementType"] == "production" and m["state"] == "enabled" for m in meters)
    return not off and bodies.get("/api/v1/production", {}).get("wattHoursLifetime", 0) > 0


def device_data(bodies: dict[str, Any]) -> list[Any]:
    data = bodies.get("/ivp/pdm/device_data", {"deviceCount": 99})
    listed = [d for d in data.values() if isinstance(d, dict) and d["devName"] == "pcu" and d["active"]]
    return listed if data["deviceCount"] < 50 else []


def production(bodies: dict[str, Any]) -> tuple[float | None, float | None]:
    """Power and lifetime, each from the first source of reference 4.2 that this gateway has."""
    meters = readings_by_kind(bodies)
    if "production" in meters:
        return meters["production"]["activePower"], meters["production"]["actEnergyDlvd"]
    if without_meter_list(bodies) and (ct := block(bodies, "production", "production")):
        return ct["wNow"], ct["whLifetime"]
    power: float | None = None
    lifetime: float | None = None
    if (page := bodies["page"]) and "/api/v1/production" not in bodies:
        return page["Currently"], page["Since Installation"]
    if v1_alive(bodies):
        power, lifetime = bodies["/api/v1/production"]["wattsNow"], bodies["/api/v1/production"]["wattHoursLifetime"]
    elif inverters := block(bodies, "production", "inverters"):
        power, lifetime = inverters["wNow"], inverters["whLifetime"]
    if devices := device_data(bodies):
        lifetime = sum(d["channels"][0]["lifetime"]["joulesProduced"] for d in devices) / 3600
    return power, lifetime


def net_power(bodies: dict[str, Any]) -> Any:
    meters = readings_by_kind(bodies)
    if "net-consumption" in meters:
        return float(meters["net-consumption"]["activePower"])
    if "total-consumption" in meters:
        return float(meters["total-consumption"]["activePower"] - meters["production"]["activePower"])
    part = block(bodies, "consumption", "net-consumption") if without_meter_list(bodies) else None
    return part["wNow"] if part else None


def batteries(bodies: dict[str, Any]) -> tuple[int, int]:
    """IQ Batteries and AC Batteries."""
    iq = sum(len(g["devices"]) for g in bodies.get("/ivp/ensemble/inventory", []) if g.get("type") == "ENCHARGE")
    inventory = bodies.get("/inventory.json?deleted=1")
    if inventory:
        acb = sum(d["admin_state"] != 3 for g in inventory if g["type"] == "ACB" for d in g["devices"])
    else:
        acb = sum(d.get("devType") == 11 for d in bodies.get("/api/v1/production/inverters", []))
    return iq, acb


def ac_batteries(bodies: dict[str, Any]) -> list[Any]:
    """The channels of device data of every AC Battery, where there is no other kind of battery."""
    data = [
        d for d in bodies.get("/ivp/pdm/device_data", {}).values() if isinstance(d, dict) and d["devName"] == "acb"
    ]
    return [d["channels"][0] for d in data] if batteries(bodies) == (0, len(data)) else []


def battery_power(bodies: dict[str, Any], at: int) -> Any:
    iq, acb = batteries(bodies)
    meters = readings_by_kind(bodies)
    if "storage" in meters:
        return float(meters["storage"]["activePower"])
    if iq and not acb:
        return sum(d["real_power_mw"] for d in bodies["/ivp/ensemble/power"]["devices:"]) / 1000
    part = block(bodies, "storage", "acb") if acb and not iq else None
    return part["wNow"] if part and at - part["readingTime"] < 1200 else None


def inverters(bodies: dict[str, Any], at: int) -> tuple[int | None, int | None, int | None]:
    """Installed, communicating, producing."""
    rows = [d for d in bodies.get("/api/v1/production/inverters", []) if d.get("devType", 1) == 1]
    newest = max((d["lastReportDate"] for d in rows), default=0)
    rows = [d for d in rows if newest - d["lastReportDate"] < MONTH]
    heard = [d for d in rows if at - d["lastReportDate"] < 1800]
    flags = (len(heard), sum(d["lastReportWatts"] > 0 for d in heard)) if rows else (None, None)
    if inventory := bodies.get("/inventory.json?deleted=1"):
        live = [d for g in inventory if g["type"] == "PCU" for d in g["devices"] if d["admin_state"] != 3]
        return len(live), sum(d["communicating"] for d in live), sum(d["producing"] for d in live)
    if not rows and (devices := device_data(bodies)):
        late = [d["modGone"] or at - d["channels"][0]["lastReading"]["endDate"] >= 1800 for d in devices]
        delivering = [d["channels"][0]["watts"]["now"] > 0 for d in devices]
        flags = late.count(False), sum(d and not gone for d, gone in zip(delivering, late, strict=True))
    registered = (block(bodies, "production", "inverters") or {}).get("activeCount")
    return len(device_data(bodies)) or len(rows) or registered, *flags


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("name", names())
def test_powers_agree_with_the_bodies(name: str) -> None:
    bodies, recording = raw(name), load(name)
    found = totals(first_poll(recording))
    power, net, stored = production(bodies)[0], net_power(bodies), battery_power(bodies, recording.at)
    consumed = None if power is None or net is None else power + net
    count = sum(batteries(bodies))
    assert found.get("production_power_w") == near(power)
    assert found.get("net_power_w") == near(net)
    assert found.get("battery_power_w") == near(stored)
    assert found.get("consumption_power_w") == near(consumed)
    house = consumed if not count else None if consumed is None or stored is None else consumed + stored
    assert found.get("load_power_w") == near(house)
    limit = 30 * count
    state = None if stored is None else "discharging" if stored > limit else "charging" if stored < -limit else "idle"
    assert found.get("battery_state") == state


@pytest.mark.parametrize("name", names())
def test_lifetimes_agree_with_the_bodies(name: str) -> None:
    bodies = raw(name)
    found = totals(first_poll(load(name)))
    meters = readings_by_kind(bodies)
    produced = production(bodies)[1]
    assert found.get("production_lifetime_wh") == near(produced)
    grid, total, storage = (meters.get(kind) for kind in ("net-consumption", "total-consumption", "storage"))
    imported: Any = grid["actEnergyDlvd"] if grid else None
    exported: Any = grid["actEnergyRcvd"] if grid else None
    assert found.get("grid_import_lifetime_wh") == near(imported)
    assert found.get("grid_export_lifetime_wh") == near(exported)
    consumed: float | None = None
    if grid and produced is not None:
        consumed = produced + imported - exported
    elif total:
        consumed = total["actEnergyDlvd"]
    assert found.get("consumption_lifetime_wh") == near(consumed)
    bought = None if consumed is None or produced is None else consumed - produced
    assert found.get("net_lifetime_wh") == near(bought)
    out: Any = storage["actEnergyDlvd"] if storage else None
    into: Any = storage["actEnergyRcvd"] if storage else None
    if not storage and (acb := ac_batteries(bodies)):
        out, into = (sum(d["lifetime"][k] for d in acb) / 3600 for k in ("joulesProduced", "joulesUsed"))
    assert found.get("battery_discharged_lifetime_wh") == near(out)
    assert found.get("battery_charged_lifetime_wh") == near(into)
    unmeasured = batteries(bodies) != (0, 0) and out is None
    integrated = unmeasured and "battery_power_w" in found  # from 0 at the first tick
    house = None if unmeasured and not integrated else consumed
    assert found.get("load_lifetime_wh") == near(house if house is None or out is None else house + out - into)


@pytest.mark.parametrize("name", names())
def test_counts_and_charges_agree_with_the_bodies(name: str) -> None:
    bodies, recording = raw(name), load(name)
    found = totals(first_poll(recording))
    installed, communicating, producing = inverters(bodies, recording.at)
    assert found.get("inverters") == installed
    assert found.get("inverters_communicating") == communicating
    assert found.get("inverters_producing") == producing
    iq, acb = batteries(bodies)
    assert found.get("batteries", 0) == iq + acb
    aggregate = bodies.get("/ivp/ensemble/secctrl", {}) if iq + acb else {}
    assert found.get("battery_charge_percent") == near(aggregate.get("agg_soc"))
    stored = aggregate["ENC_agg_avail_energy"] + aggregate["ACB_agg_energy"] if aggregate else None
    assert found.get("battery_energy_wh") == near(stored)
    assert found.get("battery_capacity_wh") == near(None if acb else aggregate.get("Enc_max_available_capacity"))


def days_of(source: dict[str, Any], counter: float, *, block: bool) -> tuple[float, float | None] | None:
    """The gateway's figures of today and seven days, if they are sane by reference 3.1.4 and 5.2."""
    keys = ("whToday", "whLastSevenDays", "whLifetime")
    today, week, ever = (
        source[k] for k in (keys if block else ("wattHours" + k[2:].replace("Last", "") for k in keys))
    )
    ahead = 0 if block else counter - ever
    if today >= ever or not 0 <= ahead < 5000 or (block and (week == today or week < today / 2)):
        return None
    return today + ahead, week if 0 < week < (ever - today) * 0.99 and week >= today / 2 else None


@pytest.mark.parametrize("name", names())
def test_today_and_seven_days_are_the_gateways_first_sane_figures(name: str) -> None:
    bodies, found = raw(name), totals(first_poll(load(name)))
    ever = production(bodies)[1]
    meters: dict[str, Any] = readings_by_kind(bodies)
    pdm, sides = bodies.get("/ivp/pdm/energy"), ("production", "consumption")
    metered = "production" in meters
    made, used = (
        block(bodies, side, kind) for side, kind in zip(sides, ("production", "total-consumption"), strict=True)
    )
    produced: list[tuple[float, float | None] | None] = []
    consumed: list[tuple[float, float | None] | None] = []
    if (page := bodies["page"]) and "/api/v1/production" not in bodies:
        ever = None
        produced.append((page["Today"], page["Past Week"]))
    if ever is not None:
        if pdm and metered:
            produced.append(days_of(pdm["production"]["eim"], ever, block=False))
        if v1_alive(bodies):
            produced.append(days_of(bodies["/api/v1/production"], ever, block=False))
        if made:
            produced.append(days_of(made, ever, block=True))
        if not metered and (devices := device_data(bodies)):
            energies = [d["channels"][0]["wattHours"] for d in devices]
            produced.append((sum(e["today"] for e in energies), sum(e["week"] for e in energies)))
    grid, total = meters.get("net-consumption"), meters.get("total-consumption")
    if ever is not None and (grid or total):
        imported = grid["actEnergyDlvd"] - grid["actEnergyRcvd"] if grid else 0.0
        counter = total["actEnergyDlvd"] if total else ever + imported
        if pdm:
            consumed.append(days_of(pdm["consumption"]["eim"], counter, block=False))
        if used:
            consumed.append(days_of(used, counter, block=True))
    of = {
        "production": next(filter(None, produced), (None, None)),
        "consumption": next(filter(None, consumed), (None, None)),
    }
    for quantity, (today, week) in of.items():
        assert found.get(f"{quantity}_today_wh") == near(today), quantity
        assert found.get(f"{quantity}_7d_wh") == near(week), quantity
    nets = [None if None in pair else pair[1] - pair[0] for pair in zip(*of.values(), strict=True)]
    assert [found.get("net_today_wh"), found.get("net_7d_wh")] == [near(net) for net in nets]
    assert not {f"grid_{way}_{span}_wh" for way in ("import", "export") for span in ("today", "7d")} & found.keys()
    assert ("load_today_wh" in found) == ("consumption_today_wh" in found and batteries(bodies) == (0, 0))


def expected_of_meter(row: dict[str, Any], used: int, new_stack: bool, *, phase: bool) -> dict[str, float]:
    keys = {
        "power_w": "instantaneousDemand" if phase and new_stack else "activePower",
        "reactive_power_var": "reactivePower",
        "apparent_power_va": "apparentPower",
        "power_factor": "pwrFactor",
        "current_a": "current",
        "frequency_hz": "freq",
        "energy_delivered_wh": "actEnergyDlvd",
        "energy_received_wh": "actEnergyRcvd",
        "apparent_energy_vah": "apparentEnergy",
        "reactive_energy_lagging_varh": "reactEnergyLagg",
        "reactive_energy_leading_varh": "reactEnergyLead",
    }
    found = {name: row[key] for name, key in keys.items()}
    found["voltage_v"] = row["voltage"] / used
    if new_stack:
        del found["apparent_energy_vah"]
        if not phase:
            found["power_factor"] = row["activePower"] / row["apparentPower"]
    if not found["frequency_hz"]:
        del found["frequency_hz"]
    return found


@pytest.mark.parametrize("name", names())
def test_every_meter_and_phase_in_use_is_written_whole_and_no_other(name: str) -> None:
    bodies = raw(name)
    listed = {meter["measurementType"]: meter for meter in bodies.get("/ivp/meters", [])}
    new_stack = "backfeed" in listed
    meters, phases = {}, {}
    for kind, row in readings_by_kind(bodies).items():
        channels = row["channels"][: listed[kind]["phaseCount"]]
        used = [n for n, c in enumerate(channels) if c["voltage"] or c["actEnergyDlvd"] or c["actEnergyRcvd"]]
        meters[kind] = expected_of_meter(row, len(used), new_stack, phase=False)
        for n in used:
            phases[kind, f"L{n + 1}"] = expected_of_meter(channels[n], 1, new_stack, phase=True)
    readings = first_poll(load(name)).readings
    assert {p.tags["meter"]: near_all(p.fields) for p in readings if p.measurement == "envoy_meter"} == meters
    assert {
        (p.tags["meter"], p.tags["phase"]): near_all(p.fields) for p in readings if p.measurement == "envoy_phase"
    } == phases


def near_all(fields: Any) -> dict[str, Any]:
    return {name: near(value) for name, value in fields.items()}


@pytest.mark.parametrize("name", names())
def test_the_grid_its_contacts_and_the_gateway_agree_with_the_bodies(name: str) -> None:
    bodies, recording = raw(name), load(name)
    groups = {g["type"]: g["devices"] for g in bodies.get("/ivp/ensemble/inventory", []) if g["devices"]}
    grid: dict[str, Any] = {}
    if controller := groups.get("ENPOWER"):
        closed = controller[0]["mains_oper_state"] == "closed"
        celsius = round((controller[0]["temperature"] - 32) * 5 / 9, 1)
        grid = {"grid_state": "on-grid" if closed else "off-grid", "relay_closed": closed,
                "controller_temperature_c": celsius}  # fmt: skip
    elif collar := groups.get("COLLAR"):
        grid = {"grid_state": {"on_grid": "on-grid"}[collar[0]["grid_state"]],
                "relay_closed": collar[0]["mid_state"] == "close",
                "controller_temperature_c": collar[0]["temperature"]}  # fmt: skip
    if bodies.get("/ivp/ss/gen_config"):
        running = bodies["/ivp/ensemble/generator"]["oper_state"] == "close"
        grid["generator_state"] = "connected" if running else "disconnected"
    points = {p.measurement: p for p in first_poll(recording).readings}
    assert (points["envoy_grid"].fields if "envoy_grid" in points else {}) == grid
    settings = bodies.get("/ivp/ss/dry_contact_settings", {"dry_contacts": []})["dry_contacts"]
    named = {c["id"]: c["load_name"] for c in settings if c["type"] != "NONE"} if "ENPOWER" in groups else {}
    states = {
        c["id"]: c["status"] == "closed" for c in bodies.get("/ivp/ensemble/dry_contacts", {}).get("dry_contacts", [])
    }
    found = [p for p in first_poll(recording).readings if p.measurement == "envoy_contact"]
    assert {p.tags["contact"]: (p.tags.get("contact_name", ""), p.fields["closed"]) for p in found} == {
        identity: (text, states[identity]) for identity, text in named.items()
    }
    network = bodies.get("/home", {}).get("network", {})
    expected: dict[str, Any] = {"firmware": recording.info.firmware, "part_number": recording.info.part_number}
    if network:
        age = recording.at - network["last_enlighten_report_time"]
        signals = [i["signal_strength"] for i in network["interfaces"] if i["type"] == "wifi" and i["carrier"]]
        expected |= {"interface": network["primary_interface"], **({"wifi_signal": signals[0]} if signals else {})}
        expected |= {"last_cloud_report_age_s": age} if age >= -600 else {}
    assert points["envoy_gateway"].fields == expected


@pytest.mark.parametrize("name", names())
def test_every_inverter_that_reported_is_written_once_with_its_report(name: str) -> None:
    bodies = raw(name)
    expected = {}
    for row in bodies.get("/api/v1/production/inverters", []):
        if row.get("devType", 1) == 1:
            expected[row["serialNumber"]] = (row["lastReportDate"], row["lastReportWatts"], row["maxReportWatts"])
    for device in bodies.get("/ivp/pdm/device_data", {}).values():
        if isinstance(device, dict) and device["devName"] == "pcu" and device["channels"][0]["lastReading"]:
            channel = device["channels"][0]
            report = channel["lastReading"]["endDate"], channel["watts"]["now"], channel["watts"]["max"]
            expected[device["sn"]] = report
    points = [p for p in first_poll(load(name)).readings if p.measurement == "envoy_inverter"]
    found = {p.tags["serial"]: (p.time, p.fields["power_w"], p.fields["max_power_w"]) for p in points}
    assert len(points) == len(found)
    assert found == expected


def numbers(body: Any) -> Iterator[float]:
    if isinstance(body, dict):
        for value in body.values():
            yield from numbers(value)
    elif isinstance(body, list):
        for value in body:
            yield from numbers(value)
    elif type(body) in (int, float) or (isinstance(body, str) and body.isdigit() and len(body) < 16):
        yield float(body)


@pytest.mark.parametrize("name", names())
def test_no_value_is_written_that_cannot_be_traced_to_a_body(name: str) -> None:
    recording = load(name)
    said = {n for body in raw(name).values() for n in numbers(body)}
    known = said | {n / 1000 for n in said} | {n / 3600 for n in said}
    known |= {sum(d["lifetime"][k] for d in ac_batteries(raw(name))) / 3600 for k in ("joulesUsed", "joulesProduced")}
    for point in first_poll(recording).readings:
        for field, value in point.fields.items():
            if field in FORMED | SUMMED or field.startswith(DERIVED):
                continue
            assert isinstance(value, (int, float)), field
            if field == "report_age_s":
                assert recording.at - value in said or value == 0, f"{point} {field}"  # 0: seconds ahead of /info
            elif field == "last_cloud_report_age_s":
                assert recording.at - value in said, f"{point} {field}"
            elif field == "inventory_age_s":
                assert value == 0, f"{point} {field}"
            else:
                assert value in known, f"{point} {field}"


@pytest.mark.parametrize("name", names())
def test_every_field_stands_in_the_table_with_its_type_and_unit(name: str) -> None:
    table = {(m.name, f.name): f for m in MEASUREMENTS for f in m.fields}
    types: dict[str, type] = {"float": float, "int": int, "bool": bool, "string": str}
    suffixes = ("_w", "_wh", "_var", "_varh", "_va", "_vah", "_v", "_a", "_hz", "_c", "_percent", "_s")
    unitless = {"power_factor", "rssi", "issi", "wifi_signal"}
    for point in first_poll(load(name)).readings:
        tags = next(m.tags for m in MEASUREMENTS if m.name == point.measurement)
        assert set(point.tags) <= {"gateway", *tags}
        assert {"gateway", *tags} - set(point.tags) <= {"contact_name"}
        for field, value in point.fields.items():
            line = table[point.measurement, field]
            assert type(value) is types[line.kind], f"{point.measurement}.{field}"
            if isinstance(value, float):
                assert field.endswith(suffixes) or field in unitless, f"{point.measurement}.{field}"

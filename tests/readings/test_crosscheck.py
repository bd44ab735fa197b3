"""Every value of every recording once more, worked out from the raw bodies without the product's code."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest

from logger.daemon.tick import TickResult
from logger.model import Value
from tests import mapping
from tests.mapping import AHEAD_S, CONTRACT, HEARD_S, MONTH_S
from tests.readings.recordings import CORPUS, first_poll, load, names, needs_recordings
from tests.readings.site import totals

pytestmark = needs_recordings


@cache
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


@cache
def read(name: str) -> TickResult:
    return first_poll(load(name))


def points(name: str, measurement: str, *tags: str) -> dict[Any, tuple[int, dict[str, Any]]]:
    """Time and fields of a measurement's points, by the values of these tags."""
    named = [p for p in read(name).readings if p.measurement == measurement]
    found = {tuple(p.tags.get(tag, "") for tag in tags): (p.time, near_all(p.fields)) for p in named}
    assert len(found) == len(named), "two points of one series"
    return {key[0] if len(tags) == 1 else key: value for key, value in found.items()}


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
    """Power and lifetime, each from the first source that this gateway has."""
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


def is_old(acb: Any, at: int) -> bool:
    """Whether AC Batteries reported more than a minute ago: that is no power of the house's second."""
    return acb is not None and acb["activeCount"] > 0 and at - acb["readingTime"] > 60


def inverters(bodies: dict[str, Any], at: int) -> tuple[int | None, int | None, int | None]:
    """Installed, communicating, producing."""
    rows = [d for d in bodies.get("/api/v1/production/inverters", []) if d.get("devType", 1) == 1]
    newest = max((d["lastReportDate"] for d in rows), default=0)
    rows = [d for d in rows if newest - d["lastReportDate"] < MONTH_S]
    heard = [d for d in rows if at - d["lastReportDate"] < HEARD_S]
    flags = (len(heard), sum(d["lastReportWatts"] > 0 for d in heard)) if rows else (None, None)
    if inventory := bodies.get("/inventory.json?deleted=1"):
        live = [d for g in inventory if g["type"] == "PCU" for d in g["devices"] if d["admin_state"] != 3]
        return len(live), sum(d["communicating"] for d in live), sum(d["producing"] for d in live)
    if not rows and (devices := device_data(bodies)):
        late = [d["modGone"] or at - d["channels"][0]["lastReading"]["endDate"] >= HEARD_S for d in devices]
        delivering = [d["channels"][0]["watts"]["now"] > 0 for d in devices]
        flags = late.count(False), sum(d and not gone for d, gone in zip(delivering, late, strict=True))
    registered = (block(bodies, "production", "inverters") or {}).get("activeCount")
    return len(device_data(bodies)) or len(rows) or registered, *flags


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("name", names())
def test_powers_agree_with_the_bodies(name: str) -> None:
    bodies, recording = raw(name), load(name)
    found = totals(read(name))
    power, net, stored = production(bodies)[0], net_power(bodies), battery_power(bodies, recording.at)
    consumed = None if power is None or net is None else power + net
    count = sum(batteries(bodies))
    assert found.get("production_power_w") == near(power)
    assert found.get("net_power_w") == near(net)
    assert found.get("battery_power_w") == near(stored)
    assert found.get("consumption_power_w") == near(consumed)
    house = consumed if not count else None if consumed is None or stored is None else consumed + stored
    of_now = set(readings_by_kind(bodies)) >= {"storage"} or not is_old(block(bodies, "storage", "acb"), recording.at)
    assert found.get("load_power_w") == near(house if house is not None and house > -30 and of_now else None)
    assert found.get("battery_state") == (None if stored is None else mapping.battery_state(stored, count))


@pytest.mark.parametrize("name", names())
def test_lifetimes_agree_with_the_bodies(name: str) -> None:
    bodies = raw(name)
    found = totals(read(name))
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
    found = totals(read(name))
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
    """The gateway's figures of today and seven days, if they are sane."""
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
    bodies, found, at = raw(name), totals(read(name)), load(name).at
    ever = production(bodies)[1]
    meters: dict[str, Any] = readings_by_kind(bodies)
    pdm, sides = bodies.get("/ivp/pdm/energy"), ("production", "consumption")
    metered = "production" in meters
    made, used = (
        part if (part := block(bodies, side, kind)) and at - part["readingTime"] <= 300 else None
        for side, kind in zip(sides, ("production", "total-consumption"), strict=True)
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


def near_all(fields: Any) -> dict[str, Any]:
    return {name: near(value) if isinstance(value, float) else value for name, value in fields.items()}


def age(at: int, second: int) -> dict[str, Value]:
    """Of a report, unless it is from further ahead than clocks differ."""
    return {"report_age_s": max(0, at - second)} if second and at - second >= -AHEAD_S else {}


@pytest.mark.parametrize("name", names())
def test_every_meter_and_phase_in_use_is_written_whole_and_no_other(name: str) -> None:
    bodies, at = raw(name), load(name).tick
    listed = {meter["measurementType"]: meter for meter in bodies.get("/ivp/meters", [])}
    new_stack = "backfeed" in listed
    meters, phases = {}, {}
    for kind, row in readings_by_kind(bodies).items():
        channels = row["channels"][: listed[kind]["phaseCount"]]
        used = [n for n, c in enumerate(channels) if c["voltage"] or c["actEnergyDlvd"] or c["actEnergyRcvd"]]
        meters[kind] = at, mapping.meter_fields(row, len(used), new_stack=new_stack)
        live = [channels[n]["voltage"] for n in used if channels[n]["voltage"] >= 30]
        if live and len(live) < len(used):  # a phase without voltage does not count for the mean
            meters[kind][1]["voltage_v"] = near(sum(live) / len(live))
        for n in used:
            fields = mapping.meter_fields(channels[n], 1, phase=True, new_stack=new_stack)
            phases[kind, f"L{n + 1}"] = at, fields
    assert points(name, "envoy_meter", "meter") == meters
    assert points(name, "envoy_phase", "meter", "phase") == phases


@pytest.mark.parametrize("name", names())
def test_the_grid_its_contacts_and_the_gateway_agree_with_the_bodies(name: str) -> None:
    bodies, recording = raw(name), load(name)
    groups = {g["type"]: g["devices"] for g in bodies.get("/ivp/ensemble/inventory", []) if g["devices"]}
    grid: dict[str, Value] = {}
    for kind in ("COLLAR", "ENPOWER"):
        grid |= mapping.grid_fields(kind, groups[kind][0]) if kind in groups else {}
    if bodies.get("/ivp/ss/gen_config"):
        running = bodies["/ivp/ensemble/generator"]["oper_state"] == "close"
        grid["generator_state"] = "connected" if running else "disconnected"
    assert points(name, "envoy_grid") == ({(): (recording.tick, grid)} if grid else {})
    settings = bodies.get("/ivp/ss/dry_contact_settings", {"dry_contacts": []})
    used = mapping.contact_names(settings) if "ENPOWER" in groups else {}
    states = {c["id"]: c["status"] for c in bodies.get("/ivp/ensemble/dry_contacts", {}).get("dry_contacts", [])}
    assert points(name, "envoy_contact", "contact", "contact_name") == {
        (identity, text): (recording.tick, {"closed": states[identity] == "closed"})
        for identity, text in used.items()
    }
    assert points(name, "envoy_combiner", "serial") == {
        device["serial_num"]: (
            recording.tick, {field: device[key] for key, field in mapping.COMBINER.items()} | {"inventory_age_s": 0}
        )
        for device in groups.get("C6 COMBINER CONTROLLER", [])
    }  # fmt: skip
    network = bodies.get("/home", {}).get("network", {})
    expected: dict[str, Value] = {"firmware": recording.info.firmware, "part_number": recording.info.part_number}
    if network:
        seconds = float(recording.at - network["last_enlighten_report_time"])
        signals = [i["signal_strength"] for i in network["interfaces"] if i["type"] == "wifi" and i["carrier"]]
        expected |= {"interface": network["primary_interface"], **({"wifi_signal": signals[0]} if signals else {})}
        expected |= {"last_cloud_report_age_s": seconds} if seconds >= -AHEAD_S else {}
    assert points(name, "envoy_gateway") == {(): (recording.tick, expected)}


def listed_rows(bodies: dict[str, Any], kind: int) -> dict[str, Any]:
    rows = [d for d in bodies.get("/api/v1/production/inverters", []) if d.get("devType", 1) == kind]
    return mapping.unique(rows, "serialNumber")


def channels_of(bodies: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first channel in device data of every device of a kind that has reported."""
    devices = [d for d in bodies.get("/ivp/pdm/device_data", {}).values() if isinstance(d, dict)]
    reported = [d for d in devices if d["devName"] == kind and d["active"] and d["channels"][0]["lastReading"]]
    return {serial: device["channels"][0] for serial, device in mapping.unique(reported, "sn").items()}


def inventory_rows(bodies: dict[str, Any], kind: str) -> dict[str, Any]:
    groups = [g for g in bodies.get("/inventory.json?deleted=1", []) if g["type"] == kind]
    return mapping.unique([d for g in groups for d in g["devices"] if d["admin_state"] != 3], "serial_num")


@pytest.mark.parametrize("name", names())
def test_every_inverter_that_reported_is_written_once_with_its_report(name: str) -> None:
    bodies = raw(name)
    expected = {
        serial: (row["lastReportDate"], mapping.listed_inverter_fields(row))
        for serial, row in listed_rows(bodies, 1).items()
    }
    for serial, channel in channels_of(bodies, "pcu").items():
        expected[serial] = channel["lastReading"]["endDate"], mapping.inverter_fields(channel)
    assert points(name, "envoy_inverter", "serial") == expected


@pytest.mark.parametrize("name", names())
def test_every_inverters_status_comes_from_the_inventory_or_else_from_how_long_it_is_silent(name: str) -> None:
    bodies, recording = raw(name), load(name)
    at = recording.at
    rows, channels = listed_rows(bodies, 1), channels_of(bodies, "pcu")
    expected: dict[str, dict[str, Value]] = {
        serial: mapping.status_fields(device) for serial, device in inventory_rows(bodies, "PCU").items()
    }
    if not expected:
        newest = max((row["lastReportDate"] for row in rows.values()), default=0)
        for serial, row in rows.items():
            heard = at - row["lastReportDate"] < HEARD_S
            if row["lastReportDate"] > newest - MONTH_S:
                expected[serial] = {"communicating": heard, "producing": heard and row["lastReportWatts"] > 0}
    if not expected and len(device_data(bodies)):
        for device in device_data(bodies):
            last, watts = device["channels"][0]["lastReading"], device["channels"][0]["watts"]["now"]
            heard = not device["modGone"] and at - last["endDate"] < HEARD_S
            expected[device["sn"]] = {"communicating": heard, "producing": heard and watts > 0}
    reported = {serial: row["lastReportDate"] for serial, row in rows.items()}
    reported |= {serial: channel["lastReading"]["endDate"] for serial, channel in channels.items()}
    assert points(name, "envoy_inverter_status", "serial") == {
        serial: (recording.tick, {**fields, **age(recording.at, reported.get(serial, 0)), "inventory_age_s": 0})
        for serial, fields in expected.items()
    }


@pytest.mark.parametrize("name", names())
def test_every_battery_agrees_with_the_bodies(name: str) -> None:
    bodies, recording = raw(name), load(name)
    groups = [g for g in bodies.get("/ivp/ensemble/inventory", []) if g.get("type") == "ENCHARGE"]
    powers = {d["serial_num"]: d for d in bodies.get("/ivp/ensemble/power", {}).get("devices:", [])}
    ratings = bodies.get("/ivp/ensemble/status", {}).get("inventory", {}).get("serial_nums", {})
    expected: dict[tuple[str, str], dict[str, Value]] = {}
    for device in (device for group in groups for device in group["devices"]):
        serial = device["serial_num"]
        fields = mapping.iq_battery_fields(device, powers.get(serial), ratings.get(serial))
        expected["encharge", serial] = fields | age(recording.at, device["last_rpt_date"])
    inventory, rows, data = inventory_rows(bodies, "ACB"), listed_rows(bodies, 11), channels_of(bodies, "acb")
    for serial in inventory or rows or data:
        channel = data.get(serial)
        fields = mapping.ac_battery_fields(inventory.get(serial), rows.get(serial), channel)
        expected["acb", serial] = fields | (age(recording.at, channel["lastReading"]["endDate"]) if channel else {})
    found = points(name, "envoy_battery", "kind", "serial")
    assert found == {key: (recording.tick, fields) for key, fields in expected.items()}


def test_the_rolled_over_inverters_block_is_not_the_lifetime() -> None:
    """Q-L1: it is exactly 2**32 J short."""
    name = "7.6.114_without_cts"
    block_wh = raw(name)["/production.json"]["production"][0]["whLifetime"]
    found = totals(read(name))["production_lifetime_wh"]
    assert isinstance(found, float)
    assert found - block_wh == pytest.approx(2**32 / 3600, abs=1)


@pytest.mark.parametrize("name", names())
def test_every_point_has_fields_types_and_tags_of_the_contract(name: str) -> None:
    types: dict[str, type] = {"": float, "int": int, "bool": bool, "string": str}
    for point in read(name).readings:
        role, tags, fields = CONTRACT[point.measurement]
        kinds = dict(word.partition(":")[::2] for word in fields.split())
        assert point.role == role
        assert {"gateway", *tags.split()} - set(point.tags) <= {"contact_name"}
        assert set(point.tags) <= {"gateway", *tags.split()}
        assert {field: type(value) for field, value in point.fields.items()} == {
            field: types[kinds[field]] for field in point.fields
        }

"""The points that must come of what the stand-in gateway served, computed from its answers alone.

It shares no code with the recorder: the fields of devices are those of `tests.mapping`, the totals are computed here,
for a gateway with production, net and storage CTs and IQ Batteries whose inverters are all in the device data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logger.model import Value
from tests import mapping
from tests.endtoend.points import Place, Points
from tests.standin import Served

READINGS = "/ivp/meters/readings"
INVENTORY = "/inventory.json?deleted=1"
AGE_S = 90
"""How far an age may be from what it was at the tick: a second of real time, and the gateway's whole seconds."""


@dataclass(frozen=True)
class Answers:
    """What the gateway answered, newest last, by path."""

    served: Sequence[Served]

    def newest(self, path: str, before: float, since: float = 0.0) -> Any:
        """The newest body of a path that was answered in that span, or None."""
        found = [s.body for s in self.served if s.path == path and s.status == 200 and since <= s.time < before]
        return json.loads(found[-1]) if found else None

    def answered_at(self, path: str, before: float) -> float | None:
        """When the newest answer of a path before that moment was sent."""
        return max((s.time for s in self.served if s.path == path and s.time < before), default=None)

    def ticks(self, interval_s: int) -> list[int]:
        """The ticks at which the live meters were read."""
        return sorted({int(s.time) // interval_s * interval_s for s in self.served if s.path == READINGS})


def expected(served: Sequence[Served], gateway: str, last_tick: int, interval_s: int = 60) -> Points:
    """Every point of totals, meters, phases, grid, contacts, inverters, their status and batteries to `last_tick`."""
    truth = _Truth(Answers(served), gateway, interval_s)
    for tick in truth.answers.ticks(interval_s):
        if tick <= last_tick:
            truth.tick(tick)
    return truth.points


class _Truth:
    def __init__(self, answers: Answers, gateway: str, interval_s: int) -> None:
        self.answers, self.gateway, self.interval_s = answers, gateway, interval_s
        self.points: Points = {}
        self._first: dict[str, float] = {}
        self._seeds: dict[str, tuple[float, float]] = {}
        self._reported: dict[str, list[int]] = {}

    def tick(self, tick: int) -> None:
        polled = self.answers.answered_at(READINGS, tick + self.interval_s)
        assert polled is not None
        inventory_at = self.answers.answered_at(INVENTORY, polled)
        inventory = self.answers.newest(INVENTORY, polled)
        age = None if inventory_at is None else max(0, int(tick - inventory_at))
        meters = self._meters(tick)
        self._add("envoy_totals", {}, tick, self._totals(tick, meters, inventory, age))
        for kind, row in meters.items():
            phases = row["phases"]
            self._add("envoy_meter", {"meter": kind}, tick, mapping.meter_fields(row, phases))
            for number, channel in enumerate(row["channels"][:phases], 1):
                tags = {"meter": kind, "phase": f"L{number}"}
                self._add("envoy_phase", tags, tick, mapping.meter_fields(channel, 1, phase=True))
        self._grid(tick)
        data = self._now("/ivp/pdm/device_data", tick)
        if data is not None:
            self._inverters(tick, data, inventory, age)
            self._batteries(tick)

    def _add(self, measurement: str, tags: dict[str, str], time: int, fields: dict[str, Value]) -> None:
        place = Place(measurement, tuple(sorted({"gateway": self.gateway, **tags}.items())), time)
        assert place not in self.points, place
        self.points[place] = fields

    def _now(self, path: str, tick: int) -> Any:
        return self.answers.newest(path, tick + self.interval_s, since=tick)

    def _meters(self, tick: int) -> dict[str, Any]:
        """The enabled meters' readings by kind, each with how many phases it has."""
        listed = {m["eid"]: m for m in self.answers.newest("/ivp/meters", tick + self.interval_s)}
        return {
            listed[row["eid"]]["measurementType"]: {**row, "phases": listed[row["eid"]]["phaseCount"]}
            for row in self._now(READINGS, tick)
            if listed[row["eid"]]["state"] == "enabled"
        }

    def _totals(self, tick: int, meters: dict[str, Any], inventory: Any, age: int | None) -> dict[str, Value]:
        production, net, storage = (meters[kind] for kind in ("production", "net-consumption", "storage"))
        powers = {
            "production_power_w": production["activePower"],
            "net_power_w": net["activePower"],
            "battery_power_w": storage["activePower"],
        }
        powers["consumption_power_w"] = powers["production_power_w"] + powers["net_power_w"]
        powers["load_power_w"] = powers["consumption_power_w"] + powers["battery_power_w"]
        ever = {
            "production": production["actEnergyDlvd"],
            "grid_import": net["actEnergyDlvd"],
            "grid_export": net["actEnergyRcvd"],
            "battery_charged": storage["actEnergyRcvd"],
            "battery_discharged": storage["actEnergyDlvd"],
        }
        ever["net"] = ever["grid_import"] - ever["grid_export"]
        ever["consumption"] = ever["production"] + ever["net"]
        ever["load"] = ever["consumption"] + ever["battery_discharged"] - ever["battery_charged"]
        fields: dict[str, Value] = {**powers, **{f"{name}_lifetime_wh": value for name, value in ever.items()}}
        self._seed(tick, ever)
        for name, (today, week) in self._seeds.items():
            fields[f"{name}_today_wh"] = today + ever[name] - self._first[name]
            fields[f"{name}_7d_wh"] = week
        fields |= self._all_batteries(tick, powers["battery_power_w"])
        if inventory is not None and age is not None:
            fields |= self._installation(tick, inventory, age)
        return {name: float(value) if isinstance(value, int) and name.endswith(("_w", "_wh", "_percent")) else value
                for name, value in fields.items()}  # fmt: skip

    def _seed(self, tick: int, ever: dict[str, float]) -> None:
        """The first day begins with the gateway's figures, brought forward from its last quarter of an hour."""
        if self._seeds:
            return
        self._first = dict(ever)
        figures = self._now("/ivp/pdm/energy", tick)
        for name in ("production", "consumption"):
            block = figures[name]["eim"]
            ahead = ever[name] - block["wattHoursLifetime"]
            self._seeds[name] = (block["wattHoursToday"] + ahead, float(block["wattHoursSevenDays"]))
        produced, consumed = self._seeds["production"], self._seeds["consumption"]
        self._seeds["net"] = (consumed[0] - produced[0], consumed[1] - produced[1])

    def _all_batteries(self, tick: int, battery_w: float) -> dict[str, Value]:
        """All batteries together."""
        site = self._now("/ivp/ensemble/secctrl", tick)
        return {
            "battery_state": mapping.battery_state(battery_w, len(self._battery_rows(tick))),
            "battery_charge_percent": float(site["agg_soc"]),
            "battery_reserve_percent": float(site["configured_backup_soc"]),
            "battery_health_percent": float(site["ENC_agg_soh"]),
            "battery_energy_wh": float(site["ENC_agg_avail_energy"] + site["ACB_agg_energy"]),
            "battery_capacity_wh": float(site["Enc_max_available_capacity"]),
        }

    def _installation(self, tick: int, inventory: Any, age: int) -> dict[str, Value]:
        """What needs the inventory: how many there are of everything."""
        inverters = [d for group in inventory if group["type"] == "PCU" for d in group["devices"]]
        return {
            "inverters": len(inverters),
            "inverters_communicating": sum(d["communicating"] for d in inverters),
            "inverters_producing": sum(d["producing"] for d in inverters),
            "batteries": len(self._battery_rows(tick)),
            "inventory_age_s": age,
        }

    def _inverters(self, tick: int, data: Any, inventory: Any, age: int | None) -> None:
        """A point for every report that is new, at its own second; a point of status for every inverter."""
        flags = {d["serial_num"]: d for group in inventory or [] if group["type"] == "PCU" for d in group["devices"]}
        for device in (d for d in data.values() if isinstance(d, dict) and d["devName"] == "pcu"):
            serial, channel = device["sn"], device["channels"][0]
            last, reports = channel["lastReading"], self._reported.setdefault(device["sn"], [])
            if last["endDate"] not in reports:
                reports.append(last["endDate"])
                self._add("envoy_inverter", {"serial": serial}, last["endDate"], mapping.inverter_fields(channel))
            fields: dict[str, Value] = {"report_age_s": last["endDate"]}  # its age is compared apart
            if len(reports) > 1:
                fields["report_interval_s"] = reports[-1] - reports[-2]
            if age is not None:
                fields |= mapping.status_fields(flags[serial])
                fields["inventory_age_s"] = age
            self._add("envoy_inverter_status", {"serial": serial}, tick, fields)

    def _battery_rows(self, tick: int) -> list[Any]:
        groups = self.answers.newest("/ivp/ensemble/inventory", tick + self.interval_s)
        return [device for group in groups if group["type"] == "ENCHARGE" for device in group["devices"]]

    def _grid(self, tick: int) -> None:
        """The connection to the grid by its controller; contacts in use, when they were asked for."""
        groups = self._now("/ivp/ensemble/inventory", tick) or []
        for controller in (device for group in groups if group["type"] == "ENPOWER" for device in group["devices"]):
            self._add("envoy_grid", {}, tick, mapping.grid_fields("ENPOWER", controller))
        states = self._now("/ivp/ensemble/dry_contacts", tick)
        if states is None:
            return
        names = mapping.contact_names(self.answers.newest("/ivp/ss/dry_contact_settings", tick + self.interval_s))
        for contact in states["dry_contacts"]:
            if (name := names.get(contact["id"])) is not None:
                tags = {"contact": contact["id"], **({"contact_name": name} if name else {})}
                self._add("envoy_contact", tags, tick, {"closed": contact["status"] == "closed"})

    def _batteries(self, tick: int) -> None:
        powers = {d["serial_num"]: d for d in self._now("/ivp/ensemble/power", tick)["devices:"]}
        ratings = self.answers.newest("/ivp/ensemble/status", tick + self.interval_s)["inventory"]["serial_nums"]
        for device in self._battery_rows(tick):
            serial = device["serial_num"]
            fields = mapping.iq_battery_fields(device, powers[serial], ratings[serial])
            fields["report_age_s"] = device["last_rpt_date"]  # its age is compared apart
            self._add("envoy_battery", {"serial": serial, "kind": "encharge"}, tick, fields)


def unlike(got: Points, wanted: Points) -> list[str]:
    """What differs from the truth: places, types and values exactly but for the last bits of sums.

    Ages are right but for the moment of the poll, which a fast clock makes long.
    """
    found = [f"missing: {place}" for place in wanted.keys() - got.keys()]
    found += [f"extra: {place}" for place in got.keys() - wanted.keys()]
    for place in got.keys() & wanted.keys():
        mine, theirs = got[place], wanted[place]
        for name in mine.keys() | theirs.keys():
            if name not in mine or name not in theirs:
                found.append(f"{place}: {name} is {mine.get(name)}, not {theirs.get(name)}")
            elif not _alike(name, mine[name], theirs[name], place.time):
                found.append(f"{place}: {name} is {mine[name]!r}, not {theirs[name]!r}")
    return sorted(found)


def _alike(name: str, mine: Value, theirs: Value, tick: int) -> bool:
    if type(mine) is not type(theirs):
        return False
    if name == "report_age_s":  # `theirs` is the second of the report
        return abs(int(mine) - (tick - int(theirs))) <= AGE_S and int(mine) >= 0
    if name == "inventory_age_s":  # the answer was received a little after it was sent
        return 0 <= int(mine) <= int(theirs)
    if isinstance(mine, float) and isinstance(theirs, float):
        if mapping.is_rounded(name):
            return mine == round(mine, 3) and abs(mine - theirs) <= 0.0005 + 1e-6
        return abs(mine - theirs) <= 1e-6 + 1e-12 * abs(theirs)
    return mine == theirs

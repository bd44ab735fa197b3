"""What each key of a gateway's documents may change, stated by hand, without a look at the product's code.

For a key at a place of a document this gives the (measurement, series, field) that it stands for. Whatever a mutation
of that key changes beyond them is a mistake. Keys that are not named here may change nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests import mapping
from tests.readings.recordings import Recording

Where = tuple[str | int, ...]
Series = tuple[tuple[str, str], ...]
Spot = tuple[str, Series, str]
"""Measurement, tags without the gateway's, field."""
NEW_SERIAL = "mutated"
SPANS = ("today_wh", "7d_wh", "lifetime_wh")
DAYS = ("today_wh", "7d_wh")
COUNTS = ("inverters", "inverters_communicating", "inverters_producing", "inventory_age_s")
BATTERY_TOTALS = (
    "batteries", "battery_state", "battery_charge_percent", "battery_power_w", "battery_energy_wh",
    "battery_capacity_wh", "battery_reserve_percent", "battery_health_percent", "load_power_w", "load_today_wh",
    "load_7d_wh", "load_lifetime_wh",
)  # fmt: skip
OF_BATTERY_POWER = (
    "battery_power_w", "battery_state", "load_power_w", "load_today_wh", "load_7d_wh", "load_lifetime_wh",
)  # fmt: skip
"""Without a storage CT the house's energy is made of the batteries' power too."""
BATTERY_LIFETIMES = ("battery_charged_lifetime_wh", "battery_discharged_lifetime_wh")
BALANCED = ("grid_import_balanced", "grid_export_balanced")
NET = ("net_power_w", "net_today_wh", "net_7d_wh", "net_lifetime_wh")
OF_A_METER = {**{key: name for name, key in mapping.METER.items()}, "voltage": "voltage_v"}
OF_A_READING = {key: name for name, (key, _) in mapping.LAST_READING.items()}
OF_AN_ENCHARGE = {
    "communicating": ("communicating",), "operating": ("operating",), "device_status": ("provisioned",),
    "temperature": ("temperature_c",), "maxCellTemp": ("max_cell_temperature_c",),
    "encharge_capacity": ("capacity_wh", "energy_wh"), "last_rpt_date": ("report_age_s",),
}  # fmt: skip
OF_AN_ACB = {
    "communicating": ("communicating",), "provisioned": ("provisioned",), "operating": ("operating",),
    "charge_status": ("state", "producing"), "percentFull": ("charge_percent",),
    "maxCellTemp": ("max_cell_temperature_c",),
}  # fmt: skip


@dataclass(frozen=True)
class May:
    """What may change: a measurement's fields (all if there are none), of the series with these tags."""

    measurement: str
    fields: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    def covers(self, spot: Spot) -> bool:
        measurement, series, name = spot
        return (
            measurement == self.measurement
            and (not self.fields or name in self.fields)
            and set(self.tags) <= set(series)
        )


def totals(*fields: str) -> May:
    return May("envoy_totals", fields)


def energies(*quantities: str, spans: Iterable[str] = SPANS) -> May:
    return totals(*(f"{quantity}_{span}" for quantity in quantities for span in spans))


def device(measurement: str, serial: Any, *fields: str, **tags: str) -> May:
    return May(measurement, fields, (("serial", str(serial)), *tags.items()))


@dataclass
class Provenance:
    """The same for one recording."""

    recording: Recording
    _leaves: dict[tuple[str, Where], list[May]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bodies: Any = self.recording.bodies
        self.bodies = bodies
        lines = bodies.get("/ivp/meters", [])
        self.listed = {line["eid"]: line for line in lines}
        self.metered = any(m["measurementType"] == "production" and m["state"] == "enabled" for m in lines)
        self.total_ct = any(m["measurementType"] == "total-consumption" and m["state"] == "enabled" for m in lines)
        self.off = bool(lines) and not self.metered
        data = bodies.get("/ivp/pdm/device_data", {}).values()
        self.acb_data = any(isinstance(d, dict) and d["devName"] == "acb" for d in data)
        self.battery_totals = (
            *BATTERY_TOTALS, *(NET if self.total_ct else ()), *(BATTERY_LIFETIMES if self.acb_data else ()),
        )  # fmt: skip
        self.new_stack = any(m["measurementType"] == "backfeed" for m in lines)

    def of(self, path: str, where: Where) -> list[May]:
        """What a key may change: what it stands for itself, and what everything under it stands for."""
        found = list(self._leaf(path, where))
        body: Any = self.bodies[path]
        for step in where:
            body = body[step]
        for below in _places(body, where):
            found += self._leaf(path, below)
        return found

    def document(self, path: str) -> list[May]:
        """What may change when a whole document cannot be read."""
        found = [may for where in _places(self.bodies[path], ()) for may in self._leaf(path, where)]
        return found + list(self._whole(path))

    def _leaf(self, path: str, where: Where) -> list[May]:
        at = (path, where)
        if at not in self._leaves:
            rules = {
                "/ivp/meters": self._meters, "/ivp/meters/readings": self._readings,
                "/api/v1/production": self._v1, "/api/v1/production/inverters": self._v1_inverters,
                "/ivp/pdm/energy": self._pdm, "/ivp/pdm/device_data": self._device_data,
                "/inventory.json?deleted=1": self._inventory, "/production.json?details=1": self._blocks,
                "/ivp/ensemble/inventory": self._ensemble, "/ivp/ensemble/power": self._power,
                "/ivp/ensemble/status": self._status, "/ivp/ensemble/secctrl": self._secctrl,
                "/ivp/ensemble/dry_contacts": self._contacts, "/ivp/ss/dry_contact_settings": self._contacts,
                "/ivp/ensemble/generator": self._generator, "/home.json": self._home,
            }  # fmt: skip
            self._leaves[at] = list(rules[path](where)) if path in rules else []
        return self._leaves[at]

    def _whole(self, path: str) -> Iterator[May]:
        """What an empty list stands for, which has no keys: that there is nothing of the kind."""
        match path:
            case "/ivp/meters":
                yield from (
                    self._power_of(k) for k in ("production", "net-consumption", "total-consumption", "storage")
                )
                yield from (
                    energies("production", "consumption", "load", "net", "grid_import", "grid_export", *BALANCED),
                )
                if self.acb_data:  # a storage CT would count what they took and gave
                    yield totals(*BATTERY_LIFETIMES)
            case "/ivp/ensemble/inventory":
                yield totals(*self.battery_totals)
            case "/ivp/ensemble/power":
                yield May("envoy_battery")
            case "/ivp/ss/gen_config":
                yield May("envoy_grid", ("generator_state",))
            case "/api/v1/production/inverters" | "/inventory.json?deleted=1":
                yield totals(*COUNTS, *self.battery_totals)
            case "/production":
                yield totals("production_power_w")
                yield energies("production")
            case "/production.json?details=1":
                yield totals(*COUNTS)

    # --- meters -------------------------------------------------------------------------------------------------

    def _power_of(self, kind: str) -> May:
        return totals(*{
            "production": ("production_power_w", "consumption_power_w", "load_power_w", "net_power_w")
            if self.total_ct else ("production_power_w", "consumption_power_w", "load_power_w"),
            "net-consumption": ("net_power_w", "consumption_power_w", "load_power_w"),
            "total-consumption": ("consumption_power_w", "load_power_w", "net_power_w"),
            "storage": (*OF_BATTERY_POWER, *(NET if self.total_ct else ())),
        }.get(kind, ("-",)))  # fmt: skip

    def _energy_of(self, kind: str, key: str) -> Iterator[May]:
        delivered = key == "actEnergyDlvd"
        if kind == "production" and delivered:
            yield energies("production", "consumption", "load")
            yield energies("net", spans=SPANS if self.total_ct else DAYS)
        elif kind == "net-consumption":
            yield energies("grid_import" if delivered else "grid_export", *BALANCED, "consumption", "load", "net")
        elif kind == "total-consumption" and delivered:
            yield energies("consumption", "load", "net")
        elif kind == "storage":
            yield totals(f"battery_{'discharged' if delivered else 'charged'}_lifetime_wh")
            yield energies("load")

    def _all_of(self, kind: str) -> Iterator[May]:
        yield self._power_of(kind)
        for key in ("actEnergyDlvd", "actEnergyRcvd"):
            yield from self._energy_of(kind, key)

    def _meters(self, where: Where) -> Iterator[May]:
        index, key = where[0], where[-1]
        line = self.bodies["/ivp/meters"][index]
        kind = line["measurementType"]
        if key in ("eid", "state", "measurementType"):
            yield from self._all_of(kind)
            if kind in ("net-consumption", "total-consumption"):  # one place for either
                yield from self._all_of("net-consumption")
                yield from self._all_of("total-consumption")
        if key in ("eid", "state", "measurementType", "phaseCount") and line["state"] == "enabled":
            fields = ("voltage_v",) if key == "phaseCount" else ()
            yield May("envoy_meter", fields, (("meter", kind),))
            yield May("envoy_phase", (), (("meter", kind),))
            yield energies(*BALANCED)

    def _readings(self, where: Where) -> Iterator[May]:
        row = self.bodies["/ivp/meters/readings"][where[0]]
        line = self.listed.get(row["eid"])
        if line is None or line["state"] != "enabled":
            return
        kind, key = line["measurementType"], str(where[-1])
        tags = (("meter", kind),)
        if len(where) > 2 and where[1] == "channels":
            yield from self._channel(row["channels"], int(where[2]), key, kind, line["phaseCount"])
        elif key == "channels" and line["phaseCount"] > 1:
            yield from (May("envoy_meter", ("voltage_v",), tags), energies(*BALANCED))
        elif key == "eid":
            yield from (May("envoy_meter", (), tags), May("envoy_phase", (), tags), *self._all_of(kind))
        elif key == "timestamp":  # powers of two times are not added up
            yield self._power_of(kind)
        elif key in OF_A_METER:
            names: tuple[str, ...] = (OF_A_METER[key],)
            if self.new_stack and key in ("activePower", "apparentPower"):
                names = (*names, "power_factor")
            if not (self.new_stack and key in ("pwrFactor", "apparentEnergy")):
                yield May("envoy_meter", names, tags)
            if key == "activePower":
                yield self._power_of(kind)
            yield from self._energy_of(kind, key) if key.startswith("actEnergy") else ()

    def _channel(self, channels: Any, index: int, key: str, kind: str, phases: int) -> Iterator[May]:
        if index >= phases:
            return
        tags = (("meter", kind), ("phase", f"L{index + 1}"))
        decides = ("voltage", "actEnergyDlvd", "actEnergyRcvd")
        if key == "voltage" and any(0 <= each["voltage"] < 20 for each in channels[:phases]):
            yield May("envoy_meter", ("voltage_v",), tags[:1])  # beside a dead phase the mean is of those that live
        if key in decides and not any(channels[index][name] for name in decides):  # an unwired leg
            yield from (May("envoy_phase", (), tags), May("envoy_meter", ("voltage_v",), tags[:1]))
            yield energies(*BALANCED)
        power = "instantaneousDemand" if self.new_stack else "activePower"
        name = "power_w" if key == power else None if key == "activePower" else OF_A_METER.get(key)
        if name and not (self.new_stack and key == "apparentEnergy"):
            yield May("envoy_phase", (name,), tags)

    # --- totals -------------------------------------------------------------------------------------------------

    def _v1(self, where: Where) -> Iterator[May]:
        if self.off:
            return
        by_blocks = not self.listed and self._ct("production") is not None
        if where[-1] == "wattHoursLifetime":
            yield energies("production", "net", spans=DAYS)
            if not self.metered and not by_blocks:
                yield totals("production_power_w")
                yield energies("production")
        if where[-1] in ("wattHoursToday", "wattHoursSevenDays"):
            yield energies("production", "net", spans=DAYS)
        if where[-1] == "wattsNow" and not self.metered and not by_blocks:
            yield totals("production_power_w")
            yield energies("production", spans=DAYS)  # a power by day proves that the sun shone since midnight

    def _pdm(self, where: Where) -> Iterator[May]:
        side, part = (*where, "", "")[:2]
        if part == "eim" and len(where) == 3 and where[-1] != "wattsNow":
            yield energies(*("production",) if side == "production" else ("consumption", "load"), "net", spans=DAYS)
        if part == "pcu" and len(where) == 3 and not self.metered:
            yield from (totals("production_power_w"), energies("production"))

    def _ct(self, kind: str) -> Any:
        blocks = self.bodies.get("/production.json?details=1", {})
        found = [b for side in ("production", "consumption") for b in blocks.get(side, [])]
        return next((b for b in found if b.get("measurementType") == kind and b["activeCount"] == 1), None)

    def _blocks(self, where: Where) -> Iterator[May]:
        if where == ("production",):
            yield from (*self._all_of("production"), totals(*COUNTS))
            return
        if len(where) != 3:
            return
        side, index, key = where
        part = self.bodies["/production.json?details=1"][side][index]
        if key == "type":
            of = {"production": ("production",), "consumption": ("net-consumption",), "storage": ("storage",)}
            for kind in of.get(str(side), ()):
                yield from self._all_of(kind)
            yield energies("production" if side == "production" else "consumption", "load", "net", spans=DAYS)
            yield totals(*COUNTS) if side == "production" else totals(*self.battery_totals)
        elif part["type"] == "inverters":
            if key == "activeCount":
                yield totals(*COUNTS)
            if key in ("wNow", "whLifetime") and not self.metered and not self._v1_lives():
                yield totals("production_power_w") if key == "wNow" else energies("production")
        elif part["type"] == "eim":
            yield from self._ct_block(part, str(side), str(key))
        elif part["type"] == "acb" and key in ("wNow", "readingTime", "activeCount"):
            yield self._power_of("storage")
            if key == "activeCount" and "/api/v1/production/inverters" not in self.bodies:
                yield totals(*self.battery_totals)

    def _v1_lives(self) -> bool:
        return not self.off and self.bodies.get("/api/v1/production", {}).get("wattHoursLifetime", 0) > 0

    def _ct_block(self, part: Any, side: str, key: str) -> Iterator[May]:
        unclear = key in ("activeCount", "measurementType")
        if unclear and (part["activeCount"] == 1 or key == "activeCount"):
            yield energies("production" if side == "production" else "consumption", "net", spans=DAYS)
            yield energies("load", spans=DAYS)
            if not self.listed:
                yield from self._all_of("production" if side == "production" else "net-consumption")
        if part["activeCount"] != 1:
            return
        kind = part["measurementType"]
        if key in ("wNow", "readingTime") and not self.listed and kind in ("production", "net-consumption"):
            yield self._power_of(kind)
        if key == "readingTime":  # without it, sums are believed whose row has stood still for days
            yield energies("production" if side == "production" else "consumption", "load", "net", spans=DAYS)
        if key in ("whToday", "whLastSevenDays", "whLifetime"):
            if kind == "production":
                yield energies("production", "net", spans=DAYS)
                if key == "whLifetime" and not self.listed:
                    yield from self._energy_of(kind, "actEnergyDlvd")
            elif kind == "total-consumption":
                yield energies("consumption", "load", "net", spans=DAYS)

    # --- inverters ----------------------------------------------------------------------------------------------

    def _counts_by(self, path: str) -> bool:
        """Whether inverters are counted by that document: the inventory, else device data, else the list."""
        order = ("/inventory.json?deleted=1", "/ivp/pdm/device_data", "/api/v1/production/inverters")
        return path == next((known for known in order if known in self.bodies), None)

    def _flags_by_list(self) -> bool:
        return "/inventory.json?deleted=1" not in self.bodies

    def _v1_inverters(self, where: Where) -> Iterator[May]:
        path = "/api/v1/production/inverters"
        row, key = self.bodies[path][where[0]], where[-1]
        serial, battery = row["serialNumber"], row.get("devType") == 11
        if key == "serialNumber":
            yield from self._identity(serial)
        if key == "devType":
            yield from (totals(*COUNTS, *self.battery_totals), *self._identity(serial))
        if key == "maxReportWatts":
            yield (
                device("envoy_battery", serial, "max_power_w")
                if battery
                else device("envoy_inverter", serial, "max_power_w")
            )
        if battery:
            return
        if key == "lastReportWatts":
            yield from (device("envoy_inverter", serial, "power_w"), self._status_of(serial, "producing"))
            yield totals("inverters_producing") if self._flags_by_list() else totals("-")
        if key == "lastReportDate":
            yield device("envoy_inverter", serial)
            yield self._status_of(serial, "report_age_s", *(("producing", "communicating") * self._flags_by_list()))
            if self._counts_by(path):
                yield from (totals(*COUNTS), device("envoy_inverter_status", serial))
            elif self._flags_by_list():
                yield totals(*COUNTS[1:])
                yield device("envoy_inverter_status", serial)

    def _status_of(self, serial: Any, *fields: str) -> May:
        return device("envoy_inverter_status", serial, *fields)

    def _identity(self, *serials: Any) -> Iterator[May]:
        for serial in (*serials, NEW_SERIAL):
            for measurement in ("envoy_inverter", "envoy_inverter_status", "envoy_battery"):
                yield device(measurement, serial)

    def _device_data(self, where: Where) -> Iterator[May]:
        body = self.bodies["/ivp/pdm/device_data"]
        counts = self._counts_by("/ivp/pdm/device_data") or "/api/v1/production/inverters" not in self.bodies
        if where == ("deviceCount",) and counts:
            yield from (totals(*COUNTS), May("envoy_inverter_status"))
        if where == ("deviceCount",) and not self.metered:
            yield energies("production")
        found = body.get(where[0])
        if not isinstance(found, dict):
            return
        serial, key = found["sn"], where[-1]
        if len(where) == 1 or key in ("devName", "active", "channels", "sn", "lastReading", "endDate"):
            if key == "endDate":
                yield from (device("envoy_inverter", serial), self._status_of(serial))
                yield device("envoy_battery", serial, "report_age_s")
            else:
                yield from self._identity(serial)
            if counts:
                yield from (totals(*COUNTS), *((May("envoy_inverter_status"),) if len(where) < 3 else ()))
            if not self.metered:
                yield energies("production")
        if found["devName"] == "acb":
            names = {"SOC": "charge_percent", "SOH": "health_percent", "maxCellTemp": "max_cell_temperature_c"}
            watts = key in ("joulesProduced", "joulesUsed", "duration") and "lastReading" in where
            name = "power_w" if watts else names.get(str(key), "-")
            yield device("envoy_battery", serial, name, kind="acb")
            if len(where) <= 3 or key in ("devName", "active", "sn", "lastReading", "lifetime"):
                yield from (totals(*BATTERY_LIFETIMES), energies("load"))
            elif "lifetime" in where and key in ("joulesUsed", "joulesProduced"):
                yield from (totals(BATTERY_LIFETIMES[key == "joulesProduced"]), energies("load"))
        if found["devName"] != "pcu" or not found["active"]:
            return
        if key == "modGone" and self._flags_by_list() and "/api/v1/production/inverters" not in self.bodies:
            yield from (self._status_of(serial, "communicating", "producing"), totals(*COUNTS))
        names = {"now": "power_w", "max": "max_power_w", "today": "energy_today_wh", "week": "energy_7d_wh",
                 "yesterday": "energy_yesterday_wh"}  # fmt: skip
        if key in names and len(where) == 5:
            yield device("envoy_inverter", serial, names[str(key)])
            if key == "now" and "/api/v1/production/inverters" in self.bodies:  # read from that list without a power
                yield from (device("envoy_inverter", serial), self._status_of(serial))
            if key == "now" and "/api/v1/production/inverters" not in self.bodies:
                yield from (self._status_of(serial, "producing"), totals("inverters_producing"))
            if key in ("today", "week") and not self.metered:
                yield energies("production")
        if key == "joulesProduced" and "lifetime" in where:
            yield device("envoy_inverter", serial, "energy_lifetime_wh")
            yield energies("production") if not self.metered else totals("-")
        if key in OF_A_READING and "lastReading" in where:
            yield device("envoy_inverter", serial, OF_A_READING[str(key)])

    def _inventory(self, where: Where) -> Iterator[May]:
        group = self.bodies["/inventory.json?deleted=1"][where[0]]
        kind, key = group["type"], where[-1]
        if len(where) == 2 and kind in ("PCU", "ACB"):
            if kind == "PCU":
                yield from (totals(*COUNTS), May("envoy_inverter_status"))
            if kind == "ACB" or key == "type":
                yield from (totals(*self.battery_totals), May("envoy_battery", (), (("kind", "acb"),)))
        if len(where) != 4 or kind not in ("PCU", "ACB"):
            return
        found = group["devices"][where[2]]
        serial, deleted = found["serial_num"], found["admin_state"] == 3
        if key == "admin_state":
            yield from (*self._identity(serial), totals(*(COUNTS if kind == "PCU" else self.battery_totals)))
        if deleted:
            return
        if key == "serial_num":
            yield from self._identity(serial)
        elif kind == "ACB":
            yield device("envoy_battery", serial, *OF_AN_ACB.get(str(key), ("-",)), kind="acb")
        elif key in ("producing", "communicating"):
            yield from (self._status_of(serial, str(key)), totals(f"inverters_{key}"))
        elif key in ("provisioned", "operating"):
            yield self._status_of(serial, str(key))
        elif key == "device_status":
            yield from (self._status_of(serial, "conditions"), self._status_of(serial, "fault"))

    # --- batteries and the controller ---------------------------------------------------------------------------

    def _ensemble(self, where: Where) -> Iterator[May]:
        group = self.bodies["/ivp/ensemble/inventory"][where[0]]
        kind, key = group["type"], where[-1]
        if len(where) == 2:
            of_batteries = (totals(*self.battery_totals), May("envoy_battery", (), (("kind", "encharge"),)))
            of_control = (May("envoy_grid"), May("envoy_contact"), May("envoy_combiner"))
            if kind == "ENCHARGE" or key == "type":
                yield from of_batteries
            if kind != "ENCHARGE" or key == "type":
                yield from of_control
        if len(where) != 4:
            return
        found = group["devices"][where[2]]
        serial = found["serial_num"]
        if kind == "ENCHARGE":
            if key == "serial_num":
                yield from self._identity(serial)
            if key in OF_AN_ENCHARGE:
                yield device("envoy_battery", serial, *OF_AN_ENCHARGE[str(key)], kind="encharge")
            if key == "percentFull" and "/ivp/ensemble/power" not in self.bodies:
                yield device("envoy_battery", serial, "charge_percent", "energy_wh", kind="encharge")
        states: dict[str, dict[str, tuple[str, ...]]] = {
            "ENPOWER": {"mains_oper_state": ("grid_state", "relay_closed"),
                        "temperature": ("controller_temperature_c",)},
            "COLLAR": {"grid_state": ("grid_state",), "mid_state": ("relay_closed",),
                       "temperature": ("controller_temperature_c",)},
        }  # fmt: skip
        if names := states.get(kind, {}).get(str(key)):
            yield May("envoy_grid", names)
        if kind == "C6 COMBINER CONTROLLER":
            if key == "serial_num":
                yield from (device("envoy_combiner", serial), device("envoy_combiner", NEW_SERIAL))
            elif key in mapping.COMBINER:
                yield device("envoy_combiner", serial, mapping.COMBINER[str(key)])

    def _power(self, where: Where) -> Iterator[May]:
        if len(where) == 1:
            yield self._power_of("storage")
        if len(where) != 3:
            return
        found, key = self.bodies["/ivp/ensemble/power"][where[0]][where[1]], where[-1]
        serial = found["serial_num"]
        if key == "serial_num":
            yield from self._identity(serial)
        if key == "real_power_mw":
            yield device("envoy_battery", serial, "power_w", "producing", "state", kind="encharge")
            if not any(m["measurementType"] == "storage" and m["state"] == "enabled" for m in self.listed.values()):
                yield self._power_of("storage")
        if key == "apparent_power_mva":
            yield device("envoy_battery", serial, "apparent_power_va", kind="encharge")
        if key == "soc":
            yield device("envoy_battery", serial, "charge_percent", "energy_wh", kind="encharge")

    def _status(self, where: Where) -> Iterator[May]:
        if where[:2] == ("inventory", "serial_nums") and len(where) >= 3:
            yield device("envoy_battery", where[2], *(("max_power_w",) if len(where) < 4 or where[3] in (
                "encharge_rated_power", "device_type") else ("-",)), kind="encharge")  # fmt: skip

    def _secctrl(self, where: Where) -> Iterator[May]:
        yield totals(mapping.SITE_BATTERIES.get(str(where[-1]), "-"))

    def _contacts(self, where: Where) -> Iterator[May]:
        body = self.bodies["/ivp/ss/dry_contact_settings"]["dry_contacts"]
        if len(where) == 1:
            yield May("envoy_contact")
        elif where[-1] in ("id", "status", "type", "load_name") and len(where) == 3:
            contact = body[where[1]]["id"]  # both documents list them in one order
            yield May("envoy_contact", (), (("contact", contact),))
            yield May("envoy_contact", (), (("contact", NEW_SERIAL),))

    def _generator(self, where: Where) -> Iterator[May]:
        if where == ("oper_state",):
            yield May("envoy_grid", ("generator_state",))

    def _home(self, where: Where) -> Iterator[May]:
        names = {"primary_interface": "interface", "last_enlighten_report_time": "last_cloud_report_age_s",
                 "update_status": "update_status", "interfaces": "wifi_signal"}  # fmt: skip
        if where[:2] == ("network", "interfaces") and where[-1] in ("type", "carrier", "signal_strength"):
            yield May("envoy_gateway", ("wifi_signal",))
        elif where[0] == "network" or where == ("update_status",):
            yield May("envoy_gateway", (names.get(str(where[-1]), "-"),))


def _places(body: Any, at: Where) -> Iterator[Where]:
    """Where every key of a body is."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for step, value in items:
        if isinstance(body, dict):
            yield (*at, step)
        yield from _places(value, (*at, step))


places = _places

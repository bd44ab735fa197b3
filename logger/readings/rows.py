"""Row selectors: which objects of which documents a measurement is read from.

A selector looks at a View and returns rows, an empty list when this gateway surely has none, or None when
that cannot be told now (the document is missing, late or unreadable). That difference is what keeps a value
from coming silently from another source: a worse source is used only where the better one surely has nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from logger.model import Document, Json, Role, Snapshot

INFO = "/info"
METERS = "/ivp/meters"
READINGS = "/ivp/meters/readings"
V1 = "/api/v1/production"
V1_INVERTERS = "/api/v1/production/inverters"
PDM = "/ivp/pdm/energy"
DEVICE_DATA = "/ivp/pdm/device_data"
INVENTORY = "/inventory.json?deleted=1"
BLOCKS = "/production.json?details=1"
ENSEMBLE = "/ivp/ensemble/inventory"
ENSEMBLE_POWER = "/ivp/ensemble/power"
ENSEMBLE_STATUS = "/ivp/ensemble/status"
SECCTRL = "/ivp/ensemble/secctrl"
PATHS: Final = frozenset({
    METERS, READINGS, V1, V1_INVERTERS, PDM, DEVICE_DATA, INVENTORY, BLOCKS, ENSEMBLE, ENSEMBLE_POWER,
    ENSEMBLE_STATUS, SECCTRL})
"""Every document that a rowset reads."""

Object: TypeAlias = Mapping[str, Json]
FRESH_REPORT_S: Final = 30 * 60
"""An inverter that reported within this time is heard (reference 4.6)."""
GONE_S: Final = 30 * 86400
_DEVICE_DATA_LIMIT: Final = 50
"""device_data lists no more devices than this, whatever the site has."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object to read fields from. `serial`, `reported` (the gateway's own second) and `tags` name the device."""

    values: Object
    serial: str = ""
    reported: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    document: Document | None = None


Rows: TypeAlias = "list[Row] | None"


class Nowhere:
    """This gateway surely has no such document."""


NOWHERE: Final = Nowhere()


@dataclass(frozen=True, slots=True)
class View:
    """A Snapshot as one role's tick may see it."""

    snapshot: Snapshot
    role: Role

    def measured(self, path: str) -> Document | Nowhere | None:
        """The document, if it arrived since the role's last tick; measured values never stand."""
        document = self.snapshot.documents.get(path)
        if document is None:
            return NOWHERE if path in self.snapshot.settled else None
        return document if document.received_at > self.snapshot.since.get(self.role, -math.inf) else None

    def fact(self, path: str) -> Document | Nowhere | None:
        """The document, also one that stands since an earlier tick; for facts about the installation."""
        document = self.snapshot.documents.get(path)
        if document is None and path in self.snapshot.settled:
            return NOWHERE
        return document

    def gateway_now(self, document: Document) -> float:
        """The gateway's own clock when that document arrived."""
        return document.received_at + self.snapshot.gateway.clock_skew_s


Selector: TypeAlias = Callable[[View], Rows]


def number(value: Json) -> float | None:
    """A finite number, or None; text, booleans and null are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def whole(value: Json) -> int | None:
    """A whole number such as a count or an epoch second, also when the gateway wrote it as text (Q-T3)."""
    if isinstance(value, str):
        return int(value) if value.isdigit() and len(value) < 16 else None
    result = number(value)
    return int(result) if result is not None and result == int(result) else None


def objects(body: Json) -> list[Object] | None:
    """The objects of a list, or None if it is no list."""
    return [item for item in body if isinstance(item, dict)] if isinstance(body, list) else None


def serial_of(value: Json) -> str:
    """A serial number as text; some documents write it as a number."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


# --- meters ------------------------------------------------------------------------------------------------


def _enabled_meters(view: View) -> dict[Json, Object] | Nowhere | None:
    """Enabled meters by eid; NOWHERE where the gateway has no meter list."""
    document = view.fact(METERS)
    if document is None or isinstance(document, Nowhere):
        return document
    meters = objects(document.body)
    if meters is None:
        return None
    return {
        m["eid"]: m
        for m in meters
        if m.get("state") == "enabled" and isinstance(m.get("eid"), int) and isinstance(m.get("measurementType"), str)
    }


def has_disabled_meters(view: View) -> bool | None:
    """True on metered hardware whose production CT is not enabled (Q-P1); None if that cannot be told."""
    document = view.fact(METERS)
    if document is None:
        return None
    meters = [] if isinstance(document, Nowhere) else objects(document.body)
    if meters is None:
        return None
    return bool(meters) and not any(
        m.get("measurementType") == "production" and m.get("state") == "enabled" for m in meters
    )


def has_meter(view: View, kind: str) -> bool | None:
    """True if an enabled meter of that measurement type is listed; None if that cannot be told now."""
    meters = _enabled_meters(view)
    if meters is None:
        return None
    return not isinstance(meters, Nowhere) and any(m["measurementType"] == kind for m in meters.values())


def phases_in_use(meter: Object) -> int:
    """The number of phases by `phaseCount` (never by `phaseMode`, Q-M4); 1 to 3."""
    count = whole(meter.get("phaseCount"))
    return count if count in (1, 2, 3) else 1


def _is_half_dead(reading: Object, phases: int) -> bool:
    """Q-M13: one phase in use reads exactly 0 V while another is alive; the row's sums are half the truth."""
    channels = objects(reading.get("channels")) or []
    volts = [number(channel.get("voltage")) for channel in channels[:phases]]
    return any(v == 0.0 for v in volts) and any(v is not None and v > 50.0 for v in volts)


def enabled_meter_rows(view: View) -> Rows:
    """Every enabled meter's reading, joined by eid; values carry `phases` and tag `meter`."""
    meters = _enabled_meters(view)
    if meters is None:
        return None
    if isinstance(meters, Nowhere) or not meters:
        return []
    document = view.measured(READINGS)
    readings = None if document is None or isinstance(document, Nowhere) else objects(document.body)
    if readings is None or isinstance(document, (Nowhere, type(None))):
        return None
    rows = []
    for reading in readings:
        meter = meters.get(reading.get("eid"))
        if meter is not None and not _is_half_dead(reading, phases_in_use(meter)):
            rows.append(
                Row(
                    {**reading, "phases": phases_in_use(meter)},
                    tags=(("meter", str(meter["measurementType"])),),
                    document=document,
                )
            )
    return rows


def meter(kind: str) -> Selector:
    """The reading of the enabled meter of one measurement type."""

    def select(view: View) -> Rows:
        listed = has_meter(view, kind)
        if not listed:
            return None if listed is None else []
        rows = enabled_meter_rows(view)
        return [row for row in rows if ("meter", kind) in row.tags] or None if rows else None

    return select


# --- production totals -------------------------------------------------------------------------------------


def _object(path: str, view: View) -> Row | Nowhere | None:
    document = view.measured(path)
    if document is None or isinstance(document, Nowhere):
        return document
    return Row(document.body, document=document) if isinstance(document.body, dict) else None


def v1_totals(view: View) -> Rows:
    """`/api/v1/production`, while it is alive (lifetime above 0) and no disabled CT spoils it (Q-P3)."""
    disabled = has_disabled_meters(view)
    if disabled is None:
        return None
    row = _object(V1, view)
    if row is None:
        return None
    if disabled or isinstance(row, Nowhere):
        return []
    lifetime = number(row.values.get("wattHoursLifetime"))
    return None if lifetime is None else [row] if lifetime > 0 else []


def pdm(side: str, part: str) -> Selector:
    """One block of `/ivp/pdm/energy`, while its lifetime is above 0."""

    def select(view: View) -> Rows:
        row = _object(PDM, view)
        if row is None or isinstance(row, Nowhere):
            return None if row is None else []
        group = row.values.get(side)
        block = group.get(part) if isinstance(group, dict) else None
        if not isinstance(block, dict):
            return []
        lifetime = number(block.get("wattHoursLifetime"))
        return None if lifetime is None else [Row(block, document=row.document)] if lifetime > 0 else []

    return select


def _block(view: View, side: str, wanted: Callable[[Object], bool]) -> Rows:
    row = _object(BLOCKS, view)
    if row is None or isinstance(row, Nowhere):
        return None if row is None else []
    blocks = objects(row.values.get(side, []))
    if blocks is None:
        return None
    return [Row(block, document=row.document) for block in blocks if wanted(block)][:1]


def inverters_block(view: View) -> Rows:
    """The inverters block of production.json."""
    return _block(view, "production", lambda block: block.get("type") == "inverters")


def ct_block(side: str, kind: str) -> Selector:
    """A CT block of production.json with `activeCount` 1, only on gateways without a meter list."""

    def select(view: View) -> Rows:
        meters = view.fact(METERS)
        if not isinstance(meters, Nowhere):
            return None if meters is None else []
        return _block(
            view,
            side,
            lambda block: (
                block.get("type") == "eim" and block.get("activeCount") == 1 and block.get("measurementType") == kind
            ),
        )

    return select


def any_ct_block(side: str, kind: str) -> Selector:
    """The same block wherever it is, for the gateway's own figures of today and seven days."""

    def select(view: View) -> Rows:
        return _block(
            view,
            side,
            lambda block: (
                block.get("type") == "eim" and block.get("activeCount") == 1 and block.get("measurementType") == kind
            ),
        )

    return select


def acb_block(view: View) -> Rows:
    """The AC Battery block of production.json, if it counts batteries and is younger than 20 minutes (Q-B3)."""
    rows = _block(view, "storage", lambda block: block.get("type") == "acb" and bool(whole(block.get("activeCount"))))
    if not rows or rows[0].document is None:
        return rows
    read_at = whole(rows[0].values.get("readingTime")) or 0
    return rows if view.gateway_now(rows[0].document) - read_at < 20 * 60 else None


# --- inverters ---------------------------------------------------------------------------------------------


def _v1_list(view: View, dev_types: tuple[Json, ...]) -> Rows:
    document = view.measured(V1_INVERTERS)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    devices = objects(document.body)
    if devices is None:
        return None
    return [
        Row(device, serial_of(device.get("serialNumber")), whole(device.get("lastReportDate")), document=document)
        for device in devices
        if device.get("devType") in dev_types
    ]


def v1_inverters(view: View) -> Rows:
    """`/api/v1/production/inverters` without AC Batteries (Q-I5); 3.x firmware gives no `devType`."""
    return _v1_list(view, (1, None))


def v1_ac_batteries(view: View) -> Rows:
    """The AC Batteries of `/api/v1/production/inverters`."""
    return _v1_list(view, (11,))


def _device_data(view: View, kind: str) -> Rows:
    row = _object(DEVICE_DATA, view)
    if row is None or isinstance(row, Nowhere):
        return None if row is None else []
    rows = []
    for device in row.values.values():
        if not isinstance(device, dict) or device.get("devName") != kind or device.get("active") is not True:
            continue
        channels = objects(device.get("channels")) or []
        last = channels[0].get("lastReading") if channels else None
        if isinstance(last, dict) and last:
            rows.append(
                Row(
                    {**device, **channels[0]},
                    serial_of(device.get("sn")),
                    whole(last.get("endDate")),
                    document=row.document,
                )
            )
    return rows


def data_inverters(view: View) -> Rows:
    """Active inverters of `/ivp/pdm/device_data` with a last reading; at most 50 devices of a site are there."""
    return _device_data(view, "pcu")


def data_ac_batteries(view: View) -> Rows:
    """Active AC Batteries of `/ivp/pdm/device_data`."""
    return _device_data(view, "acb")


def device_data_sums(view: View) -> Rows:
    """Lifetime, today and week over all inverters of device_data, where none can be missing from it."""
    row = _object(DEVICE_DATA, view)
    if row is None or isinstance(row, Nowhere):
        return None if row is None else []
    count = whole(row.values.get("deviceCount"))
    if count is None or count >= _DEVICE_DATA_LIMIT:
        return None if count is None else []
    devices = [
        d
        for d in row.values.values()
        if isinstance(d, dict) and d.get("devName") == "pcu" and d.get("active") is True
    ]
    sums = {"joulesProduced": 0.0, "today": 0.0, "week": 0.0}
    for device in devices:
        for channel in objects(device.get("channels")) or [{}]:
            energies, lifetime = channel.get("wattHours"), channel.get("lifetime")
            parts = {
                **(energies if isinstance(energies, dict) else {}),
                **(lifetime if isinstance(lifetime, dict) else {}),
            }
            for key in sums:
                value = number(parts.get(key))
                if value is None or value < 0:
                    return None
                sums[key] += value
    return [Row(dict(sums), document=row.document)] if devices else []


def _inventory(view: View, kind: str) -> Rows:
    document = view.fact(INVENTORY)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    groups = objects(document.body)
    if groups is None:
        return None
    devices = [
        device for group in groups if group.get("type") == kind for device in objects(group.get("devices")) or []
    ]
    return [
        Row(device, serial_of(device.get("serial_num")), whole(device.get("last_rpt_date")), document=document)
        for device in devices
        if device.get("admin_state") not in (0, 3)
    ]


def inventory_inverters(view: View) -> Rows:
    """Inverters of the inventory without deleted ones (`admin_state` 3, Q-I12)."""
    return _inventory(view, "PCU")


def inventory_ac_batteries(view: View) -> Rows:
    """AC Batteries of the inventory without deleted ones."""
    return _inventory(view, "ACB")


def living_inverters(view: View) -> Rows:
    """The v1 list without inverters silent for more than 30 days; long-gone ones stay there for years (Q-I3)."""
    rows = v1_inverters(view)
    return rows if not rows else [row for row in rows if _silent_s(row, view) < GONE_S]


def _silent_s(row: Row, view: View) -> float:
    if row.document is None or not row.reported:
        return math.inf
    return view.gateway_now(row.document) - row.reported


def listed_inverters(view: View) -> Rows:
    """The v1 list as a source of flags: `heard` is a report within 30 minutes, `delivering` one with power."""
    rows = living_inverters(view)
    if rows is None:
        return None
    found = []
    for row in rows:
        heard = _silent_s(row, view) < FRESH_REPORT_S
        watts = number(row.values.get("lastReportWatts"))
        flags: dict[str, Json] = {"heard": heard}
        if watts is not None:
            flags["delivering"] = heard and watts > 0
        found.append(Row({**row.values, **flags}, row.serial, row.reported, document=row.document))
    return found


def inverter_power_sum(view: View) -> Rows:
    """Power over all inverters of the v1 list, of those heard within 20 minutes (reference 4.2)."""
    rows = v1_inverters(view)
    if not rows:
        return rows
    total = 0.0
    for row in rows:
        watts = number(row.values.get("lastReportWatts"))
        if watts is None:
            return None
        if _silent_s(row, view) < 20 * 60:
            total += watts
    return [Row({"sum": total}, document=rows[0].document)]


# --- batteries ---------------------------------------------------------------------------------------------


def encharge_inventory(view: View) -> Rows:
    """IQ Batteries of the ensemble inventory (`ENCHARGE`); a 200 does not prove that there are any (Q-B7)."""
    document = view.fact(ENSEMBLE)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    groups = objects(document.body)
    if groups is None:
        return None
    return [
        Row(device, serial_of(device.get("serial_num")), whole(device.get("last_rpt_date")), document=document)
        for group in groups
        if group.get("type") == "ENCHARGE"
        for device in objects(group.get("devices")) or []
    ]


def fresh_encharge_inventory(view: View) -> Rows:
    """The same, only from a document that arrived since the last tick: for measured values."""
    document = view.measured(ENSEMBLE)
    return None if document is None else encharge_inventory(view)


def encharge_power(view: View) -> Rows:
    """Power and charge by battery; the key is spelled `devices:` (Q-B1)."""
    row = _object(ENSEMBLE_POWER, view)
    if row is None or isinstance(row, Nowhere):
        return None if row is None else []
    devices = objects(row.values.get("devices:", row.values.get("devices")))
    if devices is None:
        return None
    return [Row(device, serial_of(device.get("serial_num")), document=row.document) for device in devices]


def encharge_status(view: View) -> Rows:
    """Rated power and capacity by battery from the ensemble status (`device_type` 13)."""
    document = view.fact(ENSEMBLE_STATUS)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    inventory = document.body.get("inventory") if isinstance(document.body, dict) else None
    devices = inventory.get("serial_nums") if isinstance(inventory, dict) else None
    if not isinstance(devices, dict):
        return None
    return [
        Row(device, serial, document=document)
        for serial, device in devices.items()
        if isinstance(device, dict) and device.get("device_type") == 13
    ]


def battery_count(view: View) -> int | None:
    """IQ Batteries and AC Batteries together, or None while either cannot be told."""
    encharge = encharge_inventory(view)
    acb = ac_battery_count(view)
    return None if encharge is None or acb is None else len(encharge) + acb


def ac_battery_count(view: View) -> int | None:
    """AC Batteries by the inventory, else the v1 list, else production.json."""
    in_inventory = inventory_ac_batteries(view)
    if in_inventory is None:
        return None
    if not isinstance(view.fact(INVENTORY), Nowhere):
        return len(in_inventory)
    listed = view.fact(V1_INVERTERS)
    if listed is None:
        return None
    devices = [] if isinstance(listed, Nowhere) else objects(listed.body) or []
    if any("devType" in device for device in devices):
        return sum(1 for device in devices if device.get("devType") == 11)
    blocks = view.fact(BLOCKS)
    if isinstance(blocks, Document) and isinstance(blocks.body, dict):
        for block in objects(blocks.body.get("storage")) or []:
            if block.get("type") == "acb":
                return whole(block.get("activeCount"))
    return None


def encharge_power_sum(view: View) -> Rows:
    """Power in mW over all IQ Batteries; none may be missing, and AC Batteries would be (reference 4.4)."""
    installed, devices, acb = encharge_inventory(view), encharge_power(view), ac_battery_count(view)
    if installed is None or devices is None or acb is None:
        return None
    if not installed or not devices or acb:
        return []
    powers = [number(row.values.get("real_power_mw")) for row in devices]
    known = [power for power in powers if power is not None]
    if len(known) < len(powers) or len(powers) != len(installed):
        return None
    return [Row({"sum": sum(known)}, document=devices[0].document)]


def site_batteries(view: View) -> Rows:
    """The site's batteries together (`/ivp/ensemble/secctrl`), only where a battery is installed (Q-B14)."""
    count = battery_count(view)
    if not count:
        return None if count is None else []
    row = _object(SECCTRL, view)
    return [] if isinstance(row, Nowhere) else None if row is None else [row]

"""Row selectors: which objects of which documents a measurement is read from.

A selector looks at a View and returns rows, an empty list when this gateway surely has none, or None when
that cannot be told now (the document is missing, late or unreadable). That difference is what keeps a value
from coming silently from another source: a worse source is used only where the better one surely has nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from logger.model import Document, Json, Role, Snapshot

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
PAGE = "/production"
GENERATOR = "/ivp/ensemble/generator"
GENERATOR_CONFIG = "/ivp/ss/gen_config"
CONTACTS = "/ivp/ensemble/dry_contacts"
CONTACT_SETTINGS = "/ivp/ss/dry_contact_settings"
HOME = "/home.json"
PATHS: Final = frozenset(
    {
        METERS,
        READINGS,
        V1,
        V1_INVERTERS,
        PDM,
        DEVICE_DATA,
        INVENTORY,
        BLOCKS,
        ENSEMBLE,
        ENSEMBLE_POWER,
        ENSEMBLE_STATUS,
        SECCTRL,
        PAGE,
        GENERATOR,
        GENERATOR_CONFIG,
        CONTACTS,
        CONTACT_SETTINGS,
        HOME,
    }
)
"""Every document that a rowset reads."""

Object: TypeAlias = Mapping[str, Json]
FRESH_REPORT_S: Final = 30 * 60
"""An inverter that reported within this time is heard (reference 4.6)."""
GONE_S: Final = 30 * 86400
_AHEAD_S: Final = 600
"""A report from further ahead of the gateway's clock than this tells nothing."""
_SERIAL_LIMIT: Final = 32
_PCU: Final = 1
_ACB: Final = 11
_DEVICE_DATA_LIMIT: Final = 50
"""device_data lists no more devices than this, whatever the site has."""
METER_KINDS: Final = frozenset(
    {
        "production",
        "net-consumption",
        "total-consumption",
        "storage",
        "backfeed",
        "load",
        "evse",
        "pv3p",
        "generator",
    }
)
_NEW_STACK: Final = frozenset({"backfeed", "load", "evse", "pv3p"})
"""Kinds that only the new metering code lists (reference 5.5)."""
_EIDS: Final[dict[int, tuple[str, ...]]] = {
    704643328: ("production",),
    704643584: ("net-consumption", "total-consumption"),
    704643840: ("storage",),
}
"""What a meter must be by its eid, the same on every gateway; for lines of the meter list that cannot be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object to read fields from. `serial`, `reported` (the gateway's own second) and `tags` name the device."""

    values: Object
    serial: str = ""
    reported: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    document: Document | None = None

    def age_s(self, tick: int) -> int | None:
        """Age of its document at a tick, in seconds."""
        return None if self.document is None else max(0, int(tick - self.document.received_at))


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
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    result = number(value)
    return int(result) if result is not None and result == int(result) else None


def objects(body: Json) -> list[Object] | None:
    """The objects of a list, or None if it is no list or holds only other things."""
    found: list[Object] = [item for item in body if isinstance(item, dict)] if isinstance(body, list) else []
    return found if found or body == [] else None


def serial_of(value: Json) -> str:
    """A serial number as text, or empty; some documents write it as a number. A tag: only letters and digits."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if len(text) <= _SERIAL_LIMIT and text.isascii() and text.isalnum() else ""


# --- meters ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meter:
    """One line of the meter list; None where its key cannot be read. `phases` by `phaseCount`, never `phaseMode`."""

    eid: int | None
    kind: str | None
    enabled: bool | None
    phases: int | None


def _meters(view: View) -> list[Meter] | None:
    """The meter list; empty where the gateway has none, None if that cannot be told now."""
    document = view.fact(METERS)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    return _meters_of(_Same(document))


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A document as a key: the same if it is the very same answer. Dozens of values a tick look at the meter list."""

    document: Document

    def __hash__(self) -> int:
        return id(self.document)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.document is self.document


@lru_cache(maxsize=4)
def _meters_of(same: _Same) -> list[Meter] | None:
    lines = objects(same.document.body)
    return None if lines is None else [_meter(line) for line in lines]


def _meter(line: Object) -> Meter:
    eid, kind, state, phases = (line.get(key) for key in ("eid", "measurementType", "state", "phaseCount"))
    count = whole(phases)
    return Meter(
        eid if isinstance(eid, int) and not isinstance(eid, bool) else None,
        kind if isinstance(kind, str) and kind in METER_KINDS else None,
        {"enabled": True, "disabled": False}.get(state) if isinstance(state, str) else None,
        count if count in (1, 2, 3) else None,
    )


def has_meter(view: View, kind: str) -> bool | None:
    """True if an enabled meter of that measurement type is listed; None if that cannot be told now."""
    meters = _meters(view)
    if meters is None:
        return None
    if any(meter.kind == kind and meter.enabled and meter.eid is not None for meter in meters):
        return True
    unclear = any(meter.enabled is not False and _may_be(meter, kind) for meter in meters)
    return None if unclear else False


def _may_be(meter: Meter, kind: str) -> bool:
    if meter.kind is not None:
        return meter.kind == kind
    return meter.eid is None or kind in _EIDS.get(meter.eid, ())


def has_disabled_meters(view: View) -> bool | None:
    """True on metered hardware whose production CT is not enabled (Q-P1); None if that cannot be told."""
    production = has_meter(view, "production")
    return None if production is None else bool(_meters(view)) and not production


def _is_half_dead(reading: Object, meter: Meter) -> bool:
    """Q-M13: a storage CT's phase reads exactly 0 V while another is alive; the row's sums are half the truth."""
    if meter.kind != "storage" or meter.phases is None:
        return False
    channels = objects(reading.get("channels")) or []
    volts = [number(channel.get("voltage")) for channel in channels[: meter.phases]]
    return any(v == 0.0 for v in volts) and any(v is not None and v > 50.0 for v in volts)


def _is_unwired(channel: Object) -> bool:
    """A leg that never measured anything and has no voltage now."""
    return not any(number(channel.get(key)) for key in ("voltage", "actEnergyDlvd", "actEnergyRcvd"))


def legs(reading: Object, phases: int | None) -> list[tuple[int, Object]]:
    """The phases that a meter has, by number from 1: the first `phases` channels (Q-M3) without unwired ones."""
    channels = reading.get("channels")
    found: list[tuple[int, Object]] = [
        (index, channel)
        for index, channel in enumerate(channels if isinstance(channels, list) else [], 1)
        if isinstance(channel, dict) and phases is not None and index <= phases
    ]
    return [leg for leg in found if not _is_unwired(leg[1])] or found


def enabled_meter_rows(view: View) -> Rows:
    """Every enabled meter's reading, joined by eid (Q-M1); the tag is `meter`.

    Values carry `phases`, of them the `legs` in use, and whether the meters are those of the `new_stack`.
    """
    listed = _meters(view)
    if listed is None:
        return None
    meters = {meter.eid: meter for meter in listed if meter.enabled and meter.kind and meter.eid is not None}
    if not meters:
        return []
    document = view.measured(READINGS)
    if document is None or isinstance(document, Nowhere):
        return None
    readings = objects(document.body)
    if readings is None:
        return None
    new_stack = any(meter.kind in _NEW_STACK for meter in listed)
    rows = []
    for reading in readings:
        eid = reading.get("eid")
        meter = meters.get(eid) if isinstance(eid, int) else None
        if meter is not None and not _is_half_dead(reading, meter):
            in_use = 1 if meter.phases == 1 else len(legs(reading, meter.phases)) or None
            values = {**reading, "phases": meter.phases, "legs": in_use, "new_stack": new_stack}
            rows.append(Row(values, tags=(("meter", str(meter.kind)),), document=document))
    return rows


def meter(kind: str) -> Selector:
    """The reading of the enabled meter of one measurement type; unclear where there are two."""

    def select(view: View) -> Rows:
        listed = has_meter(view, kind)
        if not listed:
            return None if listed is None else []
        rows = [row for row in enabled_meter_rows(view) or [] if ("meter", kind) in row.tags]
        return rows if len(rows) == 1 else None

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
    row = NOWHERE if disabled else _object(V1, view)
    if row is None or isinstance(row, Nowhere):
        return None if row is None else []
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


def _blocks(view: View, side: str) -> list[Row] | None:
    """The blocks of one side; empty where the gateway has none, None if that cannot be told now."""
    row = _object(BLOCKS, view)
    if row is None or isinstance(row, Nowhere):
        return None if row is None else []
    if side not in row.values and "production" not in row.values:
        return None  # every such document has production: this one is cut or broken
    blocks = objects(row.values.get(side, []))
    if blocks is None or not all(isinstance(block.get("type"), str) for block in blocks):
        return None
    return [Row(block, document=row.document) for block in blocks]


def inverters_block(view: View) -> Rows:
    """The inverters block of production.json."""
    blocks = _blocks(view, "production")
    return blocks if not blocks else [row for row in blocks if row.values["type"] == "inverters"][:1]


def counting_block(view: View) -> Rows:
    """The same as a fact, for its `activeCount`: how many inverters are registered."""
    document = view.fact(BLOCKS)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    blocks = objects(document.body.get("production")) if isinstance(document.body, dict) else None
    if blocks is None:
        return None
    return [Row(block, document=document) for block in blocks if block.get("type") == "inverters"][:1]


def any_ct_block(side: str, kind: str) -> Selector:
    """A CT block of production.json with `activeCount` 1, for the gateway's own figures of today and seven days."""

    def select(view: View) -> Rows:
        blocks = _blocks(view, side)
        if blocks is None:
            return None
        found = []
        for row in blocks:
            active, measures = row.values.get("activeCount"), row.values.get("measurementType")
            if row.values["type"] != "eim" or active == 0:
                continue
            if active != 1 or not isinstance(measures, str):
                return None
            if measures == kind:
                found.append(row)
        return found[:1]

    return select


def ct_block(side: str, kind: str) -> Selector:
    """The same block, only on gateways without a meter list."""

    def select(view: View) -> Rows:
        meters = view.fact(METERS)
        if not isinstance(meters, Nowhere):
            return None if meters is None else []
        return any_ct_block(side, kind)(view)

    return select


def acb_block(view: View) -> Rows:
    """The block of AC Batteries, where there is no other kind of battery."""
    others = encharge_inventory(view)
    return _fresh_acb_block(view) if others == [] else None if others is None else []


def both_kinds_power_sum(view: View) -> Rows:
    """Power in W over IQ Batteries and AC Batteries, where there are both."""
    batteries, block = encharge_inventory(view), _fresh_acb_block(view)
    if not batteries or not block:
        return [] if [] in (batteries, block) else None
    power, watts = _encharge_milliwatts(view, batteries), number(block[0].values.get("wNow"))
    return (
        None if power is None or watts is None else [Row({"sum": power / 1000 + watts}, document=block[0].document)]
    )


def _fresh_acb_block(view: View) -> Rows:
    """The AC Battery block of production.json, if it counts batteries and is younger than 20 minutes (Q-B3)."""
    if not (count := ac_battery_count(view)):
        return None if count is None else []
    blocks = _blocks(view, "storage")
    if blocks is None:
        return None
    rows = [row for row in blocks if row.values["type"] == "acb" and whole(row.values.get("activeCount"))][:1]
    if not rows or rows[0].document is None:
        return rows
    read_at = whole(rows[0].values.get("readingTime")) or 0
    return rows if view.gateway_now(rows[0].document) - read_at < 20 * 60 else None


# --- inverters ---------------------------------------------------------------------------------------------


def _v1_list(view: View, dev_type: int, *, standing: bool = False) -> Rows:
    document = view.fact(V1_INVERTERS) if standing else view.measured(V1_INVERTERS)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    devices = objects(document.body)
    if devices is None:
        return None
    untyped = _is_untyped(devices)
    return [
        Row(device, serial_of(device.get("serialNumber")), whole(device.get("lastReportDate")), document=document)
        for device in devices
        if device.get("devType") == dev_type or (untyped and dev_type == _PCU)
    ]


def _is_untyped(devices: list[Object]) -> bool:
    """3.x firmware gives no `devType` at all; its lists hold only inverters."""
    return not any("devType" in device for device in devices)


def _is_typed(devices: list[Object]) -> bool:
    """Every device says what it is, so that each kind can be counted."""
    return all(isinstance(device.get("devType"), int) for device in devices)


def v1_inverters(view: View) -> Rows:
    """`/api/v1/production/inverters` without AC Batteries (Q-I5)."""
    return _v1_list(view, _PCU)


def v1_ac_batteries(view: View) -> Rows:
    """The AC Batteries of `/api/v1/production/inverters`; for ratings, which may stand."""
    return _v1_list(view, _ACB, standing=True)


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
    """Active inverters of `/ivp/pdm/device_data` with a last reading; at most 50 devices of a site are there.

    None while a document that answered lately is silent: its next answer brings the same reports with more in them.
    Where it is gone for longer the v1 list is all there is.
    """
    return [] if DEVICE_DATA not in view.snapshot.documents else _device_data(view, "pcu")


def installed_in_device_data(view: View) -> Rows:
    """Active inverters of device_data, where none can be missing from it; also of a document that stands."""
    document = view.fact(DEVICE_DATA)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    if not isinstance(document.body, dict):
        return None
    count = whole(document.body.get("deviceCount"))
    devices = [device for device in document.body.values() if isinstance(device, dict)]
    if count is None or count >= _DEVICE_DATA_LIMIT:
        return None if count is None else []
    if len(devices) != count or not all(
        isinstance(device.get("devName"), str) and isinstance(device.get("active"), bool) for device in devices
    ):
        return None
    return [
        Row(device, serial_of(device.get("sn")), document=document)
        for device in devices
        if device["devName"] == "pcu" and device["active"]
    ]


def data_ac_batteries(view: View) -> Rows:
    """Active AC Batteries of `/ivp/pdm/device_data`."""
    return _device_data(view, "acb")


def device_data_sums(view: View) -> Rows:
    """Lifetime, today and week over all inverters of device_data, where none can be missing from it."""
    fresh = view.measured(DEVICE_DATA)
    devices = None if fresh is None else installed_in_device_data(view)
    if not devices:
        return devices
    sums = {"joulesProduced": 0.0, "today": 0.0, "week": 0.0}
    for device in devices:
        for channel in objects(device.values.get("channels")) or [{}]:
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
    return [Row(dict(sums), document=devices[0].document)]


def _inventory(view: View, kind: str, *, fresh: bool = False, counting: bool = False) -> Rows:
    """Devices of one kind that are not deleted; when `counting`, None unless that is clear of each."""
    document = view.measured(INVENTORY) if fresh else view.fact(INVENTORY)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    groups = objects(document.body) or []
    if not any(group.get("type") == "PCU" for group in groups):
        return None  # every inventory lists its inverters' kind, empty or not: this one is cut or broken
    rows = []
    for group in groups:
        devices = objects(group.get("devices")) if group.get("type") == kind else []
        if devices is None or (counting and any(_is_installed(device) is None for device in devices)):
            return None
        rows += [
            Row(device, serial_of(device.get("serial_num")), whole(device.get("last_rpt_date")), document=document)
            for device in devices
            if _is_installed(device)
        ]
    return rows


def _is_installed(device: Object) -> bool | None:
    """By `admin_state` (3 deleted, 0 by some accounts); where it cannot be read, a device with flags is there."""
    admin = device.get("admin_state")
    if isinstance(admin, int):
        return admin not in (0, 3)
    return True if isinstance(device.get("communicating"), bool) else None


def counted_inverters(view: View) -> Rows:
    """The inventory's inverters, if they can be counted."""
    return _inventory(view, "PCU", counting=True)


def inventory_inverters(view: View) -> Rows:
    """Inverters of the inventory without deleted ones (`admin_state` 3, Q-I12)."""
    return _inventory(view, "PCU")


def inventory_ac_batteries(view: View) -> Rows:
    """AC Batteries of the inventory without deleted ones."""
    return _inventory(view, "ACB")


def fresh_inventory_ac_batteries(view: View) -> Rows:
    """The same, only from a document that arrived since the last tick: for measured values."""
    return _inventory(view, "ACB", fresh=True)


def living_inverters(view: View) -> Rows:
    """The v1 list without long-gone inverters, which stay there for years (Q-I3).

    Gone is one whose last report is 30 days older than the list's newest: under snow the whole site may be silent
    for longer. As a list of what is installed it may stand.
    """
    rows = _v1_list(view, _PCU, standing=True)
    newest = max(
        (row.reported for row in rows or [] if row.reported and _silent_s(row, view) >= -_AHEAD_S), default=0
    )
    return rows if not rows else [row for row in rows if row.reported is None or row.reported > newest - GONE_S]


def countable_inverters(view: View) -> Rows:
    """The same, where each device of the list says what it is, and each inverter when it was heard.

    An empty list tells nothing: gateways give one now and then at night (Q-I4).
    """
    document = view.fact(V1_INVERTERS)
    devices = (objects(document.body) if isinstance(document, Document) else None) or []
    if isinstance(document, Document) and not devices:
        return None
    if not (_is_typed(devices) or _is_untyped(devices)):
        return None
    inverters = _v1_list(view, _PCU, standing=True) or []
    if any(row.reported is None for row in inverters):
        return None
    return living_inverters(view)


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
        watts = number(row.values.get("lastReportWatts"))
        flags: dict[str, Json] = {}
        if row.reported is not None:
            flags["heard"] = heard = _silent_s(row, view) < FRESH_REPORT_S
            if watts is not None:
                flags["delivering"] = heard and watts > 0
        found.append(Row({**row.values, **flags}, row.serial, row.reported, document=row.document))
    return found


def data_listed_inverters(view: View) -> Rows:
    """Device data as a source of the same flags, where there is no v1 list and no inverter is missing from it."""
    listed = view.fact(V1_INVERTERS)
    if not isinstance(listed, Nowhere):
        return None if listed is None else []
    installed = installed_in_device_data(view)
    if not installed:
        return installed
    found = []
    for row in installed:
        channels, gone = objects(row.values.get("channels")) or [], row.values.get("modGone")
        last, watts = (channels[0].get(key) if channels else None for key in ("lastReading", "watts"))
        at = whole(last.get("endDate")) if isinstance(last, dict) else None
        now = number(watts.get("now")) if isinstance(watts, dict) else None
        flags: dict[str, Json] = {}
        if at is not None and isinstance(gone, bool) and row.document is not None:
            flags["heard"] = heard = not gone and view.gateway_now(row.document) - at < FRESH_REPORT_S
            if now is not None:
                flags["delivering"] = heard and now > 0
        found.append(Row({**row.values, **flags}, row.serial, at, document=row.document))
    return found


def inverter_power_sum(view: View) -> Rows:
    """Power over all inverters of the v1 list, of those heard within 20 minutes (reference 4.2).

    None while none was: they sleep, or are not heard, and which of it cannot be told from here.
    """
    rows = v1_inverters(view)
    if not rows:
        return rows
    if countable_inverters(view) is None:
        return None
    fresh = []
    for row in rows:
        watts = number(row.values.get("lastReportWatts"))
        if watts is None or row.reported is None:
            return None
        if _silent_s(row, view) < 20 * 60:
            fresh.append(watts)
    return [Row({"sum": sum(fresh)}, document=rows[0].document)] if fresh else None


# --- batteries ---------------------------------------------------------------------------------------------


def ensemble_devices(document: Document | Nowhere | None, kind: str) -> Rows:
    """The devices of one type in the ensemble inventory; None if a list of that type cannot be read."""
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    groups = objects(document.body)
    if groups is None:
        return None
    rows = []
    for group in groups:
        if not isinstance(group.get("type"), str) and "devices" in group:
            return None
        if group.get("type") != kind:
            continue  # other hardware; early firmware adds an element without a type (Q-B8)
        devices = objects(group.get("devices"))
        if devices is None:
            return None
        rows += [
            Row(device, serial_of(device.get("serial_num")), whole(device.get("last_rpt_date")), document=document)
            for device in devices
        ]
    return rows


def encharge_inventory(view: View) -> Rows:
    """IQ Batteries of the ensemble inventory (`ENCHARGE`); a 200 does not prove that there are any (Q-B7)."""
    return ensemble_devices(view.fact(ENSEMBLE), "ENCHARGE")


def fresh_encharge_inventory(view: View) -> Rows:
    """The same, only from a document that arrived since the last tick: for measured values."""
    return ensemble_devices(view.measured(ENSEMBLE), "ENCHARGE")


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
    in_inventory = _inventory(view, "ACB", counting=True)
    if in_inventory is None:
        return None
    if not isinstance(view.fact(INVENTORY), Nowhere):
        return len(in_inventory)
    listed = view.fact(V1_INVERTERS)
    if listed is None:
        return None
    devices = [] if isinstance(listed, Nowhere) else objects(listed.body) or []
    if devices and not _is_untyped(devices):
        return sum(1 for device in devices if device.get("devType") == _ACB) if _is_typed(devices) else None
    blocks = view.fact(BLOCKS)
    if isinstance(blocks, Document) and isinstance(blocks.body, dict):
        for block in objects(blocks.body.get("storage")) or []:
            if block.get("type") == "acb":
                count = whole(block.get("activeCount"))
                return count if count is not None and count >= 0 else None
    return None


def encharge_power_sum(view: View) -> Rows:
    """Power in mW over all IQ Batteries; none may be missing, and AC Batteries would be (reference 4.4)."""
    installed, acb = encharge_inventory(view), ac_battery_count(view)
    if installed is None or acb is None:
        return None
    devices = encharge_power(view) if installed and not acb else []
    if not devices:
        return devices
    power = _encharge_milliwatts(view, installed)
    return None if power is None else [Row({"sum": power}, document=devices[0].document)]


def _encharge_milliwatts(view: View, installed: list[Row]) -> float | None:
    """Together, if each installed battery tells its power."""
    powers = [number(row.values.get("real_power_mw")) for row in encharge_power(view) or []]
    known = [power for power in powers if power is not None]
    return sum(known) if len(known) == len(powers) == len(installed) else None


def site_batteries(view: View) -> Rows:
    """The site's batteries together (`/ivp/ensemble/secctrl`), only where a battery is installed (Q-B14)."""
    count = battery_count(view)
    if not count:
        return None if count is None else []
    row = _object(SECCTRL, view)
    return [] if isinstance(row, Nowhere) else None if row is None else [row]

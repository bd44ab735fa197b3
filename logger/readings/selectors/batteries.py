"""Rows of batteries: IQ Batteries of the ensemble documents, AC Batteries beside the inverters (reference 3.4)."""

from __future__ import annotations

from logger.model import Document, Json
from logger.readings.rows import (
    BLOCKS,
    DEVICE_DATA,
    ENSEMBLE,
    ENSEMBLE_POWER,
    ENSEMBLE_STATUS,
    INVENTORY,
    NOWHERE,
    SECCTRL,
    V1_INVERTERS,
    Nowhere,
    Row,
    Rows,
    View,
    number,
    object_row,
    objects,
    serial_of,
    whole,
)
from logger.readings.schema import dig
from logger.readings.selectors.inverters import ACB, data_devices, inventory_of, is_typed, is_untyped, listed_devices
from logger.readings.selectors.production import blocks_of


def v1_ac_batteries(view: View) -> Rows:
    """The AC Batteries of `/api/v1/production/inverters`; for ratings, which may stand."""
    return listed_devices(view, ACB, standing=True)


def data_ac_batteries(view: View) -> Rows:
    """Active AC Batteries of `/ivp/pdm/device_data`."""
    return data_devices(view, "acb")


def inventory_ac_batteries(view: View) -> Rows:
    """AC Batteries of the inventory without deleted ones."""
    return inventory_of(view, "ACB")


def fresh_inventory_ac_batteries(view: View) -> Rows:
    """The same, only from a document that arrived since the last tick: for measured values."""
    return inventory_of(view, "ACB", fresh=True)


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
    row = object_row(ENSEMBLE_POWER, view)
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
    in_inventory = inventory_of(view, "ACB", counting=True)
    if in_inventory is None:
        return None
    if not isinstance(view.fact(INVENTORY), Nowhere):
        return len(in_inventory)
    listed = view.fact(V1_INVERTERS)
    if listed is None:
        return None
    devices = [] if isinstance(listed, Nowhere) else objects(listed.body) or []
    if devices and not is_untyped(devices):
        return sum(1 for device in devices if device.get("devType") == ACB) if is_typed(devices) else None
    blocks = view.fact(BLOCKS)
    if isinstance(blocks, Document) and isinstance(blocks.body, dict):
        for block in objects(blocks.body.get("storage")) or []:
            if block.get("type") == "acb":
                count = whole(block.get("activeCount"))
                return count if count is not None and count >= 0 else None
    return None


def ac_batteries(view: View) -> int | None:
    """How many AC Batteries there are, also while the inventory, a slow path, is silent: by the v1 list's types then.

    For what is read with them; their count is written by `ac_battery_count` alone.
    """
    counted = ac_battery_count(view)
    listed = view.fact(V1_INVERTERS)
    if counted is not None or not isinstance(listed, Document):
        return counted
    devices = objects(listed.body)
    return sum(1 for device in devices if device["devType"] == ACB) if devices and is_typed(devices) else None


def known_batteries(view: View) -> int | None:
    """IQ Batteries and AC Batteries together in the same way, or None while either cannot be told."""
    encharge, acb = encharge_inventory(view), ac_batteries(view)
    return None if encharge is None or acb is None else len(encharge) + acb


def encharge_power_sum(view: View) -> Rows:
    """Power in mW over all IQ Batteries; none may be missing, and AC Batteries would be (reference 4.4)."""
    installed, devices = _encharge_alone(view)
    if not devices:
        return devices
    power = _encharge_milliwatts(view, installed)
    return None if power is None else [Row({"sum": power}, document=devices[0].document)]


def _encharge_alone(view: View) -> tuple[list[Row], Rows]:
    """The installed IQ Batteries and the rows of their power and charge; no such rows beside AC Batteries."""
    installed, acb = encharge_inventory(view), ac_batteries(view)
    if installed is None or acb is None:
        return [], None
    return installed, encharge_power(view) if installed and not acb else []


def _encharge_milliwatts(view: View, installed: list[Row]) -> float | None:
    """Together, if each installed battery tells its power."""
    powers = [number(row.values.get("real_power_mw")) for row in encharge_power(view) or []]
    known = [power for power in powers if power is not None]
    return sum(known) if len(known) == len(powers) == len(installed) else None


def site_batteries(view: View) -> Rows:
    """The site's batteries together (`/ivp/ensemble/secctrl`), only where a battery is installed (Q-B14)."""
    count = known_batteries(view)
    if not count:
        return None if count is None else []
    row = object_row(SECCTRL, view)
    return [] if isinstance(row, Nowhere) else None if row is None else [row]


def encharge_together(view: View) -> Rows:
    """IQ Batteries together by their own figures, for gateways without those of the site.

    `charge` in percent, weighted by capacity, `energy` and `capacity` in Wh. No battery may be missing, and
    AC Batteries would be.
    """
    installed, devices = _encharge_alone(view)
    if not devices:
        return devices
    charges = {row.serial: number(row.values.get("soc")) for row in devices}
    capacity = energy = 0.0
    for row in installed:
        whole_wh, percent = number(row.values.get("encharge_capacity")), charges.get(row.serial)
        if whole_wh is None or whole_wh <= 0 or percent is None or len(charges) != len(installed):
            return None
        capacity, energy = capacity + whole_wh, energy + whole_wh * percent / 100
    values: dict[str, Json] = {"charge": 100 * energy / capacity, "energy": energy, "capacity": capacity}
    return [Row(values, document=devices[0].document)]


def ac_battery_sums(view: View) -> Rows:
    """What all AC Batteries took and gave ever, in joules, by device data; where there is no other kind of battery.

    None may be missing from it.
    """
    if isinstance(view.fact(DEVICE_DATA), Nowhere):
        return []
    others, count = encharge_inventory(view), ac_batteries(view)
    if others is None or count is None:
        return None
    document = view.measured(DEVICE_DATA) if count and not others else NOWHERE
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    devices = data_ac_batteries(view)
    if devices is None or len({row.serial for row in devices}) != count:
        return None
    sums: dict[str, Json] = {}
    for key in ("joulesUsed", "joulesProduced"):
        parts = [number(dig(row.values, f"lifetime.{key}")) for row in devices]
        known = [part for part in parts if part is not None and part >= 0]
        if len(known) == count:
            sums[key] = sum(known)
    return [Row(sums, document=document)]


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
    if not (count := ac_batteries(view)):
        return None if count is None else []
    blocks = blocks_of(view, "storage")
    if blocks is None:
        return None
    rows = [row for row in blocks if row.values["type"] == "acb" and whole(row.values.get("activeCount"))][:1]
    if not rows or rows[0].document is None:
        return rows
    read_at = whole(rows[0].values.get("readingTime")) or 0
    return rows if view.gateway_now(rows[0].document) - read_at < 20 * 60 else None

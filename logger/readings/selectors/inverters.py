"""Rows of micro-inverters: the v1 list, device data, the inventory (reference 3.3)."""

from __future__ import annotations

import math
from typing import Final

from logger.model import Document, Json
from logger.readings.reports import AHEAD_S
from logger.readings.rows import (
    DEVICE_DATA,
    INVENTORY,
    V1_INVERTERS,
    Nowhere,
    Object,
    Row,
    Rows,
    View,
    number,
    object_row,
    objects,
    serial_of,
    whole,
)

PCU: Final = 1
ACB: Final = 11
_DEVICE_DATA_LIMIT: Final = 50
"""device_data lists no more devices than this, whatever the site has."""
FRESH_REPORT_S: Final = 30 * 60
"""An inverter that reported within this time is heard (reference 4.6)."""
GONE_S: Final = 30 * 86400


def listed_devices(view: View, dev_type: int, *, standing: bool = False) -> Rows:
    """Devices of one type of `/api/v1/production/inverters`; as a list of what there is it may stand."""
    document = view.fact(V1_INVERTERS) if standing else view.measured(V1_INVERTERS)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    devices = objects(document.body)
    if devices is None:
        return None
    untyped = is_untyped(devices)
    return [
        Row(device, serial_of(device.get("serialNumber")), whole(device.get("lastReportDate")), document=document)
        for device in devices
        if device.get("devType") == dev_type or (untyped and dev_type == PCU)
    ]


def is_untyped(devices: list[Object]) -> bool:
    """3.x firmware gives no `devType` at all; its lists hold only inverters."""
    return not any("devType" in device for device in devices)


def is_typed(devices: list[Object]) -> bool:
    """Every device says what it is, so that each kind can be counted."""
    return all(isinstance(device.get("devType"), int) for device in devices)


def v1_inverters(view: View) -> Rows:
    """`/api/v1/production/inverters` without AC Batteries (Q-I5)."""
    return listed_devices(view, PCU)


def data_devices(view: View, kind: str) -> Rows:
    """Active devices of one kind of `/ivp/pdm/device_data` that have a last reading."""
    row = object_row(DEVICE_DATA, view)
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
    return [] if DEVICE_DATA not in view.snapshot.documents else data_devices(view, "pcu")


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


def inventory_of(view: View, kind: str, *, fresh: bool = False, counting: bool = False) -> Rows:
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
    return inventory_of(view, "PCU", counting=True)


def inventory_inverters(view: View) -> Rows:
    """Inverters of the inventory without deleted ones (`admin_state` 3, Q-I12)."""
    return inventory_of(view, "PCU")


def living_inverters(view: View) -> Rows:
    """The v1 list without long-gone inverters, which stay there for years (Q-I3).

    Gone is one whose last report is 30 days older than the list's newest: under snow the whole site may be silent
    for longer. As a list of what is installed it may stand.
    """
    rows = listed_devices(view, PCU, standing=True)
    newest = max((row.reported for row in rows or [] if row.reported and _silent_s(row, view) >= -AHEAD_S), default=0)
    return rows if not rows else [row for row in rows if row.reported is None or row.reported > newest - GONE_S]


def countable_inverters(view: View) -> Rows:
    """The same, where each device of the list says what it is, and each inverter when it was heard.

    An empty list tells nothing: gateways give one now and then at night (Q-I4).
    """
    document = view.fact(V1_INVERTERS)
    devices = (objects(document.body) if isinstance(document, Document) else None) or []
    if isinstance(document, Document) and not devices:
        return None
    if not (is_typed(devices) or is_untyped(devices)):
        return None
    inverters = listed_devices(view, PCU, standing=True) or []
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

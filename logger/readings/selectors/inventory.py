"""Select devices from the inventory (`/inventory.json`), which also lists deleted devices."""

from __future__ import annotations

from functools import lru_cache

from logger.model import Document
from logger.readings import paths
from logger.readings.json_values import Object, objects
from logger.readings.rows import ABSENT, UNKNOWN, Found, Missing, Row, Rows, View, inner_rows, keep


def inventory_of(document: Found[Document], kind: str, *, counting: bool = False) -> Rows:
    """Select the devices of one kind, except deleted devices.

    `counting`: return UNKNOWN if the inventory does not show for each device whether the device is deleted.
    """
    return document if isinstance(document, Missing) else _list_kind(document, kind, counting=counting)


@lru_cache(maxsize=8)
def _list_kind(document: Document, kind: str, *, counting: bool) -> Rows:
    """Select devices as `inventory_of` does, from a document that arrived.

    The result is cached, because a tick needs the same rows many times.
    """
    groups = objects(document.body) or []
    if not any(group.get("type") == "PCU" for group in groups):
        return UNKNOWN  # every complete inventory has an inverter group, even if empty: this one is cut
    found: list[Row] = []
    for group in groups:
        if group.get("type") == kind:
            devices = inner_rows(group.get("devices"), document, "serial_num", "last_rpt_date")
            if devices is UNKNOWN or (counting and any(_is_installed(row.values) is None for row in devices or ())):
                return UNKNOWN
            found += keep(devices, lambda row: bool(_is_installed(row.values))) or ()
    return found or ABSENT


def _is_installed(device: Object) -> bool | None:
    """Return whether a device is installed, from `admin_state` (3, or in some reports 0, means deleted).

    Without a readable `admin_state`, a device with flags is installed; None if unknown.
    """
    admin = device.get("admin_state")
    if isinstance(admin, int):
        return admin not in (0, 3)
    return True if isinstance(device.get("communicating"), bool) else None


def countable_inventory(view: View) -> Rows:
    """Select the inventory's inverters that are not deleted.

    Return UNKNOWN if the inventory does not show for each inverter whether the inverter is deleted.
    """
    return inventory_of(view.find_fact(paths.INVENTORY), "PCU", counting=True)


def inventory_inverters(view: View) -> Rows:
    """Select the inventory's inverters, without deleted ones (Q-I12)."""
    return inventory_of(view.find_fact(paths.INVENTORY), "PCU")

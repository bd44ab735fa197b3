"""Select AC Batteries, count batteries, and combine the figures of all batteries of a site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from logger.model import Document, Json, add_up
from logger.readings import paths
from logger.readings.json_values import dig, number, objects, total, whole
from logger.readings.rows import (
    ABSENT,
    UNKNOWN,
    Condition,
    Found,
    Missing,
    Row,
    Rows,
    View,
    doubt_silent,
    each_of,
    how_many,
    keep,
    object_at,
    only_if,
    unless,
    whole_of,
)
from logger.readings.selectors.device_data import data_devices
from logger.readings.selectors.ensemble import encharge_inventory, encharge_power, list_powers, list_rated
from logger.readings.selectors.inventory import inventory_of
from logger.readings.selectors.inverters import ACB, is_typed, is_untyped, list_devices
from logger.readings.selectors.production import blocks_of

_FRESH_BLOCK_S: Final = 20 * 60
AC_BATTERY_W: Final = 270.0
"""The rated power of an AC Battery, in W."""
_AC_REPORTS: Final = (paths.INVENTORY, paths.DEVICE_DATA)
"""The documents with an AC Battery's last report. If the report is doubted in one of them, it is not believed."""
_REPORTS: Final = (*_AC_REPORTS, paths.ENSEMBLE)
# --- AC Batteries ---------------------------------------------------------------------------------------------


def v1_ac_batteries(view: View) -> Rows:
    """Select the AC Batteries of the newest v1 list, fresh or not, for their ratings."""
    return doubt_silent(view, list_devices(view.find_fact(paths.V1_INVERTERS), ACB), *_AC_REPORTS)


def data_ac_batteries(view: View) -> Rows:
    """Select active AC Batteries of `/ivp/pdm/device_data`."""
    return doubt_silent(view, data_devices(view, "acb"), *_AC_REPORTS)


def inventory_ac_batteries(view: View) -> Rows:
    """Select the inventory's AC Batteries, without deleted ones."""
    return inventory_of(view.find_fact(paths.INVENTORY), "ACB")


def fresh_inventory_ac_batteries(view: View) -> Rows:
    """Select the AC Batteries for their measured values, only from an inventory that arrived since the last tick."""
    return doubt_silent(view, inventory_of(view.find_fresh(paths.INVENTORY), "ACB"), *_AC_REPORTS)


# --- counting batteries ---------------------------------------------------------------------------------------


def count_ac_batteries(view: View) -> int | None:
    """Count the AC Batteries in the inventory, else in the v1 list, else in production.json; None if unknown."""
    for source in (_count_in_inventory, _count_in_list, _count_in_block):
        if (count := source(view)) is not ABSENT:
            return None if count is UNKNOWN else count
    return None


def _count_in_inventory(view: View) -> Found[int]:
    document = view.find_fact(paths.INVENTORY)
    count = how_many(inventory_of(document, "ACB", counting=True))
    return UNKNOWN if count is None else ABSENT if document is ABSENT else count


def _count_in_list(view: View) -> Found[int]:
    document = view.find_fact(paths.V1_INVERTERS)
    return document if isinstance(document, Missing) else _count_listed(document)


@lru_cache(maxsize=4)
def _count_listed(document: Document) -> Found[int]:
    """Count the AC Batteries of a v1 list. The result is cached, because a tick needs this number many times."""
    devices = each_of(document)
    if not devices or is_untyped(devices):
        return ABSENT
    return len(list_devices(document, ACB) or ()) if is_typed(devices) else UNKNOWN


def _count_in_block(view: View) -> Found[int]:
    for data in whole_of(view.find_fact(paths.BLOCKS)) or ():
        for block in objects(data.values.get("storage")) or ():
            if block.get("type") == "acb":
                count = whole(block.get("activeCount"))
                return count if count is not None and count >= 0 else UNKNOWN
    return UNKNOWN


def infer_ac_batteries(view: View) -> int | None:
    """Count the AC Batteries. While the inventory has not arrived, count the AC Batteries of the v1 list.

    This count decides how other values are read. It is not written to InfluxDB: the count that is written comes from
    `count_ac_batteries`.
    """
    counted = count_ac_batteries(view)
    if counted is not None:
        return counted
    count = _count_in_list(view)
    return count if isinstance(count, int) else None


def _count_iq_batteries(view: View) -> int | None:
    """Count the IQ Batteries in the inventory; None if unknown.

    If the inventory surely lists no IQ Battery, count the IQ Batteries in `/ivp/ensemble/power`.
    """
    listed = encharge_inventory(view)
    return how_many(listed) if listed is not ABSENT else len(list_powers(view.find_fact(paths.ENSEMBLE_POWER)) or ())


def count_batteries(view: View) -> int | None:
    """Count IQ Batteries and AC Batteries together; None while either number is unknown."""
    iq, ac = _count_iq_batteries(view), count_ac_batteries(view)
    return None if iq is None or ac is None else iq + ac


def infer_batteries(view: View) -> int | None:
    """Count IQ Batteries and AC Batteries together, even before the inventory has arrived; None if unknown."""
    iq, ac = _count_iq_batteries(view), infer_ac_batteries(view)
    return None if iq is None or ac is None else iq + ac


def sum_rated(view: View) -> float | None:
    """Return the sum of the rated powers of all batteries, in W.

    Return None if the site has no battery, or if the number of its batteries is unknown.
    """
    iq, ac = encharge_inventory(view), infer_ac_batteries(view)
    if iq is UNKNOWN or ac is None:
        return None
    return add_up([*list_rated(view).values(), AC_BATTERY_W * ac]) or None


def _has_any(count: Callable[[View], int | None]) -> Condition:
    return lambda view: None if (found := count(view)) is None else found > 0


def _has_iq_batteries_alone(view: View) -> bool | None:
    iq, ac = _count_iq_batteries(view), infer_ac_batteries(view)
    return None if iq is None or ac is None else iq > 0 and not ac


def _has_ac_batteries_alone(view: View) -> bool | None:
    iq, ac = _count_iq_batteries(view), infer_ac_batteries(view)
    return None if iq is None or ac is None else ac > 0 and not iq


# --- all batteries together -----------------------------------------------------------------------------------


def _read_site(view: View) -> Rows:
    """Select `/ivp/ensemble/secctrl`.

    If an IQ Battery is installed and the document still gives a capacity of 0, the row gets a doubt: its values are
    not written.
    """
    rows = object_at(paths.SECCTRL)(view)
    if not rows or rows[0].number("Enc_commissioned_capacity") != 0 or not _count_iq_batteries(view):
        return rows
    return [replace(row, doubt="its figures are all zero, as after a restart") for row in rows]


def _site_batteries(view: View) -> Rows:
    rows = _read_site(view)
    installed = [*(encharge_inventory(view) or ()), *(inventory_ac_batteries(view) or ())]
    doubts = {serial: text for path in _REPORTS for serial, text in view.snapshot.doubts.get(path, {}).items()}
    if not rows or not installed or not all(row.serial in doubts for row in installed):
        return rows
    return [replace(row, doubt=f"no battery reports now: {doubts[installed[0].serial]}") for row in rows]


site_batteries = only_if(_has_any(infer_batteries), _site_batteries)
"""Select the figures of all batteries (`/ivp/ensemble/secctrl`), only if a battery is installed (Q-B14).

The document contains no time of its figures, so the figures are not written while no battery reports.
"""
site_iq_batteries = only_if(_has_any(_count_iq_batteries), _read_site)
"""Select `/ivp/ensemble/secctrl`, only if an IQ Battery is installed, because AC Batteries have no reserve."""


def _encharge_power_sum(view: View) -> Rows:
    devices = encharge_power(view)
    if not devices:
        return devices
    power = _encharge_milliwatts(view)
    return (
        UNKNOWN if power is None else [Row({"sum": power}, document=devices[0].document, doubt=_any_doubt(devices))]
    )


def _any_doubt(devices: Rows) -> str:
    """Return the first doubt about one of the devices; empty without a doubt.

    A sum that includes a doubted device is also doubted.
    """
    return next((f"battery {row.serial}: {row.doubt}" for row in devices or () if row.doubt), "")


encharge_power_sum = only_if(_has_iq_batteries_alone, _encharge_power_sum)
"""Select the sum of the IQ Batteries' powers in mW, if all report their power and there are no AC Batteries."""


def _encharge_milliwatts(view: View) -> float | None:
    """Return the sum of the IQ Batteries' powers in mW; None if the power of an installed battery is unknown."""
    devices = encharge_power(view) or []
    if len(devices) != _count_iq_batteries(view):
        return None
    return total(row.values.get("real_power_mw") for row in devices)


def _encharge_together(view: View) -> Rows:
    devices, installed = encharge_power(view), encharge_inventory(view)
    if not devices or not installed:
        return devices and UNKNOWN
    charges = {row.serial: number(row.values.get("soc")) for row in devices}
    capacity = energy = 0.0
    for row in installed:
        whole_wh, percent = number(row.values.get("encharge_capacity")), charges.get(row.serial)
        if whole_wh is None or whole_wh <= 0 or percent is None or len(charges) != len(installed):
            return UNKNOWN
        capacity, energy = capacity + whole_wh, energy + whole_wh * percent / 100
    values: dict[str, Json] = {"charge": 100 * energy / capacity, "energy": energy, "capacity": capacity}
    return [Row(values, document=devices[0].document, doubt=_any_doubt(devices))]


encharge_together = only_if(_has_iq_batteries_alone, _encharge_together)
"""Select the combined figures of all IQ Batteries, for gateways without figures of the whole site.

`charge` is in percent, weighted by capacity; `energy` and `capacity` are in Wh. Nothing is selected if a battery is
missing, or if the site has AC Batteries.
"""


def ac_battery_sums(view: View) -> Rows:
    """Select the charged and the discharged lifetime energy, in J, of all AC Batteries together, from device data.

    Select nothing if the site has IQ Batteries, or if an AC Battery is missing from device data.
    """
    if view.find_fact(paths.DEVICE_DATA) is ABSENT:
        return ABSENT
    return only_if(_has_ac_batteries_alone, _ac_battery_sums)(view)


def _ac_battery_sums(view: View) -> Rows:
    devices = data_ac_batteries(view)
    if not devices or len({row.serial for row in devices}) != infer_ac_batteries(view):
        return UNKNOWN
    joules = ("joulesUsed", "joulesProduced")
    sums = {key: total((dig(row.values, f"lifetime.{key}") for row in devices), least=0.0) for key in joules}
    return [Row({key: value for key, value in sums.items() if value is not None}, document=devices[0].document)]


def _fresh_acb_block(view: View) -> Rows:
    return UNKNOWN if find_old_block(view) is not None else _acb_blocks(view)


def _acb_blocks(view: View) -> Rows:
    blocks = keep(blocks_of(view, "storage"), lambda row: row.values["type"] == "acb")
    return keep(blocks, lambda row: bool(whole(row.values.get("activeCount"))))


def find_old_block(view: View) -> int | None:
    """Return when the AC Battery block was read, in unix seconds, if that is 20 minutes ago or more; else None."""
    for block in _acb_blocks(view) or ():
        read_at = whole(block.values.get("readingTime")) or 0
        if block.document is not None and view.gateway_now(block.document) - read_at >= _FRESH_BLOCK_S:
            return read_at
    return None


fresh_acb_block = only_if(_has_any(infer_ac_batteries), _fresh_acb_block)
"""Select the AC Battery block of production.json, if it lists batteries and is less than 20 minutes old (Q-B3)."""
acb_block = unless(_has_any(_count_iq_batteries), fresh_acb_block)
"""Select the AC Battery block of production.json only if the site has no IQ Batteries."""


def both_kinds_power_sum(view: View) -> Rows:
    """Select the sum of the powers of IQ Batteries and AC Batteries in W, if the site has both kinds."""
    iq, block = encharge_inventory(view), fresh_acb_block(view)
    if not iq or not block:
        return ABSENT if ABSENT in (iq, block) else UNKNOWN
    milliwatts, watts = _encharge_milliwatts(view), number(block[0].values.get("wNow"))
    if milliwatts is None or watts is None:
        return UNKNOWN
    sums: dict[str, Json] = {"sum": milliwatts / 1000 + watts, "readingTime": block[0].values.get("readingTime")}
    doubt = block[0].doubt or _any_doubt(encharge_power(view))
    return [Row(sums, document=block[0].document, doubt=doubt)]

"""Select hardware from the ensemble documents: IQ Batteries, controllers, generator, dry contacts.

Most gateways answer these paths even without the hardware. Each selector states what proves that the hardware exists.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from logger.model import Document, Json
from logger.readings import paths
from logger.readings.json_values import dig
from logger.readings.rows import (
    ABSENT,
    UNKNOWN,
    Found,
    Missing,
    Row,
    Rows,
    Selector,
    View,
    doubt_silent,
    each_of,
    inner_rows,
    keep,
    only_if,
    whole_of,
)

CONTROLLER_TYPES: Final = ("ENPOWER", "COLLAR")
"""The device types of the ensemble inventory that disconnect the house from the grid."""
SURGE: Final = 2.5
"""The greatest plausible power of a battery, as a multiple of its rated power.

To start motors, a battery gives up to twice its rated power.
"""
_LARGEST_W: Final = 10_000.0
"""The rated power in W of the largest IQ Battery, used for a battery that gives neither rating nor capacity."""
_IQ_BATTERY: Final = 13
"""The `device_type` of an IQ Battery in the ensemble status."""


def ensemble_devices(document: Found[Document], kind: str) -> Rows:
    """Select the devices of one type in the ensemble inventory; UNKNOWN if the inventory cannot be read."""
    return document if isinstance(document, Missing) else _list_type(document, kind)


@lru_cache(maxsize=16)
def _list_type(document: Document, kind: str) -> Rows:
    """List the devices of one type. The result is cached, because a tick needs the same rows many times."""
    groups = each_of(document)
    found: list[Row] = []
    for group in groups or ():
        if not isinstance(group.values.get("type"), str) and "devices" in group.values:
            return UNKNOWN
        if group.values.get("type") == kind:  # early firmware adds an element without a type (Q-B8)
            devices = inner_rows(group.values.get("devices"), group.document, "serial_num", "last_rpt_date")
            if devices is UNKNOWN:
                return UNKNOWN
            found += devices or ()
    return groups and (found or ABSENT)


def devices_now(kind: str) -> Selector:
    """Make a selector of the devices of a type in a fresh ensemble inventory, for measured values."""
    return lambda view: doubt_silent(view, ensemble_devices(view.find_fresh(paths.ENSEMBLE), kind), paths.ENSEMBLE)


def devices_known(kind: str) -> Selector:
    """Make a selector of a type's devices in the newest ensemble inventory, fresh or not, for facts about devices."""
    return lambda view: ensemble_devices(view.find_fact(paths.ENSEMBLE), kind)


# --- IQ Batteries ---------------------------------------------------------------------------------------------


encharge_inventory = devices_known("ENCHARGE")
"""Select the IQ Batteries (`ENCHARGE`) of the newest ensemble inventory, fresh or not; it may list none (Q-B7)."""


def encharge_power(view: View) -> Rows:
    """Select the power and the charge of each IQ Battery. The key of the list has a colon: `devices:` (Q-B1)."""
    devices = list_powers(view.find_fresh(paths.ENSEMBLE_POWER))
    return _drop_surges(view, doubt_silent(view, devices, paths.ENSEMBLE))


def list_powers(document: Found[Document]) -> Rows:
    """Return the IQ Batteries of one power list, one row for each battery."""
    power = whole_of(document)
    if not power:
        return power
    values = power[0].values
    return inner_rows(values.get("devices:", values.get("devices")), power[0].document, "serial_num")


def _drop_surges(view: View, devices: Rows) -> Rows:
    """Remove each battery power that is above 2.5 times the battery's rated power."""
    rated = list_rated(view) if devices else {}
    found = []
    for row in devices or ():
        most_w, milliwatts = SURGE * rated.get(row.serial, _LARGEST_W), row.number("real_power_mw")
        is_beyond = abs(milliwatts or 0.0) / 1000 > most_w
        found.append(row.having({"real_power_mw": None}) if is_beyond else row)
    return devices and found


def list_rated(view: View) -> dict[str, float]:
    """Return the rated power of each installed IQ Battery in W, by serial.

    If the rating of a battery is unknown, use the power that would empty the battery in an hour. This power is above
    any rating. If the capacity is also unknown, use `_LARGEST_W`.
    """
    rated = {row.serial: row.number("encharge_rated_power") or 0.0 for row in encharge_status(view) or ()}
    return {
        row.serial: next((each for each in (rated.get(row.serial, 0.0), _hold_wh(row)) if each > 0), _LARGEST_W)
        for row in encharge_inventory(view) or ()
    }


def _hold_wh(row: Row) -> float:
    return row.number("encharge_capacity") or 0.0


def encharge_status(view: View) -> Rows:
    """Select rated power and capacity of each battery from the ensemble status."""
    status = whole_of(view.find_fact(paths.ENSEMBLE_STATUS))
    if not status:
        return status
    devices = dig(status[0].values, "inventory.serial_nums")
    if not isinstance(devices, dict):
        return UNKNOWN
    return [
        Row(device, serial, document=status[0].document)
        for serial, device in devices.items()
        if isinstance(device, dict) and device.get("device_type") == _IQ_BATTERY
    ] or ABSENT


# --- generator and contacts -----------------------------------------------------------------------------------


def has_generator(view: View) -> bool | None:
    """Return whether a generator is configured; the key `present` is unreliable (Q-B9).

    A document whose values are all empty, such as an empty object below one key, configures no generator.
    """
    config = view.find_fact(paths.GENERATOR_CONFIG)
    if isinstance(config, Missing) or not config.body:
        return None if config is UNKNOWN else False
    return (
        any(value not in ({}, [], "", None) for value in config.body.values())
        if isinstance(config.body, dict)
        else None
    )


def _generator(view: View) -> Rows:
    state = whole_of(view.find_fresh(paths.GENERATOR))
    inner = state[0].values.get("generator") if state else None
    return [Row(inner, document=state[0].document)] if state and isinstance(inner, dict) else state


generators = only_if(has_generator, _generator)
"""Select the generator, only if a generator is configured."""


def contacts(view: View) -> Rows:
    """Select the dry contacts whose type is not NONE. Select none without a system controller (Q-B9)."""
    controllers = ensemble_devices(view.find_fact(paths.ENSEMBLE), "ENPOWER")
    if not controllers:
        return controllers
    settings, states = view.find_fact(paths.CONTACT_SETTINGS), view.find_fresh(paths.CONTACTS)
    if isinstance(settings, Missing) or isinstance(states, Missing):
        return ABSENT if ABSENT in (settings, states) else UNKNOWN
    configured, seen = _contacts_in(settings), _contacts_in(states)
    if configured is UNKNOWN or seen is UNKNOWN:
        return UNKNOWN
    in_use = keep(configured, lambda row: row.values.get("type") not in (None, "NONE"))
    names = {
        identity: row.values.get("load_name")
        for row in in_use or ()
        if isinstance(identity := row.values.get("id"), str)
    }
    return [
        Row(row.values, tags=_contact_tags(identity, names[identity]), document=states)
        for row in seen or ()
        if isinstance(identity := row.values.get("id"), str) and identity in names
    ] or ABSENT


def _contacts_in(document: Document) -> Rows:
    """Return the list of contacts in a document.

    Some gateways send the list alone, others send it under the key `dry_contacts`.
    """
    body = document.body
    return inner_rows(body.get("dry_contacts") if isinstance(body, dict) else body, document)


def _contact_tags(identity: str, name: Json) -> tuple[tuple[str, str], ...]:
    named = name.strip() if isinstance(name, str) else ""
    return (("contact", identity), *((("contact_name", named),) if named else ()))

"""Doubt batteries and controllers that the gateway itself reports as not communicating (Q-B20). Pure.

The gateway still gives the last state, power and charge of such a device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from logger.model import Snapshot
from logger.readings import paths
from logger.readings.json_values import objects, serial_of

_REASON: Final = "the gateway does not hear it"
_KINDS: Final = {paths.ENSEMBLE: ("ENCHARGE", "ENPOWER", "COLLAR"), paths.INVENTORY: ("ACB",)}
"""Path → the kinds of devices to check. Inverters are left out, because the gateway does not hear them at night."""


def doubt_unheard(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with a doubt about each battery and controller whose flag `communicating` is false."""
    found = dict(snapshot.doubts)
    for path, serial in _list_unheard(snapshot):
        found[path] = {serial: _REASON, **found.get(path, {})}
    return replace(snapshot, doubts=found) if found != snapshot.doubts else snapshot


def _list_unheard(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    for path, kinds in _KINDS.items():
        for group in objects(snapshot.body(path)) or ():
            for device in objects(group.get("devices")) or () if group.get("type") in kinds else ():
                serial = serial_of(device.get("serial_num"))
                if serial and device.get("communicating") is False:
                    yield path, serial

"""Select devices from device data (`/ivp/pdm/device_data`), one document for all devices of a site."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from logger.model import Document
from logger.readings import paths
from logger.readings.json_values import dig, objects, serial_of, total, whole
from logger.readings.rows import ABSENT, UNKNOWN, Found, Missing, Row, Rows, View, keep, whole_of

_DEVICE_DATA_LIMIT: Final = 50
"""Device data lists at most this many devices, even at larger sites."""


def data_devices(view: View, kind: str) -> Rows:
    """Select the devices of one kind in device data. Leave out devices that are inactive or have no last reading."""
    document = view.find_fresh(paths.DEVICE_DATA)
    return document if isinstance(document, Missing) else _list_reports(document, kind)


@lru_cache(maxsize=8)
def _list_reports(document: Document, kind: str) -> Rows:
    """List the active devices of one kind that have a last reading.

    The result is cached, because a tick needs the same rows many times.
    """
    data = _read_whole(document)
    if not data:
        return data
    rows = []
    for row in _devices(data[0]):
        channel = next(iter(objects(row.values.get("channels")) or []), {})
        last = channel.get("lastReading")
        if row.values.get("devName") == kind and row.values.get("active") is True and isinstance(last, dict) and last:
            rows.append(Row({**row.values, **channel}, row.serial, whole(last.get("endDate")), document=row.document))
    return rows or ABSENT


def _read_whole(document: Found[Document]) -> Rows:
    """Return device data as a single row; ABSENT if the document is empty.

    A gateway without device data gives an empty document (Q-C14).
    """
    is_empty = not isinstance(document, Missing) and document.body in ([], {})
    return ABSENT if is_empty else whole_of(document)


def _devices(data: Row) -> list[Row]:
    """Return one row for each device. `data`: the whole document as one row, with one key for each device."""
    devices = [value for value in data.values.values() if isinstance(value, dict)]
    return [Row(device, serial_of(device.get("sn")), document=data.document) for device in devices]


def data_inverters(view: View) -> Rows:
    """Select active inverters of `/ivp/pdm/device_data` with a last reading. The document has at most 50 devices.

    Return UNKNOWN while the document is late, because its next answer gives the same reports with more fields. Return
    ABSENT if the gateway no longer has the document, so that the v1 list is read instead. A device without a readable
    power is also read from the v1 list, if there is a v1 list.
    """
    if paths.DEVICE_DATA not in view.snapshot.documents:
        return ABSENT
    devices = data_devices(view, "pcu")
    has_list = paths.V1_INVERTERS in view.snapshot.documents
    return keep(devices, lambda row: row.number("watts.now") is not None) if has_list else devices


def is_data_cut(view: View) -> bool:
    """Return whether device data counts more devices than it can list, so that inverters may be missing from it."""
    data = whole_of(view.find_fact(paths.DEVICE_DATA)) or []
    return any((row.whole("deviceCount") or 0) > _DEVICE_DATA_LIMIT for row in data)


def device_data_inverters(view: View) -> Rows:
    """Select the active inverters of the newest device data, fresh or not.

    Select no inverter if the document may lack an inverter.
    """
    return select_data_inverters(view.find_fact(paths.DEVICE_DATA))


def select_data_inverters(document: Found[Document]) -> Rows:
    """Select the active inverters of one document of device data; none if the document may lack an inverter."""
    data = _read_whole(document)
    if not data:
        return data
    devices, count = _devices(data[0]), whole(data[0].values.get("deviceCount"))
    if count is not None and count >= _DEVICE_DATA_LIMIT:
        return ABSENT
    if len(devices) != count or not all(
        isinstance(row.values.get("devName"), str) and isinstance(row.values.get("active"), bool) for row in devices
    ):
        return UNKNOWN
    return [row for row in devices if row.values["devName"] == "pcu" and row.values["active"]] or ABSENT


def device_data_sums(view: View) -> Rows:
    """Select one row with three energies from device data: of the lifetime, of today and of the week.

    Each energy is the sum over all inverters. Select nothing if an inverter can be missing from the document.
    """
    devices = select_data_inverters(view.find_fresh(paths.DEVICE_DATA))
    if not devices:
        return devices
    channels = [channel for row in devices for channel in objects(row.values.get("channels")) or [{}]]
    keys = ("lifetime.joulesProduced", "wattHours.today", "wattHours.week")
    sums = {key.split(".")[1]: total((dig(channel, key) for channel in channels), least=0.0) for key in keys}
    return UNKNOWN if None in sums.values() else [Row(dict(sums), document=devices[0].document)]

"""Which keys of a gateway's documents are read at all."""

from __future__ import annotations

import re
from typing import Final

from logger.readings.table import COUNTERS, MEASUREMENTS

_STRUCTURE: Final = frozenset({
    "eid", "state", "measurementType", "phaseCount", "channels", "voltage",
    "serialNumber", "lastReportDate", "lastReportWatts", "devType", "deviceCount", "devName",
    "active", "sn", "modGone", "lastReading", "endDate", "lifetime",
    "wattHours", "watts", "now", "today", "week", "joulesProduced",
    "type", "devices", "serial_num", "admin_state", "device_status", "communicating",
    "producing", "last_rpt_date", "activeCount", "readingTime", "production", "consumption",
    "storage", "pcu", "eim", "wattHoursLifetime", "wattHoursToday", "wattHoursSevenDays",
    "whToday", "whLastSevenDays", "whLifetime", "inventory", "serial_nums", "device_type",
    "devices:", "dry_contacts", "id", "load_name", "agg_avail_energy", "network", "interfaces",
    "primary_interface", "carrier", "signal_strength", "last_enlighten_report_time", "timezone",
})  # fmt: skip
"""Keys by which rows are found and told apart, and from which the books take a start."""


def named_in_table() -> frozenset[str]:
    """Every key that a field of the table names; some are read only where certain hardware is."""
    names = [key.name for m in MEASUREMENTS for field in m.fields for key in field.keys]
    names += [key.name for field in COUNTERS for key in field.keys]
    return frozenset(word for name in names for word in re.split(r"[^\w-]+", name) if word)


READ: Final = named_in_table() | _STRUCTURE
"""Every key that something is read from."""


def fields_of(path: str, key: str) -> list[str]:
    """The fields, as `measurement.field`, that are read from a key of that document."""
    found = {
        f"{m.name}.{field.name}": None
        for m in MEASUREMENTS
        for field in m.fields
        for source in field.keys
        if source.rowset.where.startswith(path) and key in re.split(r"[^\w-]+", source.name)
    }
    return list(found)

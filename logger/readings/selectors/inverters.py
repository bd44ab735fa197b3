"""Select micro-inverters from the v1 list, and choose between the documents that list them."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Final

from logger.model import AHEAD_S, Document, Json
from logger.readings import paths
from logger.readings.json_values import dig, number, objects, total, whole
from logger.readings.reports import is_time
from logger.readings.rows import (
    ABSENT,
    UNKNOWN,
    Found,
    Missing,
    Row,
    Rows,
    View,
    each_of,
    first_of,
    keep,
    unless,
    whole_of,
)
from logger.readings.selectors.device_data import (
    data_inverters,
    device_data_inverters,
    is_data_cut,
    select_data_inverters,
)
from logger.readings.selectors.inventory import countable_inventory

PCU: Final = 1
ACB: Final = 11
FRESH_REPORT_S: Final = 30 * 60
"""An inverter that reported within this many seconds counts as heard."""
_FRESH_POWER_S: Final = 20 * 60
"""The power of an inverter is included in sums for this many seconds after its report."""
GONE_S: Final = 30 * 86400
MOST_W: Final = 1000.0
"""The greatest power in W that a micro-inverter can have. A higher figure is no power."""


# --- the v1 list ----------------------------------------------------------------------------------------------


def list_devices(document: Found[Document], dev_type: int) -> Rows:
    """Select the devices of one type in the v1 list."""
    return document if isinstance(document, Missing) else _list_type(document, dev_type)


@lru_cache(maxsize=8)
def _list_type(document: Document, dev_type: int) -> Rows:
    """Select devices of one type. The result is cached, because a tick needs the same rows many times."""
    devices = each_of(document, "serialNumber", "lastReportDate")
    is_any = dev_type == PCU and is_untyped(devices)
    return keep(devices, lambda row: is_any or row.values.get("devType") == dev_type)


def is_untyped(devices: Rows) -> bool:
    """Return whether no device has a `devType`, as in lists of 3.x firmware, which contain only inverters."""
    return not any("devType" in row.values for row in devices or ())


def is_typed(devices: Rows) -> bool:
    """Return whether every device has a `devType`, so that each kind can be counted."""
    return all(isinstance(row.values.get("devType"), int) for row in devices or ())


def v1_inverters(view: View) -> Rows:
    """Select the inverters, without AC Batteries (Q-I5), if a v1 list arrived since the last tick."""
    return list_devices(view.find_fresh(paths.V1_INVERTERS), PCU)


def living_inverters(view: View) -> Rows:
    """Select the inverters of the newest v1 list, fresh or not, without removed inverters.

    Removed inverters stay in the list for years (Q-I3). An inverter counts as removed if its last report is 30 days
    older than the newest report of the list. The present time is not used, because all inverters can be silent for
    more than 30 days while snow covers them. Inverters with the report time 0 have not reported yet, or were removed.
    These inverters are counted together with all other inverters that do not count as removed. If production.json
    gives at least this number of inverters, the inverters with the report time 0 count as installed.
    """
    document = view.find_fact(paths.V1_INVERTERS)
    if isinstance(document, Missing):
        return document
    return _list_living(document, view.gateway_now(document), _count_registered(view, document))


def _count_registered(view: View, document: Document) -> int:
    """Return the number of registered inverters from the newest production.json, fresh or not.

    Return 0 if this number is unknown, or is not needed because every inverter of the v1 list has reported.
    """
    if all(row.reported != 0 for row in list_devices(document, PCU) or ()):
        return 0
    for data in whole_of(view.find_fact(paths.BLOCKS)) or ():
        for block in data.objects("production"):
            if block.get("type") == "inverters":
                return whole(block.get("activeCount")) or 0
    return 0


@lru_cache(maxsize=4)
def _list_living(document: Document, now: float, registered: int) -> Rows:
    """List the inverters that are not removed. For the arguments see `_list_flags`."""
    rows = list_devices(document, PCU)
    times = [row.reported for row in rows or () if row.reported and now - row.reported >= -AHEAD_S]
    oldest = max(times, default=0) - GONE_S
    present = keep(rows, lambda row: row.reported is None or row.reported > oldest)
    waiting = keep(rows, lambda row: row.reported == 0)
    is_registered = registered >= len(present or ()) + len(waiting or ())
    return keep(rows, lambda row: not row.reported or row.reported > oldest) if is_registered else present


def countable_inverters(view: View) -> Rows:
    """Select the inverters of the v1 list without removed ones; UNKNOWN if `_is_countable` is False for the list.

    An empty list is UNKNOWN, because gateways sometimes give an empty list at night (Q-I4).
    """
    document = view.find_fact(paths.V1_INVERTERS)
    if isinstance(document, Missing):
        return document
    return living_inverters(view) if _is_countable(document) else UNKNOWN


@lru_cache(maxsize=4)
def _is_countable(document: Document) -> bool:
    """Return whether the inverters of a v1 list can be counted.

    Each inverter must have a report time. All devices of the list, or none of them, must have a type.
    """
    devices = each_of(document)
    if not devices or not (is_typed(devices) or is_untyped(devices)):
        return False
    return all(row.reported is not None for row in list_devices(document, PCU) or ())


def _silent_s(row: Row, now: float) -> float:
    """Return the seconds since an inverter's last report. `now`: the gateway's clock when the list arrived."""
    return now - row.reported if row.reported else math.inf


def inverter_power_sum(view: View) -> Rows:
    """Select the sum of the powers in W that inverters of the v1 list reported in the last 20 minutes.

    Return UNKNOWN if no inverter reported: it may be night, or the gateway may not receive the inverters.
    """
    document = view.find_fresh(paths.V1_INVERTERS)
    rows = list_devices(document, PCU)
    if isinstance(document, Missing) or not rows:
        return rows
    if countable_inverters(view) is UNKNOWN or any(row.reported is None for row in rows):
        return UNKNOWN
    if total((row.values.get("lastReportWatts") for row in rows), most=MOST_W) is None:
        return UNKNOWN
    now = view.gateway_now(document)
    fresh = [row for row in rows if _silent_s(row, now) < _FRESH_POWER_S]
    watts = total(row.values.get("lastReportWatts") for row in fresh)
    values: dict[str, Json] = {"sum": watts, "heard": len(fresh), "listed": len(living_inverters(view) or ())}
    return [Row(values, document=document)] if fresh else UNKNOWN


def count_listed(view: View) -> int:
    """Count the inverters of the v1 list, including removed ones."""
    return len(list_devices(view.find_fact(paths.V1_INVERTERS), PCU) or ())


def find_last_report(view: View) -> float | None:
    """Return the time of the newest report of any inverter, in unix seconds of our clock; None if no report is known.

    The documents need not be fresh. A report ahead of the gateway's clock counts as a report of the present time.
    """
    for path, find_newest in ((paths.V1_INVERTERS, _find_newest_listed), (paths.DEVICE_DATA, _find_newest_in_data)):
        document = view.find_fact(path)
        if not isinstance(document, Missing) and (newest := find_newest(document)):
            silent_s = max(0.0, view.gateway_now(document) - newest)
            return document.received_at - silent_s
    return None


@lru_cache(maxsize=4)
def _find_newest_listed(document: Document) -> int:
    return max((row.reported or 0 for row in list_devices(document, PCU) or ()), default=0)


@lru_cache(maxsize=4)
def _find_newest_in_data(document: Document) -> int:
    rows = select_data_inverters(document) or ()
    channels = [channel for row in rows for channel in objects(row.values.get("channels")) or ()]
    return max((whole(dig(channel, "lastReading.endDate")) or 0 for channel in channels), default=0)


def sum_maxima(view: View) -> float | None:
    """Return the sum of the highest powers in W that the inverters ever reported; None if unknown.

    Removed inverters are included. Each inverter's power is at most its highest reported power, so the power of all
    inverters together is at most this sum.
    """
    for path, add in ((paths.V1_INVERTERS, _add_listed_maxima), (paths.DEVICE_DATA, _add_data_maxima)):
        document = view.find_fact(path)
        if not isinstance(document, Missing) and (watts := add(document)):
            return watts
    return None


@lru_cache(maxsize=4)
def _add_listed_maxima(document: Document) -> float | None:
    rows = list_devices(document, PCU)
    return total((row.values.get("maxReportWatts") for row in rows), least=0.0, most=MOST_W) if rows else None


@lru_cache(maxsize=4)
def _add_data_maxima(document: Document) -> float | None:
    rows = select_data_inverters(document)
    channels = [channel for row in rows or () for channel in objects(row.values.get("channels")) or [{}]]
    return total((dig(channel, "watts.max") for channel in channels), least=0.0, most=MOST_W) if rows else None


installed_inverters = first_of(countable_inventory, device_data_inverters, countable_inverters)
"""Select the installed inverters from the inventory, else device data, else the v1 list."""


# --- whether inverters are heard ------------------------------------------------------------------------------


def has_readable_reports(view: View) -> bool:
    """Return whether a document that lists every inverter gives a report with time and power.

    The newest document counts, even if it is not fresh. Device data leaves out every device beyond the fiftieth, so
    it is not enough at larger sites.
    """
    standing = view.standing()
    if any(_is_readable(row, "lastReportWatts") for row in v1_inverters(standing) or ()):
        return True
    return not is_data_cut(view) and any(_is_readable(row, "watts.now") for row in data_inverters(standing) or ())


def _is_readable(row: Row, power: str) -> bool:
    return is_time(row.reported) and row.number(power) is not None


def list_flags(view: View) -> Rows:
    """Select the inverters of the v1 list, with two flags: `heard` in the last 30 minutes, `delivering` power."""
    document = view.find_fact(paths.V1_INVERTERS)
    if isinstance(document, Missing):
        return document
    return _list_flags(document, view.gateway_now(document), _count_registered(view, document))


@lru_cache(maxsize=4)
def _list_flags(document: Document, now: float, registered: int) -> Rows:
    """Return the inverters of a v1 list, with the flags of `list_flags`. Removed inverters are left out.

    `now`: the gateway's clock when the document arrived. `registered`: the number of registered inverters, 0 if
    unknown or not needed.
    """
    rows = _list_living(document, now, registered)
    return rows and [_flag(row, now, row.values.get("lastReportWatts"), is_gone=False) for row in rows]


def _data_flags(view: View) -> Rows:
    document = view.find_fact(paths.DEVICE_DATA)
    rows = select_data_inverters(document)
    if isinstance(document, Missing) or not rows:
        return rows
    now, found = view.gateway_now(document), []
    for row in rows:
        channel = next(iter(objects(row.values.get("channels")) or []), {})
        reported, is_gone = whole(dig(channel, "lastReading.endDate")), row.values.get("modGone")
        known = is_gone if isinstance(is_gone, bool) else None
        found.append(_flag(replace(row, reported=reported), now, dig(channel, "watts.now"), is_gone=known))
    return found


def _has_list(view: View) -> bool | None:
    listed = view.find_fact(paths.V1_INVERTERS)
    return None if listed is UNKNOWN else listed is not ABSENT


data_listed_inverters = unless(_has_list, _data_flags)
"""Select the inverters of device data, with the flags of `list_flags`.

Select none if there is a v1 list, or if an inverter can be missing from device data.
"""


def _flag(row: Row, now: float, watts: Json, *, is_gone: bool | None) -> Row:
    if row.reported is None or is_gone is None:
        return row
    heard = not is_gone and _silent_s(row, now) < FRESH_REPORT_S
    power = number(watts)
    return row.having({"heard": heard} if power is None else {"heard": heard, "delivering": heard and power > 0})

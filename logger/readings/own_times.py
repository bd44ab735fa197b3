"""Judge from the time in a reading whether the reading can still be believed. Pure.

A gateway may answer for hours with a meter's row or a battery's report that is no longer renewed. A reading is
doubted in two cases. First, the reading's time has not changed for some minutes although the gateway's clock runs.
Second, the reading is older than twice the interval at which the device reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from statistics import median
from typing import Final, TypeAlias

from logger.model import Json, Snapshot
from logger.readings import paths
from logger.readings.json_values import dig, number, objects, serial_of, whole

STILL_S: Final = 300.0
"""A meter's reading is doubted if its age is more than this many seconds. Gateways read meters every few seconds.

A reading that the gateway usually renews more slowly is believed for longer (`Followed.limit_s`).
"""
REPORT_S: Final = 940.0
"""The longest usual interval of a device's reports, in seconds, which is used while the interval is unknown."""
_SHORTEST_S: Final = 300.0
"""The interval of a device's reports counts as at least this many seconds.

A report over fewer seconds is a fragment, such as the first report of the morning.
"""
_LONGEST_S: Final = 6 * 3600.0
"""A gap of more seconds between two reports is an outage or a night."""
_GAPS: Final = 4
"""The interval of a device is the median of its gaps, the seconds between reports. At most this many are stored."""
_FEWEST: Final = 2
"""The least number of gaps from which a meter's interval is computed.

A device of a kind in `_SELDOM` is never doubted while it has fewer gaps.
"""
_DAY_S: Final = 86400.0
NEWEST: Final = "newest report"
"""The name under which the time of the newest report in the list of inverters is followed."""
_SELDOM: Final = ("COLLAR", "C6 COMBINER CONTROLLER")
"""Kinds of devices that may give the time of their installation as the time of their last report."""


Slow: TypeAlias = Mapping[str, Mapping[str, tuple[float, ...]]]


@dataclass(frozen=True, slots=True)
class OwnTime:
    """The time of one reading: unix `second` by the gateway's clock, and the device's `interval_s`, if given.

    `is_seldom`: the device may give the time of its installation instead of the time of its report. So the reading is
    doubted only after `second` has changed twice. `is_newest`: `second` is the time of the newest of many reports.
    The age of this report is counted from the moment at which the recorder first saw the report.
    """

    name: str
    second: float
    is_meter: bool = False
    interval_s: float | None = None
    is_seldom: bool = False
    is_newest: bool = False


@dataclass(frozen=True, slots=True)
class Followed:
    """A reading's time, and its history in earlier documents.

    `since`: when this time was first seen, by our clock. `clock`: the same moment by the gateway's clock. `lag_s`:
    how far this time was behind the gateway's clock at that moment. `looks`: the number of documents with this time.
    `gaps`: the seconds by which the time advanced at each of its last four changes. A change of more than six hours
    is left out, and also a change to an earlier time. If a meter has a new time in each document, its gaps count as
    0, because the meter is then read more often than the document is requested.
    """

    second: float
    since: float
    clock: float
    lag_s: float
    looks: int = 1
    gaps: tuple[float, ...] = ()

    def next(self, time: OwnTime, at: float, clock: float) -> Followed:
        """Return the state after the next document.

        `at`: the arrival of the document by our clock. `clock`: the arrival by the gateway's clock. If a meter's time
        changed with each of the last three documents, the meter is believed, even if its time is far behind `clock`.
        """
        if time.second == self.second:
            return replace(self, looks=self.looks + 1)
        waited_s, moved_s = at - self.since, time.second - self.second
        is_quick = time.is_meter and self.looks == 1 and waited_s <= STILL_S and moved_s >= waited_s / 2
        gap = 0.0 if is_quick else moved_s
        gaps = (*self.gaps, gap)[-_GAPS:] if 0 <= gap <= _LONGEST_S else self.gaps
        lag_s = 0.0 if time.is_newest else max(0.0, clock - time.second)
        is_behind = lag_s > STILL_S and is_quick and self.gaps[-2:] == (0.0, 0.0)
        return Followed(time.second, at, clock, 0.0 if is_behind else lag_s, gaps=gaps)

    @property
    def is_slow(self) -> bool:
        """Return True if the gateway usually renews this reading less often than a meter's reading."""
        return len(self.gaps) >= _FEWEST and median(self.gaps) > STILL_S / 2

    def age_s(self, at: float, clock: float) -> float:
        """Return the reading's age in seconds.

        The age is computed by our clock and by the gateway's clock. The shorter age is returned, because one of the
        clocks may have been set.
        """
        return self.lag_s + max(0.0, min(at - self.since, clock - self.clock))

    def limit_s(self, time: OwnTime) -> float:
        """Return the greatest age in seconds at which the reading is believed.

        A meter's reading is believed for longer than `STILL_S` only if the gateway usually renews it more slowly.
        """
        if time.is_meter:
            return max(STILL_S, 2 * median(self.gaps) if len(self.gaps) >= _FEWEST else 0.0)
        if time.is_seldom and len(self.gaps) < _FEWEST:
            return math.inf
        known = [gap for gap in (*self.gaps, time.interval_s) if gap is not None and gap <= _LONGEST_S]
        shortest_s = REPORT_S if time.is_newest else _SHORTEST_S  # reports of many inverters come one after the other
        return 2 * max(shortest_s, median(known)) if known else 2 * REPORT_S


@dataclass(frozen=True, slots=True)
class OwnTimes:
    """What is known of the times of all readings.

    `followed`: path → name of a reading → this reading's time and the history of this time. `doubts`: path → name of
    a reading → the doubt about this reading. `seen_at`: path → when the document arrived. `slow`: path → name of a
    reading that is seldom renewed → its gaps (the seconds from one time to the next). Only `slow` is stored, so that
    these readings are believed immediately after a restart. `is_clock_doubted`: a meter's row became old in this
    tick, or the gateway's clock was set. Then `/info` is requested, which shows the gateway's clock.
    """

    followed: Mapping[str, Mapping[str, Followed]] = field(default_factory=dict)
    doubts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    seen_at: Mapping[str, float] = field(default_factory=dict)
    slow: Slow = field(default_factory=dict)
    is_clock_doubted: bool = False


def follow_times(times: OwnTimes, snapshot: Snapshot) -> OwnTimes:
    """Judge the readings of every document that arrived since the last tick.

    If the gateway no longer has a document, the doubts about its readings end. Otherwise these doubts would still
    apply to readings of the same devices in other documents.
    """
    if not snapshot.absent.isdisjoint(times.doubts):
        doubts = {path: found for path, found in times.doubts.items() if path not in snapshot.absent}
        times = replace(times, doubts=doubts)
    skew_s = snapshot.gateway.clock_skew_s
    new = [
        document
        for path in _LISTS
        if (document := snapshot.documents.get(path)) is not None and document.received_at != times.seen_at.get(path)
    ]
    if not new:
        return times
    followed, doubts, seen_at, slow = dict(times.followed), dict(times.doubts), dict(times.seen_at), dict(times.slow)
    is_clock_doubted = False
    for document in new:
        path, at, now = document.path, document.received_at, document.received_at + skew_s
        before, listed = followed.get(path, {}), list(_LISTS[path](document.body))
        clock = _choose_clock(snapshot, now, listed)
        after = {
            time.name: known.next(time, at, clock)
            if (known := before.get(time.name))
            else _begin(time, at, clock, slow.get(path, {}).get(time.name, ()))
            for time in listed
        }
        ages = {time.name: after[time.name].age_s(at, clock) for time in listed}
        found = {time.name: _describe(time) for time in listed if ages[time.name] > after[time.name].limit_s(time)}
        is_clock_doubted |= any(
            time.is_meter and ages[time.name] > STILL_S / 2 and at - after[time.name].since < 2 * STILL_S
            for time in listed
        )
        followed[path], doubts[path], seen_at[path] = after, found, document.received_at
        slow.pop(path, None)
        if seldom := {name: known.gaps for name, known in after.items() if known.is_slow}:
            slow[path] = seldom
    return OwnTimes(followed, doubts, seen_at, slow, is_clock_doubted)


def _begin(time: OwnTime, at: float, clock: float, gaps: tuple[float, ...]) -> Followed:
    lag_s = 0.0 if time.is_newest else max(0.0, clock - time.second)
    return Followed(time.second, at, clock, lag_s, gaps=gaps)


def format_second(second: float) -> str:
    """Write a time that a gateway gave, in unix seconds, as a date and time in UTC.

    An impossible time, which Python could not write, is written as the beginning of 1970 or as a time in 2096.
    """
    return datetime.fromtimestamp(min(max(second, 0.0), 4e9), UTC).strftime("%Y-%m-%d %H:%M UTC")


def _describe(time: OwnTime) -> str:
    at = format_second(time.second)
    if time.is_newest:
        return f"no inverter has reported since {at}"
    return f"its reading has not changed since {at}" if time.is_meter else f"its last report is from {at}"


def _choose_clock(snapshot: Snapshot, now: float, listed: Iterable[OwnTime]) -> float:
    """Return the gateway's clock in unix seconds.

    `now`: the clock as `/info` gave it (this machine's time plus the clock skew). `listed`: the times in one new
    document, which are compared first. If any time in the gateway's documents is less than a day from `now`, return
    `now`. Otherwise return the newest time that is less than a day from another time in the documents. If all times
    are farther from each other, return the newest time of all.
    """
    if all(abs(now - time.second) < _DAY_S for time in listed):
        return now
    seconds = [
        second
        for path, times in _LISTS.items()
        if (document := snapshot.documents.get(path)) is not None
        for second in (time.second for time in times(document.body))
    ]
    if any(abs(now - second) < _DAY_S for second in seconds):
        return now
    shared = [second for second in seconds if sum(abs(second - other) < _DAY_S for other in seconds) > 1]
    return max(shared or seconds, default=now)


# --- the times in each document ---------------------------------------------------------------------------------


def _list_meters(body: Json) -> Iterator[OwnTime]:
    for row in objects(body) or ():
        if second := _second(row.get("timestamp")):
            yield OwnTime(str(whole(row.get("eid"))), second, is_meter=True)


def _list_blocks(body: Json) -> Iterator[OwnTime]:
    for side in ("production", "consumption", "storage"):
        for block in objects(body.get(side) if isinstance(body, dict) else None) or ():
            if second := _second(block.get("readingTime")):
                yield OwnTime(name_block(side, block), second, is_meter=block.get("type") == "eim")


def name_block(side: str, block: Mapping[str, Json]) -> str:
    """Return a name that stands for a block of production.json. `side`: the list that contains the block."""
    return f"{side} {block.get('type')} {block.get('measurementType', '')}"


def _list_ensemble(body: Json) -> Iterator[OwnTime]:
    for group in objects(body) or ():
        is_seldom = group.get("type") in _SELDOM
        for device in _list_devices(group.get("devices"), "serial_num", "last_rpt_date"):
            yield replace(device, is_seldom=is_seldom)


def _list_inventory(body: Json) -> Iterator[OwnTime]:
    for group in objects(body) or ():
        if group.get("type") == "ACB":
            yield from _list_devices(group.get("devices"), "serial_num", "last_rpt_date")


def _list_devices(devices: Json, serial: str, key: str) -> Iterator[OwnTime]:
    """Yield the time of each device's last report; leave out devices that still give the time of installation.

    `serial`, `key`: the JSON keys of a device's serial and of its report time.
    """
    for device in objects(devices) or ():
        second, name = _second(device.get(key)), serial_of(device.get(serial))
        if second and name and second not in (_second(device.get("installed")), _second(device.get("created_date"))):
            yield OwnTime(name, second)


def _list_data(body: Json) -> Iterator[OwnTime]:
    """Yield the time of each battery in device data. Inverters are left out: their points get report times."""
    for device in body.values() if isinstance(body, dict) else ():
        if isinstance(device, dict) and device.get("devName") == "acb":
            channel = next(iter(objects(device.get("channels")) or []), {})
            second, name = _second(dig(channel, "lastReading.endDate")), serial_of(device.get("sn"))
            if second and name:
                yield OwnTime(name, second, interval_s=number(dig(channel, "lastReading.duration")))


def _list_reports(body: Json) -> Iterator[OwnTime]:
    yield from _list_devices(body, "serialNumber", "lastReportDate")


def _list_newest(body: Json) -> Iterator[OwnTime]:
    """Yield the time of the newest inverter report. This time counts as the time of the sums over all inverters."""
    seconds = [time.second for time in _list_reports(body)]
    if seconds:
        yield OwnTime(NEWEST, max(seconds), is_newest=True)


def _second(value: Json) -> float | None:
    """Return a time in unix seconds, from a number or a text; None for 0 and for other values."""
    second = whole(value) if isinstance(value, str) else number(value)
    return float(second) if second and second > 0 else None


_LISTS: Final[Mapping[str, Callable[[Json], Iterator[OwnTime]]]] = {
    paths.READINGS: _list_meters,
    paths.BLOCKS: _list_blocks,
    paths.ENSEMBLE: _list_ensemble,
    paths.INVENTORY: _list_inventory,
    paths.DEVICE_DATA: _list_data,
    paths.V1_INVERTERS: _list_newest,
}
"""Path → the function that yields the time of each reading in that document.

Readings are listed if they have a time of their own and their points get the time of the tick.
"""

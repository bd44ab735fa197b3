"""Explain in words why the sources of a field give no value: no document, or a doubted reading. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from logger.readings import paths
from logger.readings import rowsets as s
from logger.readings.own_times import format_second
from logger.readings.rows import ABSENT, UNKNOWN, Row, Rows, View
from logger.readings.schema import Field, Key
from logger.readings.selectors import batteries, ensemble, inverters, meters
from logger.readings.source_selection import Watched

HOUSE: Final = ("consumption_power_w", "load_power_w")
"""The powers that a house uses, which are never below zero."""
BEYOND: Final = "its value is impossible at this site"
NO_HOUSE: Final = "a house cannot use less than zero"
_MILLIWATTS: Final = "real_power_mw"
_SUMS: Final = {s.V1.name: paths.V1, s.PDM_PCU.name: paths.PDM}
"""Rowset → the document that gives its sum over the inverters."""
_KINDS: Final = {
    s.PRODUCTION_METER.name: "production",
    s.NET_METER.name: "net-consumption",
    s.TOTAL_METER.name: "total-consumption",
    s.STORAGE_METER.name: "storage",
}
"""Rowset → the kind of the meter that the rowset reads."""
_OF_IQ_BATTERIES: Final = (s.ENCHARGE_SUM, s.ENCHARGE_TOGETHER)
_OF_AC_BLOCK: Final = (s.ACB_BLOCK, s.BOTH_KINDS)


def explain_field(item: Field, view: View, device: str = "") -> list[str]:
    """Return the reasons why a field is absent.

    Examine the field's sources in order, best first, and stop at the first source that explains the absence.
    `device`: the serial of the device whose field is absent; empty for a field of the site.
    """
    found: list[str] = []
    for key in item.keys:
        watched = Watched(view.snapshot.documents)
        rows = key.rowset.select(View(replace(view.snapshot, documents=watched), view.role, is_standing=True))
        described = _find_rows(rows, device)
        if len(described) > 1 and device:
            return [*found, f"{key.rowset.where}: {device} is listed twice, so it is not read"]
        if described:
            return [*found, _judge_row(item, key, described[0], view)]
        found += _describe_paths(watched.seen, view)
        if rows is UNKNOWN:
            doubts = [
                f"{path}: {text}" for path in watched.seen for text in view.snapshot.doubts.get(path, {}).values()
            ]
            known = [text] if (text := _explain_unknown(key, view)) else found
            return doubts or known or [f"{key.rowset.where}: no usable value now"]
        if key.rowset in _OF_IQ_BATTERIES and (text := _compare_batteries(view)):
            return [text]
    return found or [f"{key.rowset.where}: no value there" for key in item.keys]


def _explain_unknown(key: Key, view: View) -> str:
    """Return why a source gives no row now although its documents have arrived; empty if no reason is found."""
    kind = _KINDS.get(key.rowset.name)
    if kind is not None and view.snapshot.documents.keys() >= {paths.METERS, paths.READINGS}:
        is_several = len(_list_readings(kind, view)) > 1
        nothing = f"{paths.READINGS} lists no usable reading of the {kind} meter"
        return describe_several(kind, view) if is_several else nothing
    if key.rowset.name in _SUMS and _SUMS[key.rowset.name] in view.snapshot.documents:
        return f"{key.rowset.where}: its lifetime energy cannot be read, so its power is not read either"
    if key.rowset is s.LIST_SUM and (last := inverters.find_last_report(view)) is not None:
        return f"{key.rowset.where}: the newest report is of {format_second(last)}"
    if key.rowset in _OF_IQ_BATTERIES and (text := _compare_batteries(view)):
        return text
    if key.rowset in _OF_AC_BLOCK and (read_at := batteries.find_old_block(view.standing())) is not None:
        return f"{key.rowset.where}: its readingTime is {format_second(read_at)}"
    if key.rowset is s.INSTALLED and inverters.v1_inverters(view.standing()) is ABSENT:
        return f"{paths.V1_INVERTERS} lists no inverter, and no other document does"
    return ""


def _list_readings(kind: str, view: View) -> list[Row]:
    return [row for row in meters.meters_in_use(view.standing()) or () if ("meter", kind) in row.tags]


def describe_several(kind: str, view: View) -> str:
    """Return the reason why a kind of meter has several readings: two meters, or a meter that is listed twice."""
    eids = {row.whole("eid") for row in _list_readings(kind, view)}
    if len(eids) == 1:
        return f"{paths.READINGS} lists the {kind} meter twice, and it is unknown which reading is right"
    return f"{paths.METERS} lists {len(eids)} enabled {kind} meters, and it is unknown which of them to read"


def _compare_batteries(view: View) -> str:
    """Return a text that names the IQ Batteries with a faulty entry; empty without a fault.

    There are three faults. The list of powers has a battery twice. The list of powers has no plausible power for a
    battery. A battery is in the list of powers or in the ensemble inventory, but not in both.
    """
    powers, listed = (
        Counter(row.serial for row in rows or ())
        for rows in (ensemble.encharge_power(view.standing()), ensemble.encharge_inventory(view))
    )
    if twice := [serial for serial, times in powers.items() if times > 1]:
        return f"{paths.ENSEMBLE_POWER} lists {', '.join(twice)} twice"
    parts = [
        f"{path} lists {', '.join(sorted(more))}, {other} does not"
        for path, more, other in (
            (paths.ENSEMBLE_POWER, powers - listed, paths.ENSEMBLE),
            (paths.ENSEMBLE, listed - powers, paths.ENSEMBLE_POWER),
        )
        if more
    ]
    silent = [row.serial for row in ensemble.encharge_power(view.standing()) or () if row.number(_MILLIWATTS) is None]
    if silent and not parts:
        return f"{paths.ENSEMBLE_POWER} gives no plausible power of {', '.join(silent)}"
    return "; ".join(parts)


def _judge_row(item: Field, key: Key, row: Row, view: View) -> str:
    """Return the reason why a field has no value although its source has a row for the device."""
    if row.doubt and item.needs_belief:
        return f"{key.rowset.name}: {row.doubt}"
    value = item.value_of(key, row, view.standing())
    if value is None:
        return f"{key.rowset.where}: {key.name} cannot be read, or contradicts other keys"
    if row.document is not None and row.document.received_at <= view.snapshot.since.get(view.role, -math.inf):
        return f"{row.document.path} is requested seldom, and its next answer has not arrived"
    if item.name in HOUSE and isinstance(value, float) and value < 0:
        return f"{key.rowset.name}: this source shows {value:.0f} W, and {NO_HOUSE}"
    return f"{key.rowset.name}: {BEYOND}"


def _find_rows(rows: Rows, device: str) -> list[Row]:
    return [row for row in rows or () if not device or device == row.serial]


def _describe_paths(seen: Collection[str], view: View) -> Iterator[str]:
    """Yield a reason for each path in `seen` whose document has not arrived. Failed requests come first."""
    for path in sorted(seen, key=lambda path: (path not in view.snapshot.failures, path)):
        if path not in view.snapshot.documents and (text := describe_path(path, view)):
            yield text


def describe_path(path: str, view: View) -> str:
    """Return the reason why a document has not arrived.

    The text is empty if the document has arrived, or if this firmware has no such document.
    """
    if path in view.snapshot.documents:
        return ""
    if path in view.snapshot.failures:
        text = view.snapshot.failures[path]
        return text if path in text else f"{path}: {text}"
    return "" if path in view.snapshot.absent else f"{path} was not answered yet"

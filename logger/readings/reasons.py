"""Say in words why a value is absent: which document is refused or silent, or why a reading is not believed. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from logger.readings import paths
from logger.readings.expected import TOTALS, Expected, Written
from logger.readings.rows import UNKNOWN, Row, Rows, View
from logger.readings.schema import Field, Key
from logger.readings.selectors import meters
from logger.readings.source_selection import Watched
from logger.readings.table import COUNTERS, MEASUREMENTS

_MOST: Final = 4
"""A reason names so many causes at most."""
_FIELDS: Final = {(m.name, item.name): item for m in MEASUREMENTS for item in m.fields}
_COUNTERS: Final = {item.name: item for item in COUNTERS}
_MADE_OF: Final = {
    "consumption_power_w": ("production_power_w", "net_power_w"),
    "load_power_w": ("production_power_w", "net_power_w", "consumption_power_w", "battery_power_w"),
    "net_power_w": ("consumption_power_w", "production_power_w", "battery_power_w"),
}
"""Power → the powers that it is computed from where no document gives it."""


def explain_absence(expected: Expected, written: Written) -> str:
    """Return why an expected value is absent at a tick; never empty."""
    view = written.view
    if expected.measurement == "envoy_meter":
        found = _explain_meter(expected.device, view)
    elif expected.measurement == "envoy_inverter":
        found = [_describe_path(path, view) for path in (paths.V1_INVERTERS, paths.DEVICE_DATA)]
    elif expected.field == "meters":
        found = [f"nobody knows which meters there are: {_describe_path(paths.METERS, view)}"]
    elif expected.field.endswith("_lifetime_wh"):
        found = _explain_energy(expected.field.removesuffix("_lifetime_wh"), written)
    elif expected.measurement == TOTALS and expected.field in _MADE_OF:
        found = _explain_power(expected.field, written)
    else:
        found = _explain_field(_FIELDS[expected.measurement, expected.field], view, expected.device)
    known = [text for text in dict.fromkeys(found) if text]
    return "; ".join(known[:_MOST]) or "no document of this gateway gives it"


def _explain_power(name: str, written: Written) -> list[str]:
    """Explain a power that is read or computed: by its own sources, or by the powers that it is made of."""
    item, view, totals = _FIELDS[TOTALS, name], written.view, written.totals
    own = _explain_field(item, view) if _is_read(item, view) else []
    missing = [
        part for part in _MADE_OF[name] if part not in totals and part != name and _is_read_or_made(part, view)
    ]
    causes = [text for part in missing for text in _explain_field(_FIELDS[TOTALS, part], view)]
    return own or causes or [_explain_sum(name, written)]


def _explain_sum(name: str, written: Written) -> str:
    """Explain why a power is not computed although all powers that it is made of are there."""
    standing, battery = written.view.standing(), written.totals.get("battery_power_w")
    for part in _MADE_OF[name]:
        sources = (key.rowset for key in _FIELDS[TOTALS, part].keys if key.rowset.select(standing))
        if part in written.totals and (source := next(sources, None)) is not None and source.grain == "mean":
            return f"{part} is a mean of minutes, which is not added to what a CT shows this second"
    if name == "consumption_power_w" and isinstance(battery, float) and battery > 0:
        return "the batteries feed the grid, which as the gateway counts is a consumption below zero"
    return "the powers that it is made of are of different times, or their sum is below zero"


def _is_read(item: Field, view: View) -> bool:
    """Tell whether a document gives the field, or may give it once it is answered."""
    return any(rows or rows is UNKNOWN for rows in (key.rowset.select(view.standing()) for key in item.keys))


def _is_read_or_made(name: str, view: View) -> bool:
    return name == "production_power_w" or _is_read(_FIELDS[TOTALS, name], view)


def _explain_energy(quantity: str, written: Written) -> list[str]:
    """Explain a lifetime by the counters that it is made of."""
    found, view = [], written.view
    for name in written.made_of.get(quantity, ()):
        counter = written.energy.counters.get(name)
        if counter is not None and counter.at == view.snapshot.tick and not counter.held:
            continue
        if counter is not None and counter.held:
            waits = "waits for a figure above zero, or for an hour of zeros"
            held = "does not fit the figures before; it is held and compared with the next ones"
            found.append(f"counter {name} {held if counter.has_base else waits}")
        elif name in _COUNTERS:
            found += [f"counter {name}: {text}" for text in _explain_field(_COUNTERS[name], view)]
    if quantity not in written.made_of:
        return [_describe_path(paths.METERS, view)]
    return found or ["its counter fell a little, or has no base yet; its power is integrated meanwhile"]


def _explain_meter(kind: str, view: View) -> list[str]:
    rows = meters.meters_in_use(view.standing())
    doubts = [row.doubt for row in rows or () if ("meter", kind) in row.tags]
    if not doubts:
        return [_describe_path(paths.READINGS, view) or f"{paths.READINGS} lists no reading of this meter"]
    return [doubts[0] or "its reading holds no plausible power"]


def _explain_field(item: Field, view: View, device: str = "") -> list[str]:
    """Explain a field by its sources in their order, up to the source that decides."""
    found: list[str] = []
    for key in item.keys:
        watched = Watched(view.snapshot.documents)
        rows = key.rowset.select(View(replace(view.snapshot, documents=watched), view.role).standing())
        row = _find_row(rows, device)
        if row is not None:
            return [*found, _judge_row(item, key, row, view)]
        found += _describe_paths(watched.seen, view)
        if rows is UNKNOWN:
            doubts = [
                f"{path}: {text}" for path in watched.seen for text in view.snapshot.doubts.get(path, {}).values()
            ]
            return [*found, *doubts] or [f"{key.rowset.where}: nothing that counts now"]
    return found or [f"{key.rowset.where}: none" for key in item.keys]


def _judge_row(item: Field, key: Key, row: Row, view: View) -> str:
    """Say why the row that decides gives no value."""
    if row.doubt and item.needs_belief:
        return f"{key.rowset.name}: {row.doubt}"
    if item.value_of(key, row, view.standing()) is None:
        return f"{key.rowset.where}: {key.name} cannot be read, or contradicts other keys"
    if row.document is not None and row.document.received_at <= view.snapshot.since.get(view.role, -math.inf):
        return f"{row.document.path} is asked seldom, and its next answer is awaited"
    return f"{key.rowset.name}: its value is beyond what this site can do"


def _find_row(rows: Rows, device: str) -> Row | None:
    return next((row for row in rows or () if not device or device == row.serial), None)


def _describe_paths(seen: Collection[str], view: View) -> Iterator[str]:
    """Describe the documents that were looked at and are not there, with those that failed at the beginning."""
    for path in sorted(seen, key=lambda path: (path not in view.snapshot.failures, path)):
        if path not in view.snapshot.documents and (text := _describe_path(path, view)):
            yield text


def _describe_path(path: str, view: View) -> str:
    """Return why a document is not at hand; empty if it is, or if this firmware has none."""
    if path in view.snapshot.documents:
        return ""
    if path in view.snapshot.failures:
        text = view.snapshot.failures[path]
        return text if path in text else f"{path}: {text}"
    return "" if path in view.snapshot.absent else f"{path} was not answered yet"

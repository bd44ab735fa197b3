"""Explain in words why a value is absent: a document is refused or silent, or a reading is not believed. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from logger.energy.state import POWER
from logger.model import add_up, noise_of
from logger.readings import paths
from logger.readings import rowsets as s
from logger.readings.expected import TOTALS, Expected, Written
from logger.readings.own_times import format_second
from logger.readings.rows import ABSENT, UNKNOWN, Row, Rows, View, each_of
from logger.readings.schema import Field, Key
from logger.readings.selectors import batteries, device_data, ensemble, inverters, meters
from logger.readings.source_selection import Watched
from logger.readings.table import COUNTERS, MEASUREMENTS

_MILLIWATTS: Final = "real_power_mw"
_SUMS: Final = {s.V1.name: paths.V1, s.PDM_PCU.name: paths.PDM}
"""Rowset → the document that gives its sum over the inverters."""
_MOST: Final = 4
"""The greatest number of causes that a reason names."""
_FIELDS: Final = {(m.name, item.name): item for m in MEASUREMENTS for item in m.fields}
_HOUSE: Final = ("consumption_power_w", "load_power_w")
_CANNOT_BE: Final = (
    "its figures cannot be right today, so it is left out; the warnings about the site name likely causes"
)
_BEYOND: Final = "its value is impossible at this site"
_NO_BATTERIES: Final = "the gateway lists no batteries now, and listed batteries less than half an hour ago"
_NO_HOUSE: Final = "a house cannot use less than zero"
_KINDS: Final = {
    s.PRODUCTION_METER.name: "production",
    s.NET_METER.name: "net-consumption",
    s.TOTAL_METER.name: "total-consumption",
    s.STORAGE_METER.name: "storage",
}
"""Rowset → the kind of the meter that the rowset reads."""
_OF_IQ_BATTERIES: Final = (s.ENCHARGE_SUM, s.ENCHARGE_TOGETHER)
_OF_AC_BLOCK: Final = (s.ACB_BLOCK, s.BOTH_KINDS)
_COUNTERS: Final = {item.name: item for item in COUNTERS}
_MADE_OF: Final = {
    "consumption_power_w": ("production_power_w", "net_power_w"),
    "load_power_w": ("production_power_w", "net_power_w", "battery_power_w"),
    "net_power_w": ("consumption_power_w", "production_power_w", "battery_power_w"),
}
"""Power → the powers from which that power is computed where no document gives it."""


def explain_absence(expected: Expected, written: Written) -> str:
    """Return the reason in words why an expected value is absent at a tick. The text is not empty."""
    view = written.view
    if expected.measurement == "envoy_meter":
        found = _explain_meter(expected.device, view)
    elif expected.measurement == "envoy_inverter":
        found = [*_explain_reports(view)]
    elif expected.field == "meters":
        found = [f"the gateway's meters are unknown: {_describe_path(paths.METERS, view) or _quote_unclear(view)}"]
    elif expected.measurement == "envoy_phase":
        found = [f"{paths.READINGS} does not give each phase that {paths.METERS} lists for this meter"]
    elif expected.field.endswith("_lifetime_wh"):
        found = _explain_energy(expected.field.removesuffix("_lifetime_wh"), written)
    elif expected.measurement == TOTALS and written.has_lost_batteries and _needs_batteries(expected.field, written):
        found = [_NO_BATTERIES]
    elif expected.measurement == TOTALS and expected.field in _MADE_OF:
        found = _explain_power(expected.field, written)
    else:
        found = _explain_field(_FIELDS[expected.measurement, expected.field], view, expected.device)
    known = [text for text in dict.fromkeys(found) if text]
    return "; ".join(known[:_MOST]) or "no document of this gateway gives this value"


def _needs_batteries(name: str, written: Written) -> bool:
    """Return True if a value is a figure of all batteries, or is computed from their absent power."""
    parts = _list_parts(name, written) if name in _MADE_OF else ()
    return name.startswith("battery") or ("battery_power_w" in parts and "battery_power_w" not in written.totals)


def _explain_power(name: str, written: Written) -> list[str]:
    """Return the reasons for an absent power, or for the absent powers from which this power is computed."""
    item, view, totals = _FIELDS[TOTALS, name], written.view, written.totals
    own = _explain_field(item, view) if _is_read(item, view) else []
    missing = [part for part in _list_parts(name, written) if part not in totals and _is_read_or_made(part, view)]
    causes = [text for part in missing for text in _explain_field(_FIELDS[TOTALS, part], view)]
    found = own or causes or [_explain_sum(name, written)]
    is_left_out = name.removesuffix("_power_w") in written.energy.today.left_out
    return [_CANNOT_BE] if is_left_out and found[-1].endswith(_BEYOND) else found


def _list_parts(name: str, written: Written) -> tuple[str, ...]:
    """List the powers from which a power is computed at this site.

    With a total CT, the power of the house is that CT's power.
    """
    wiring = written.energy.wiring
    return ("consumption_power_w",) if name == "load_power_w" and wiring and wiring.total else _MADE_OF[name]


def _explain_sum(name: str, written: Written) -> str:
    """Return in words why a power is not computed although all powers that are needed for it are known."""
    standing, battery = written.view.standing(), written.totals.get("battery_power_w")
    made_of = _list_parts(name, written)
    for part in made_of:
        sources = (key.rowset for key in _FIELDS[TOTALS, part].keys if key.rowset.select(standing))
        if part in written.totals and (source := next(sources, None)) is not None and source.grain == "mean":
            return f"{part} is a mean of minutes, which is not added to the power that a CT shows this second"
    parts = [watts for part in made_of if isinstance(watts := written.totals.get(part), float)]
    if name == "consumption_power_w" and isinstance(battery, float) and -battery <= add_up(parts) < 0:
        return "the batteries feed the grid, which the gateway counts as a consumption below zero"
    if name in _HOUSE and add_up(parts) < 0:
        return f"it would be {add_up(parts):.0f} W, and {_NO_HOUSE}"
    if name.removesuffix("_power_w") in written.energy.today.left_out:
        return _CANNOT_BE
    return "the powers from which it is computed were measured at different times"


def _is_read(item: Field, view: View) -> bool:
    """Return True if a document gives the field, or if a document that may give the field has not arrived."""
    return any(rows or rows is UNKNOWN for rows in (key.rowset.select(view.standing()) for key in item.keys))


def _is_read_or_made(name: str, view: View) -> bool:
    is_of_batteries = name == "battery_power_w" and bool(batteries.infer_batteries(view))
    return name == "production_power_w" or is_of_batteries or _is_read(_FIELDS[TOTALS, name], view)


def _explain_energy(quantity: str, written: Written) -> list[str]:
    """Return the reasons for an absent lifetime energy: those of the absent counters from which it is computed."""
    found, view = [], written.view
    for name in written.made_of.get(quantity, ()):
        counter = written.energy.counters.get(name)
        if counter is not None and counter.at == view.snapshot.tick and not counter.held:
            continue
        if counter is not None and counter.held:
            waits = "is not counted before it shows a value above zero, or zeros for an hour"
            held = "does not fit the earlier values; the next polls decide whether it counts"
            found.append(f"counter {name} {held if counter.has_base else waits}")
        elif name in _COUNTERS:
            found += [f"counter {name}: {text}" for text in _explain_field(_COUNTERS[name], view)]
    if quantity not in written.made_of:
        return [_describe_path(paths.METERS, view) or f"{paths.METERS} lists no meter that counts it"]
    return found or [_explain_impossible(quantity, written)]


def _explain_impossible(quantity: str, written: Written) -> str:
    """Return the reason for an absent lifetime energy whose counters were all accepted in this tick."""
    if quantity in written.energy.today.left_out:
        return _CANNOT_BE
    counters = {name: written.energy.counters.get(name) for name in written.made_of[quantity]}
    if all(counter is not None and counter.source == POWER for counter in counters.values()):
        return "no document counts this energy; it is integrated from power, and written from the next local day on"
    known = {name: counter.accepted_wh for name, counter in counters.items() if counter is not None}
    ever = add_up(sign * known.get(name, 0.0) for name, sign in written.made_of[quantity].items())
    if quantity in ("consumption", "load") and ever < -noise_of(known.values()):
        return f"its counters give {ever / 1000:.0f} kWh, and {_NO_HOUSE}"
    return "its counter fell a little, or has no base yet"


def _explain_reports(view: View) -> Iterator[str]:
    """Yield the reasons why no inverter report can be read, or why reports of some inverters are missing."""
    for path in (paths.V1_INVERTERS, paths.DEVICE_DATA):
        yield _describe_path(path, view)
    standing = view.standing()
    if paths.V1_INVERTERS in view.snapshot.documents:
        rows = inverters.v1_inverters(standing)
        if rows:
            yield f"{paths.V1_INVERTERS} gives no readable time and power of any inverter"
        else:
            yield f"{paths.V1_INVERTERS} {'lists no inverter' if rows is ABSENT else 'is not a list of inverters'}"
    if device_data.is_data_cut(view):
        yield f"{paths.DEVICE_DATA} lists fifty devices at most, so the other inverters are missing"


def _explain_meter(kind: str, view: View) -> list[str]:
    rows = meters.meters_in_use(view.standing())
    doubts = [row.doubt for row in rows or () if ("meter", kind) in row.tags]
    if not doubts:
        return [_describe_path(paths.READINGS, view) or f"{paths.READINGS} lists no reading of this meter"]
    if len(doubts) > 1:
        return [_describe_several(kind, view)]
    return [doubts[0] or "the meter's reading contains no plausible power"]


def _explain_field(item: Field, view: View, device: str = "") -> list[str]:
    """Return the reasons for an absent field: those of its sources in order, up to the deciding source."""
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
    return found or [f"{key.rowset.where}: none" for key in item.keys]


def _explain_unknown(key: Key, view: View) -> str:
    """Return the reason why a source gives no row now although its documents have arrived; empty if unknown."""
    kind = _KINDS.get(key.rowset.name)
    if kind is not None and view.snapshot.documents.keys() >= {paths.METERS, paths.READINGS}:
        is_several = len(_list_readings(kind, view)) > 1
        nothing = f"{paths.READINGS} lists no usable reading of the {kind} meter"
        return _describe_several(kind, view) if is_several else nothing
    if key.rowset.name in _SUMS and _SUMS[key.rowset.name] in view.snapshot.documents:
        return f"{key.rowset.where}: its lifetime cannot be read, so its power is not read either"
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


def _describe_several(kind: str, view: View) -> str:
    """Return the reason why a kind of meter has several readings: two meters, or a meter that is listed twice."""
    eids = {row.whole("eid") for row in _list_readings(kind, view)}
    if len(eids) == 1:
        return f"{paths.READINGS} lists the {kind} meter twice, and it is unknown which reading counts"
    return f"{paths.METERS} lists {len(eids)} enabled {kind} meters, and it is unknown which meter counts"


def _quote_unclear(view: View) -> str:
    """Return a text that names the lines of the meter list whose number, kind or state cannot be read.

    If the document has no such lines, the text says that the document is no list.
    """
    rows = zip(each_of(view.find_fact(paths.METERS)) or (), meters.meters_of(view) or (), strict=True)
    names = [row.text("measurementType") or f"eid {row.values.get('eid')}" for row, meter in rows if meter.is_unclear]
    if not names:
        return f"{paths.METERS} is not a list of meters"
    return f"{paths.METERS} lists {', '.join(names)}, and its number, kind or state cannot be read"


def _compare_batteries(view: View) -> str:
    """Return a text that names the IQ Batteries with a faulty entry; empty without a fault.

    A battery has a faulty entry if the list of powers has it twice or without a plausible power, or if only one of
    the list of powers and the ensemble inventory has it.
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
    if item.name in _HOUSE and isinstance(value, float) and value < 0:
        return f"{key.rowset.name}: this source shows {value:.0f} W, and {_NO_HOUSE}"
    return f"{key.rowset.name}: {_BEYOND}"


def _find_rows(rows: Rows, device: str) -> list[Row]:
    return [row for row in rows or () if not device or device == row.serial]


def _describe_paths(seen: Collection[str], view: View) -> Iterator[str]:
    """Yield the reason for each required document that has not arrived. Failed requests come first."""
    for path in sorted(seen, key=lambda path: (path not in view.snapshot.failures, path)):
        if path not in view.snapshot.documents and (text := _describe_path(path, view)):
            yield text


def _describe_path(path: str, view: View) -> str:
    """Return the reason why a document has not arrived.

    The text is empty if the document has arrived, or if this firmware has no such document.
    """
    if path in view.snapshot.documents:
        return ""
    if path in view.snapshot.failures:
        text = view.snapshot.failures[path]
        return text if path in text else f"{path}: {text}"
    return "" if path in view.snapshot.absent else f"{path} was not answered yet"

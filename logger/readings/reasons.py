"""Explain in words why an expected value is absent: a power, an energy, a meter or an inverter's report. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from logger.energy.state import POWER
from logger.model import add_up, noise_of
from logger.readings import paths
from logger.readings.expected import TOTALS, Expected, Written
from logger.readings.rows import ABSENT, UNKNOWN, View, each_of
from logger.readings.schema import Field
from logger.readings.selectors import batteries, device_data, inverters, meters
from logger.readings.source_reasons import BEYOND, HOUSE, NO_HOUSE, describe_path, describe_several, explain_field
from logger.readings.table import COUNTERS, MEASUREMENTS

_MOST: Final = 4
"""The greatest number of causes that a reason names."""
_FIELDS: Final = {(m.name, item.name): item for m in MEASUREMENTS for item in m.fields}
_CANNOT_BE: Final = (
    "its figures cannot be right today, so it is left out; the warnings about the site name likely causes"
)
_NO_BATTERIES: Final = "the gateway lists no batteries now, and listed batteries less than half an hour ago"
_COUNTERS: Final = {item.name: item for item in COUNTERS}
_MADE_OF: Final = {
    "consumption_power_w": ("production_power_w", "net_power_w"),
    "load_power_w": ("production_power_w", "net_power_w", "battery_power_w"),
    "net_power_w": ("consumption_power_w", "production_power_w", "battery_power_w"),
}
"""Power → the powers from which that power is computed where no document gives it."""


def explain_absence(expected: Expected, written: Written) -> str:
    """Return a text that explains why an expected value is absent at a tick. The text is never empty."""
    view = written.view
    if expected.measurement == "envoy_meter":
        found = _explain_meter(expected.device, view)
    elif expected.measurement == "envoy_inverter":
        found = [*_explain_reports(view)]
    elif expected.field == "meters":
        found = [f"the gateway's meters are unknown: {describe_path(paths.METERS, view) or _quote_unclear(view)}"]
    elif expected.measurement == "envoy_phase":
        found = [f"{paths.READINGS} does not give each phase that {paths.METERS} lists for this meter"]
    elif expected.field.endswith("_lifetime_wh"):
        found = _explain_energy(expected.field.removesuffix("_lifetime_wh"), written)
    elif expected.measurement == TOTALS and written.has_lost_batteries and _needs_batteries(expected.field, written):
        found = [_NO_BATTERIES]
    elif expected.measurement == TOTALS and expected.field in _MADE_OF:
        found = _explain_power(expected.field, written)
    else:
        found = explain_field(_FIELDS[expected.measurement, expected.field], view, expected.device)
    known = [text for text in dict.fromkeys(found) if text]
    return "; ".join(known[:_MOST]) or "no document of this gateway gives this value"


def _needs_batteries(name: str, written: Written) -> bool:
    """Return True if a value is a figure of all batteries, or is computed from their absent power."""
    parts = _list_parts(name, written) if name in _MADE_OF else ()
    return name.startswith("battery") or ("battery_power_w" in parts and "battery_power_w" not in written.totals)


def _explain_power(name: str, written: Written) -> list[str]:
    """Return the reasons for an absent power, or for the absent powers from which this power is computed."""
    item, view, totals = _FIELDS[TOTALS, name], written.view, written.totals
    own = explain_field(item, view) if _is_read(item, view) else []
    missing = [part for part in _list_parts(name, written) if part not in totals and _is_read_or_made(part, view)]
    causes = [text for part in missing for text in explain_field(_FIELDS[TOTALS, part], view)]
    found = own or causes or [_explain_sum(name, written)]
    is_left_out = name.removesuffix("_power_w") in written.energy.today.left_out
    return [_CANNOT_BE] if is_left_out and found[-1].endswith(BEYOND) else found


def _list_parts(name: str, written: Written) -> tuple[str, ...]:
    """List the powers from which a power is computed at this site.

    With a total CT, the power of the house is that CT's power.
    """
    wiring = written.energy.wiring
    return ("consumption_power_w",) if name == "load_power_w" and wiring and wiring.total else _MADE_OF[name]


def _explain_sum(name: str, written: Written) -> str:
    """Return a text that explains why a power is not computed, although all powers for the computation are known."""
    standing, battery = written.view.standing(), written.totals.get("battery_power_w")
    made_of = _list_parts(name, written)
    for part in made_of:
        sources = (key.rowset for key in _FIELDS[TOTALS, part].keys if key.rowset.select(standing))
        if part in written.totals and (source := next(sources, None)) is not None and source.grain == "mean":
            return f"{part} is a mean of minutes, which is not added to the power that a CT shows this second"
    parts = [watts for part in made_of if isinstance(watts := written.totals.get(part), float)]
    if name == "consumption_power_w" and isinstance(battery, float) and -battery <= add_up(parts) < 0:
        return "the batteries feed the grid, which the gateway counts as a consumption below zero"
    if name in HOUSE and add_up(parts) < 0:
        return f"it would be {add_up(parts):.0f} W, and {NO_HOUSE}"
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
    """Return the reasons why a lifetime energy is absent, for example why one of its counters is absent."""
    found, view = [], written.view
    for name in written.made_of.get(quantity, ()):
        counter = written.energy.counters.get(name)
        if counter is not None and counter.at == view.snapshot.tick and not counter.held:
            continue
        if counter is not None and counter.held:
            waits = "is not counted before it shows a value above zero, or zeros for an hour"
            held = "does not fit the earlier values; the next polls decide whether it is accepted"
            found.append(f"counter {name} {held if counter.has_base else waits}")
        elif name in _COUNTERS:
            found += [f"counter {name}: {text}" for text in explain_field(_COUNTERS[name], view)]
    if quantity not in written.made_of:
        return [describe_path(paths.METERS, view) or f"{paths.METERS} lists no meter that counts this energy"]
    return found or [_explain_impossible(quantity, written)]


def _explain_impossible(quantity: str, written: Written) -> str:
    """Return why a lifetime energy is absent, although all its counters were accepted in this tick."""
    if quantity in written.energy.today.left_out:
        return _CANNOT_BE
    counters = {name: written.energy.counters.get(name) for name in written.made_of[quantity]}
    if all(counter is not None and counter.source == POWER for counter in counters.values()):
        return "no document counts this energy; it is integrated from power, and written from the next local day on"
    known = {name: counter.accepted_wh for name, counter in counters.items() if counter is not None}
    ever = add_up(sign * known.get(name, 0.0) for name, sign in written.made_of[quantity].items())
    if quantity in ("consumption", "load") and ever < -noise_of(known.values()):
        return f"its counters give {ever / 1000:.0f} kWh, and {NO_HOUSE}"
    return "its counter fell a little, or has no accepted value yet"


def _explain_reports(view: View) -> Iterator[str]:
    """Yield the reasons why no inverter report can be read, or why reports of some inverters are missing."""
    for path in (paths.V1_INVERTERS, paths.DEVICE_DATA):
        yield describe_path(path, view)
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
        return [describe_path(paths.READINGS, view) or f"{paths.READINGS} lists no reading of this meter"]
    if len(doubts) > 1:
        return [describe_several(kind, view)]
    return [doubts[0] or "the meter's reading contains no plausible power"]


def _quote_unclear(view: View) -> str:
    """Return a text that names the lines of the meter list whose number, kind or state cannot be read.

    If the document has no such lines, the text says that the document is no list.
    """
    rows = zip(each_of(view.find_fact(paths.METERS)) or (), meters.meters_of(view) or (), strict=True)
    names = [row.text("measurementType") or f"eid {row.values.get('eid')}" for row, meter in rows if meter.is_unclear]
    if not names:
        return f"{paths.METERS} is not a list of meters"
    return f"{paths.METERS} lists {', '.join(names)}, whose number, kind or state cannot be read"

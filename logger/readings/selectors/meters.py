"""Select the readings of CT meters by joining the list of meters with the list of readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from logger.model import Document, add_up
from logger.readings import paths
from logger.readings.json_values import Object, number, objects, whole
from logger.readings.rows import (
    ABSENT,
    UNKNOWN,
    Found,
    Missing,
    Row,
    Rows,
    Selector,
    View,
    each_of,
    keep,
    only_if,
)

METER_KINDS: Final = frozenset(
    {
        "production",
        "net-consumption",
        "total-consumption",
        "storage",
        "backfeed",
        "load",
        "evse",
        "pv3p",
        "generator",
    }
)
_NEW_STACK: Final = frozenset({"backfeed", "load", "evse", "pv3p"})
"""The meter kinds that only the new metering software of some 8.3 firmware lists."""
LEAST_V: Final = 30.0
"""The least voltage in V of a connected phase. Channels that are not connected show up to 12 V of noise."""
_LEG_W: Final = 100.0
"""A phase counts as reversed only below minus this power, in W. Noise and consumption at night stay above."""
_WORTH_W: Final = 200.0
"""A smaller difference in W between a meter and the sum of its phases is noise."""
_NOISE: Final = 0.2
_EIDS: Final[dict[int, tuple[str, ...]]] = {
    704643328: ("production",),
    704643584: ("net-consumption", "total-consumption"),
    704643840: ("storage",),
}
"""`eid` of a meter → its possible kinds, for a meter whose kind cannot be read. All gateways use these numbers."""


@dataclass(frozen=True, slots=True)
class Meter:
    """One line of the meter list.

    None stands for an unreadable value. `phases` is read from `phaseCount`, not from `phaseMode`.
    """

    eid: int | None
    kind: str | None
    enabled: bool | None
    phases: int | None

    @property
    def is_unclear(self) -> bool:
        """Return True if `enabled` cannot be read, or if the meter is enabled and `eid` or `kind` cannot be read."""
        return self.enabled is None or (self.enabled and None in (self.eid, self.kind))


def meters_of(view: View) -> Found[list[Meter]]:
    """Return the lines of the meter list; ABSENT if the gateway has no such list."""
    document = view.find_fact(paths.METERS)
    return document if isinstance(document, Missing) else _parse(document)


@lru_cache(maxsize=4)
def _parse(document: Document) -> Found[list[Meter]]:
    lines = each_of(document)
    return lines if isinstance(lines, Missing) else [_meter(line.values) for line in lines]


def _meter(line: Object) -> Meter:
    eid, kind, state, phases = (line.get(key) for key in ("eid", "measurementType", "state", "phaseCount"))
    count = whole(phases)
    return Meter(
        whole(eid),
        kind if isinstance(kind, str) and kind in METER_KINDS else None,
        {"enabled": True, "disabled": False}.get(state.strip().lower()) if isinstance(state, str) else None,
        count if count in (1, 2, 3) else None,
    )


def has_meter(view: View, kind: str) -> bool | None:
    """Return whether the list of meters has an enabled meter of measurement type `kind`; None if unknown now."""
    document = view.find_fact(paths.METERS)
    if isinstance(document, Missing):
        return None if document is UNKNOWN else False
    return _lists_meter(document, kind)


@lru_cache(maxsize=32)
def _lists_meter(document: Document, kind: str) -> bool | None:
    """Return whether a meter list has an enabled meter of a measurement type; None if the list cannot be read."""
    listed = _parse(document)
    if listed is UNKNOWN:
        return None
    meters = listed or []
    if any(meter.kind == kind and meter.enabled and meter.eid is not None for meter in meters):
        return True
    unclear = any(meter.enabled is not False and _may_be(meter, kind) for meter in meters)
    return None if unclear else False


def _may_be(meter: Meter, kind: str) -> bool:
    if meter.kind is not None:
        return meter.kind == kind
    return meter.eid is None or kind in _EIDS.get(meter.eid, ())


def has_disabled_meters(view: View) -> bool | None:
    """Return whether the gateway has meters but no enabled production CT (Q-P1); None if unknown."""
    production = has_meter(view, "production")
    return None if production is None else bool(meters_of(view)) and not production


def _is_half_dead(reading: Object, meter: Meter) -> bool:
    """Return whether a phase of a storage CT shows exactly 0 V while another phase has voltage (Q-M13).

    Such a reading halves the sums over the phases.
    """
    if meter.kind != "storage" or meter.phases is None:
        return False
    channels = objects(reading.get("channels")) or []
    volts = [number(channel.get("voltage")) for channel in channels[: meter.phases]]
    return any(v == 0.0 for v in volts) and any(v is not None and v > 50.0 for v in volts)


def _doubt_dead(reading: Object, meter: Meter) -> str:
    """Return why a meter measures nothing; empty if the meter measures something.

    A meter measures nothing if every voltage is below 30 V, or if the meter gives no voltage while its power and
    energies are zero. A gateway is supplied by the phases that it measures, so at least one of these phases has
    voltage.
    """
    channels = objects(reading.get("channels")) or []
    phases = [reading, *channels[: meter.phases]]
    volts = [v for v in (number(phase.get("voltage")) for phase in phases) if v is not None]
    if volts and max(volts) < LEAST_V:
        return "it shows no voltage on any phase"
    figures = [number(reading.get(key)) for key in ("activePower", "actEnergyDlvd", "actEnergyRcvd")]
    return "all its figures are zero" if not volts and not any(figures) else ""


def _is_unwired(channel: Object) -> bool:
    """Return whether a phase has never measured energy and has no voltage now."""
    return not any(number(channel.get(key)) for key in ("voltage", "actEnergyDlvd", "actEnergyRcvd"))


def legs(reading: Object, phases: int | None) -> list[tuple[int, Object]]:
    """Return a meter's phases in use: the number of each phase, counted from 1, and its channel.

    `phases`: the number of phases that the meter can measure; if None, return no phase. Only the first `phases`
    channels of the reading can be in use (Q-M3). If some of them are wired, return only the wired channels.
    """
    channels = reading.get("channels")
    found: list[tuple[int, Object]] = [
        (index, channel)
        for index, channel in enumerate(channels if isinstance(channels, list) else [], 1)
        if isinstance(channel, dict) and phases is not None and index <= phases
    ]
    return [leg for leg in found if not _is_unwired(leg[1])] or found


def _count_legs(reading: Object, phases: int | None) -> int | None:
    """Count a meter's phases in use; None if the reading does not give each phase."""
    given = [channel for channel in objects(reading.get("channels")) or [] if channel]
    return len(legs(reading, phases)) if phases is not None and len(given) >= phases else None


def meters_in_use(view: View) -> Rows:
    """Select the reading of every enabled meter. The tag is `meter`.

    A reading belongs to the line of the meter list with the same key `eid` (Q-M1). Each row also has `phases`: the
    number of phases that the meter list names, `legs`: the number of phases in use, and `new_stack`: whether the
    gateway has the new metering software of some 8.3 firmware.
    """
    listed = view.find_fact(paths.METERS)
    if isinstance(listed, Missing):
        return listed
    enabled = _list_enabled(listed)
    if isinstance(enabled, Missing):
        return enabled
    readings = view.find_fresh(paths.READINGS)
    if isinstance(readings, Missing):
        return readings
    return _join(listed, readings, tuple(view.snapshot.doubts.get(paths.READINGS, {}).items()))


@lru_cache(maxsize=4)
def _list_enabled(listed: Document) -> Found[Mapping[int, Meter]]:
    """Return the enabled meters of a known kind, by the value of their key `eid`."""
    meters = _parse(listed)
    if isinstance(meters, Missing):
        return meters
    return {each.eid: each for each in meters if each.enabled and each.kind and each.eid is not None} or ABSENT


@lru_cache(maxsize=8)
def _join(listed: Document, readings: Document, doubts: tuple[tuple[str, str], ...]) -> Rows:
    """Join the meter list and the readings.

    `doubts`: the `eid` of each doubted meter, with the reason. The result is cached, because a tick needs the same
    rows many times.
    """
    meters, found = _list_enabled(listed) or {}, each_of(readings)
    if not found:
        return found
    new_stack, known_doubts = any(meter.kind in _NEW_STACK for meter in _parse(listed) or ()), dict(doubts)
    rows = []
    for row in found:
        eid = row.whole("eid")
        meter = meters.get(eid) if eid is not None else None
        if meter is not None and not _is_half_dead(row.values, meter):
            in_use = 1 if meter.phases == 1 else _count_legs(row.values, meter.phases)
            values = {**row.values, "phases": meter.phases, "legs": in_use, "new_stack": new_stack}
            doubt = _doubt_dead(row.values, meter) or known_doubts.get(str(eid), "")
            rows.append(Row(values, tags=(("meter", str(meter.kind)),), document=row.document, doubt=doubt))
    return rows or ABSENT


def phases_in_use(view: View) -> Rows:
    """Select each phase in use of each enabled meter. The tags are `meter` and `phase`."""
    rows = meters_in_use(view)
    found = [
        Row(
            {**channel, "legs": 1.0, "new_stack": row.values["new_stack"]},
            tags=(*row.tags, ("phase", f"L{index}")),
            document=row.document,
            doubt=row.doubt,
        )
        for row in rows or ()
        for index, channel in legs(row.values, row.whole("phases"))
    ]
    return rows and (found or ABSENT)


def list_leg_powers(row: Row) -> dict[str, float | None]:
    """Return the powers of a meter's phases in use: name of the phase → power in W, or None if it is absent."""
    key = power_key(row)
    return {f"L{index}": number(phase.get(key)) for index, phase in legs(row.values, row.whole("phases"))}


def find_other_sum(row: Row) -> tuple[float, float] | None:
    """Return a meter's power and the sum of its phases, in W, if these differ by more than noise; else None."""
    parts, watts = list_leg_powers(row).values(), row.number("activePower")
    known = [part for part in parts if part is not None]
    if watts is None or len(known) < len(parts) or len(parts) < 2:
        return None
    through_w = add_up(known)
    noise_w = max(_WORTH_W, _NOISE * max(abs(watts), abs(through_w)))
    return (watts, through_w) if abs(watts - through_w) > noise_w else None


def find_reversed_legs(view: View, kind: str = "production") -> dict[str, float]:
    """Return the phases whose power is clearly negative: name of the phase → power in W.

    `kind`: the kind of meter whose phases are examined. The result is empty if no phase has clearly positive power. A
    meter is left out if the powers of its phases do not add up to the meter's power.
    """
    watts = {
        name: leg_w or 0.0
        for row in meters_in_use(view.standing()) or ()
        if ("meter", kind) in row.tags and not row.doubt and not find_other_sum(row)
        for name, leg_w in list_leg_powers(row).items()
    }
    is_any_positive = max(watts.values(), default=0.0) > _LEG_W
    return {name: leg_w for name, leg_w in watts.items() if leg_w < -_LEG_W and is_any_positive}


def power_key(row: Row) -> str:
    """Return the JSON key of a phase's power.

    The new metering software (`new_stack`) gives this power as `instantaneousDemand`; its `activePower` is another
    value (Q-N5).
    """
    return "instantaneousDemand" if row.values.get("new_stack") else "activePower"


def meter(kind: str) -> Selector:
    """Make a selector of the only enabled meter of one measurement type; UNKNOWN if there are two such meters."""

    def select(view: View) -> Rows:
        rows = keep(meters_in_use(view), lambda row: ("meter", kind) in row.tags)
        if rows and len(rows) == 1:
            return rows
        return ABSENT if view.find_fact(paths.READINGS) is ABSENT else UNKNOWN

    return only_if(lambda view: has_meter(view, kind), select)

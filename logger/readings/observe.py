"""Observe one tick: documents → the values, points and reports that they give. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logger.energy.days import is_quiet
from logger.energy.state import EnergyState, Tick, Wiring
from logger.model import Event, Reading, Report, Role, Snapshot, Value
from logger.readings import rowsets as s
from logger.readings.derive import battery_energy, drop_impossible_powers, powers, site_powers
from logger.readings.drift import Shape, watch_all
from logger.readings.equipment import Equipment, count_inverters, notice_equipment
from logger.readings.extract import Device, Extracted, extract
from logger.readings.gateway_point import GatewayPoint, is_due, note_written, usual_interval_s
from logger.readings.reports import fresh_report, interval_s, is_same, remember
from logger.readings.rows import View
from logger.readings.seeds import find_seeds, missing_seeds
from logger.readings.selectors import batteries, meters
from logger.readings.source_selection import (
    SELDOM_S,
    Sources,
    is_counted_seldom,
    look,
    review_sources,
    source_of,
)
from logger.readings.table import COUNTERS
from logger.site import Site

_BATTERY_POWER: Final = "envoy_totals.battery_power_w"
_SLOW: Final = (s.ACB_BLOCK.name, s.BOTH_KINDS.name)
"""Sources of the batteries' power that stand in a document of the slow lane."""


@dataclass(frozen=True, slots=True)
class EarlyReport:
    """A report from the list, while device data, which may say more of it, is silent."""

    report: Report
    reading: Reading


@dataclass(frozen=True, slots=True)
class ReadingsState:
    """What is remembered of a gateway's documents from tick to tick.

    `reports`: the last ones of each inverter, by serial. `waiting`, by serial, does not outlive the process.
    """

    sources: Sources = field(default_factory=Sources)
    equipment: Equipment = field(default_factory=Equipment)
    gateway_point: GatewayPoint = field(default_factory=GatewayPoint)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    reports: Mapping[str, Sequence[Report]] = field(default_factory=dict)
    waiting: Mapping[str, EarlyReport] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """What one tick's documents say.

    `totals`: fields of `envoy_totals` that need no accounting; `points`: all other points. `tick`: what the energy is
    computed from, None where the totals are not due. `duplicates`: serials that stand twice in a document.
    """

    state: ReadingsState
    totals: dict[str, Value]
    points: list[Reading]
    new_reports: list[Report]
    events: list[Event]
    duplicates: set[str]
    tick: Tick | None


def observe(
    snapshot: Snapshot, roles: frozenset[Role], state: ReadingsState, energy: EnergyState, site: Site
) -> Observed:
    """Read the due `roles` out of the snapshot. `energy`: the state before this tick."""
    equipment, is_other = notice_equipment(state.equipment, snapshot)
    extracted = extract(snapshot, roles, replace(state.sources, fields={}) if is_other else state.sources)
    totals, sources, tick, events = extracted.totals(), extracted.sources, None, list[Event]()
    if "totals" in roles:
        equipment = count_inverters(equipment, totals)
        is_polled = _is_polled(snapshot, sources, energy)
        sources, changes = review_sources(
            snapshot,
            sources,
            polled_s=site.totals_s if is_polled else 0,
            in_quiet_window=is_quiet(snapshot.tick, energy.zone or site.zone),
        )
        tick = replace(
            _tick_of(snapshot, extracted, energy, site, equipment),
            is_polled=is_polled,
            changed_at=sources.review.changed_at,
        )
        totals = _derive(totals, tick, energy)
        tick = replace(tick, powers=site_powers(totals))
        events += changes
    points, new_reports, waiting = _read_points(extracted, snapshot, state, site.tags(snapshot.gateway.serial))
    reports = remember(state.reports, new_reports)
    points, gateway_point = _keep_due(points, state.gateway_point, reports)
    shapes, lost = watch_all(state.shapes, snapshot.documents.values(), snapshot.tick)
    after = ReadingsState(sources, equipment, gateway_point, shapes, reports, waiting)
    return Observed(after, totals, points, new_reports, [*events, *lost], extracted.twins, tick)


# --- what the energy is computed from ---------------------------------------------------------------------------


def _tick_of(snapshot: Snapshot, extracted: Extracted, energy: EnergyState, site: Site, equipment: Equipment) -> Tick:
    view, counters, sources = View(snapshot, "totals"), extracted.counters, extracted.sources
    return Tick(
        at=snapshot.tick,
        counters=counters,
        wiring=wiring_of(view),
        max_w=site.max_w or _site_max_w(view, equipment),
        site=site,
        sources={name: source_of(sources.counters[name]) for name in counters},
        uncounted=_uncounted(snapshot, sources),
        slow=("charged", "discharged") if sources.fields.get(_BATTERY_POWER) in _SLOW else (),
        seeds=find_seeds(view, counters, missing_seeds(view, energy, counters, energy.zone or site.zone)),
        tags=site.tags(snapshot.gateway.serial),
    )


def _derive(totals: Mapping[str, Value], tick: Tick, energy: EnergyState) -> dict[str, Value]:
    """The totals without powers that cannot be, and with those that follow from the others."""
    found = dict(totals)
    lifetimes: dict[str, list[float]] = {name: [counter.accepted_wh] for name, counter in energy.counters.items()}
    for name, wh in tick.counters.items():
        lifetimes.setdefault(name, []).append(wh)
    drop_impossible_powers(found, lifetimes, tick.max_w)
    return found | powers(found, tick.wiring.or_as(energy.wiring))


def _is_polled(snapshot: Snapshot, sources: Sources, energy: EnergyState) -> bool:
    """Whether the gateway answered something since the last tick, or lately where nothing comes each minute."""
    since = snapshot.since.get("totals", -math.inf)
    power = sources.fields.get("envoy_totals.production_power_w", "")
    if is_counted_seldom((counter.source for counter in energy.counters.values()), power):
        since = min(since, snapshot.tick - SELDOM_S)
    return any(document.received_at > since for document in snapshot.documents.values())


def _uncounted(snapshot: Snapshot, sources: Sources) -> frozenset[str]:
    """Production, where this gateway surely has no counter of it."""
    if "production" in sources.counters:
        return frozenset()
    return frozenset(item.name for item in COUNTERS if item.name == "production" and look(item, snapshot) == "")


def wiring_of(view: View) -> Wiring:
    """How the site is metered, by its list of meters."""
    return Wiring(
        net=meters.has_meter(view, "net-consumption"),
        total=meters.has_meter(view, "total-consumption"),
        storage=meters.has_meter(view, "storage"),
        batteries=batteries.known_batteries(view),
    )


def _site_max_w(view: View, equipment: Equipment) -> float:
    """The most power the site can have: 25 kW a phase (three where unknown), or 500 W an inverter if that is more."""
    rows = meters.enabled_meters(view) or []
    phases = max((row.whole("phases") or 3 for row in rows), default=3)
    return max(25_000.0 * phases, 500.0 * equipment.inverters)


# --- points -----------------------------------------------------------------------------------------------------


def _read_points(
    extracted: Extracted, snapshot: Snapshot, state: ReadingsState, tags: Mapping[str, str]
) -> tuple[list[Reading], list[Report], dict[str, EarlyReport]]:
    """Every point but the totals; an inverter's measured point only when its report is new.

    One that waits for more of the same report is written as it is when the next report is another one.
    """
    known, readings, waiting = state.reports, list[Reading](), dict(state.waiting)
    new_reports: list[Report] = []
    skew_s = snapshot.gateway.clock_skew_s
    for device in extracted.devices:
        measurement, time, fields = device.measurement, snapshot.tick, dict(device.fields)
        if measurement.name == "envoy_totals":
            continue
        if measurement.time == "report":
            serial = device.tags["serial"]
            report = _fresh(device, known, skew_s)
            if report is None:
                continue
            earlier = waiting.pop(serial, None)
            if earlier is not None and is_same(earlier.report, report):
                report = replace(report, time=earlier.report.time)
            elif earlier is not None:
                new_reports.append(earlier.report)
                readings.append(earlier.reading)
            time = report.time
            if device.waits:
                reading = Reading(measurement.name, {**tags, **device.tags}, fields, time, measurement.role)
                waiting[serial] = EarlyReport(report, reading)
                continue
            new_reports.append(report)
        if measurement.name == "envoy_battery":
            fields |= battery_energy(fields)
        readings.append(Reading(measurement.name, {**tags, **device.tags}, fields, time, measurement.role))
    seen = remember(known, new_reports)
    return [_add_interval(reading, seen) for reading in readings], new_reports, waiting


def _fresh(device: Device, known: Mapping[str, Sequence[Report]], skew_s: float) -> Report | None:
    """A device's report, if it is a new one."""
    serial = device.tags["serial"]
    gateway_now = device.read_at + skew_s
    return fresh_report(serial, device.reported, device.source, known.get(serial, ()), gateway_now, skew_s)


def _keep_due(
    points: list[Reading], last: GatewayPoint, reports: Mapping[str, Sequence[Report]]
) -> tuple[list[Reading], GatewayPoint]:
    """The points, the gateway's own with the usual interval of its inverters; without it where it is not due."""
    kept = []
    for point in points:
        if point.measurement != "envoy_gateway":
            kept.append(point)
        elif is_due(point.fields, last, point.time):
            last = note_written(point.fields, last, point.time)
            seconds = usual_interval_s(reports)
            more = {} if seconds is None else {"inverter_report_interval_s": seconds}
            kept.append(replace(point, fields={**point.fields, **more}))
    return kept, last


def _add_interval(reading: Reading, reports: Mapping[str, Sequence[Report]]) -> Reading:
    """An inverter's status with the seconds between its two latest reports."""
    if reading.measurement != "envoy_inverter_status":
        return reading
    seconds = interval_s(reports.get(reading.tags["serial"], ()))
    return reading if seconds is None else replace(reading, fields={**reading.fields, "report_interval_s": seconds})

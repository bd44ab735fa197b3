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
from logger.readings.derive import drop_impossible_powers, powers, site_powers
from logger.readings.drift import Shape, watch_all
from logger.readings.equipment import Equipment, count_inverters, notice_equipment
from logger.readings.extract import Extraction
from logger.readings.layout import NONE, Layout
from logger.readings.points import GatewayPoint, Points
from logger.readings.reports import EarlyReport, ReportLog
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
    snapshot: Snapshot,
    roles: frozenset[Role],
    state: ReadingsState,
    energy: EnergyState,
    site: Site,
    layout: Layout = NONE,
) -> Observed:
    """Read the due `roles` out of the snapshot. `energy`: the state before this tick."""
    equipment, is_other = notice_equipment(state.equipment, snapshot)
    extraction = Extraction(snapshot, replace(state.sources, fields={}) if is_other else state.sources)
    log = ReportLog(state.reports, state.waiting, snapshot.gateway.clock_skew_s)
    points = Points(snapshot.tick, log, state.gateway_point, site.tags(snapshot.gateway.serial), layout)
    for device in extraction.devices(roles):
        points.add(device)
    totals, tick, events = points.totals, None, list[Event]()
    if "totals" in roles:
        equipment = count_inverters(equipment, totals)
        tick = _tick_of(snapshot, extraction, energy, site, equipment)
        totals = _derive(totals, tick, energy)
    sources = extraction.sources()
    if tick is not None:
        polled_s = site.totals_s if tick.is_polled else 0
        is_night = is_quiet(snapshot.tick, energy.zone or site.zone)
        sources, changes = review_sources(snapshot, sources, polled_s=polled_s, in_quiet_window=is_night)
        tick = replace(tick, powers=site_powers(totals), changed_at=sources.review.changed_at)
        events += changes
    shapes, lost = watch_all(state.shapes, snapshot.documents.values(), snapshot.tick)
    after = ReadingsState(sources, equipment, points.gateway_point, shapes, log.known, log.waiting)
    return Observed(after, totals, points.finished, log.new, [*events, *lost], extraction.duplicates, tick)


# --- what the energy is computed from ---------------------------------------------------------------------------


def _tick_of(
    snapshot: Snapshot, extraction: Extraction, energy: EnergyState, site: Site, equipment: Equipment
) -> Tick:
    view, counters, sources = View(snapshot, "totals"), extraction.counters(), extraction.sources()
    return Tick(
        at=snapshot.tick,
        counters=counters,
        wiring=wiring_of(view),
        max_w=site.max_w or _site_max_w(view, equipment),
        site=site,
        is_polled=_is_polled(snapshot, sources, energy),
        sources={name: source_of(sources.counters[name]) for name in counters},
        uncounted=_list_uncounted(snapshot, sources),
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


def _list_uncounted(snapshot: Snapshot, sources: Sources) -> frozenset[str]:
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
        batteries=batteries.infer_batteries(view),
    )


def _site_max_w(view: View, equipment: Equipment) -> float:
    """The most power the site can have: 25 kW a phase (three where unknown), or 500 W an inverter if that is more."""
    rows = meters.meters_in_use(view) or []
    phases = max((row.whole("phases") or 3 for row in rows), default=3)
    return max(25_000.0 * phases, 500.0 * equipment.inverters)

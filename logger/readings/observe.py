"""Read values, points and reports from the documents of one tick. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logger.days import is_quiet
from logger.energy.state import EnergyState, Tick, Wiring
from logger.model import Event, Reading, Report, Role, Snapshot, Value
from logger.readings import rowsets as s
from logger.readings.around import read_surroundings
from logger.readings.contradictions import NO_SAMPLES, Contradictions, Samples, drop_powers, find_contradictions
from logger.readings.ct_comparison import take_sample
from logger.readings.derive import Shortfall, derive_powers, drop_impossible_powers, site_powers
from logger.readings.drift import Shape, watch_all
from logger.readings.emptied import doubt_emptied
from logger.readings.emptied_batteries import Charges, doubt_emptied_batteries, follow_charges
from logger.readings.equipment import Equipment, count_inverters, notice_equipment
from logger.readings.extract import Extraction
from logger.readings.layout import NONE, Layout
from logger.readings.lost_equipment import (
    has_lost_batteries,
    hide_lost_meters,
    keep_sources,
    keep_wiring,
    leave_out_batteries,
)
from logger.readings.missing import Absences
from logger.readings.own_times import OwnTimes, follow_times
from logger.readings.points import GatewayPoint, Points
from logger.readings.power_limits import list_counter_limits, list_power_limits
from logger.readings.power_times import are_of_one_time
from logger.readings.reports import EarlyReport, ReportLog
from logger.readings.rows import Row, View
from logger.readings.seeds import find_seeds, missing_seeds
from logger.readings.selectors import batteries, inverters, meters
from logger.readings.site_warnings import SiteWarning
from logger.readings.source_selection import (
    SELDOM_S,
    Sources,
    is_counted_seldom,
    look,
    review_sources,
    source_of,
)
from logger.readings.standing_sums import Sums, doubt_sums, follow_sums
from logger.readings.storage_comparison import take_storage_sample
from logger.readings.table import COUNTERS
from logger.readings.unheard import doubt_unheard
from logger.site import Site

_BATTERY_POWER: Final = "envoy_totals.battery_power_w"
_INVERTER_W: Final = 500.0
"""The greatest power of an inverter in W, where the inverter's own greatest power is unknown."""
_SLOW: Final = (s.ACB_BLOCK.name, s.BOTH_KINDS.name)
"""Sources of the batteries' power that are read from a document of the slow lane."""


@dataclass(frozen=True, slots=True)
class ReadingsState:
    """What the recorder remembers of a gateway's documents from one tick to the next.

    `reports`: the last reports of each inverter, by serial. `waiting`: by serial, each report that waits until the
    next poll, because another document may give further fields of this report. `contradictions`: figures that cannot
    all be true. `times`: the readings' own times, and the intervals of slow meters. `sums`: the sums over the
    inverters. `charges`: the last charge of each battery. `absences`: absent values that should be present. A restart
    of the recorder loses `waiting`, `contradictions`, `sums`, `charges`, `absences` and the readings' own times; the
    store keeps everything else.
    """

    sources: Sources = field(default_factory=Sources)
    equipment: Equipment = field(default_factory=Equipment)
    gateway_point: GatewayPoint = field(default_factory=GatewayPoint)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    reports: Mapping[str, Sequence[Report]] = field(default_factory=dict)
    waiting: Mapping[str, EarlyReport] = field(default_factory=dict)
    contradictions: Contradictions = field(default_factory=Contradictions)
    times: OwnTimes = field(default_factory=OwnTimes)
    sums: Sums = field(default_factory=Sums)
    charges: Charges = field(default_factory=dict)
    absences: Absences = field(default_factory=Absences)


@dataclass(frozen=True, slots=True)
class Observed:
    """The result of reading one tick's documents. `snapshot`: the documents, with the doubts about readings.

    `totals`: fields of `envoy_totals` that are read without the energy accounting. `points`: all other points.
    `tick`: the input of the energy accounting, None if the totals are not due. `duplicates`: serials that occur twice
    in one document. `warnings`: the site warnings by key.
    """

    snapshot: Snapshot
    state: ReadingsState
    totals: dict[str, Value]
    points: list[Reading]
    new_reports: list[Report]
    events: list[Event]
    duplicates: set[str]
    tick: Tick | None
    warnings: Mapping[str, SiteWarning]


def observe(
    snapshot: Snapshot,
    roles: frozenset[Role],
    state: ReadingsState,
    energy: EnergyState,
    site: Site,
    layout: Layout = NONE,
) -> Observed:
    """Read the measurements of the due `roles` from the snapshot. `energy`: the energy state before this tick."""
    equipment, is_other = notice_equipment(state.equipment, snapshot)
    before = replace(state.sources, fields={}) if is_other else state.sources
    snapshot = hide_lost_meters(snapshot, equipment)
    times = follow_times(state.times, snapshot)
    sums = follow_sums(state.sums, snapshot)
    snapshot = doubt_unheard(replace(snapshot, doubts=times.doubts))
    snapshot = doubt_sums(doubt_emptied(snapshot, energy), sums)
    snapshot = doubt_emptied_batteries(snapshot, state.charges)
    extraction = Extraction(snapshot, before)
    log = ReportLog(state.reports, state.waiting, snapshot.gateway.clock_skew_s)
    points = Points(snapshot.tick, log, state.gateway_point, site.tags(snapshot.gateway.serial), layout)
    for device in extraction.devices(roles):
        points.add(device)
    totals, tick, events, is_lost = points.totals, None, list[Event](), False
    contradictions, new = state.contradictions, NO_SAMPLES
    if "totals" in roles:
        equipment = count_inverters(equipment, totals)
        tick = _tick_of(snapshot, extraction, energy, site, equipment)
        view = View(snapshot, "totals")
        if is_lost := has_lost_batteries(equipment, view):
            totals, tick = leave_out_batteries(totals, extraction.read_from), keep_wiring(tick)
        totals, short = _derive(totals, tick, energy, extraction, view)
        if "devices" in roles:
            given = (tick.at, totals, extraction.read_from, View(snapshot, "devices"))
            new = Samples(take_sample(*given), take_storage_sample(*given))
        contradictions = contradictions.follow(
            find_contradictions(short, tick, energy, totals, view), new, tick, energy
        )
        drop_powers(totals, contradictions.warnings)
    sources = keep_sources(extraction.sources(), before) if is_lost else extraction.sources()
    if tick is not None:
        polled_s = site.totals_s if tick.is_polled else 0
        is_night = is_quiet(snapshot.tick, energy.zone or site.zone)
        sources, changes = review_sources(snapshot, sources, polled_s=polled_s, in_quiet_window=is_night)
        tick = replace(
            tick,
            left_out=contradictions.uncountable,
            powers=site_powers(totals),
            changed_at=sources.review.changed_at,
            around=read_surroundings(points.finished, totals),
        )
        events += changes
    shapes, lost = watch_all(state.shapes, snapshot.documents.values(), snapshot.tick)
    after = ReadingsState(
        sources,
        equipment,
        points.gateway_point,
        shapes,
        log.known,
        log.waiting,
        contradictions,
        times,
        sums,
        follow_charges(state.charges, snapshot),
        state.absences,
    )
    return Observed(
        snapshot,
        after,
        totals,
        points.finished,
        log.new,
        [*events, *lost],
        extraction.duplicates,
        tick,
        contradictions.warnings,
    )


# --- the input of the energy accounting -------------------------------------------------------------------------


def _tick_of(
    snapshot: Snapshot, extraction: Extraction, energy: EnergyState, site: Site, equipment: Equipment
) -> Tick:
    view, counters, sources = View(snapshot, "totals"), extraction.counters(), extraction.sources()
    in_use = meters.meters_in_use(view) or []
    return Tick(
        at=snapshot.tick,
        counters=counters,
        wiring=wiring_of(view, in_use),
        max_w=site.max_w or _site_max_w(in_use, equipment),
        site=site,
        is_polled=_is_polled(snapshot, sources, energy),
        sources={name: source_of(sources.counters[name]) for name in counters},
        uncounted=_list_uncounted(snapshot, sources),
        slow=("charged", "discharged") if sources.fields.get(_BATTERY_POWER) in _SLOW else (),
        seeds=find_seeds(view, counters, missing_seeds(view, energy, counters, energy.zone or site.zone)),
        tags=site.tags(snapshot.gateway.serial),
        inverters_w=inverters.sum_maxima(view) or _INVERTER_W * equipment.inverters or None,
        reported_at=inverters.find_last_report(view),
        limits={} if site.max_w else list_counter_limits(view, sources.counters),
    )


def _derive(
    totals: Mapping[str, Value], tick: Tick, energy: EnergyState, extraction: Extraction, view: View
) -> tuple[dict[str, Value], Shortfall | None]:
    """Remove impossible powers from the totals, and add the powers that can be computed.

    Return the totals. Also return the power of the house if it was left out because it is far below zero.
    """
    found = dict(totals)
    lifetimes: dict[str, list[float]] = {name: [counter.accepted_wh] for name, counter in energy.counters.items()}
    for name, wh in tick.counters.items():
        lifetimes.setdefault(name, []).append(wh)
    read_from = extraction.read_from
    drop_impossible_powers(found, lifetimes, tick.max_w, list_power_limits(tick, read_from))
    wiring = tick.wiring.or_as(energy.wiring)
    return derive_powers(found, wiring, lambda names: are_of_one_time(names, read_from, view))


def _is_polled(snapshot: Snapshot, sources: Sources, energy: EnergyState) -> bool:
    """Return True if the gateway answered since the last tick.

    At some sites every counter and the production power are read from documents that are not polled each minute. At
    such a site an answer in the last `SELDOM_S` seconds is enough.
    """
    since = snapshot.since.get("totals", -math.inf)
    power = sources.fields.get("envoy_totals.production_power_w", "")
    if is_counted_seldom((counter.source for counter in energy.counters.values()), power):
        since = min(since, snapshot.tick - SELDOM_S)
    return any(document.received_at > since for document in snapshot.documents.values())


def _list_uncounted(snapshot: Snapshot, sources: Sources) -> frozenset[str]:
    """Return `production` if this gateway certainly has no production counter. Otherwise return an empty set."""
    if "production" in sources.counters:
        return frozenset()
    return frozenset(item.name for item in COUNTERS if item.name == "production" and look(item, snapshot) == "")


def wiring_of(view: View, in_use: Sequence[Row]) -> Wiring:
    """Return the site's wiring, from the list of meters, the readings `in_use`, and the number of batteries."""
    return Wiring(
        net=meters.has_meter(view, "net-consumption"),
        total=meters.has_meter(view, "total-consumption"),
        storage=meters.has_meter(view, "storage"),
        batteries=batteries.infer_batteries(view),
        phases=next((row.whole("legs") for row in in_use if ("meter", "net-consumption") in row.tags), None),
    )


def _site_max_w(in_use: Sequence[Row], equipment: Equipment) -> float:
    """Return the greatest power that the site can have, in W.

    The result is 25 kW for each phase (three phases if unknown), or 500 W for each inverter if that is more.
    """
    phases = max((row.whole("phases") or 3 for row in in_use), default=3)
    return max(25_000.0 * phases, _INVERTER_W * equipment.inverters)

"""Run one tick: make points, events and the next state from the documents and the previous state. Pure.

Five steps: observe, account for energy, account for panels, collect the events, collect the points. Each of the first
three steps replaces its own part of the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logger.daemon.gateway_state import GatewayState
from logger.daemon.installed_inverters import list_installed_inverters
from logger.energy.engine import NO_PRICES, Accounted, account
from logger.energy.quantities import terms
from logger.energy.state import EnergyState
from logger.model import DayRow, Event, Reading, Report, Role, Snapshot, Value, round_value
from logger.panels.panel_tick import PanelResult, account_for_panels
from logger.readings.equipment import Equipment
from logger.readings.expected import Written
from logger.readings.layout import NONE, Layout
from logger.readings.lost_equipment import has_lost_batteries
from logger.readings.missing import follow_absences
from logger.readings.observe import Observed, observe
from logger.readings.rows import View
from logger.readings.site_warnings import SiteWarning
from logger.site import Site
from logger.tariff.prices import Prices

_RECENT: Final = (
    "production_power_w",
    "load_power_w",
    "net_power_w",
    "battery_power_w",
    "battery_charge_percent",
    "production_today_wh",
    "load_today_wh",
    "inverters",
    "inverters_producing",
)
"""Names of a tick's values that `status` shows. The values are also stored for the curve of the page."""


@dataclass(frozen=True, slots=True)
class TickResult:
    """The result of one tick: points, the state after the tick, new reports and events.

    `recent`: the values for the page's curve, by name. `daily`: the day rows that changed; each replaces the
    earlier row of the same series and day. `duplicates`: the serials that occur twice in one document, and for which
    no points are written. `warnings`: the site warnings by key. `snapshot`: the documents and the doubts about their
    readings.
    """

    readings: list[Reading]
    state: GatewayState
    new_reports: list[Report]
    events: list[Event]
    recent: dict[str, float]
    duplicates: set[str]
    daily: list[DayRow]
    warnings: Mapping[str, SiteWarning]
    snapshot: Snapshot


def run_tick(
    snapshot: Snapshot,
    roles: frozenset[Role],
    state: GatewayState,
    site: Site,
    layout: Layout = NONE,
    prices: Prices = NO_PRICES,
) -> TickResult:
    """Read the values of the due `roles` from the snapshot, and return points, events and the new state."""
    seen = observe(snapshot, roles, state.readings, state.energy, site, layout)
    energy = Accounted(state.energy) if seen.tick is None else account(state.energy, seen.tick, prices)
    panels = PanelResult(state.panels)
    if "devices" in roles:
        reports = [point for point in seen.points if point.measurement == "envoy_inverter"]
        here = replace(site, zone=energy.state.zone or site.zone)
        installed = list_installed_inverters(seen.points)
        panels = account_for_panels(state.panels, reports, snapshot.tick, here, snapshot.gateway.serial, installed)
    events = [*energy.events, *seen.events, *panels.events]
    totals = {**seen.totals, **energy.fields}
    readings = seen.state
    if "totals" in roles:
        written = describe_written(seen.snapshot, totals, seen.points, energy.state, readings.equipment)
        readings = replace(readings, absences=follow_absences(readings.absences, written, roles))
    return TickResult(
        readings=[
            *_gather_points(totals, seen, energy, snapshot.tick, site.tags(snapshot.gateway.serial)),
            *panels.hours,
        ],
        state=GatewayState(energy.state, readings, panels.state),
        new_reports=seen.new_reports,
        events=events,
        recent=_pick_recent(totals),
        duplicates=seen.duplicates,
        daily=[*energy.rows, *panels.rows],
        warnings=seen.warnings,
        snapshot=seen.snapshot,
    )


def describe_written(
    snapshot: Snapshot,
    totals: Mapping[str, Value],
    points: Sequence[Reading],
    energy: EnergyState,
    equipment: Equipment,
) -> Written:
    """Collect all values that a tick writes, to find missing values. `energy`: the state after the tick."""
    view = View(snapshot, "totals")
    is_lost = has_lost_batteries(equipment, view)
    return Written(view, totals, points, energy, terms(energy.wiring), has_lost_batteries=is_lost)


def _gather_points(
    totals: dict[str, Value], seen: Observed, energy: Accounted, tick: int, tags: Mapping[str, str]
) -> list[Reading]:
    """Return the points of the tick: totals, devices, complete hours, and earlier totals that were held until now."""
    now = [Reading("envoy_totals", tags, totals, tick, "totals")] if set(totals) - {"inventory_age_s"} else []
    late = [Reading("envoy_totals", tags, dict(fields), at, "totals") for at, fields in energy.late]
    return [*now, *seen.points, *late, *energy.hours]


def list_read(result: TickResult) -> tuple[frozenset[tuple[str, ...]], tuple[str, ...]]:
    """Return what was read at a tick, to compare it with other ticks.

    First: (measurement, field names …) of each point that has the role `totals` and the time of the tick. Second: the
    counters with a pinned source.
    """
    read = (point for point in result.readings if point.role == "totals" and point.time == result.snapshot.tick)
    return frozenset((point.measurement, *point.fields) for point in read), result.state.readings.sources.pinned


def _pick_recent(totals: Mapping[str, Value]) -> dict[str, float]:
    return {
        name: float(round_value(name, value))
        for name in _RECENT
        if isinstance(value := totals.get(name), (int, float)) and not isinstance(value, bool)
    }

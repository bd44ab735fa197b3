"""Run one tick: documents and the state before it → points, events and the state after it. Pure.

Five steps, each of which replaces one part of the state once: observe, account for energy, account for panels, gather
the events, gather the points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logger.daemon.gateway_state import GatewayState
from logger.energy.engine import Accounted, account
from logger.energy.state import EnergyState
from logger.model import DayRow, Event, Reading, Report, Role, Snapshot, Value
from logger.panels.books import Place
from logger.panels.step import Stepped, step
from logger.readings.layout import NONE, Layout, applied, groups_of
from logger.readings.observe import Observed, observe
from logger.site import Site

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
"""The few numbers of a tick that `status` and the demo draw."""


@dataclass(frozen=True, slots=True)
class TickResult:
    """The outcome of one tick: its points, the state after it, new reports, events, and a few numbers to draw.

    `daily` are the rows of days that changed: each replaces what was written of its series and day before.
    `duplicates`: serials that stand twice in a document, of which nothing is written.
    """

    readings: list[Reading]
    state: GatewayState
    new_reports: list[Report]
    events: list[Event]
    recent: dict[str, float]
    duplicates: set[str]
    daily: list[DayRow]


def run_tick(
    snapshot: Snapshot, roles: frozenset[Role], state: GatewayState, site: Site, layout: Layout = NONE
) -> TickResult:
    """Read the due `roles` out of the snapshot and enter them into the state."""
    seen = observe(snapshot, roles, state.readings, state.energy, site)
    energy = _account_for_energy(state.energy, seen)
    panels = _account_for_panels(state, seen, energy.state.zone or site.zone, snapshot, roles, site, layout)
    events = [*energy.events, *seen.events, *panels.events]
    totals = {**seen.totals, **energy.fields}
    return TickResult(
        readings=_gather_points(seen, totals, energy, snapshot.tick, site.tags(snapshot.gateway.serial), layout),
        state=GatewayState(energy.state, seen.state, panels.books),
        new_reports=seen.new_reports,
        events=events,
        recent=_recent(totals),
        duplicates=seen.duplicates,
        daily=[*energy.rows, *panels.rows],
    )


def _account_for_energy(state: EnergyState, seen: Observed) -> Accounted:
    """The energy state after a tick of the totals; unchanged where they are not due."""
    return Accounted(state) if seen.tick is None else account(state, seen.tick)


def _account_for_panels(
    state: GatewayState,
    seen: Observed,
    zone: str,
    snapshot: Snapshot,
    roles: frozenset[Role],
    site: Site,
    layout: Layout,
) -> Stepped:
    """The inverters' state after a tick of the devices; unchanged where they are not due."""
    if "devices" not in roles:
        return Stepped(state.panels, [], [])
    return step(
        state.panels,
        [point for point in seen.points if point.measurement == "envoy_inverter"],
        seen.new_reports,
        state.readings.reports,
        snapshot.tick,
        snapshot.gateway.serial,
        Place(site.name, zone, groups_of(layout)),
        site.panel_alert_percent,
    )


def _gather_points(
    seen: Observed, totals: dict[str, Value], energy: Accounted, tick: int, tags: Mapping[str, str], layout: Layout
) -> list[Reading]:
    """All points of the tick: the totals, the devices with the layout's tags, and totals that were held before."""
    now = [Reading("envoy_totals", tags, totals, tick, "totals")] if set(totals) - {"inventory_age_s"} else []
    late = [Reading("envoy_totals", tags, dict(fields), at, "totals") for at, fields in energy.late]
    return [*now, *applied(seen.points, layout), *late]


def _recent(totals: Mapping[str, Value]) -> dict[str, float]:
    return {
        name: float(value)
        for name in _RECENT
        if isinstance(value := totals.get(name), (int, float)) and not isinstance(value, bool)
    }

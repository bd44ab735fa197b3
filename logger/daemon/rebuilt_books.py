"""Books joined with those that were rebuilt from what was written before them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from logger.daemon.gateway_state import GatewayState
from logger.energy import rebuild
from logger.model import DayRow
from logger.panels.compare import make_rows
from logger.panels.panel_rebuild import join_panels, replace_panel_days
from logger.panels.panel_tick import find_closed_day
from logger.site import Site


def restored(live: GatewayState, past: GatewayState, gateway: str, site: Site) -> tuple[GatewayState, list[DayRow]]:
    """The live books with all that the `past` ones know of the time before them, and the rows that this changes.

    Books that hold nothing yet become the past ones. What does not end before the live ones begin was joined already,
    and changes nothing.
    """
    if not live.energy.last_tick:
        return replace(live, energy=past.energy, panels=past.panels), []
    if past.energy.last_tick >= live.energy.first_tick:
        return live, []
    began_on = min(live.energy.first_day, past.energy.day or live.energy.first_day)
    before = rebuild.lead_up(past.energy, live.energy, site, live.readings.equipment.inverters)
    ledger, changed = rebuild.join(live.energy, before)
    panels, panel_days = join_panels(live.panels, past.panels, replace(site, zone=ledger.zone))
    closed = find_closed_day(ledger.last_tick, ledger.zone)
    rows = rebuild.list_rows(ledger, [day for day in changed if day >= began_on])
    rows += make_rows(panels, [day for day in panel_days if day >= began_on], gateway, ledger.zone, closed)
    return replace(live, energy=ledger, panels=panels), rows


def recomputed(
    live: GatewayState, past: GatewayState, gateway: str, dates: Collection[str]
) -> tuple[GatewayState, list[DayRow]]:
    """The live books with these closed days as `past` has them, and their rows."""
    if not live.energy.last_tick:
        return live, []
    ledger, changed = rebuild.replace_days(live.energy, past.energy, dates)
    panels, panel_days = replace_panel_days(live.panels, past.panels, dates)
    closed = find_closed_day(ledger.last_tick, ledger.zone)
    rows = rebuild.list_rows(ledger, changed)
    rows += make_rows(panels, panel_days, gateway, ledger.zone, closed)
    return replace(live, energy=ledger, panels=panels), rows

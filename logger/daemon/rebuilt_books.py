"""Books joined with those that were rebuilt from what was written before them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from logger.daemon.gateway_state import GatewayState
from logger.energy import rebuild
from logger.model import DayRow
from logger.panels import panel_rebuild
from logger.panels.books import Place, trimmed
from logger.panels.step import PanelBooks, closed_day
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
    mine, theirs, place = live.panels.panels, past.panels.panels, Place("", ledger.zone)
    panels, panel_days = panel_rebuild.joined(mine, panel_rebuild.up_to(theirs, mine, place))
    closed = closed_day(ledger.last_tick, ledger.zone)
    rows = rebuild.list_rows(ledger, [day for day in changed if day >= began_on])
    rows += panel_rebuild.rows_of(panels, [d for d in panel_days if d >= began_on], gateway, ledger.zone, closed)
    return replace(live, energy=ledger, panels=PanelBooks(trimmed(panels), live.panels.watch)), rows


def recomputed(
    live: GatewayState, past: GatewayState, gateway: str, dates: Collection[str]
) -> tuple[GatewayState, list[DayRow]]:
    """The live books with these closed days as `past` has them, and their rows."""
    if not live.energy.last_tick:
        return live, []
    ledger, changed = rebuild.replace_days(live.energy, past.energy, dates)
    panels = live.panels.panels
    theirs = {day: kept for day, kept in past.panels.panels.days.items() if day in dates and day in panels.days}
    panels = replace(panels, days={**panels.days, **theirs})
    closed = closed_day(ledger.last_tick, ledger.zone)
    rows = rebuild.list_rows(ledger, changed)
    rows += panel_rebuild.rows_of(panels, sorted(theirs), gateway, ledger.zone, closed)
    return replace(live, energy=ledger, panels=PanelBooks(panels, live.panels.watch)), rows

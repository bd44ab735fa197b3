"""Books joined with those that were rebuilt from what was written before them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from logger.daemon.tick import Books
from logger.energy import rebuild
from logger.energy.beginning import first_tick
from logger.energy.rebuild import Replay
from logger.model import DayRow
from logger.panels import panel_rebuild
from logger.panels.books import Place, trimmed
from logger.panels.step import PanelBooks, closed_day


def restored(live: Books, past: Books, gateway: str, how: Replay) -> tuple[Books, list[DayRow]]:
    """The live books with all that the `past` ones know of the time before them, and the rows that this changes.

    Books that hold nothing yet become the past ones. What does not end before the live ones begin was joined already,
    and changes nothing.
    """
    if not live.ledger.last_tick:
        return replace(live, ledger=past.ledger, panels=past.panels), []
    if past.ledger.last_tick >= first_tick(live.ledger):
        return live, []
    began_on = min(live.ledger.first_day, past.ledger.day or live.ledger.first_day)
    ledger, changed = rebuild.joined(live.ledger, rebuild.up_to(past.ledger, live.ledger, how))
    mine, theirs, place = live.panels.panels, past.panels.panels, Place("", ledger.zone)
    panels, panel_days = panel_rebuild.joined(mine, panel_rebuild.up_to(theirs, mine, place))
    closed = closed_day(ledger.last_tick, ledger.zone)
    rows = rebuild.rows_of(ledger, [day for day in changed if day >= began_on])
    rows += panel_rebuild.rows_of(panels, [d for d in panel_days if d >= began_on], gateway, ledger.zone, closed)
    return replace(live, ledger=ledger, panels=PanelBooks(trimmed(panels), live.panels.watch)), rows


def recomputed(live: Books, past: Books, gateway: str, dates: Collection[str]) -> tuple[Books, list[DayRow]]:
    """The live books with these closed days as `past` has them, and their rows."""
    if not live.ledger.last_tick:
        return live, []
    ledger, changed = rebuild.replaced(live.ledger, past.ledger, dates)
    panels = live.panels.panels
    theirs = {day: kept for day, kept in past.panels.panels.days.items() if day in dates and day in panels.days}
    panels = replace(panels, days={**panels.days, **theirs})
    closed = closed_day(ledger.last_tick, ledger.zone)
    rows = rebuild.rows_of(ledger, changed)
    rows += panel_rebuild.rows_of(panels, sorted(theirs), gateway, ledger.zone, closed)
    return replace(live, ledger=ledger, panels=PanelBooks(panels, live.panels.watch)), rows

"""Join the recorded state of a gateway with a state that was rebuilt from older readings. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from logger.daemon.gateway_state import GatewayState
from logger.days import first_instant, following
from logger.energy import rebuild
from logger.energy.period_rows import empty_months, list_period_rows, restore_periods
from logger.energy.periods import Period, sum_day
from logger.model import DayRow, Reading
from logger.panels.compare import make_rows
from logger.panels.panel_rebuild import fill_panel_days, join_panels, replace_panel_days
from logger.panels.panel_tick import find_closed_day
from logger.site import Site
from logger.tariff.prices import Prices


def restore_past(
    live: GatewayState, past: GatewayState, gateway: str, site: Site, prices: Prices
) -> tuple[GatewayState, list[DayRow]]:
    """Add the days of `past` before the days of the `live` state. Return the new state, and the changed rows.

    If `live` is empty, the new state has the energy and panels of `past`. If `past` ends after `live` begins, nothing
    changes, because these states were joined before.
    """
    if not live.energy.last_tick:
        return replace(live, energy=past.energy, panels=past.panels), []
    if past.energy.last_tick >= live.energy.first_tick:
        return live, []
    begin = min(live.energy.first_day, past.energy.day or live.energy.first_day)
    before = rebuild.lead_up(past.energy, live.energy, site, live.readings.equipment.inverters, prices)
    energy, days = rebuild.join(live.energy, before)
    energy = empty_months(energy, {day.date for day in energy.days} - {day.date for day in live.energy.days})
    panels, panel_days = join_panels(live.panels, past.panels, replace(site, zone=energy.zone))
    state = replace(live, energy=energy, panels=panels)
    return _list_rows(state, [d for d in days if d >= begin], [d for d in panel_days if d >= begin], gateway)


def recompute_days(
    live: GatewayState, past: GatewayState, gateway: str, dates: Collection[str]
) -> tuple[GatewayState, list[DayRow]]:
    """Replace the closed days of `dates` in the `live` state by the days of `past`.

    Return the state, and the rows of the replaced days and of their months and years.
    """
    if not live.energy.last_tick:
        return live, []
    energy, days = rebuild.replace_days(live.energy, past.energy, dates)
    panels, panel_days = replace_panel_days(live.panels, past.panels, dates)
    state = replace(live, energy=energy, panels=panels)
    return _list_rows(state, days, panel_days, gateway)


def fill_days(
    live: GatewayState, past: GatewayState, gateway: str, dates: Collection[str]
) -> tuple[GatewayState, list[DayRow]]:
    """Complete the days of `dates` in the `live` state. Values that these days lack are taken from the `past` state.

    Return the state, and the rows of the changed days and of their months and years.
    """
    if not live.energy.last_tick:
        return live, []
    energy, days = rebuild.fill_days(live.energy, past.energy, dates)
    panels, panel_days = fill_panel_days(live.panels, past.panels, dates)
    return _list_rows(replace(live, energy=energy, panels=panels), days, panel_days, gateway)


def restore_months(
    live: GatewayState, days: Mapping[str, Period], rows: Sequence[Reading]
) -> tuple[GatewayState, list[DayRow]]:
    """Compute again the sums of the months that contain `days`. `rows`: the day rows in the store.

    Return the `live` state with these months, and the rows of these months and of their years.
    """
    if not live.energy.days:
        return live, []
    months, zone = {day[:-3] for day in days}, live.energy.zone
    of_rows = {str(row.fields["local_date"]): row for row in rows}
    known = {
        day: sum_day(row, first_instant(following(day), zone) - row.time)
        for day, row in of_rows.items()
        if day[:-3] in months
    }
    restored, energy = restore_periods(live.energy, {**days, **known})
    return replace(live, energy=energy), restored


def _list_rows(
    state: GatewayState, days: list[str], panel_days: list[str], gateway: str
) -> tuple[GatewayState, list[DayRow]]:
    """Make the rows of `days` and of their months and years, and the inverters' rows of `panel_days`.

    Return the state with these months and years, and all these rows.
    """
    of_periods, known = list_period_rows(state.energy, days)
    state = replace(state, energy=known)
    energy = state.energy
    closed = find_closed_day(energy.last_tick, energy.zone)
    rows = make_rows(state.panels, panel_days, gateway, energy.zone, closed)
    return state, [*rebuild.list_rows(energy, days), *of_periods, *rows]

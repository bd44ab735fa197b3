"""Make the rows of `envoy_day`: one per local day, rewritten during the day and when a gap reopens the day. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from logger.energy.days import final_at
from logger.energy.quantities import figures
from logger.energy.state import Day, EnergyState, Tick
from logger.model import DayRow, Reading, Value

EVERY_S: Final = 900
"""The row of the open day is written at this interval."""
_BARE: Final = 3
"""Number of fields that every row has: date, coverage and resets. A row with no more fields is not written."""


def list_due_rows(
    before: EnergyState, state: EnergyState, tick: Tick, changed: Collection[str]
) -> tuple[tuple[DayRow, ...], EnergyState]:
    """Return the rows to write after a tick, and the state with each day marked final or not.

    `before` is the state before the tick. `changed` holds the dates of past days that received energy in the tick.
    """
    rows: list[DayRow] = []
    if state.past and (changed or state.day != before.day or not state.past[-1].final):
        known = {day.date for day in before.past}
        past = tuple(_finish(day, tick, state.zone, changed=day.date in changed) for day in state.past)
        rows = [
            day_row(day if day.tags else replace(day, tags=state.today.tags), state)
            for day, earlier in zip(past, state.past, strict=True)
            if (day.date in changed or day.date not in known or day.final != earlier.final) and day.end > day.start
        ]
        state = replace(state, days=(*past, state.today))
    if not before.days or tick.at // EVERY_S != before.last_tick // EVERY_S:
        rows.append(day_row(state.today, state))
    return tuple(row for row in rows if len(row.reading.fields) > _BARE), state


def _finish(day: Day, tick: Tick, zone: str, *, changed: bool) -> Day:
    """Mark a day final if the tick was polled after 03:00 of the next day; a changed day is not final before that."""
    is_late = tick.is_polled and tick.at >= final_at(day.date, zone)
    if changed:
        return replace(day, final=is_late)
    return replace(day, final=True) if is_late and not day.final else day


def day_row(day: Day, state: EnergyState) -> DayRow:
    """Make the row of a day from its present values."""
    fields: dict[str, Value] = {"local_date": day.date}
    for quantity, (wh, estimated_wh) in figures(day.wiring or state.wiring, day.energy).items():
        fields[f"{quantity}_wh"] = wh
        fields[f"{quantity}_estimated_wh"] = estimated_wh
    if day.peak_production_w is not None:
        fields["peak_production_w"] = day.peak_production_w
    if day.peak_load_w is not None:
        fields["peak_load_w"] = day.peak_load_w
    fields["coverage_percent"] = min(100.0, 100.0 * day.polled_s / (day.end - day.start))
    fields["counter_resets"] = day.resets
    return DayRow(Reading("envoy_day", dict(day.tags), fields, day.start, "daily"), day.date, day.final)

"""Make the rows of `envoy_day`: one per local day, rewritten during the day and when a gap reopens the day. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from logger.days import final_at
from logger.energy.extremes import NAMES
from logger.energy.quantities import figure, figures
from logger.energy.state import Day, EnergyState, Mark, Tick, Wiring
from logger.energy.surroundings import Extremes
from logger.model import DayRow, Reading, Value
from logger.tariff.band_energy import BandEnergy, sum_bands

EVERY_S: Final = 900
"""Seconds between two rows of the open day."""
BAND_DAY: Final = "envoy_band_day"
_NO_MARKS: Final[Mapping[str, Mark]] = {}
_BARE: Final = 3
"""Number of fields that every row has: date, coverage and resets. A row with only these fields is not written."""


def list_due_rows(
    before: EnergyState, state: EnergyState, tick: Tick, changed: Collection[str]
) -> tuple[tuple[DayRow, ...], EnergyState]:
    """Return the day rows to write after a tick, and the state in which each day is marked as final or not.

    `before`: the state before the tick. `changed`: the dates of past days that the tick changed.
    """
    rows: list[DayRow] = []
    if state.past and (changed or state.day != before.day or not state.past[-1].final):
        known = {day.date for day in before.past}
        past = tuple(_finish(day, tick, state.zone, changed=day.date in changed) for day in state.past)
        rows = [
            row
            for day, earlier in zip(past, state.past, strict=True)
            if (day.date in changed or day.date not in known or day.final != earlier.final) and day.end > day.start
            for row in day_rows(day if day.tags else replace(day, tags=state.today.tags), state)
        ]
        state = replace(state, days=(*past, state.today))
    if not before.days or tick.at // EVERY_S != before.last_tick // EVERY_S:
        rows += day_rows(state.today, state)
    return tuple(row for row in rows if has_values(row)), state


def has_values(row: DayRow) -> bool:
    """Return whether a row has more fields than date, coverage and resets."""
    return len(row.reading.fields) > _BARE


def _finish(day: Day, tick: Tick, zone: str, *, changed: bool) -> Day:
    """Mark a day as final if the gateway was polled after 03:00 of the next day.

    Before that time, a day that changed in this tick is marked as not final.
    """
    is_late = tick.is_polled and tick.at >= final_at(day.date, zone)
    if changed:
        return replace(day, final=is_late)
    return replace(day, final=True) if is_late and not day.final else day


def day_rows(day: Day, state: EnergyState) -> list[DayRow]:
    """Make all rows of a day from its present values: the row of the day, and one row for each price band."""
    return [row_of_day(day, state), *(_band_row(day, name, state) for name in sorted(day.bands))]


def row_of_day(day: Day, state: EnergyState) -> DayRow:
    """Make the row of `envoy_day` for one day of a state.

    On the open day the energy of a quantity with a `Mark` is the mark's energy of today. Any other energy is the sum
    of the rises of the quantity's counters.
    """
    return make_day_row(day, state.wiring, state.marks if day == state.today else _NO_MARKS)


def make_day_row(day: Day, wiring: Wiring | None, marks: Mapping[str, Mark] = _NO_MARKS) -> DayRow:
    """Make the row of `envoy_day` for one day.

    `wiring`: how the site is metered, for a day that has no wiring of its own. `marks`: the Mark of each quantity
    if the day is open, otherwise empty.
    """
    fields: dict[str, Value] = {"local_date": day.date}
    for quantity, (wh, estimated_wh) in figures(day.wiring or wiring, day.energy, day.left_out).items():
        mark = marks.get(quantity)
        fields[f"{quantity}_wh"] = mark.today_wh if mark and mark.day == day.date else wh
        fields[f"{quantity}_estimated_wh"] = estimated_wh
    if day.peak_production_w is not None:
        fields["peak_production_w"] = day.peak_production_w
    if day.peak_load_w is not None:
        fields["peak_load_w"] = day.peak_load_w
    if (money := sum_bands(day.bands)) is not None:
        fields |= _list_money(day, money, wiring)
    fields |= _list_extremes(day.extremes)
    fields["coverage_percent"] = min(100.0, 100.0 * day.polled_s / (day.end - day.start))
    fields["counter_resets"] = day.resets
    return DayRow(Reading("envoy_day", dict(day.tags), fields, day.start, "daily"), day.date, day.final)


def _band_row(day: Day, name: str, state: EnergyState) -> DayRow:
    """Make the row of one price band of a day."""
    band = day.bands[name]
    fields: dict[str, Value] = {
        "local_date": day.date,
        "grid_import_wh": band.import_wh,
        "grid_import_estimated_wh": band.import_estimated_wh,
        "grid_export_wh": band.export_wh,
        "grid_export_estimated_wh": band.export_estimated_wh,
        **_list_money(day, band, state.wiring),
    }
    return DayRow(Reading(BAND_DAY, {**day.tags, "band": name}, fields, day.start, "daily"), day.date, day.final)


def empty_band(day: Reading) -> dict[str, Value]:
    """Return the fields of a price band's row for a day on which the band has no energy any more: all amounts are 0.

    `day`: the row of `envoy_day` for this day.
    """
    zeros = ("grid_import", "grid_import_estimated", "grid_export", "grid_export_estimated")
    return {
        "local_date": day.fields["local_date"],
        **dict.fromkeys((f"{name}_wh" for name in zeros), 0.0),
        **dict.fromkeys((name for name in ("cost", "income", "saved") if name in day.fields), 0.0),
    }


def _list_money(day: Day, money: BandEnergy, wiring: Wiring | None) -> dict[str, Value]:
    """Return currency, cost and income of a day. Add the savings if the energy of the house is known."""
    fields: dict[str, Value] = {"currency": money.currency, "cost": money.cost, "income": money.income}
    if figure("load", day.wiring or wiring, day.energy) is not None:
        fields["saved"] = money.savings
    return fields


def _list_extremes(extremes: Extremes) -> dict[str, Value]:
    """Return the known extremes of a day, by field name."""
    found = {name: getattr(extremes, name) for name in NAMES}
    return {name: value for name, value in found.items() if value is not None}

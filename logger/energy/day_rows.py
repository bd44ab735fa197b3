"""The rows of `envoy_day`: one a local day, rewritten while it lasts and when a gap reopens it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from logger.energy.daybook import booked
from logger.energy.days import final_at
from logger.energy.quantities import figures
from logger.energy.state import Day, EnergyState
from logger.model import DayRow, Reading, Value

EVERY_S: Final = 900
"""The row of the day that is open is written so often."""


def due_rows(
    before: EnergyState, ledger: EnergyState, tick: int, *, polled: bool, changed: Collection[str]
) -> tuple[tuple[DayRow, ...], EnergyState]:
    """The rows to write after a tick, and the books with the days that are final now.

    `before` are the books before the tick, `changed` the past days that got energy in it.
    """
    today = ledger.today
    assert today is not None  # noqa: S101  the day was opened
    rows: list[DayRow] = []
    days = ledger.days
    if days and (changed or ledger.days[-1].date != _last(before) or not days[-1].final):
        known = {day.date for day in before.days}
        days = tuple(_settled(day, tick, ledger.zone, polled=polled, changed=changed) for day in days)
        rows = [
            point(day if day.tags else replace(day, tags=today.tags), ledger)
            for day, earlier in zip(days, ledger.days, strict=True)
            if (day.date in changed or day.date not in known or day.final != earlier.final) and day.end > day.start
        ]
    if before.today is None or tick // EVERY_S != before.last_tick // EVERY_S:
        rows.append(point(replace(today, booked=booked(ledger.counters), wiring=ledger.wiring), ledger))
    kept = ledger if days == ledger.days else replace(ledger, days=days)
    return tuple(row for row in rows if len(row.reading.fields) > _BARE), kept


_BARE: Final = 3
"""Date, coverage and resets: a day of which nothing is known has no row."""


def _last(ledger: EnergyState) -> str:
    return ledger.days[-1].date if ledger.days else ""


def _settled(day: Day, tick: int, zone: str, *, polled: bool, changed: Collection[str]) -> Day:
    """The day, final if a poll came past 03:00 of the next one; one that changed is open until then."""
    late = polled and tick >= final_at(day.date, zone)
    if day.date in changed:
        return replace(day, final=late)
    return replace(day, final=True) if late and not day.final else day


def point(day: Day, ledger: EnergyState) -> DayRow:
    """The row of a day."""
    fields: dict[str, Value] = {"local_date": day.date}
    for quantity, (wh, estimated) in figures(day.wiring or ledger.wiring, dict(day.booked)).items():
        fields[f"{quantity}_wh"] = wh
        fields[f"{quantity}_estimated_wh"] = estimated
    if day.peak_production_w is not None:
        fields["peak_production_w"] = day.peak_production_w
    if day.peak_load_w is not None:
        fields["peak_load_w"] = day.peak_load_w
    fields["coverage_percent"] = min(100.0, 100.0 * day.polled_s / (day.end - day.start))
    fields["counter_resets"] = day.resets
    return DayRow(Reading("envoy_day", dict(day.tags), fields, day.start, "daily"), day.date, day.final)

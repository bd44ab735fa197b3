"""A simulated year at one-minute ticks against the truth: every day to within one Wh, or called what it is.

Whole years by `make test-long`; otherwise the day of one change of the clocks and the day before it, at the next site
those of the other one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import pytest

from logger.model import DayRow
from logger.site import Site
from tests.energy.gateway import Metered, Panel, Standard
from tests.energy.house import House
from tests.energy.year import Plan, Recorder, play, trouble
from tests.sizes import LONG

METERED = {
    "production": "production",
    "load": "load",
    "grid_import": "import",
    "grid_export": "export",
    "battery_charged": "charged",
    "battery_discharged": "discharged",
}
"""Quantity of a day row → flow of the house."""
STANDARD = {"production": "production"}


@dataclass(frozen=True)
class Place:
    """One simulated year: where, and the days on which the clocks change or midnight is skipped."""

    zone: str
    year: int
    changes: tuple[str, str]
    kind: Literal["metered", "standard"] = "metered"


SITES = (
    Place("Europe/Berlin", 2025, ("2025-03-30", "2025-10-26")),
    Place("Africa/Cairo", 2024, ("2024-04-26", "2024-10-31")),
    Place("Australia/Lord_Howe", 2025, ("2025-04-06", "2025-10-05")),
    Place("America/Phoenix", 2025, ("2025-03-09", "2025-11-02")),
    Place("Asia/Kolkata", 2025, ("2025-03-30", "2025-10-26"), kind="standard"),
)
"""With daylight saving; midnight skipped; half an hour of it, off the hour; without; and 2³² J wraps off the hour."""


def span_of(site: Place, number: int, nights: int = 1) -> tuple[date, date]:
    """The whole year, or so many nights before its first change and that day at even numbers, its second at odd."""
    if LONG:
        return date(site.year, 1, 1), date(site.year, 12, 31)
    change = date.fromisoformat(site.changes[number % 2])
    return change - timedelta(days=nights), change


def plant_of(site: Place, first: date, last: date, seed: int = 1) -> Metered | Standard:
    """The site, the first one with four inverters; on two days somebody works on its meters."""
    panels = [Panel(f"1220000000{n:02d}", 0.25, 0.25) for n in range(4)] if site is SITES[0] else []
    if site.kind == "standard":
        return Standard(House(site.zone, first, last, seed, battery=None), panels)
    days = (last - first).days
    dark = tuple((day * 1440 + 11 * 60, day * 1440 + 11 * 60 + 40) for day in (days // 4, days - days // 4))
    return Metered(House(site.zone, first, last, seed, dark=dark), panels)


def recorded(plant: Metered | Standard, plan: Plan, zone: str) -> dict[str, DayRow]:
    """The day rows as they stood in the end."""
    found: dict[str, DayRow] = {}
    for _, result in play(plant, plan, Recorder(Site(zone=zone))):
        found |= {row.day: row for row in result.daily if row.reading.measurement == "envoy_day"}
    return found


def number(row: DayRow, name: str) -> float:
    value = row.reading.fields[name]
    assert isinstance(value, float)
    return value


def wrong_days(house: House, rows: Mapping[str, DayRow], quantities: Mapping[str, str]) -> list[str]:
    """What is neither right nor called estimated."""
    found = []
    for day in house.days():
        row = rows[day.isoformat()]
        for quantity, flow in quantities.items():
            error = number(row, f"{quantity}_wh") - house.day_wh(flow, day)
            honest = number(row, f"{quantity}_estimated_wh") > 0 and number(row, "coverage_percent") < 100
            if abs(error) > 1 and not honest:
                found.append(f"{day} {quantity}: {error:+.1f} Wh, {dict(row.reading.fields)}")
    return found


@pytest.mark.long
@pytest.mark.parametrize("site", SITES, ids=lambda site: site.zone.replace("/", "-"))
def test_every_day_of_a_year_is_right_to_a_wh_or_called_estimated_and_its_sum_is_right(site: Place) -> None:
    quantities = METERED if site.kind == "metered" else STANDARD
    first, last = span_of(site, SITES.index(site))
    plant = plant_of(site, first, last)
    house, plan = plant.house, trouble(plant, seed=site.year)
    rows = recorded(plant, plan, site.zone)
    assert wrong_days(house, rows, quantities) == []
    for quantity, flow in quantities.items():
        told = sum(number(rows[day.isoformat()], f"{quantity}_wh") for day in house.days())
        truth = house.wh[flow][-1]
        print(f"{site.zone} {first}…{last} {quantity}: {told:.1f} Wh of {truth:.1f} Wh")
        assert told == pytest.approx(truth, rel=1e-4)
    marked = [d for d in rows if any(number(rows[d], f"{q}_estimated_wh") > 0 for q in quantities)]
    lost = midnights_lost(house, plan)
    assert set(marked) <= lost, "only a day with a gap over one of its midnights, or at new meters, is estimated"
    peaks = [number(row, "peak_production_w") for row in rows.values() if "peak_production_w" in row.reading.fields]
    rounded = 0.5 if site.kind == "standard" else 0.01  # as its documents give it
    assert max(peaks) <= max(house.watts["production"]) + rounded


def midnights_lost(house: House, plan: Plan) -> set[str]:
    """The days whose beginning or end was not polled, and those of new meters."""
    dark = {at for begin, end in house.dark for at in range(begin, end + 5)}
    missed = plan.off | plan.deaf | {at for at, fault in plan.faults.items() if fault.kind != "no inverters"}
    found = set()
    for day in house.days():
        begin, end = house.span(day)
        if {begin, end} & missed or any(begin <= at < end for at in dark):
            found.add(day.isoformat())
    return found

"""The minute in which a day ends and another begins: what is read amiss right there belongs to no day for sure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from logger.daemon.tick import TickResult
from logger.energy.rebuild import Past, replay
from logger.energy.state import EnergyState
from logger.model import DayRow, Value
from logger.site import Site
from tests.energy.gateway import Fault, Metered
from tests.energy.house import House
from tests.energy.test_year import number
from tests.energy.year import Plan, Recorder, play

ZONE = "Europe/Berlin"
BEFORE, AFTER = "2025-01-10", "2025-01-11"
MINUTES = 30
"""Recorded on either side of midnight."""
FLOWS = {"production": "production", "grid_import": "import", "grid_export": "export"}


@pytest.fixture(scope="module")
def plant() -> Metered:
    """In the night this house imports, and nothing else flows."""
    return Metered(House(ZONE, date.fromisoformat(BEFORE), date.fromisoformat(AFTER), battery=None))


def midnight(plant: Metered) -> int:
    return plant.house.span(date.fromisoformat(AFTER))[0]


def recorded(plant: Metered, plan: Plan) -> Iterator[TickResult]:
    span = range(midnight(plant) - MINUTES, midnight(plant) + MINUTES + 1)
    for _, result in play(plant, plan, Recorder(Site(zone=ZONE)), span=span):
        yield result


def days_of(plant: Metered, plan: Plan) -> dict[str, DayRow]:
    """The day rows as they stood in the end."""
    return {
        row.day: row
        for result in recorded(plant, plan)
        for row in result.daily
        if row.reading.measurement == "envoy_day"
    }


def totals_of(plant: Metered, plan: Plan) -> dict[int, dict[str, Value]]:
    """Everything written of `envoy_totals`, by time; nothing is written twice."""
    found: dict[int, dict[str, Value]] = {}
    for result in recorded(plant, plan):
        for point in result.readings:
            if point.measurement == "envoy_totals":
                fields = found.setdefault(point.time, {})
                assert not fields.keys() & point.fields.keys()
                fields.update(point.fields)
    return found


def covered(row: DayRow) -> int:
    """Minutes."""
    return round(number(row, "coverage_percent") * 14.4)


def errors(plant: Metered, rows: dict[str, DayRow]) -> dict[tuple[str, str], float]:
    """By day and quantity what a row says too much, in Wh; and both days together are right."""
    at = midnight(plant)
    found: dict[tuple[str, str], float] = {}
    for quantity, flow in FLOWS.items():
        sums = plant.house.wh[flow]
        truth = {BEFORE: sums[at] - sums[at - MINUTES], AFTER: sums[at + MINUTES] - sums[at]}
        found |= {(day, quantity): number(rows[day], f"{quantity}_wh") - truth[day] for day in truth}
        assert found[BEFORE, quantity] + found[AFTER, quantity] == pytest.approx(0, abs=0.01)
    return found


@pytest.mark.parametrize("amount", [-1.5, -3.0, -7.5, -9.9])
def test_a_counter_that_wavers_at_midnight_is_no_boundary_between_days(plant: Metered, amount: float) -> None:
    """Production stands still in the night and is seen to fall; the import of the same reading may rise even so."""
    rows = days_of(plant, Plan(faults={midnight(plant): Fault("jitter", amount)}))
    wrong = errors(plant, rows)
    for day, minutes in ((BEFORE, MINUTES), (AFTER, MINUTES + 1)):
        assert abs(wrong[day, "production"]) < 0.01
        assert abs(wrong[day, "grid_import"]) < 5
        assert 0 < number(rows[day], "grid_import_estimated_wh") < 20
        assert number(rows[day], "production_estimated_wh") == 0.0
        assert covered(rows[day]) == minutes - (day == AFTER)


def test_what_waits_at_midnight_is_written_at_its_own_tick_and_no_today_is_below_zero(plant: Metered) -> None:
    at = midnight(plant)
    tick = plant.house.start + at * 60
    found = totals_of(plant, Plan(faults={at: Fault("jitter", -1.5)}))
    assert found[tick]["grid_import_lifetime_wh"] == pytest.approx(plant.counter("import", at) - 1.5)
    assert "production_lifetime_wh" not in found[tick], "it fell"
    todays = [fields["grid_import_today_wh"] for at, fields in sorted(found.items()) if at > tick]
    assert todays == sorted(todays, key=float)
    for amount in (-1.5, -5.0):
        written = totals_of(plant, Plan(faults={at: Fault("jitter", amount)}))[tick]
        assert written.get("grid_import_today_wh", 0.0) >= 0.0  # type: ignore[operator]


@pytest.mark.parametrize("minute", [-1, 1, 2])
def test_a_counter_that_wavers_beside_midnight_changes_nothing(plant: Metered, minute: int) -> None:
    rows = days_of(plant, Plan(faults={midnight(plant) + minute: Fault("jitter", -1.5)}))
    assert all(abs(wrong) < 0.01 for wrong in errors(plant, rows).values())
    for day, minutes in ((BEFORE, MINUTES), (AFTER, MINUTES + 1)):
        assert number(rows[day], "grid_import_estimated_wh") == 0.0
        assert covered(rows[day]) == minutes


def test_a_counter_that_fell_before_midnight_and_stays_there_says_nothing_of_that_reading(plant: Metered) -> None:
    """Production a little too low from half past eleven on; import is right and moves on."""
    at = midnight(plant)
    low = {minute: Fault("production low", -5.0) for minute in range(at - 20, at + 10)}
    rows = days_of(plant, Plan(faults=low))
    assert all(abs(wrong) < 0.01 for wrong in errors(plant, rows).values())
    for day in (BEFORE, AFTER):
        assert number(rows[day], "grid_import_estimated_wh") == 0.0


@pytest.mark.parametrize("kind", ["late", "spike", "deaf"])
def test_a_day_whose_end_was_not_read_is_estimated_and_not_wholly_covered(plant: Metered, kind: str) -> None:
    """Also the day before, of which every tick was polled."""
    at = midnight(plant)
    plan = Plan(deaf={at}) if kind == "deaf" else Plan(faults={at: Fault(kind, 480_000.0)})
    rows = days_of(plant, plan)
    assert errors(plant, rows)
    for day in (BEFORE, AFTER):
        assert number(rows[day], "grid_import_estimated_wh") > 0
    assert covered(rows[AFTER]) == MINUTES


def test_a_whole_day_whose_end_was_not_read_is_covered_but_for_one_tick() -> None:
    whole = Metered(House(ZONE, date(2025, 1, 10), date(2025, 1, 11), battery=None))
    at = midnight(whole)
    found: dict[str, DayRow] = {}
    recorder = Recorder(Site(zone=ZONE, totals_s=300))
    for _, result in play(whole, Plan(deaf={at}), recorder, span=range(0, at + 20), every=5):
        found |= {row.day: row for row in result.daily if row.reading.measurement == "envoy_day"}
    assert covered(found[BEFORE]) == 1435


def test_what_was_written_of_such_a_midnight_gives_the_same_days_again(plant: Metered) -> None:
    plan = Plan(faults={midnight(plant): Fault("jitter", -7.5)})
    tags = {"gateway": plant.info.serial}
    ticks = [Past(at, fields, tags) for at, fields in sorted(totals_of(plant, plan).items())]
    _, rows, _ = replay(EnergyState(), ticks, Site(zone=ZONE))
    live = days_of(plant, plan)
    for name in ("grid_import_wh", "grid_import_estimated_wh", "production_wh", "coverage_percent"):
        assert number(rows[BEFORE][0], name) == pytest.approx(number(live[BEFORE], name), abs=0.01)


def test_minutes_of_which_only_counts_were_written_are_not_covered_when_read_back(plant: Metered) -> None:
    """Facts stand while a gateway is silent, so a point is no poll."""
    at = midnight(plant)
    silent = set(range(at - 20, at - 10))
    tags = {"gateway": plant.info.serial}
    ticks = [Past(t, f, tags) for t, f in sorted(totals_of(plant, Plan(deaf=silent)).items())]
    counted = [
        Past(plant.house.start + minute * 60, {"inverters": 12, "batteries": 0}, tags) for minute in sorted(silent)
    ]
    _, rows, _ = replay(EnergyState(), sorted([*ticks, *counted], key=lambda past: past.at), Site(zone=ZONE))
    assert covered(rows[BEFORE][0]) == MINUTES - 10

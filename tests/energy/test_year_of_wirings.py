"""A simulated year on sites that are wired differently: every day right to a Wh, or called what it is.

Whole years by `make test-long`; otherwise the day of one change of the clocks and the day before it, at the next site
those of the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import pytest

from logger.model import DayRow
from tests.energy.gateway import Metered, Panel
from tests.energy.house import House
from tests.energy.test_year import SITES, number, recorded, span_of
from tests.energy.wirings import Legacy, NetOnly, SecondSystem, ThreePhase, ThreePhaseHouse, restart_each_night
from tests.energy.year import Plan, trouble
from tests.sizes import LONG

PANELS: Final = tuple(Panel(f"1220000000{n:02d}", 0.25, 0.25) for n in range(4))
GRID: Final = {"production": "production", "grid_import": "import", "grid_export": "export"}
HOUSE: Final = GRID | {"load": "load"}
STORED: Final = HOUSE | {"battery_charged": "charged", "battery_discharged": "discharged"}
BALANCED: Final = {"grid_import_balanced": "import_balanced", "grid_export_balanced": "export_balanced"}


@dataclass(frozen=True)
class Wired:
    """A site: its plant of a span of days, what goes wrong there, and quantity of a day row → flow of the house.

    `unknowable`: the same for quantities that nobody can know there; they may be missing, but not wrong.
    `nights`: so many are played where the year is not, with troubles of every kind and one over midnight.
    """

    plant: Callable[[date, date], Metered]
    plan: Callable[[Metered], Plan] = lambda plant: trouble(plant, seed=2025 if LONG else 136)
    quantities: Mapping[str, str] = field(default_factory=lambda: HOUSE)
    unknowable: Mapping[str, str] = field(default_factory=dict)
    nights: int = 1


ZONE: Final = SITES[0].zone
WIRINGS: Final[dict[str, Wired]] = {
    "net-ct-only": Wired(lambda first, last: NetOnly(House(ZONE, first, last, battery=None), PANELS)),
    "three-phases": Wired(lambda first, last: ThreePhase(ThreePhaseHouse(ZONE, first, last, battery=None))),
    "second-system": Wired(
        lambda first, last: SecondSystem(House(ZONE, first, last, battery=None), PANELS),
        quantities=GRID,
        unknowable={"load": "load", "consumption": "load"},
    ),
    "legacy": Wired(lambda first, last: Legacy(House(ZONE, first, last, battery=None), PANELS)),
    "restarts": Wired(
        lambda first, last: Metered(House(ZONE, first, last), PANELS),
        lambda plant: restart_each_night(plant, seed=2025),
        STORED,
        nights=2,
    ),
}  # fmt: skip


def wrong_days(plant: Metered, rows: Mapping[str, DayRow], site: Wired) -> list[str]:
    """What is neither right nor called estimated."""
    found = []
    for day in plant.house.days():
        row = rows[day.isoformat()]
        unknown = {
            quantity: flow for quantity, flow in site.unknowable.items() if f"{quantity}_wh" in row.reading.fields
        }
        for quantity, flow in {**site.quantities, **unknown}.items():
            error = number(row, f"{quantity}_wh") - plant.day_wh(flow, day)
            honest = number(row, f"{quantity}_estimated_wh") > 0 and number(row, "coverage_percent") < 100
            if abs(error) > 1 and not honest:
                found.append(f"{day} {quantity}: {error:+.1f} Wh, {dict(row.reading.fields)}")
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", WIRINGS)
def test_every_day_is_right_to_a_wh_or_called_estimated(name: str) -> None:
    site = WIRINGS[name]
    first, last = span_of(SITES[0], [*WIRINGS].index(name), site.nights)
    plant = site.plant(first, last)
    rows = recorded(plant, site.plan(plant), ZONE)
    assert wrong_days(plant, rows, site) == []
    for quantity, flow in site.quantities.items():
        told, truth = compare(plant, rows, quantity, flow)
        assert told == pytest.approx(truth, rel=1e-4)
    if isinstance(plant.house, ThreePhaseHouse):
        assert_balanced(plant, rows)
    else:
        assert not [row for row in rows.values() if "grid_import_balanced_wh" in row.reading.fields]


def compare(plant: Metered, rows: Mapping[str, DayRow], quantity: str, flow: str) -> tuple[float, float]:
    """The sum of all days as it was written, and as it is true."""
    days = [*plant.house.days()]
    told = sum(number(rows[day.isoformat()], f"{quantity}_wh") for day in days)
    truth = sum(plant.day_wh(flow, day) for day in days)
    marked = sum(number(rows[day.isoformat()], f"{quantity}_estimated_wh") > 0 for day in days)
    print(
        f"{type(plant).__name__} {days[0]}…{days[-1]} {quantity}: {told:.1f} of {truth:.1f} Wh, {marked} days marked"
    )
    return told, truth


def assert_balanced(plant: Metered, rows: Mapping[str, DayRow]) -> None:
    """Each day lies within 1 % of what a meter counts that nets each second, or is called estimated; so does the sum
    of the days that are not."""
    for quantity, flow in BALANCED.items():
        compare(plant, rows, quantity, flow)
        sums = [0.0, 0.0]
        for day in plant.house.days():
            row, through = rows[day.isoformat()], sum(plant.day_wh(each, day) for each in BALANCED.values())
            told, truth = number(row, f"{quantity}_wh"), plant.day_wh(flow, day)
            if number(row, f"{quantity}_estimated_wh") > 0:
                assert number(row, "coverage_percent") < 100
                continue
            assert told == pytest.approx(truth, abs=0.01 * through), f"{day} {quantity}"
            sums = [sums[0] + told, sums[1] + truth]
        print(f"{type(plant).__name__} {quantity}: {sums[0]:.1f} of {sums[1]:.1f} Wh on the days that are not marked")
        assert sums[0] == pytest.approx(sums[1], rel=0.01)

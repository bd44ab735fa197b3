"""Hours of the site: what is written once an hour is over, and what is left out because its time is not known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from logger.days import first_instant
from logger.energy.engine import account
from logger.energy.state import EnergyState, Tick, Wiring
from logger.energy.stored import dump_energy, load_energy
from logger.model import Reading
from logger.site import Site

ZONE = "Europe/Berlin"
MIDNIGHT = first_instant("2026-06-15", ZONE)
WATTS = {"production": 2400.0, "import": 600.0, "export": 1200.0}


@dataclass
class Hourly:
    """A site whose counters rise by the same each minute, and the points of its hours."""

    wiring: Wiring = Wiring(net=True, batteries=0)
    counters: tuple[str, ...] = ("production", "import", "export")
    zone: str = ZONE
    start: int = MIDNIGHT
    state: EnergyState = field(default_factory=EnergyState)
    points: list[Reading] = field(default_factory=list)

    def run(self, minutes: Iterable[int], lost: Iterable[str] = (), restart: bool = False) -> None:
        """Poll at these minutes after the start; the `lost` counters have no value."""
        for minute in minutes:
            at = self.start + 60 * minute
            wh = {name: 1e6 + WATTS[name] * (at - MIDNIGHT) / 3600 for name in self.counters if name not in lost}
            tick = Tick(at, wh, self.wiring, 1e6, Site(zone=self.zone), tags={"gateway": "1"})
            if restart:
                self.state = load_energy(dump_energy(self.state))
            done = account(self.state, replace(tick, powers={"production": WATTS["production"]}))
            self.state = done.state
            self.points += done.hours

    def hours(self) -> dict[int, dict[str, float]]:
        """The fields of each hour's point, by whole hours after the start."""
        assert len({point.time for point in self.points}) == len(self.points), "an hour was written twice"
        return {
            (point.time - self.start) // 3600: {name: float(value) for name, value in point.fields.items()}
            for point in self.points
        }


WHOLE = {"production_wh": 2400.0, "load_wh": 1800.0, "grid_import_wh": 600.0, "grid_export_wh": 1200.0}


def test_an_hour_is_written_at_its_end_with_the_hour_and_month_of_the_site() -> None:
    site = Hourly()
    site.run(range(-1, 120))
    assert site.hours() == {0: pytest.approx({**WHOLE, "coverage_percent": 100.0})}
    site.run(range(120, 121))
    assert [(dict(p.tags), p.time, p.role) for p in site.points][1] == (
        {"gateway": "1", "hour": "01", "month": "06"}, MIDNIGHT + 3600, "daily",
    )  # fmt: skip
    assert site.hours()[1] == pytest.approx({**WHOLE, "coverage_percent": 100.0})


def test_the_hour_in_which_the_recorder_began_is_left_out() -> None:
    site = Hourly()
    site.run(range(20, 200))
    assert list(site.hours()) == [1, 2]


def test_a_restart_at_every_minute_changes_nothing() -> None:
    site, other = Hourly(), Hourly()
    site.run(range(200), restart=True)
    other.run(range(200))
    assert site.points == other.points


def test_a_gap_within_an_hour_costs_nothing_because_the_counters_ran_on() -> None:
    site = Hourly()
    site.run([*range(65), *range(115, 190)])
    assert site.hours()[1] == pytest.approx({**WHOLE, "coverage_percent": 100 * 10 / 60})


def test_the_nightly_silence_over_the_border_of_an_hour_is_split_by_time() -> None:
    site = Hourly()
    site.run([*range(117), *range(131, 190)])
    assert site.hours()[1] == pytest.approx({**WHOLE, "coverage_percent": 95.0})
    assert site.hours()[2] == pytest.approx({**WHOLE, "coverage_percent": 100 * 49 / 60})


def test_hours_of_a_longer_gap_are_left_out_and_the_day_has_their_energy() -> None:
    site = Hourly()
    site.run([*range(-1, 100), *range(280, 420)])
    assert list(site.hours()) == [0, 5]
    assert site.state.today.energy["production"].wh == pytest.approx(2400.0 * 419 / 60)


def test_a_counter_that_is_absent_leaves_its_own_energies_out_alone() -> None:
    site = Hourly()
    site.run(range(130))
    site.run(range(130, 250), lost=["import"])
    site.run(range(250, 500))
    assert site.hours()[1].keys() == {*WHOLE, "coverage_percent"}
    for hour in (2, 3, 4):
        assert site.hours()[hour] == pytest.approx(
            {"production_wh": 2400.0, "grid_export_wh": 1200.0, "coverage_percent": 100.0}
        )
    assert site.hours()[5] == pytest.approx({**WHOLE, "coverage_percent": 100.0})
    assert len(site.state.hours) <= 3, "hours that wait for a counter pile up"


def test_both_hours_of_one_name_have_a_point_when_the_clocks_go_back() -> None:
    site = Hourly(start=first_instant("2026-10-25", ZONE))
    site.run(range(-1, 25 * 60 + 1))
    assert [p.tags["hour"] for p in site.points[:5]] == ["00", "01", "02", "02", "03"]
    assert len(site.points) == 25
    assert {round(float(p.fields["production_wh"]), 6) for p in site.points} == {2400.0}


def test_energy_that_is_integrated_needs_most_of_its_hour() -> None:
    site = Hourly(Wiring(net=False, total=False, batteries=0), counters=())
    ticks = [*range(125), *range(150, 250)]
    for minute in ticks:
        tick = Tick(
            MIDNIGHT + 60 * minute, {}, site.wiring, 1e6, Site(zone=ZONE), uncounted=("production",),
            powers={"production": 900.0}, tags={"gateway": "1"},
        )  # fmt: skip
        done = account(site.state, tick)
        site.state = done.state
        site.points += done.hours
    assert site.hours() == {
        1: pytest.approx({"production_wh": 900.0, "coverage_percent": 100.0}),
        3: pytest.approx({"production_wh": 900.0, "coverage_percent": 100.0}),
    }

"""The least and greatest of a day: quarters of an hour, voltage, frequency and charge; the grid lost and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logger.energy.engine import account
from logger.energy.extremes import merge_extremes
from logger.energy.state import EnergyState, Tick, Wiring
from logger.energy.stored import dump_energy, load_energy
from logger.energy.surroundings import Extremes, Surroundings
from logger.model import Event, Value
from logger.site import Site

ZONE = "Europe/Paris"
NOTHING = Surroundings()
ON, OFF = Surroundings(is_on_grid=True), Surroundings(is_on_grid=False)


def at(clock: str, day: str = "2025-06-15") -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(ZONE)).timestamp())


@dataclass
class Minutes:
    """Ticks of a site; the state goes through its stored form after each run, as at a restart."""

    state: EnergyState = field(default_factory=EnergyState)
    rows: dict[str, Mapping[str, Value]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def run(self, since: int, until: int, around: Surroundings = NOTHING, **powers: float) -> None:
        self.each(((tick, powers) for tick in range(since, until, 60)), around)

    def each(self, ticks: Iterable[tuple[int, dict[str, float]]], around: Surroundings = NOTHING) -> None:
        for tick, powers in ticks:
            given: dict[str, Any] = {"powers": powers, "around": around, "tags": {"gateway": "1"}}
            wh = (tick - at("00:00")) / 3600
            counters = {"production": 1e6 + wh, "import": 2e6 + wh, "export": 3e6}
            done = account(self.state, Tick(tick, counters, Wiring(net=True), 1e5, Site(zone=ZONE), **given))
            self.state = done.state
            for row in done.rows:
                if row.reading.measurement == "envoy_day":
                    self.rows[row.day] = row.reading.fields
            self.events += done.events
        assert load_energy(dump_energy(self.state)) == self.state
        self.state = load_energy(dump_energy(self.state))


def test_peaks_and_base_load_are_means_of_whole_quarters_of_an_hour() -> None:
    site = Minutes()
    site.run(at("10:00"), at("10:15"), net=300.0, load=400.0)
    site.each((at("10:15") + 60 * n, {"net": 9000.0 if n == 7 else 0.0, "load": 100.0 + n}) for n in range(15))
    site.run(at("10:30"), at("10:45"), net=-1200.0, load=500.0)
    site.run(at("10:45"), at("10:54"), net=50_000.0, load=1.0)  # nine minutes are no quarter
    site.run(at("11:00"), at("11:01"), net=0.0, load=500.0)
    row = site.rows["2025-06-15"]
    assert (row["peak_import_w"], row["peak_import_at"]) == (600.0, "10:15")
    assert (row["peak_export_w"], row["base_load_w"]) == (1200.0, 107.0)


def test_a_site_that_never_imported_has_a_peak_of_zero_and_no_time() -> None:
    site = Minutes()
    site.run(at("10:00"), at("10:31"), net=-1200.0)
    assert site.rows["2025-06-15"]["peak_import_w"] == 0.0
    assert "peak_import_at" not in site.rows["2025-06-15"]
    assert "base_load_w" not in site.rows["2025-06-15"]


def test_the_last_quarter_of_a_day_belongs_to_that_day() -> None:
    site = Minutes()
    site.run(at("23:45"), at("23:46", "2025-06-14") + 86400)
    site.run(at("23:45"), at("00:15", "2025-06-16"), net=700.0)
    site.run(at("00:15", "2025-06-16"), at("00:31", "2025-06-16"), net=100.0)
    assert site.rows["2025-06-15"]["peak_import_w"] == 700.0
    assert site.rows["2025-06-15"]["peak_import_at"] == "23:45"
    assert site.rows["2025-06-16"]["peak_import_w"] == 700.0
    assert site.rows["2025-06-16"]["peak_import_at"] == "00:00"


def test_voltage_frequency_and_charge_have_their_least_and_greatest_value() -> None:
    site = Minutes()
    for n, (low, high, hertz, charge) in enumerate([(228.0, 236.0, 50.0, 55.0), (231.0, 241.5, 49.9, 60.0)]):
        around = Surroundings((low, high), (hertz, hertz), is_on_grid=True, battery_percent=charge)
        site.run(at("10:00") + 900 * n, at("10:15") + 900 * n, around)
    site.run(at("10:30"), at("10:31"), ON)
    row = site.rows["2025-06-15"]
    assert (row["voltage_min_v"], row["voltage_max_v"]) == (228.0, 241.5)
    assert (row["frequency_min_hz"], row["frequency_max_hz"]) == (49.9, 50.0)
    assert (row["battery_min_percent"], row["battery_max_percent"]) == (55.0, 60.0)
    assert row["off_grid_s"] == 0.0


def test_an_outage_has_its_length_and_hides_the_islands_voltage_and_frequency() -> None:
    site = Minutes()
    normal = Surroundings((230.0, 231.0), (50.0, 50.0), is_on_grid=True)
    site.run(at("10:00"), at("10:10"), normal)
    site.run(at("10:10"), at("10:52"), Surroundings((208.0, 252.0), (62.0, 62.0), is_on_grid=False))
    site.run(at("10:52"), at("10:53"), Surroundings((0.0, 0.0)))  # nothing tells: it is still lost
    site.run(at("10:53"), at("11:01"), normal)
    lost, back = site.events
    assert (lost.kind, lost.time, lost.severity, lost.duration_s) == ("grid_lost", at("10:10"), "warning", None)
    assert (back.kind, back.time, back.duration_s) == ("grid_back", at("10:53"), 2580.0)
    assert back.text == "the grid is back after 43 min"
    row = site.rows["2025-06-15"]
    assert (row["off_grid_s"], row["voltage_min_v"], row["frequency_max_hz"]) == (2580.0, 230.0, 50.0)


def test_an_outage_over_midnight_is_shared_by_the_days_and_survives_a_stop_of_the_recorder() -> None:
    site = Minutes()
    site.run(at("23:00"), at("23:30"), ON)
    site.run(at("23:30"), at("23:45"), OFF)
    site.run(at("00:30", "2025-06-16"), at("00:31", "2025-06-16"), OFF)
    site.run(at("00:31", "2025-06-16"), at("00:46", "2025-06-16"), ON)
    assert [event.duration_s for event in site.events] == [None, 3660.0]
    assert site.rows["2025-06-15"]["off_grid_s"] == 1800.0
    assert site.rows["2025-06-16"]["off_grid_s"] == 1860.0


def test_time_that_nobody_saw_is_no_time_without_the_grid_unless_it_was_lost_at_both_ends() -> None:
    site = Minutes()
    site.run(at("10:00"), at("10:01"), ON)
    site.run(at("10:01"), at("10:11"), OFF)
    site.run(at("14:10"), at("14:31"), ON)
    assert site.events[-1].duration_s == 4 * 3600 + 540
    assert site.events[-1].text.endswith("; the last 4 h 0 min before its return were not recorded")
    assert site.rows["2025-06-15"]["off_grid_s"] == 540.0


def test_a_gap_over_several_days_closes_the_quarter_in_its_own_day() -> None:
    site = Minutes()
    site.run(at("12:00"), at("12:15"), net=900.0)
    site.run(at("12:00", "2025-06-19"), at("12:01", "2025-06-19"), net=0.0)
    assert site.state.days[0].extremes.peak_import_w == 900.0
    assert site.rows["2025-06-15"]["peak_import_at"] == "12:00"


@pytest.mark.parametrize("swapped", [False, True])
def test_two_parts_of_a_day_are_joined_value_by_value(swapped: bool) -> None:
    morning = Extremes(peak_import_w=500.0, peak_import_at="07:00", voltage_min_v=229.0, off_grid_s=60.0)
    evening = Extremes(peak_import_w=900.0, peak_import_at="19:15", voltage_min_v=231.0, base_load_w=80.0)
    joint = merge_extremes(evening, morning) if swapped else merge_extremes(morning, evening)
    assert joint == Extremes(
        peak_import_w=900.0, peak_import_at="19:15", voltage_min_v=229.0, base_load_w=80.0, off_grid_s=60.0
    )
    assert merge_extremes(morning, Extremes()) == morning == merge_extremes(Extremes(), morning)

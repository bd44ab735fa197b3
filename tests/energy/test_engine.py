"""Today, seven days and lifetimes from counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logger.days import first_instant, local_day
from logger.energy.engine import Accounted, account
from logger.energy.state import EnergyState, Seed, Source, Tick, Wiring
from logger.energy.stored import dump_energy, load_energy

MAX_W = 75_000.0
NET = Wiring(net=True, total=False, storage=True, batteries=1)
PARIS = "Europe/Paris"


def at(day: str, clock: str, zone: str = PARIS) -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).timestamp())


class MeteredHouse:
    """Counters that rise with time at constant powers, read into one state."""

    def __init__(self, zone: str = PARIS, wiring: Wiring = NET, watts: dict[str, float] | None = None) -> None:
        self.state = EnergyState(zone=zone)
        self.wiring = wiring
        self.watts = watts or {"production": 3600.0, "import": 720.0, "export": 1800.0}
        self.origin = at("2025-01-01", "00:00", zone)

    def counters(self, tick: int) -> dict[str, float]:
        return {name: 1e6 + watts * (tick - self.origin) / 3600 for name, watts in self.watts.items()}

    def read(
        self, tick: int, seeds: dict[str, Seed] | None = None, *, changed: dict[str, float | None] | None = None
    ) -> Accounted:
        values = {**self.counters(tick), **(changed or {})}
        present = {name: value for name, value in values.items() if value is not None}
        new = account(self.state, Tick(tick, present, self.wiring, MAX_W, seeds=seeds or {}))
        self.state = new.state
        return new

    def run(self, start: int, end: int, every_s: int = 1800) -> Mapping[str, float]:
        """Read every half hour, and at the end."""
        fields: Mapping[str, float] = {}
        for tick in (*range(start, end, every_s), end):
            fields = self.read(tick).fields
        return fields


def past(site: MeteredHouse) -> dict[str, float]:
    """The production of each past day."""
    return {day.date: day.energy["production"].wh for day in site.state.past}


def seed(quantity: str, today: float | None, week: float | None = None) -> dict[str, Seed]:
    return {quantity: Seed(quantity, "test", today, week)}


# --- lifetimes --------------------------------------------------------------------------------------------------


def test_lifetimes_are_computed_from_the_primitive_counters() -> None:
    site = MeteredHouse(watts={"production": 1.0, "import": 0.0, "export": 0.0})
    fields = site.read(at("2025-06-15", "12:00"), changed={"import": 300.0, "export": 100.0}).fields
    produced = fields["production_lifetime_wh"]
    assert fields["consumption_lifetime_wh"] == produced + 200.0
    assert fields["net_lifetime_wh"] == 200.0
    assert (fields["grid_import_lifetime_wh"], fields["grid_export_lifetime_wh"]) == (300.0, 100.0)


def test_a_held_counter_takes_with_it_what_is_computed_from_it_and_nothing_else() -> None:
    site = MeteredHouse()
    site.read(at("2025-06-14", "12:00"))
    site.read(at("2025-06-15", "12:00"))
    fields = site.read(at("2025-06-15", "12:01"), changed={"import": 0.0}).fields
    kept = {name.rsplit("_", 2)[0] for name in fields if "7d" not in name}
    assert kept == {"production", "grid_export"}


def test_what_is_made_of_a_sum_over_inverters_follows_the_meter_that_is_read_in_its_place() -> None:
    """The sum rises every quarter of an hour, so net waits for it; a new production CT gives each minute."""
    house = Wiring(net=False, total=True, storage=False, batteries=0)
    by_sum, by_meter = Source("v1 totals", 3600), Source("production meter")
    site = MeteredHouse("UTC", house, {"production": 960.0, "consumption": 480.0})
    start = at("2025-06-15", "10:00", "UTC")

    def net(minute: int, source: Source) -> float:
        tick = start + 60 * minute
        counted = start + 900 * (minute // 15) if source is by_sum else tick
        counters = {**site.counters(tick), "production": site.counters(counted)["production"]}
        sources = {"consumption": Source("total meter"), "production": source}
        done = account(site.state, Tick(tick, counters, house, MAX_W, sources=sources))
        site.state = done.state
        return done.fields["net_lifetime_wh"]

    waiting = [net(minute, by_sum) for minute in range(60)]
    assert len(set(waiting)) == 4
    flowing = [net(minute, by_meter) for minute in range(60, 120)]
    assert [round(b - a) for a, b in pairwise(flowing)] == [-8] * 59


def test_the_consumption_of_a_site_that_gets_a_battery_goes_on() -> None:
    """Without a battery the consumption never falls; a battery that feeds the grid lowers it."""
    site = MeteredHouse("UTC", replace(NET, batteries=0))
    start = at("2025-06-15", "10:00", "UTC")
    before = site.run(start, start + 3600)["consumption_lifetime_wh"]
    site.wiring = NET
    assert site.run(start + 3900, start + 7200)["consumption_lifetime_wh"] == pytest.approx(before + 2520.0)


def test_a_counter_that_gives_nothing_now_leaves_its_today_absent_not_standing() -> None:
    site = MeteredHouse()
    site.read(at("2025-06-14", "12:00"))
    site.read(at("2025-06-15", "12:00"))
    fields = site.read(at("2025-06-15", "12:05"), changed={"production": None}).fields
    assert "production_today_wh" not in fields
    assert "grid_import_today_wh" in fields


# --- today ------------------------------------------------------------------------------------------------------


def test_today_is_zero_at_local_midnight_and_yesterday_is_whole() -> None:
    site = MeteredHouse()
    site.run(at("2025-06-14", "00:00"), at("2025-06-15", "23:55"))
    fields = site.read(at("2025-06-16", "00:00")).fields
    assert fields["production_today_wh"] == 0.0
    assert past(site)["2025-06-15"] == pytest.approx(24 * 3600)


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-15", 24)], ids=["spring", "autumn", "summer"]
)
def test_a_day_has_as_many_hours_as_the_site_says(day: str, hours: int) -> None:
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    site = MeteredHouse()
    fields = site.run(at(before, "12:00"), at(day, "23:55"))
    assert fields["production_today_wh"] == pytest.approx((hours - 5 / 60) * 3600)
    assert site.read(at(following, "00:05")).fields["production_today_wh"] == pytest.approx(300)
    assert past(site)[day] == pytest.approx(hours * 3600)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Santiago", "Pacific/Auckland", "UTC"])
def test_days_begin_at_the_sites_own_midnight(zone: str) -> None:
    site = MeteredHouse(zone)
    fields = site.run(at("2025-09-05", "12:00", zone), at("2025-09-08", "06:00", zone))
    assert fields["production_today_wh"] == pytest.approx(6 * 3600)


def test_a_day_without_a_midnight_begins_with_its_first_instant() -> None:
    zone = "America/Santiago"  # 2025-09-07 00:00 was skipped
    assert local_day((first_instant("2025-09-07", zone)), zone) == "2025-09-07"
    assert local_day((first_instant("2025-09-07", zone)) - 1, zone) == "2025-09-06"


def test_a_gap_over_midnight_is_split_in_proportion_to_time() -> None:
    site = MeteredHouse()
    site.read(at("2025-06-13", "12:00"))
    site.read(at("2025-06-14", "22:00"))
    fields = site.read(at("2025-06-15", "01:00")).fields
    assert fields["production_today_wh"] == pytest.approx(3600)


def test_a_gap_of_days_leaves_each_day_its_share() -> None:
    site = MeteredHouse()
    site.run(at("2025-06-01", "00:00"), at("2025-06-05", "12:00"))
    fields = site.run(at("2025-06-07", "12:00"), at("2025-06-09", "12:00"))
    days = past(site)
    assert days["2025-06-06"] == pytest.approx(24 * 3600)
    assert fields["production_7d_wh"] == pytest.approx(7 * 24 * 3600)
    assert fields["production_today_wh"] == pytest.approx(12 * 3600)


def test_a_clock_that_steps_back_over_midnight_reopens_no_day() -> None:
    site = MeteredHouse()
    site.run(at("2025-06-14", "00:00"), at("2025-06-15", "00:05"))
    site.read(at("2025-06-14", "23:58"))
    assert site.state.day == "2025-06-15"


def test_a_new_base_adds_no_energy_to_today() -> None:
    site = MeteredHouse()
    site.read(at("2025-06-14", "12:00"))
    before = site.read(at("2025-06-15", "12:00")).fields["production_today_wh"]
    resets: list[str] = []
    for minute in range(1, 6):
        new = site.read(at("2025-06-15", f"12:0{minute}"), changed={"production": 100.0})
        resets += new.resets
    assert resets == ["production"]
    assert new.fields["production_today_wh"] == pytest.approx(before)
    assert new.fields["production_lifetime_wh"] == 100.0


# --- the first day ----------------------------------------------------------------------------------------------


def test_on_the_first_day_today_is_absent_without_the_gateways_figure() -> None:
    fields = MeteredHouse().run(at("2025-06-15", "12:00"), at("2025-06-15", "23:55"))
    assert not [name for name in fields if "today" in name or "7d" in name]


def test_on_the_first_day_today_is_the_gateways_figure_plus_the_rises_since() -> None:
    site = MeteredHouse()
    assert site.read(at("2025-06-15", "12:00"), seed("production", 5000.0)).fields["production_today_wh"] == 5000.0
    fields = site.read(at("2025-06-15", "12:10"), seed("production", 99999.0)).fields
    assert fields["production_today_wh"] == pytest.approx(5600.0)


def test_a_figure_that_comes_late_is_counted_from_when_it_came() -> None:
    site = MeteredHouse()
    site.read(at("2025-06-15", "12:00"))
    fields = site.read(at("2025-06-15", "12:10"), seed("production", 5600.0)).fields
    assert fields["production_today_wh"] == pytest.approx(5600.0)


def test_a_figure_of_more_than_can_have_flowed_since_midnight_is_yesterdays() -> None:
    """Q-P12: the gateway resets its today minutes late."""
    site = MeteredHouse()
    first = site.read(at("2025-06-15", "00:02"), seed("production", MAX_W * 2 / 60 + 1, 70_000))
    assert not {"production_today_wh", "production_7d_wh"} & first.fields.keys()
    later = site.read(at("2025-06-15", "00:07"), seed("production", 300.0, 70_000)).fields
    assert later["production_today_wh"] == pytest.approx(300.0)
    assert later["production_7d_wh"] == 70_000


def test_a_seed_is_never_part_of_a_day() -> None:
    site = MeteredHouse()
    site.read(at("2025-06-15", "23:55"), seed("production", 50_000.0))
    site.read(at("2025-06-16", "00:05"))
    assert past(site)["2025-06-15"] == pytest.approx(300.0)
    assert site.state.seeds == {}


def test_net_and_load_are_seeded_from_consumption_and_production() -> None:
    seeds = {**seed("production", 5000.0, 30_000.0), **seed("consumption", 8000.0, 20_000.0)}
    site = MeteredHouse(wiring=Wiring(net=True, total=False, storage=False, batteries=0))
    fields = site.read(at("2025-06-15", "12:00"), seeds).fields
    assert (fields["net_today_wh"], fields["net_7d_wh"]) == (3000.0, -10_000.0)
    assert (fields["load_today_wh"], fields["load_7d_wh"]) == (8000.0, 20_000.0)


def test_a_counter_that_appears_later_has_no_today_before_its_first_midnight() -> None:
    site = MeteredHouse()
    site.run(at("2025-06-01", "12:00"), at("2025-06-03", "12:00"))
    site.watts["charged"] = site.watts["discharged"] = 360.0
    first = site.run(at("2025-06-03", "12:05"), at("2025-06-03", "23:55"))
    assert "load_today_wh" not in first
    assert "consumption_today_wh" in first
    assert "load_today_wh" in site.run(at("2025-06-04", "00:00"), at("2025-06-04", "06:00"))


# --- seven days -------------------------------------------------------------------------------------------------


def test_seven_days_appear_when_seven_whole_days_are_there_and_not_before() -> None:
    site = MeteredHouse()
    seen: dict[str, float | None] = {}
    site.run(at("2025-06-01", "12:00"), at("2025-06-01", "23:55"))
    for day in range(2, 12):
        fields = site.run(at(f"2025-06-{day:02}", "00:00"), at(f"2025-06-{day:02}", "23:55"))
        seen[f"2025-06-{day:02}"] = fields.get("production_7d_wh")
    assert [day for day, week in seen.items() if week is None] == [f"2025-06-{day:02}" for day in range(2, 9)]
    assert seen["2025-06-09"] == pytest.approx(7 * 24 * 3600)
    assert seen["2025-06-11"] == pytest.approx(7 * 24 * 3600)


def test_the_gateways_seven_days_stay_as_they_are_on_the_first_day_and_then_are_absent() -> None:
    site = MeteredHouse()
    assert site.read(at("2025-06-15", "12:00"), seed("production", 1.0, 777.0)).fields["production_7d_wh"] == 777.0
    assert site.read(at("2025-06-15", "20:00"), seed("production", 1.0, 888.0)).fields["production_7d_wh"] == 777.0
    assert "production_7d_wh" not in site.read(at("2025-06-16", "12:00")).fields


def test_seven_days_count_only_counters_that_were_there_for_all_of_them() -> None:
    site = MeteredHouse()
    site.run(at("2025-06-01", "12:00"), at("2025-06-05", "12:00"))
    site.watts["charged"] = site.watts["discharged"] = 360.0
    fields = site.run(at("2025-06-05", "12:30"), at("2025-06-12", "12:00"))
    assert "consumption_7d_wh" in fields
    assert "load_7d_wh" not in fields
    assert "load_7d_wh" in site.run(at("2025-06-12", "12:30"), at("2025-06-13", "12:00"))


def test_seven_days_wait_for_a_counter_that_has_not_been_read_since_midnight() -> None:
    site = MeteredHouse()
    site.run(at("2025-06-01", "12:00"), at("2025-06-12", "23:30"))
    assert "production_7d_wh" not in site.read(at("2025-06-13", "00:30"), changed={"production": None}).fields
    assert site.read(at("2025-06-13", "01:00")).fields["production_7d_wh"] == pytest.approx(7 * 24 * 3600)


# --- restarts ---------------------------------------------------------------------------------------------------


@given(st.integers(min_value=1, max_value=23), st.integers(min_value=1, max_value=200))
def test_a_restart_changes_nothing(hour: int, minutes: int) -> None:
    start = datetime(2025, 6, 15, hour, tzinfo=UTC)
    whole, restarted = MeteredHouse("UTC"), MeteredHouse("UTC")
    for step in range(0, minutes + 1, 10):
        tick = int((start + timedelta(minutes=step)).timestamp())
        restarted.state = load_energy(dump_energy(restarted.state)) if step else restarted.state
        assert whole.read(tick, seed("production", 10.0)) == restarted.read(tick, seed("production", 10.0))


def test_what_is_counted_with_is_never_rounded() -> None:
    """Rises of 0.0004 Wh, each less than a line can hold, add up to the energy of the day."""
    house = MeteredHouse(zone="UTC", watts={"production": 0.024, "import": 0.0, "export": 0.0})
    midnight = at("2025-05-02", "00:00", "UTC")
    house.run(midnight - 3600, midnight, every_s=60)
    fields = house.run(midnight + 60, midnight + 5 * 3600, every_s=60)
    assert fields["production_today_wh"] == pytest.approx(5 * 0.024, abs=1e-6)
    assert load_energy(dump_energy(house.state)) == house.state

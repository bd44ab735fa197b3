"""Bounds that fit the site: what inverters and batteries say that they can do."""

from __future__ import annotations

import pytest

from logger.readings import paths
from logger.site import Site
from tests.readings.playing import metered, play, unmetered
from tests.readings.site import Bodies, Body, Recorder, battery, ensemble, power

RATED: Body = {
    "inventory": {"serial_nums": {"492001": {"device_type": 13, "encharge_rated_power": 3840}}},
}


@pytest.mark.parametrize(("watts", "is_written"), [(2900.0, True), (4400.0, True), (4600.0, False), (33e3, False)])
def test_production_of_inverters_is_at_most_one_and_a_half_times_what_they_ever_made(
    watts: float, is_written: bool
) -> None:
    """Ten inverters of at most 300 W: the bound of the site is 75 kW."""
    assert play(lambda at: unmetered(at, watts), 2).last.get("production_power_w") == (watts if is_written else None)


def test_a_list_that_names_fewer_inverters_than_are_registered_bounds_nothing() -> None:
    def answer(at: int) -> Bodies:
        bodies = unmetered(at, 5521.0)
        return {**bodies, paths.V1_INVERTERS: bodies[paths.V1_INVERTERS][:2]}

    assert play(answer, 2).last["production_power_w"] == 5521.0


def test_an_owner_who_sets_the_limit_knows_better() -> None:
    recorder = Recorder(Site(zone="UTC", max_w=20_000.0))
    assert play(lambda at: unmetered(at, 15_000.0), 2, recorder=recorder).last["production_power_w"] == 15_000.0


def test_a_production_ct_also_measures_what_the_gateway_does_not_list() -> None:
    assert play(lambda at: metered(at, 9000.0), 2).last["production_power_w"] == 9000.0


def test_a_counter_of_inverters_that_jumps_by_more_than_they_can_make_is_held() -> None:
    """One kWh in a minute is 60 kW: less than the site's 75 kW, far more than the inverters' 4.5 kW."""

    def answer(at: int) -> Bodies:
        minute = (at - start) // 60
        return unmetered(at, lifetime=5_000_000 + 33 * minute + (1000 if minute == 5 else 0))

    start = 1_750_000_200
    written = play(answer, 10, start=start).series("production_lifetime_wh")
    assert [wh is None for wh in written] == [minute == 5 for minute in range(10)]


@pytest.mark.parametrize(("kilowatts", "is_written"), [(3.8, True), (7.6, True), (-3.8, True), (40.0, False)])
def test_a_battery_gives_at_most_what_its_rated_power_lets_it(kilowatts: float, is_written: bool) -> None:
    def answer(at: int) -> Bodies:
        return {
            **metered(at),
            paths.ENSEMBLE: ensemble(battery("492001", last_rpt_date=at - 50)),
            paths.ENSEMBLE_POWER: power(("492001", 1e6 * kilowatts)),
            paths.ENSEMBLE_STATUS: RATED,
        }

    found = play(answer, 2, start=1_750_000_200)
    assert found.last.get("battery_power_w") == (1000 * kilowatts if is_written else None)
    assert ("load_power_w" in found.last) == (is_written and kilowatts > 0)
    first = found.minutes[0]
    powers = [point.fields.get("power_w") for point in first.readings if point.measurement == "envoy_battery"]
    assert powers == [1000 * kilowatts if is_written else None]

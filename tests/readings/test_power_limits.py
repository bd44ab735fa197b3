"""Bounds that fit the site: what inverters and batteries say that they can do."""

from __future__ import annotations

import pytest

from logger.readings import paths
from logger.site import Site
from tests.readings.playing import metered, play, roof, unmetered
from tests.readings.site import (
    NOW,
    STORAGE,
    Bodies,
    Body,
    Recorder,
    battery,
    device_data,
    ensemble,
    inventory,
    listed,
    meter,
    power,
    reading,
)

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


@pytest.mark.parametrize(
    ("capacity", "kilowatts", "is_written"),
    [(5000, 12.0, True), (5000, 13.0, False), (5000, -500.0, False), (None, 24.0, True), (None, 26.0, False)],
)
def test_q_b25_a_battery_without_a_rating_is_bounded_by_what_it_holds(
    capacity: int | None, kilowatts: float, is_written: bool
) -> None:
    """Whatever is not its power stays, and the storage CT is compared with no such figure."""

    def answer(at: int) -> Bodies:
        bodies = dict(metered(at))
        return {
            **bodies,
            paths.METERS: [*bodies[paths.METERS], meter(STORAGE, "storage")],
            paths.READINGS: [*bodies[paths.READINGS], {**reading(STORAGE, 900.0), "timestamp": at}],
            paths.ENSEMBLE: ensemble(battery("492001", last_rpt_date=at - 50, encharge_capacity=capacity)),
            paths.ENSEMBLE_POWER: power(("492001", 1e6 * kilowatts)),
        }

    found = play(answer, 1)
    (fields,) = found.fields("envoy_battery")
    assert fields.get("power_w") == (1000 * kilowatts if is_written else None)
    assert fields["charge_percent"] == 54.0
    assert found.last["battery_power_w"] == 900.0
    assert is_written or "storage CT" not in found.warnings


@pytest.mark.parametrize(("joules", "watts"), [(270 * 900, 270.0), (-939, -1.0433), (900 * 900, None)])
def test_an_ac_battery_gives_at_most_what_its_kind_can(joules: int, watts: float | None) -> None:
    last = {"endDate": NOW - 60, "duration": 900, "joulesProduced": max(0, joules), "joulesUsed": max(0, -joules)}
    device = {"devName": "acb", "sn": "121000000001", "active": True, "channels": [{"lastReading": last}]}
    bodies = {
        **unmetered(NOW),
        paths.DEVICE_DATA: device_data(device),
        paths.INVENTORY: inventory(batteries=[listed("121000000001")]),
    }
    (fields,) = play(lambda at: bodies, 1).fields("envoy_battery")
    assert fields.get("power_w") == (None if watts is None else pytest.approx(watts, abs=0.001))


@pytest.mark.parametrize("key", ["lastReportWatts", "maxReportWatts"])
def test_a_power_that_no_inverter_makes_is_none_and_says_nothing_of_the_ct(key: str) -> None:
    bodies = dict(metered(NOW))
    bodies[paths.V1_INVERTERS] = [{**row, key: 60_000} if not n else row for n, row in enumerate(roof(NOW))]
    found = play(lambda at: bodies, 1)
    name = {"lastReportWatts": "power_w", "maxReportWatts": "max_power_w"}[key]
    assert [fields.get(name) for fields in found.fields("envoy_inverter")].count(None) == 1
    assert "production CT" not in found.warnings

"""Powers that follow from others: of one time, and never a house that uses less than nothing."""

from __future__ import annotations

import pytest

from logger.energy.state import Wiring
from logger.model import Value
from logger.readings import paths
from logger.readings.derive import derive_powers
from tests.readings.site import CONSUMPTION, METERED, NOW, PRODUCTION, meter, once, reading, totals

BY_NET = Wiring(net=True, total=False, storage=False, batteries=0)
BY_TOTAL = Wiring(net=False, total=True, storage=False, batteries=0)


def derived(wiring: Wiring, **watts: float) -> dict[str, Value]:
    fields: dict[str, Value] = {f"{name}_power_w": power for name, power in watts.items()}
    found, _ = derive_powers(fields, wiring, lambda names: True)
    return {name.removesuffix("_power_w"): value for name, value in found.items() if name.endswith("_power_w")}


@pytest.mark.parametrize(
    ("production", "net", "is_written"),
    [(100.0, -130.0, True), (100.0, -131.0, False), (5000.0, -5150.0, True), (5000.0, -5160.0, False)],
)
def test_a_house_may_lie_below_zero_by_the_errors_of_its_terms(
    production: float, net: float, is_written: bool
) -> None:
    found = derived(BY_NET, production=production, net=net)
    assert ("load" in found, "consumption" in found) == (is_written, is_written)
    assert (found["production"], found["net"]) == (production, net)


def test_a_battery_that_feeds_the_grid_hides_the_consumption_and_not_the_house() -> None:
    found = derived(Wiring(net=True, batteries=1, storage=True), production=0.0, net=-2000.0, battery=2300.0)
    assert found == {"production": 0.0, "net": -2000.0, "battery": 2300.0, "load": 300.0}


def test_a_total_ct_that_shows_less_than_nothing_gives_no_house_and_no_net_power() -> None:
    assert derived(BY_TOTAL, production=900.0, consumption=-500.0) == {"production": 900.0}
    assert derived(BY_TOTAL, production=900.0, consumption=500.0)["net"] == -400.0


def test_what_cannot_be_is_told_with_the_powers_that_it_is_made_of() -> None:
    fields: dict[str, Value] = {"production_power_w": 1288.0, "net_power_w": -1554.0}
    _, short = derive_powers(fields, BY_NET, lambda names: True)
    assert short is not None
    assert (short.house_w, short.of) == (-266.0, fields)
    assert derive_powers({**fields, "net_power_w": 100.0}, BY_NET, lambda names: True)[1] is None


def test_rows_of_two_times_are_not_added_up() -> None:
    def rows(apart_s: int) -> list[object]:
        return [
            {**reading(PRODUCTION, 2000.0), "timestamp": NOW - apart_s},
            {**reading(CONSUMPTION, -500.0), "timestamp": NOW},
        ]

    assert totals(once({**METERED, paths.READINGS: rows(60)}))["load_power_w"] == 1500.0
    assert not {"load_power_w", "consumption_power_w"} & totals(once({**METERED, paths.READINGS: rows(61)})).keys()


def test_means_of_inverters_are_not_added_to_a_ct_of_this_second() -> None:
    for kind in ("net-consumption", "total-consumption"):
        lines = [meter(PRODUCTION, "production", state="disabled"), meter(CONSUMPTION, kind)]
        found = totals(once({**METERED, paths.METERS: lines}))
        measured = "net_power_w" if kind == "net-consumption" else "consumption_power_w"
        powers = {name for name in found if name.endswith("_power_w")}
        house = {"load_power_w"} if kind == "total-consumption" else set()
        assert powers <= {"production_power_w", measured} | house
        assert measured in found or kind == "total-consumption"

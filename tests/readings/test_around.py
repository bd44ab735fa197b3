"""Which voltage, frequency and grid state of a tick count for the day's extremes."""

from __future__ import annotations

from logger.energy.surroundings import Surroundings
from logger.model import Reading, Value
from logger.readings.around import read_surroundings
from logger.readings.selectors.meters import LEAST_V


def phase(meter: str, phase: str, volts: float, hertz: float = 50.0) -> Reading:
    tags = {"gateway": "1", "meter": meter, "phase": phase}
    return Reading("envoy_phase", tags, {"voltage_v": volts, "frequency_hz": hertz}, 0, "totals")


def grid(**fields: Value) -> Reading:
    return Reading("envoy_grid", {"gateway": "1"}, fields, 0, "totals")


def test_the_voltage_is_that_of_the_meter_at_the_grid_with_all_its_phases() -> None:
    points = [
        phase("production", "L1", 250.0),
        phase("net-consumption", "L1", 231.0, 50.01),
        phase("net-consumption", "L2", 236.0, 49.99),
        phase("storage", "L1", 200.0),
    ]
    assert read_surroundings(points, {}) == Surroundings((231.0, 236.0), (49.99, 50.01))


def test_a_phase_without_voltage_does_not_count() -> None:
    points = [phase("net-consumption", "L1", 0.0, 0.0), phase("production", "L1", 232.0)]
    assert read_surroundings(points, {}) == Surroundings((232.0, 232.0), (50.0, 50.0))


def test_the_noise_of_a_channel_that_is_not_connected_does_not_count() -> None:
    points = [
        phase("net-consumption", "L1", 231.0),
        phase("net-consumption", "L2", 12.3, 61.7),
        phase("net-consumption", "L3", LEAST_V - 0.1, 48.0),
    ]
    assert read_surroundings(points, {}) == Surroundings((231.0, 231.0), (50.0, 50.0))


def test_the_grids_state_and_the_charge_are_taken_as_they_are_or_left_unknown() -> None:
    assert read_surroundings([grid(grid_state="on-grid")], {"battery_charge_percent": 41.0}) == Surroundings(
        is_on_grid=True, battery_percent=41.0
    )
    assert read_surroundings([grid(grid_state="off-grid")], {}).is_on_grid is False
    assert read_surroundings([grid(grid_state="synchronizing")], {}).is_on_grid is None
    assert read_surroundings([grid(relay_closed=True)], {}) == Surroundings()

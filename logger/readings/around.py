"""Read the voltage, the frequency and the state of the grid at a tick, and the charge of the batteries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from logger.energy.surroundings import Surroundings
from logger.model import Reading, Value
from logger.readings.selectors.meters import LEAST_V

_METERS: Final = ("net-consumption", "total-consumption", "production")
"""The meters whose phases best show the grid's voltage, the best first. Without these meters, any meter is used."""
_ON_GRID: Final = {"on-grid": True, "off-grid": False}
FIELDS: Final = {"envoy_phase": ("voltage_v", "frequency_hz"), "envoy_grid": ("grid_state",)}
"""Measurement → its fields from which `read_surroundings` reads voltage, frequency and grid state."""


def read_surroundings(points: Iterable[Reading], totals: Mapping[str, Value]) -> Surroundings:
    """Return voltage, frequency, grid state and battery charge from the points and totals of one tick."""
    volts: dict[str, list[float]] = {}
    hertz: dict[str, list[float]] = {}
    is_on_grid = None
    for point in points:
        if point.measurement == "envoy_phase" and _is_connected(point):
            meter = point.tags["meter"]
            _collect(volts.setdefault(meter, []), point.fields.get("voltage_v"))
            _collect(hertz.setdefault(meter, []), point.fields.get("frequency_hz"))
        elif point.measurement == "envoy_grid":
            is_on_grid = _ON_GRID.get(str(point.fields.get("grid_state")))
    charge = totals.get("battery_charge_percent")
    return Surroundings(
        _span_of_best(volts), _span_of_best(hertz), is_on_grid, charge if isinstance(charge, float) else None
    )


def _is_connected(phase: Reading) -> bool:
    """Return False for a phase that shows no voltage. Its frequency is only noise."""
    volts = phase.fields.get("voltage_v")
    return not isinstance(volts, float) or volts >= LEAST_V


def _collect(values: list[float], value: Value | None) -> None:
    if isinstance(value, float) and value > 0.0:
        values.append(value)


def _span_of_best(values: Mapping[str, list[float]]) -> tuple[float, float] | None:
    """Return the least and the greatest value of one meter; None if no meter has a value.

    The meter is the first meter in `_METERS` that has values, else any other meter that has values.
    """
    for meter in (*_METERS, *values):
        if found := values.get(meter):
            return min(found), max(found)
    return None

"""Derive totals from other values: consumption, load, net power and battery state. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from logger.energy.state import Wiring
from logger.model import Value
from logger.readings.values import battery_state


def powers(fields: Mapping[str, Value], wiring: Wiring) -> dict[str, Value]:
    """Compute powers that the gateway does not give but that follow exactly from other powers of the same tick."""
    made: dict[str, Value] = {}
    production, net = _number(fields, "production_power_w"), _number(fields, "net_power_w")
    consumption, battery = _number(fields, "consumption_power_w"), _number(fields, "battery_power_w")
    if wiring.total:
        given = battery if wiring.batteries else 0.0 if wiring.batteries == 0 else None
        if net is None and consumption is not None and production is not None and given is not None:
            made["net_power_w"] = consumption - production - given
        if consumption is not None:
            made["load_power_w"] = consumption
    elif production is not None and net is not None:
        consumption = made["consumption_power_w"] = production + net
        if wiring.batteries == 0:
            made["load_power_w"] = consumption
        elif battery is not None:
            made["load_power_w"] = consumption + battery
    if wiring.batteries and battery is not None:
        made["battery_state"] = battery_state(battery, wiring.batteries)
    return made


def drop_impossible_powers(
    totals: dict[str, Value], lifetimes_wh: Mapping[str, Collection[float]], max_w: float
) -> None:
    """Remove powers beyond `max_w` W, and lifetime figures that appear in the place of a power (Q-P21).

    `lifetimes_wh` maps each primitive counter to its latest values in Wh.
    """
    for name, counters in _LIFETIMES.items():
        watts = totals.get(name)
        if not isinstance(watts, float):
            continue
        lifetimes = [wh for counter in counters for wh in lifetimes_wh.get(counter, ())]
        is_lifetime = abs(watts) >= _CERTAIN_W and any(abs(abs(watts) - wh) <= 1.0 for wh in lifetimes)
        if abs(watts) > max_w or is_lifetime:
            del totals[name]


def site_powers(totals: Mapping[str, Value]) -> dict[str, float]:
    """Return the known powers in W among `production`, `net`, `consumption`, `battery` and `load`."""
    names = ("production", "net", "consumption", "battery", "load")
    return {name: watts for name in names if isinstance(watts := totals.get(f"{name}_power_w"), float)}


_CERTAIN_W: Final = 1000.0
"""A power below this is not compared: a new site's lifetime may equal such a power by chance."""
_LIFETIMES: Final = {
    "production_power_w": ("production",),
    "net_power_w": ("import", "export"),
    "consumption_power_w": ("consumption",),
    "battery_power_w": ("charged", "discharged"),
}
"""Power → the counters whose figures were seen in the place of that power."""


def derive_stored_wh(fields: Mapping[str, Value]) -> float | None:
    """Compute the energy stored in one battery, in Wh, from the battery's charge and capacity."""
    charge, capacity = _number(fields, "charge_percent"), _number(fields, "capacity_wh")
    return None if charge is None or capacity is None else capacity * charge / 100


def _number(fields: Mapping[str, Value], name: str) -> float | None:
    value = fields.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

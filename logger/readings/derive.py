"""Values of the totals that are made of several: consumption, load, net, battery state. Pure."""

from __future__ import annotations

from logger.energy.state import Wiring
from logger.model import Value
from logger.readings.table import battery_state


def powers(fields: dict[str, Value], wiring: Wiring) -> dict[str, Value]:
    """Powers that the gateway does not give but that follow exactly from those it gave in this tick."""
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


def battery_energy(fields: dict[str, Value]) -> dict[str, Value]:
    """Energy stored in one battery, from its charge and its capacity."""
    charge, capacity = _number(fields, "charge_percent"), _number(fields, "capacity_wh")
    return {} if charge is None or capacity is None else {"energy_wh": capacity * charge / 100}


def _number(fields: dict[str, Value], name: str) -> float | None:
    value = fields.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

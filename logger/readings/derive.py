"""Derive totals from other values: consumption, load, net power and battery state. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from logger.energy.state import Wiring
from logger.model import Value, add_up, noise_of
from logger.readings.values import battery_state

PRODUCTION_W: Final = "production_power_w"
NET_W: Final = "net_power_w"
CONSUMPTION_W: Final = "consumption_power_w"
BATTERY_W: Final = "battery_power_w"
LOAD_W: Final = "load_power_w"
_GIVEN: Final = (PRODUCTION_W, NET_W, CONSUMPTION_W, BATTERY_W)
"""The powers from which other powers are computed."""
NO_LIMITS: Final[Mapping[str, float]] = {}

Together: TypeAlias = Callable[[Iterable[str]], bool]
"""A function that returns whether the powers of the given fields were measured at the same time."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """An impossible power of the house.

    `house_w`: this power, which is below zero. `of`: the known powers of production, grid, consumption and batteries
    at the same tick, in W by field.
    """

    house_w: float
    of: Mapping[str, float]


def derive_powers(
    fields: Mapping[str, Value], wiring: Wiring, are_together: Together
) -> tuple[dict[str, Value], Shortfall | None]:
    """Add the powers in W that can be computed from other powers of the same time.

    `are_together`: tests whether the powers of some fields were measured at the same time. Leave out a consumption or
    a house power if it is further below zero than the errors of the CTs explain. Return the fields. If the house
    power was left out, also return it as a Shortfall.
    """
    known = {name: watts for name in _GIVEN if (watts := _number(fields, name)) is not None}
    found, short = dict(fields), None
    for name, of in (_list_by_total if wiring.total else _list_by_net)(known, wiring, are_together).items():
        watts = add_up(of)
        if name == NET_W or watts >= -noise_of(of):
            found[name] = watts
        else:
            found.pop(name, None)
            short = Shortfall(watts, known) if name == LOAD_W else short
    if wiring.batteries and BATTERY_W in known:
        found["battery_state"] = battery_state(known[BATTERY_W], wiring.batteries)
    return found, short


def _list_by_total(known: Mapping[str, float], wiring: Wiring, are_together: Together) -> dict[str, Sequence[float]]:
    """Return the powers that can be computed at a site with a total CT: field → the powers in W that add up to it.

    The fields are consumption, house and net power. `known`: field → its known power in W. `are_together`: tests
    whether the powers of some fields were measured at the same time.
    """
    if CONSUMPTION_W not in known:
        return {}
    consumption = known[CONSUMPTION_W]
    made: dict[str, Sequence[float]] = {}
    battery = 0.0 if wiring.has_no_battery else known.get(BATTERY_W)
    is_given = NET_W in known or consumption < -noise_of((consumption,))
    if PRODUCTION_W in known and battery is not None and not is_given and are_together(known):
        made[NET_W] = (consumption, -known[PRODUCTION_W], -battery)
    return {**made, CONSUMPTION_W: (consumption,), LOAD_W: (consumption,)}


def _list_by_net(known: Mapping[str, float], wiring: Wiring, are_together: Together) -> dict[str, Sequence[float]]:
    """Return the powers that can be computed at a site with a net CT: field → the powers in W that add up to it.

    The fields are consumption and house power. `known`: field → its known power in W. `are_together`: tests
    whether the powers of some fields were measured at the same time.
    """
    if not known.keys() >= {PRODUCTION_W, NET_W} or not are_together((PRODUCTION_W, NET_W)):
        return {}
    consumption = (known[PRODUCTION_W], known[NET_W])
    if wiring.has_no_battery:
        return {CONSUMPTION_W: consumption, LOAD_W: consumption}
    if BATTERY_W in known and are_together((PRODUCTION_W, NET_W, BATTERY_W)):
        return {CONSUMPTION_W: consumption, LOAD_W: (*consumption, known[BATTERY_W])}
    return {CONSUMPTION_W: consumption}


def drop_impossible_powers(
    totals: dict[str, Value],
    lifetimes_wh: Mapping[str, Collection[float]],
    max_w: float,
    limits: Mapping[str, float] = NO_LIMITS,
) -> None:
    """Remove powers beyond `max_w` W, and lifetime figures that a gateway gives in the place of a power (Q-P21).

    `lifetimes_wh`: counter → its last accepted value and its value at this tick, in Wh. `limits`: a bound in W for
    each power whose bound is not `max_w`.
    """
    for name, counters in _LIFETIMES.items():
        watts = totals.get(name)
        if not isinstance(watts, float):
            continue
        lifetimes = [wh for counter in counters for wh in lifetimes_wh.get(counter, ())]
        is_lifetime = abs(watts) >= _CERTAIN_W and any(abs(abs(watts) - wh) <= 1.0 for wh in lifetimes)
        if abs(watts) > limits.get(name, max_w) or is_lifetime:
            del totals[name]


def site_powers(totals: Mapping[str, Value]) -> dict[str, float]:
    """Return the known powers in W among `production`, `net`, `consumption`, `battery` and `load`."""
    names = ("production", "net", "consumption", "battery", "load")
    return {name: watts for name in names if isinstance(watts := totals.get(f"{name}_power_w"), float)}


_CERTAIN_W: Final = 1000.0
"""Lower powers, in W, are not compared with lifetime energies: at a new site both may be equal by chance."""
_LIFETIMES: Final = {
    "production_power_w": ("production",),
    "net_power_w": ("import", "export"),
    "consumption_power_w": ("consumption",),
    "battery_power_w": ("charged", "discharged"),
}
"""Power → the counters whose figures gateways were seen to give in the place of that power."""


def derive_stored_wh(fields: Mapping[str, Value]) -> float | None:
    """Compute the energy stored in one battery, in Wh, from the battery's charge and capacity."""
    charge, capacity = _number(fields, "charge_percent"), _number(fields, "capacity_wh")
    return None if charge is None or capacity is None else capacity * charge / 100


def _number(fields: Mapping[str, Value], name: str) -> float | None:
    value = fields.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

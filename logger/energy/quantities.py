"""Compute the energy of quantities from counters, depending on how the site is metered. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final

from logger.energy.state import DayEnergy, Wiring
from logger.model import noise_of

TOTALS: Final = (
    "production",
    "consumption",
    "load",
    "net",
    "grid_import",
    "grid_export",
    "grid_import_balanced",
    "grid_export_balanced",
    "battery_charged",
    "battery_discharged",
)
"""The quantities that have an energy of today, of seven days and of the lifetime."""
_BATTERY: Final = {"battery_charged": {"charged": 1}, "battery_discharged": {"discharged": 1}}


_HOUSE: Final = ("consumption", "load")
"""The quantities for the energy that a house uses. This energy is never below zero."""


def is_impossible(quantity: str, wh: float, terms_wh: Iterable[float]) -> bool:
    """Return whether a consumption or load `wh` is further below zero than measuring errors explain.

    `terms_wh`: the energies of the counters from which `wh` is computed; the possible error depends on them. The
    result is False for every other quantity.
    """
    return quantity in _HOUSE and wh < 0 and wh < -noise_of(terms_wh)


def is_rising(quantity: str, wiring: Wiring | None) -> bool:
    """Return whether a quantity that is computed from several counters never falls.

    At a site with a net CT, load never falls. Consumption never falls there if the site has no batteries: a battery
    that feeds the grid lowers the consumption that the gateway counts. Other quantities can fall.
    """
    if wiring is None or not wiring.net or quantity not in _HOUSE:
        return False
    return quantity == "load" or wiring.has_no_battery


def is_balanced(wiring: Wiring | None) -> bool:
    """Return whether import and export are balanced over the phases.

    They are balanced if a net meter measures two or three phases.
    """
    return wiring is not None and bool(wiring.net) and (wiring.phases or 1) > 1


@lru_cache(maxsize=32)
def terms(wiring: Wiring | None) -> Mapping[str, Mapping[str, int]]:
    """Return quantity → counter → the counter's sign in the quantity: 1 or -1.

    Quantities that the site cannot measure are left out.
    """
    found: dict[str, dict[str, int]] = {"production": {"production": 1}}
    if wiring is None:
        return found | _BATTERY
    battery = {"discharged": 1, "charged": -1} if not wiring.has_no_battery else {}
    if wiring.net:
        found["grid_import"], found["grid_export"] = {"import": 1}, {"export": 1}
        if is_balanced(wiring):
            found["grid_import_balanced"], found["grid_export_balanced"] = (
                {"import_balanced": 1},
                {"export_balanced": 1},
            )
        found["net"] = {"import": 1, "export": -1}
        found["consumption"] = {"production": 1, "import": 1, "export": -1}
        found["load"] = {**found["consumption"], **battery}
    elif wiring.total:
        found["consumption"] = {"consumption": 1}
        found["net"] = {"consumption": 1, "production": -1, **{name: -sign for name, sign in battery.items()}}
        found["load"] = found["consumption"]
    return found | _BATTERY


def figures(
    wiring: Wiring | None, energy: Mapping[str, DayEnergy], left_out: Collection[str] = ()
) -> dict[str, tuple[float, float]]:
    """Compute the figure of each quantity (see `figure`) from a day's energy by counter.

    Leave out impossible quantities, and the quantities in `left_out`.
    """
    return {
        quantity: found
        for quantity, of in terms(wiring).items()
        if quantity not in left_out and (found := _compute(quantity, of, energy)) is not None
    }


def figure(quantity: str, wiring: Wiring | None, energy: Mapping[str, DayEnergy]) -> tuple[float, float] | None:
    """Compute a quantity's energy and the estimated part of this energy, in Wh, from a day's energy by counter.

    Return None if a counter is missing or the quantity is impossible. The estimated part has two parts of its own.
    Energy that was shared between the days of a gap is summed with the counters' signs, and can cancel out; the
    absolute value of this sum counts. Integrated energy is summed without signs, because the errors of two integrals
    do not cancel out.
    """
    of = terms(wiring).get(quantity)
    return None if of is None else _compute(quantity, of, energy)


def _compute(quantity: str, of: Mapping[str, int], energy: Mapping[str, DayEnergy]) -> tuple[float, float] | None:
    """Compute a quantity's energy and its estimated part, in Wh. The function `figure` describes both.

    `of`: the counters of the quantity, each with its sign.
    """
    wh = gap = integrated = 0.0
    for name, sign in of.items():
        counted = energy.get(name)
        if counted is None:
            return None
        wh += sign * counted.wh
        if counted.is_integrated:
            integrated += counted.estimated_wh
        else:
            gap += sign * counted.estimated_wh
    if is_impossible(quantity, wh, (energy[name].wh for name in of)):
        return None
    return wh, abs(gap) + integrated

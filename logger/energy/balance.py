"""Balance grid import and export over the phases, as most utility meters do. Pure.

A meter's counters are the sums of its phases' counters. So the balance of one poll is the rise of import less the
rise of export. A balance above zero is import, and a balance below zero is export.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from logger.energy.flows import GAP_S
from logger.energy.state import Unbalanced
from logger.energy.validate import Decision

IMPORT, EXPORT = "import_balanced", "export_balanced"
GRID: Final = ("import", "export")
"""The counters that are balanced over the phases."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The balanced energy between two ticks in Wh. At most one of import and export is above zero.

    `hidden_wh`: the greatest energy that may be missing in the import. The same energy may be missing in the export:
    over a gap, import at one time can cancel out export at another time.
    """

    import_wh: float
    export_wh: float
    hidden_wh: float


def add_rises(flown: Unbalanced, name: str, decision: Decision) -> Unbalanced:
    """Add the energy that a decision accepts for the counter `name` to the energy that is not balanced yet.

    This energy is the sum of the counter's rises, or an estimate for the interval in which the counter was reset.
    """
    wh, is_guess = decision.rise_wh + decision.bridged_wh, flown.is_guess or bool(decision.bridged_wh)
    if name == "import":
        return replace(flown, import_wh=flown.import_wh + wh, is_guess=is_guess)
    return replace(flown, export_wh=flown.export_wh + wh, is_guess=is_guess)


def balance(flown: Unbalanced, since: int, until: int) -> Balance:
    """Balance the import and export that flowed from the tick `since` to the tick `until`, both in unix seconds.

    `flown`: the rises of import and export in this time. Over a gap each of them is a single rise, so import at one
    time can cancel out export at another time.
    """
    net = flown.import_wh - flown.export_wh
    hidden = min(flown.import_wh, flown.export_wh) if until - since > GAP_S else 0.0
    return Balance(max(0.0, net), max(0.0, -net), hidden)

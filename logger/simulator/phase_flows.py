"""Count the energy through each phase of an invented site whose solar system feeds only one phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from logger.simulator.household import list_minutes
from logger.simulator.site_days import SLOT_S, SLOTS, SiteDays
from logger.simulator.site_facts import SiteFacts

LOAD_PARTS: Final[dict[int, tuple[float, ...]]] = {1: (1.0,), 2: (0.54, 0.46), 3: (0.42, 0.31, 0.27)}
"""Number of phases → the share of each phase in the load."""
_Counters: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""Import and export of each phase, in Wh."""


@dataclass(frozen=True, slots=True)
class PhaseFlow:
    """One phase at the grid: its power in W, positive for import, and its counters in Wh."""

    power_w: float
    imported_wh: float
    exported_wh: float


class PhaseDays:
    """Compute power and counters of each phase of one site, slot by slot."""

    def __init__(self, site: SiteFacts) -> None:
        self._site, self._days = site, SiteDays(site)
        parts, before = LOAD_PARTS[site.phases], site.before
        first: _Counters = (
            tuple(before.imported_wh * part for part in parts), tuple(before.exported_wh * part for part in parts)
        )  # fmt: skip
        self._starts: list[_Counters] = [first]
        """The counters at the start of each slot, from the site's first day on."""

    def at(self, now: float) -> list[PhaseFlow]:
        """Return the power and the counters of each phase at unix time `now`."""
        slot, within_s = divmod(now - self._days.first * 86400, SLOT_S)
        while len(self._starts) <= slot:
            place = len(self._starts) - 1
            self._starts.append(self._count(self._starts[place], self._nets(place), SLOT_S))
        nets = self._nets(int(slot))
        imported, exported = self._count(self._starts[int(slot)], nets, within_s)
        here = nets[min(int(within_s // 60), len(nets) - 1)]
        return [PhaseFlow(*flow) for flow in zip(here, imported, exported, strict=True)]

    def _nets(self, slot: int) -> list[tuple[float, ...]]:
        """Return the power in W of each phase in each minute of the slot with this number, positive for import."""
        site, (day, number) = self._site, divmod(slot, SLOTS)
        row, _ = self._days.day(self._days.first + day)[number]
        parts = LOAD_PARTS[site.phases]
        return [
            tuple(
                used * part + (charge - discharge) / site.phases - made * (phase == site.sun_phase)
                for phase, part in enumerate(parts, 1)
            )
            for made, used, _, _, charge, discharge in list_minutes(row, number)
        ]

    @staticmethod
    def _count(start: _Counters, nets: Sequence[tuple[float, ...]], seconds: float) -> _Counters:
        """Return the counters after the first `seconds` of a slot.

        `start`: the counters at the slot's start. `nets`: for each minute of the slot the power in W of each phase,
        positive for import.
        """
        imported, exported = list(start[0]), list(start[1])
        for minute, net in enumerate(nets):
            hours = min(60.0, max(0.0, seconds - 60 * minute)) / 3600
            for phase, watts in enumerate(net):
                (imported if watts > 0 else exported)[phase] += abs(watts) * hours
        return tuple(imported), tuple(exported)


@lru_cache(maxsize=8)
def phases_of(site: SiteFacts) -> PhaseDays:
    """Return the phases of a site. They are computed only once for each site."""
    return PhaseDays(site)

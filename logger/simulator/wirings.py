"""Wire the meters of an invented site in several ways, and compute what the site's gateway counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from logger.simulator.household import Household, SiteState
from logger.simulator.phase_flows import phases_of
from logger.simulator.site_facts import Energy

WIRINGS: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType({
    "usual": {},
    "net-ct-only": {"has_production_ct": False, "report_interval_s": 900},
    "second-system": {"second_system": 0.6},
    "one-sunny-phase": {"phases": 3, "sun_phase": 1},
})  # fmt: skip
"""Name of a wiring → the changed facts of a site."""


def wire(site: Household, name: str) -> Household:
    """Return the site with the wiring `name`."""
    return replace(site, **WIRINGS[name])  # type: ignore[arg-type]


def count_at(site: Household, now: float) -> SiteState:
    """Return the powers and counters that the gateway of a site gives at a unix time.

    The production of a second solar system is left out. If only one phase has production, import and export are
    counted for each phase separately.
    """
    state = site.at(now)
    if site.second_system:
        own = 1 - site.second_system
        total = replace(state.total, produced_wh=state.total.produced_wh * own)
        state = replace(state, production_w=state.production_w * own, total=total)
    if site.sun_phase:
        phases = phases_of(site).at(now)
        total = replace(
            state.total,
            imported_wh=sum(phase.imported_wh for phase in phases),
            exported_wh=sum(phase.exported_wh for phase in phases),
        )
        state = replace(state, total=total)
    return state


def count_between(site: Household, start: float, stop: float) -> Energy:
    """Return the energies in Wh that the gateway of a site counts between two unix times."""
    return count_at(site, stop).total - count_at(site, start).total

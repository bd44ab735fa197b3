"""Which documents are worth asking for, by those at hand: the readings' room tells, the service asks. Pure.

A document is wanted if the table, read with what is there, comes to the point of looking at it: where a better
source has the value nobody looks at the worse one. What only proves or details hardware waits for that hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logger.energy.state import EnergyState
from logger.model import Role, Snapshot
from logger.readings import paths
from logger.readings.extract import Extraction
from logger.readings.rows import UNKNOWN, View, each_of, inner_rows
from logger.readings.seeds import find_seeds, missing_seeds
from logger.readings.selectors import batteries
from logger.readings.selectors.ensemble import CONTROLLER_TYPES
from logger.readings.source_selection import Sources, Watched, look

_BOTH: Final[frozenset[Role]] = frozenset({"totals", "devices"})
_OF_BATTERIES: Final = frozenset({paths.ENSEMBLE_POWER, paths.ENSEMBLE_STATUS, paths.SECCTRL})
_OF_CONTROLLER: Final = frozenset({paths.GENERATOR, paths.GENERATOR_CONFIG, paths.CONTACTS, paths.CONTACT_SETTINGS})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The paths to ask at their cadence; of them those that listed nothing and are looked at again rarely, and those
    that say something of every minute."""

    paths: frozenset[str]
    rarely: frozenset[str] = frozenset()
    often: frozenset[str] = frozenset()


def wanted(snapshot: Snapshot, sources: Sources, energy: EnergyState) -> Wanted:
    """What to ask, by the documents that stand (whatever their age), the chosen sources and the energy state."""
    watched = Watched(snapshot.documents)
    view = View(Snapshot(snapshot.gateway, snapshot.tick, watched, {}, snapshot.settled), "totals")
    extraction = Extraction(view.snapshot, sources)
    list(extraction.devices(_BOTH))  # looks at every document that a value comes from
    counters = extraction.counters()
    if missing := missing_seeds(view, energy, counters, energy.zone):
        find_seeds(view, counters, missing)
    for item in sources.open_counters():
        look(item, view.snapshot)
    controller = _lists(view, CONTROLLER_TYPES)
    useless = (frozenset() if _lists(view, None) else _OF_BATTERIES) | (frozenset() if controller else _OF_CONTROLLER)
    inventory = frozenset({paths.ENSEMBLE})
    return Wanted(
        frozenset(watched.seen - useless) | inventory,
        rarely=inventory if _lists(view, ()) is False else frozenset(),
        often=inventory | {paths.GENERATOR} if controller else frozenset(),
    )


def _lists(view: View, kinds: tuple[str, ...] | None) -> bool | None:
    """True if the ensemble inventory has a device of these kinds, of any for (), None if that cannot be told.

    For None: a battery of any kind, or a controller.
    """
    groups = each_of(view.fact(paths.ENSEMBLE))
    if groups is UNKNOWN:
        return None
    if kinds is None:
        return bool(batteries.known_batteries(view)) or _lists(view, ("ENCHARGE", *CONTROLLER_TYPES))
    return any(
        inner_rows(group.values.get("devices"), group.document)
        for group in groups or ()
        if not kinds or group.values.get("type") in kinds
    )

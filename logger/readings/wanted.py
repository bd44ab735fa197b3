"""Find the documents that must be polled, from the documents that have arrived. Pure.

A document is wanted if a value of the table is read from it. If a better source has the value, the worse source is
not read. Documents with details of hardware are polled only after a list shows the hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logger.energy.state import EnergyState
from logger.model import Role, Snapshot
from logger.readings import paths
from logger.readings.extract import Extraction
from logger.readings.rows import UNKNOWN, View, each_of
from logger.readings.seeds import find_seeds, missing_seeds
from logger.readings.selectors import batteries
from logger.readings.selectors.ensemble import CONTROLLER_TYPES
from logger.readings.source_selection import Sources, Watched, look

_BOTH: Final[frozenset[Role]] = frozenset({"totals", "devices"})
_OF_BATTERIES: Final = frozenset({paths.ENSEMBLE_POWER, paths.ENSEMBLE_STATUS, paths.SECCTRL})
_OF_CONTROLLER: Final = frozenset({paths.GENERATOR, paths.GENERATOR_CONFIG, paths.CONTACTS, paths.CONTACT_SETTINGS})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The `paths` to poll.

    `rarely`: the paths that are polled less often, because their documents were empty. `often`: the paths that are
    polled more often, because their documents have data for every minute.
    """

    paths: frozenset[str]
    rarely: frozenset[str] = frozenset()
    often: frozenset[str] = frozenset()


def find_wanted(snapshot: Snapshot, sources: Sources, energy: EnergyState) -> Wanted:
    """Find the paths to poll.

    The paths follow from the documents of the snapshot, the chosen sources and the energy state.
    """
    watched = Watched(snapshot.documents)
    view = View(Snapshot(snapshot.gateway, snapshot.tick, watched, {}, snapshot.absent), "totals")
    _look_at_values(view, sources, energy)
    hardware = _find_hardware(view)
    has_controller = bool(hardware and hardware & set(CONTROLLER_TYPES))
    has_batteries = hardware is not None and bool(
        batteries.infer_batteries(view) or hardware & {"ENCHARGE", *CONTROLLER_TYPES}
    )
    useless = (frozenset() if has_batteries else _OF_BATTERIES) | (frozenset() if has_controller else _OF_CONTROLLER)
    inventory = frozenset({paths.ENSEMBLE})
    return Wanted(
        frozenset(watched.seen - useless) | inventory,
        rarely=inventory if hardware == set() else frozenset(),
        often=inventory | {paths.GENERATOR} if has_controller else frozenset(),
    )


def _look_at_values(view: View, sources: Sources, energy: EnergyState) -> None:
    """Read every value once, so that the view records each document that a value needs."""
    extraction = Extraction(view.snapshot, sources)
    list(extraction.devices(_BOTH))
    counters = extraction.counters()
    if missing := missing_seeds(view, energy, counters, energy.zone):
        find_seeds(view, counters, missing)
    for item in sources.open_counters():
        look(item, view.snapshot)


def _find_hardware(view: View) -> set[str] | None:
    """Return the device types with devices in the ensemble inventory; None while the inventory is unknown."""
    groups = each_of(view.find_fact(paths.ENSEMBLE))
    if groups is UNKNOWN:
        return None
    return {str(group.values.get("type")) for group in groups or () if group.objects("devices")}

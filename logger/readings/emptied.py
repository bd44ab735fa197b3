"""Doubt meters whose figures all fell to zero together. Pure.

After a gateway's restart, meters show zeros for some minutes (Q-P8).

A counter that has counted shows zero again only if its meter was replaced. So a meter with zero power and zero
counters does not measure yet. The doubt ends when the energy accounting has accepted the zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from logger.energy.state import EnergyState
from logger.model import Snapshot
from logger.readings import paths
from logger.readings import rowsets as s
from logger.readings.json_values import Object, number, objects, whole
from logger.readings.own_times import name_block
from logger.readings.rows import View
from logger.readings.selectors import meters

_REASON: Final = "all its figures are zero, as after a restart"
_COUNTED_BY: Final[Mapping[str, Mapping[str, str]]] = {
    "production": {"production": s.PRODUCTION_METER.name},
    "net-consumption": {"import": s.NET_METER.name, "export": s.NET_METER.name},
    "total-consumption": {"consumption": s.TOTAL_METER.name},
    "storage": {"charged": s.STORAGE_METER.name, "discharged": s.STORAGE_METER.name},
}
"""Kind of a meter → its counters, each with the source that reads the counter from this meter."""


def doubt_emptied(snapshot: Snapshot, energy: EnergyState) -> Snapshot:
    """Return the snapshot with a doubt about each meter that has counted before and shows only zeros now."""
    found = dict(snapshot.doubts)
    for path, name in (*_list_empty_rows(snapshot, energy), *_list_empty_blocks(snapshot, energy)):
        found[path] = {name: _REASON, **found.get(path, {})}
    return replace(snapshot, doubts=found) if found != snapshot.doubts else snapshot


def _list_empty_rows(snapshot: Snapshot, energy: EnergyState) -> Iterator[tuple[str, str]]:
    empty = [
        whole(row.get("eid"))
        for row in objects(snapshot.body(paths.READINGS)) or ()
        if _is_empty(row, "activePower", "actEnergyDlvd", "actEnergyRcvd")
    ]
    for meter in meters.meters_of(View(snapshot, "totals")) or () if empty else ():
        counters = _COUNTED_BY.get(meter.kind or "", {})
        if meter.eid in empty and any(_has_counted(energy, name, source) for name, source in counters.items()):
            yield paths.READINGS, str(meter.eid)


def _list_empty_blocks(snapshot: Snapshot, energy: EnergyState) -> Iterator[tuple[str, str]]:
    """List the production CT's block of `production.json`, by path and name, if all its figures fell to zero.

    The counters of other blocks are not read.
    """
    body = snapshot.body(paths.BLOCKS)
    for block in objects(body.get("production") if isinstance(body, dict) else None) or ():
        is_empty = block.get("type") == "eim" and _is_empty(block, "wNow", "whLifetime")
        if is_empty and _has_counted(energy, "production", s.PRODUCTION_BLOCK.name):
            yield paths.BLOCKS, name_block("production", block)


def _is_empty(row: Object, *keys: str) -> bool:
    return all(number(row.get(key)) == 0 for key in keys)


def _has_counted(energy: EnergyState, name: str, source: str) -> bool:
    counter = energy.counters.get(name)
    return counter is not None and counter.source == source and counter.accepted_wh > 0

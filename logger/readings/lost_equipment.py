"""Let missing meters and batteries count as installed for half an hour, and then as removed (Q-C18). Pure.

A starting gateway gives empty lists of meters and batteries for some minutes. Without these devices the site would
have other sources of its values, another power of the house, and other totals of the batteries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from logger.energy.state import Tick
from logger.model import Snapshot, Value
from logger.readings import paths
from logger.readings import rowsets as s
from logger.readings.equipment import AC_BATTERIES, ENSEMBLE, METER_LIST, Equipment
from logger.readings.power_times import ReadFrom
from logger.readings.rows import View
from logger.readings.selectors import ensemble
from logger.readings.source_selection import Sources

_BY_METER: Final = s.STORAGE_METER.name
_NO_METERS: Final = f"{paths.METERS} lists no meter now, and listed meters less than half an hour ago"
_COUNTERS: Final = ("charged", "discharged")
_FIELDS: Final = "envoy_totals.batter"
"""The names of the battery fields of `envoy_totals` begin with this text."""


def hide_lost_meters(snapshot: Snapshot, equipment: Equipment) -> Snapshot:
    """Return the snapshot without the list of meters if this list became empty less than half an hour ago."""
    if METER_LIST not in equipment.lost:
        return snapshot
    documents = {path: document for path, document in snapshot.documents.items() if path != paths.METERS}
    failures = {**snapshot.failures, paths.METERS: _NO_METERS}
    return replace(snapshot, documents=documents, absent=snapshot.absent - {paths.METERS}, failures=failures)


def has_lost_batteries(equipment: Equipment, view: View) -> bool:
    """Return True if confirmed batteries are missing from the documents: all IQ Batteries, or all AC Batteries.

    IQ Batteries are not missing while `/ivp/ensemble/power` lists them.
    """
    lost = equipment.lost & {ENSEMBLE, AC_BATTERIES}
    if lost == {ENSEMBLE}:
        return not ensemble.list_powers(view.find_fact(paths.ENSEMBLE_POWER))
    return bool(lost)


def leave_out_batteries(totals: Mapping[str, Value], read_from: ReadFrom) -> dict[str, Value]:
    """Return the totals. Leave out the fields about batteries, unless the storage meter gives them."""
    by_meter = {name for name, (rowset, _) in read_from.items() if rowset.name == _BY_METER}
    return {name: value for name, value in totals.items() if not name.startswith("batter") or name in by_meter}


def keep_wiring(tick: Tick) -> Tick:
    """Return the tick with the changes that are needed while the batteries are missing from the documents.

    The number of batteries becomes unknown, so that the site's wiring does not change. The counters `charged` and
    `discharged` are left out unless a meter measures them.
    """
    counters = {
        name: wh
        for name, wh in tick.counters.items()
        if name not in _COUNTERS or tick.sources[name].name == _BY_METER
    }
    return replace(tick, counters=counters, wiring=replace(tick.wiring, batteries=None))


def keep_sources(sources: Sources, before: Sources) -> Sources:
    """Return the sources of this tick, but let the values of batteries keep the sources `before` this tick."""
    fields = {name: source for name, source in sources.fields.items() if not name.startswith(_FIELDS)}
    counters = {name: source for name, source in sources.counters.items() if name not in _COUNTERS}
    return replace(
        sources,
        fields=fields | {name: source for name, source in before.fields.items() if name.startswith(_FIELDS)},
        counters=counters | {name: source for name, source in before.counters.items() if name in _COUNTERS},
    )

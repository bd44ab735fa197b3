"""Detect changed equipment, after which values may need other sources. Pure.

A silent source normally stays in use, so that a value does not change its source unnoticed. When hardware or
firmware has changed, the best sources are chosen again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.model import Snapshot, Value
from logger.readings import paths
from logger.readings import rows as r
from logger.readings.rows import UNKNOWN, View
from logger.readings.selectors import batteries, meters

LASTS_S: Final = 1800
"""Changed hardware is confirmed after it was listed for this many seconds.

A gateway that answers quickly is asked for each list of hardware at least twice in this time.
"""
_FIRMWARE: Final = "firmware"
METER_LIST: Final = "meter list"
ENSEMBLE: Final = "ensemble"
AC_BATTERIES: Final = "ac batteries"
_YES: Final = "yes"
_LISTED: Final = {METER_LIST: _YES, ENSEMBLE: "ENCHARGE", AC_BATTERIES: _YES}
"""Part of the equipment → a word.

The part's text in `Equipment.known` contains this word while a document lists devices of the part.
"""


@dataclass(frozen=True, slots=True)
class Equipment:
    """The installed equipment: name of a part (such as `firmware`) → a text that describes the part.

    `known`: the equipment that was confirmed last. `doubted`: changed equipment that is listed since the tick
    `doubted_since` and is not confirmed yet. `inverters`: the last known number of inverters, which stays unchanged
    while the inverters cannot be counted.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    doubted: Mapping[str, str] = field(default_factory=dict)
    doubted_since: int = 0
    inverters: int = 0

    @property
    def lost(self) -> frozenset[str]:
        """Return the confirmed parts that are not listed now, and have been missing for less than half an hour."""
        return frozenset(
            part
            for part, word in _LISTED.items()
            if word in self.known.get(part, "") and word not in self.doubted.get(part, word)
        )


def notice_equipment(equipment: Equipment, snapshot: Snapshot) -> tuple[Equipment, bool]:
    """Update the equipment from the snapshot. Return the equipment, and True if sources must be chosen again.

    Changed firmware is confirmed immediately. Changed hardware is confirmed after it has been listed for half an
    hour. So a single odd answer has no effect. The empty lists of a gateway that starts with new firmware have no
    effect either.
    """
    known, doubted = equipment.known, equipment.doubted
    seen = _list_installed(snapshot)
    if known and seen[_FIRMWARE] != known[_FIRMWARE]:
        renewed = replace(equipment, known={**known, _FIRMWARE: seen[_FIRMWARE]})
        return notice_equipment(renewed, snapshot)[0], True
    now = {**known, **seen}
    if now == known:
        return (replace(equipment, doubted={}, doubted_since=0) if doubted else equipment), False
    is_same_doubt = {**doubted, **seen} == doubted
    lasts = is_same_doubt and snapshot.tick - equipment.doubted_since >= LASTS_S
    if lasts or not known:
        return replace(equipment, known=now, doubted={}, doubted_since=0), bool(known)
    fresh = {part: there for part, there in seen.items() if part not in known}
    if now == {**known, **fresh}:
        return replace(equipment, known=now), False
    if is_same_doubt:
        return equipment, False
    return replace(equipment, known={**fresh, **known}, doubted=now, doubted_since=snapshot.tick), False


def count_inverters(equipment: Equipment, totals: Mapping[str, Value]) -> Equipment:
    """Return the equipment with the number of inverters from this tick's totals, if the totals have this number."""
    count = totals.get("inverters")
    if not isinstance(count, int) or count == equipment.inverters:
        return equipment
    return replace(equipment, inverters=count)


def _list_installed(snapshot: Snapshot) -> dict[str, str]:
    """Return the equipment that the documents list, by part. Leave out parts that are unknown now."""
    view = View(snapshot, "totals")
    found = {_FIRMWARE: snapshot.gateway.firmware}
    if (listed := meters.meters_of(view)) is not UNKNOWN:
        found[METER_LIST] = _YES if listed else ""
        found["meters"] = ", ".join(sorted(str(meter.kind) for meter in listed or () if meter.enabled))
    if (devices := _ensemble(view)) is not None:
        found[ENSEMBLE] = devices
    if (acb := batteries.count_ac_batteries(view)) is not None:
        found[AC_BATTERIES] = _YES if acb else ""
    return found


def _ensemble(view: View) -> str | None:
    """Return the device types that the ensemble inventory lists, as text; None if unknown."""
    groups = r.each_of(view.find_fact(paths.ENSEMBLE))
    if groups is UNKNOWN:
        return None
    return ", ".join(sorted({str(row.values.get("type")) for row in groups or () if row.values.get("devices")}))

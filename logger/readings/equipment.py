"""Notice other equipment: values may come from other sources then. Pure.

A source is kept while it is silent, so that no value comes silently from another one. Hardware or firmware that
changed is no silence: the sources chosen before are forgotten then, and the best ones are chosen anew.
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
"""So long other hardware must be listed: every document that lists some was asked twice meanwhile."""
_FIRMWARE: Final = "firmware"


@dataclass(frozen=True, slots=True)
class Equipment:
    """What is installed, by part, as it was `known` last.

    `doubted`: what is listed instead since the tick `doubted_since`, and is not believed yet. `inverters`: how many
    there were when they were last counted; a large site stays large while none is.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    doubted: Mapping[str, str] = field(default_factory=dict)
    doubted_since: int = 0
    inverters: int = 0


def notice_equipment(equipment: Equipment, snapshot: Snapshot) -> tuple[Equipment, bool]:
    """Compare with what is listed now; True if it is other equipment, so that sources are to be chosen anew.

    Other firmware is believed at once, other hardware once it has been listed for half an hour: one odd answer
    switches nothing.
    """
    known, doubted = equipment.known, equipment.doubted
    seen = _list_installed(snapshot)
    now = {**known, **seen}
    if now == known:
        return (replace(equipment, doubted={}, doubted_since=0) if doubted else equipment), False
    is_same_doubt = {**doubted, **seen} == doubted
    lasts = is_same_doubt and snapshot.tick - equipment.doubted_since >= LASTS_S
    if lasts or not known or now[_FIRMWARE] != known[_FIRMWARE]:
        return replace(equipment, known=now, doubted={}, doubted_since=0), bool(known)
    fresh = {part: there for part, there in seen.items() if part not in known}
    if now == {**known, **fresh}:
        return replace(equipment, known=now), False
    if is_same_doubt:
        return equipment, False
    return replace(equipment, known={**fresh, **known}, doubted=now, doubted_since=snapshot.tick), False


def count_inverters(equipment: Equipment, totals: Mapping[str, Value]) -> Equipment:
    """Note the number of inverters, if this tick's totals have it."""
    count = totals.get("inverters")
    if not isinstance(count, int) or count == equipment.inverters:
        return equipment
    return replace(equipment, inverters=count)


def _list_installed(snapshot: Snapshot) -> dict[str, str]:
    """What is listed, by part; a part that cannot be told now is missing."""
    view = View(snapshot, "totals")
    found = {_FIRMWARE: snapshot.gateway.firmware}
    if (listed := meters.meters_of(view)) is not UNKNOWN:
        found["meters"] = ", ".join(sorted(str(meter.kind) for meter in listed or () if meter.enabled))
    if (devices := _ensemble(view)) is not None:
        found["ensemble"] = devices
    if (acb := batteries.count_ac_batteries(view)) is not None:
        found["ac batteries"] = "yes" if acb else ""
    return found


def _ensemble(view: View) -> str | None:
    """The kinds of devices that the ensemble inventory lists."""
    groups = r.each_of(view.find_fact(paths.ENSEMBLE))
    if groups is UNKNOWN:
        return None
    return ", ".join(sorted({str(row.values.get("type")) for row in groups or () if row.values.get("devices")}))

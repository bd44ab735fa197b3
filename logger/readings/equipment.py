"""What is installed: when that changes, values may come from other sources than they did. Pure.

A source is kept while it is silent, so that no value comes silently from another one. Hardware or firmware that
changed is no silence: what was chosen before is forgotten then, and the best source is chosen anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from logger.energy.state import Ledger
from logger.model import Snapshot, Value
from logger.readings import rows as r
from logger.readings.rows import Nowhere, View
from logger.readings.selectors import batteries, meters

NOTE: Final = "equipment"
"""The note of the books that holds what was installed when it was last known."""
LASTS_S: Final = 1800
"""So long other hardware must be listed: every document that lists some was asked twice meanwhile."""
COUNT: Final = "inverters"
"""The note that holds how many inverters there were."""
_FIRMWARE: Final = "firmware"
_CHOSEN: Final = "envoy_"
"""The keys of the book that name a field's source begin so; those of counters do not, they are settled."""


def renewed(ledger: Ledger, snapshot: Snapshot) -> Ledger:
    """The books with what is installed now; where that changed, without the sources chosen before.

    Another firmware is believed at once, other hardware once it has been listed for half an hour: one odd answer
    switches nothing.
    """
    note = ledger.notes.get(NOTE, "")
    known, doubted, since = _read(note)
    seen = _installed(snapshot)
    now = {**known, **seen}
    if now == known:
        return ledger if not doubted else _noted(ledger, known, {}, 0)
    lasts = {**doubted, **seen} == doubted and snapshot.tick - since >= LASTS_S
    if lasts or not known or now[_FIRMWARE] != known[_FIRMWARE]:
        book = {key: source for key, source in ledger.book.items() if not (known and key.startswith(_CHOSEN))}
        return _noted(replace(ledger, book=book), now, {}, 0)
    fresh = {part: there for part, there in seen.items() if part not in known}
    if now == {**known, **fresh}:
        return _noted(ledger, now, doubted, since)
    return ledger if {**doubted, **seen} == doubted else _noted(ledger, {**fresh, **known}, now, snapshot.tick)


def _noted(ledger: Ledger, known: Mapping[str, str], doubted: Mapping[str, str], since: int) -> Ledger:
    note = json.dumps([dict(sorted(known.items())), dict(sorted(doubted.items())), since])
    return replace(ledger, notes={**ledger.notes, NOTE: note})


def inverters_noted(ledger: Ledger, totals: Mapping[str, Value]) -> Ledger:
    """The books with the number of inverters, if this tick tells it; a large site stays large while none does."""
    count = totals.get("inverters")
    if not isinstance(count, int) or ledger.notes.get(COUNT) == str(count):
        return ledger
    return replace(ledger, notes={**ledger.notes, COUNT: str(count)})


def installed_inverters(ledger: Ledger) -> int:
    """How many inverters there were when that was last told."""
    return int(ledger.notes.get(COUNT, "0"))


def _installed(snapshot: Snapshot) -> dict[str, str]:
    """By part what there is; a part that cannot be told now is missing."""
    view = View(snapshot, "totals")
    found = {_FIRMWARE: snapshot.gateway.firmware}
    if (listed := meters.meters_of(view)) is not None:
        found["meters"] = ", ".join(sorted(str(meter.kind) for meter in listed if meter.enabled))
    if (devices := _ensemble(view)) is not None:
        found["ensemble"] = devices
    if (acb := batteries.ac_battery_count(view)) is not None:
        found["ac batteries"] = "yes" if acb else ""
    return found


def _ensemble(view: View) -> str | None:
    """The kinds of devices that the ensemble inventory lists."""
    document = view.fact(r.ENSEMBLE)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else ""
    groups = r.objects(document.body)
    if groups is None:
        return None
    return ", ".join(sorted({str(group.get("type")) for group in groups if group.get("devices")}))


@lru_cache(maxsize=16)
def _read(note: str) -> tuple[Mapping[str, str], Mapping[str, str], int]:
    known, doubted, since = json.loads(note) if note else ({}, {}, 0)
    return known, doubted, since

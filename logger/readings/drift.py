"""Detect keys that disappear from a gateway's documents or change their type, as after a firmware update. Pure.

Only the keys of values that are read are watched. The keys of an absent object do not count as missing (empty lists
at night, removed batteries, sleeping inverters). A key is missing only if no similar object has that key. A null
value counts neither as present nor as missing. Only a change that lasts for half an hour, and is in
at least three documents, raises an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.model import Document, Event, Json
from logger.readings.table import COUNTERS, MEASUREMENTS

LASTS_S: Final = 30 * 60
"""A key must be missing or changed for this many seconds, and in `LASTS` documents, before an event is raised."""
LASTS: Final = 3
_LOOK_S: Final = 3600
_WHOLE: Final = "/"
_APART: Final = ("type", "devName", "measurementType")
"""Objects of one list are similar if these keys have equal values."""


_STRUCTURE: Final = frozenset({
    "ACB_agg_soc", "Enc_commissioned_capacity", "Enchg_grid_mode ",
    "active", "activeCount", "admin_state", "agg_avail_energy", "carrier", "channels", "consumption", "created_date",
    "devName", "devType", "deviceCount", "device_type", "devices", "devices:", "dry_contacts", "eid", "eim", "id",
    "load_name", "measurementType", "modGone", "pcu", "phaseCount", "production", "readingTime",
    "reported_enc_grid_state", "rmsVoltage", "serialNumber", "serial_num", "serial_nums", "signal_strength", "sn",
    "state", "storage", "timestamp", "timezone", "type",
    "wattHoursSevenDays", "wattHoursToday", "whLastSevenDays", "whToday",
})  # fmt: skip
"""Keys that select, identify and check rows, and keys of the gateway's energies of today and of seven days."""


def _words(name: str) -> set[str]:
    """Return the words of a key's name, such as `a` and `b` of `a + b`. Some are JSON keys, others only explain."""
    return {word for word in re.split(r"[^\w-]+", name) if word}


def list_table_keys() -> frozenset[str]:
    """Return every JSON key from which a field or counter of the table is read.

    Some of these keys exist only with some hardware.
    """
    items = [*(item for m in MEASUREMENTS for item in m.fields), *COUNTERS]
    return frozenset(word for item in items for key in item.keys for word in _words(key.name))


READ: Final = list_table_keys() | _STRUCTURE
"""Every JSON key from which a value is read."""


@dataclass(frozen=True, slots=True)
class Change:
    """A changed key: when the change began, and the number of documents since then.

    `kind`: the kind of the key's value now; empty if the key is missing.
    """

    since: float
    documents: int
    kind: str


@dataclass(frozen=True, slots=True)
class DocumentKeys:
    """The keys of one document. A place is a key with all keys above it.

    `kinds`: the usual kind of value at each place. `lost`: the places at which the key is missing or its value has
    another kind now, each with the present kind (empty if the key is missing).
    """

    kinds: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        """Hash only how many keys there are, which is quick. If two hashes are equal, all keys are compared."""
        return hash((len(self.kinds), len(self.lost)))


@dataclass(frozen=True, slots=True)
class Shape:
    """The known keys of one document, the recently `changed` keys, and when the document was last seen.

    `looked_at`: when the keys were last read. `skeleton`: a number that is the same for documents that differ only in
    digits. Only `keys` is stored. The other values start empty in a new process.
    """

    keys: DocumentKeys = field(default_factory=DocumentKeys)
    changed: Mapping[str, Change] = field(default_factory=dict)
    seen_at: float = 0.0
    skeleton: int = 0
    looked_at: float = 0.0

    def knows(self, document: Document) -> bool:
        """Return True if the keys of a document need not be read.

        A document that differs from the last document only in digits probably has the same keys. But keys may contain
        digits too, so the keys are still read from time to time. While `changed` contains a key, the keys of each
        document are read.
        """
        is_alike = bool(document.skeleton) and document.skeleton == self.skeleton
        return is_alike and not self.changed and 0 <= document.received_at - self.looked_at < _LOOK_S


def watch_all(
    shapes: Mapping[str, Shape], documents: Iterable[Document], tick: int
) -> tuple[dict[str, Shape], list[Event]]:
    """Compare every document with its known shape. Return the new shapes by path, and the events."""
    known, events = dict(shapes), []
    for document in documents:
        known[document.path], more = watch(known.get(document.path, Shape()), document, tick)
        events += more
    return known, events


def watch(shape: Shape, document: Document, tick: int) -> tuple[Shape, list[Event]]:
    """Compare a document with its known shape. Return the new shape, and events for lost and returned keys.

    A document that was compared at an earlier tick is not compared again: the shape is returned unchanged.
    """
    if document.received_at == shape.seen_at:
        return shape, []
    if shape.knows(document):
        return replace(shape, seen_at=document.received_at), []
    found, before = _find_keys(document.body), shape.keys
    kinds, lost = dict(before.kinds), dict(before.lost)
    changed: dict[str, Change] = {}
    events: list[Event] = []
    for place, kind in found.kinds.items():
        if place not in found.unclear:
            kinds.setdefault(place, kind)
    for place, kind in before.kinds.items():
        if place in found.unclear or (place not in found.kinds and _parent(place) not in found.objects):
            continue
        now = found.kinds.get(place, "")
        if now == kind and lost.pop(place, None) is not None:
            events.append(
                Event(tick, "key_back", f"{document.path} gives {_name(place)} as {kind}, as it did before")
            )
        if now == kind or lost.get(place) == now:
            continue
        change = _lasting(shape.changed.get(place), now, document.received_at)
        if change.documents < LASTS or document.received_at - change.since < LASTS_S:
            changed[place] = change
        else:
            lost[place] = now
            events.append(Event(tick, "key_lost", _describe_loss(document.path, place, kind, now), "warning"))
    after = DocumentKeys(kinds, lost)
    at = document.received_at
    return Shape(before if after == before else after, changed, at, document.skeleton, at), events


def _lasting(before: Change | None, kind: str, at: float) -> Change:
    if before is None or before.kind != kind or before.since > at:  # the last: our clock was set back
        return Change(at, 1, kind)
    return replace(before, documents=before.documents + 1)


def _describe_loss(path: str, place: str, was: str, now: str) -> str:
    fields = fields_of(path, place.rpartition("/")[2])
    made = f" (for {', '.join(fields[:3])}{', …' if len(fields) > 3 else ''})" if fields else ""
    loss = f"has given {_name(place)}{made} as {now}, not as {was}," if now else f"has not given {_name(place)}{made}"
    return f"{path} {loss} for half an hour; values read from it are left out"


@dataclass(frozen=True, slots=True)
class _Keys:
    """The places of one document. A place is the path to a key, such as `[ENCHARGE]/devices[]/temperature`.

    `kinds`: the kind of value at each place. `unclear`: the places with a null or with values of several kinds.
    `objects`: the places of objects.
    """

    kinds: Mapping[str, str]
    unclear: frozenset[str]
    objects: frozenset[str]


def _find_keys(body: Json) -> _Keys:
    kinds = {_WHOLE: kind_of(body)}
    unclear, objects = set(), {_parent(_WHOLE)}

    def look(value: Json, above: str) -> None:
        if isinstance(value, list):
            for item in value:
                if isinstance(item, (dict, list)):
                    look(item, f"{above}[{_apart(item)}]")
        elif isinstance(value, dict):
            for key, part in value.items():
                number = key.isdigit()
                if not number:
                    objects.add(above)
                if key in READ:
                    place = f"{_alike(above) if key in _APART else above}/{key}"
                    kind = kind_of(part)
                    if kind == "null" or kinds.setdefault(place, kind) != kind:
                        unclear.add(place)
                if isinstance(part, (dict, list)):
                    look(part, f"{above}/*[{_apart(part)}]" if number else f"{above}/{key}")

    look(body, "")
    return _Keys(kinds, frozenset(unclear), frozenset(objects | {_alike(above) for above in objects}))


def _alike(above: str) -> str:
    """Return the place that all objects of one list share: `devices[]` if `above` is `devices[ENCHARGE]`."""
    return f"{above.rpartition('[')[0]}[]" if above.endswith("]") else above


def _apart(item: Json) -> str:
    if not isinstance(item, dict):
        return ""
    return ",".join(str(item[key]) for key in _APART if isinstance(item.get(key), str))


def _parent(place: str) -> str:
    return place.rpartition("/")[0]


def _name(place: str) -> str:
    """Return a place in readable form, such as `[ENCHARGE].devices.temperature`.

    The place of a whole document is "its content".
    """
    return place.replace("[]", "").replace("/", ".").lstrip(".") or "its content"


def kind_of(value: Json) -> str:
    """Return the kind of a JSON value in words, such as "a number"."""
    match value:
        case None:
            return "null"
        case bool():
            return "a flag"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "an object"


def fields_of(path: str, key: str) -> list[str]:
    """Return the fields, as `measurement.field`, that are read from a key of the document at `path`."""
    found = {
        f"{m.name}.{item.name}": None
        for m in MEASUREMENTS
        for item in m.fields
        for source in item.keys
        if source.rowset.where.startswith(path) and key in _words(source.name)
    }
    return list(found)

"""Keys that a gateway's documents used to have and have no more, or of another kind: firmware that changed. Pure.

Only keys that something is read from count. What comes and goes by itself is no news: an object that is not there
has no keys to miss (empty lists at night, batteries that were taken away, readings of inverters that sleep), a key is
missing only if none of its like has it, null says nothing, and all of it only when it lasts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.model import Document, Event, Json
from logger.readings.table import COUNTERS, MEASUREMENTS

LASTS_S: Final = 30 * 60
"""So long, and in so many documents, a key must be missing or changed."""
LASTS: Final = 3
_WHOLE: Final = "/"
_APART: Final = ("type", "devName", "measurementType")
"""Objects of one list that differ in one of these are not alike."""


_STRUCTURE: Final = frozenset({
    "active", "activeCount", "admin_state", "agg_avail_energy", "carrier", "channels", "consumption", "devName",
    "devType", "deviceCount", "device_type", "devices", "devices:", "dry_contacts", "eid", "eim", "id",
    "load_name", "measurementType", "modGone", "pcu", "phaseCount", "production", "readingTime", "serialNumber",
    "serial_num", "serial_nums", "signal_strength", "sn", "state", "storage", "timezone", "type",
    "wattHoursSevenDays", "wattHoursToday", "whLastSevenDays", "whToday",
})  # fmt: skip
"""Keys by which rows are found and told apart, and from which the first day is seeded."""


def _words(name: str) -> set[str]:
    """The keys that a source's name speaks of."""
    return {word for word in re.split(r"[^\w-]+", name) if word}


def list_table_keys() -> frozenset[str]:
    """Every key that a field of the table names; some are read only where certain hardware is."""
    items = [*(item for m in MEASUREMENTS for item in m.fields), *COUNTERS]
    return frozenset(word for item in items for key in item.keys for word in _words(key.name))


READ: Final = list_table_keys() | _STRUCTURE
"""Every key that something is read from."""


@dataclass(frozen=True, slots=True)
class Change:
    """A key that is not what it was: since when, in how many documents, and its kind now (empty: missing)."""

    since: float
    documents: int
    kind: str


@dataclass(frozen=True, slots=True)
class DocumentKeys:
    """The keys of one document, by place: their `kinds`, and of the `lost` ones the kind now (empty: missing)."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        """Of what tells two apart at a glance; they are compared only where this is the same."""
        return hash((len(self.kinds), len(self.lost)))


@dataclass(frozen=True, slots=True)
class Shape:
    """One document: the `keys` it is known to have; what `changed` lately; `seen_at`, when it was looked at last.

    Only the keys outlive the process.
    """

    keys: DocumentKeys = field(default_factory=DocumentKeys)
    changed: Mapping[str, Change] = field(default_factory=dict)
    seen_at: float = 0.0


def watch_all(
    shapes: Mapping[str, Shape], documents: Iterable[Document], tick: int
) -> tuple[dict[str, Shape], list[Event]]:
    """Watch every document; the shapes are by path."""
    known, events = dict(shapes), []
    for document in documents:
        known[document.path], more = watch(known.get(document.path, Shape()), document, tick)
        events += more
    return known, events


def watch(shape: Shape, document: Document, tick: int) -> tuple[Shape, list[Event]]:
    """The shape after a document, and the keys that it lost or has again; one that was seen changes nothing."""
    if document.received_at <= shape.seen_at:
        return shape, []
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
            events.append(Event(tick, "key_back", f"{document.path} gives {_name(place)} as before again"))
        if now == kind or lost.get(place) == now:
            continue
        change = _lasting(shape.changed.get(place), now, document.received_at)
        if change.documents < LASTS or document.received_at - change.since < LASTS_S:
            changed[place] = change
        else:
            lost[place] = now
            events.append(Event(tick, "key_lost", _describe_loss(document.path, place, kind, now), "warning"))
    after = DocumentKeys(kinds, lost)
    return Shape(before if after == before else after, changed, document.received_at), events


def _lasting(before: Change | None, kind: str, at: float) -> Change:
    if before is None or before.kind != kind:
        return Change(at, 1, kind)
    return replace(before, documents=before.documents + 1)


def _describe_loss(path: str, place: str, was: str, now: str) -> str:
    fields = fields_of(path, place.rpartition("/")[2])
    made = f" (for {', '.join(fields[:3])}{', …' if len(fields) > 3 else ''})" if fields else ""
    how = f"as {now}, not as {was}," if now else "no more"
    return f"{path} gives {_name(place)}{made} {how} since half an hour; what is read from it is left out"


@dataclass(frozen=True, slots=True)
class _Keys:
    """The kind of every key that is read, by place; places where it cannot be told; and where objects are at all."""

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
    """The place of a list's objects whatever tells them apart."""
    return f"{above.rpartition('[')[0]}[]" if above.endswith("]") else above


def _apart(item: Json) -> str:
    if not isinstance(item, dict):
        return ""
    return ",".join(str(item[key]) for key in _APART if isinstance(item.get(key), str))


def _parent(place: str) -> str:
    return place.rpartition("/")[0]


def _name(place: str) -> str:
    """A place as people read it: `[ENCHARGE].devices.temperature`; of the whole document, what it is."""
    return place.replace("[]", "").replace("/", ".").lstrip(".") or "its content"


def kind_of(value: Json) -> str:
    """The kind of a value as people say it."""
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
    """The fields, as `measurement.field`, that are read from a key of that document."""
    found = {
        f"{m.name}.{item.name}": None
        for m in MEASUREMENTS
        for item in m.fields
        for source in item.keys
        if source.rowset.where.startswith(path) and key in _words(source.name)
    }
    return list(found)

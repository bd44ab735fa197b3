"""Keys that a gateway's documents used to have and have no more, or of another kind: firmware that changed. Pure.

Only keys that something is read from count. What comes and goes by itself is no news: an object that is not there
has no keys to miss (empty lists at night, batteries that were taken away, readings of inverters that sleep), a key is
missing only if none of its like has it, null says nothing, and all of it only when it lasts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logger.model import Document, Event, Json
from logger.readings.read_keys import READ, fields_of

LASTS_S: Final = 30 * 60
"""So long, and in so many documents, a key must be missing or changed."""
LASTS: Final = 3
_NOTE: Final = "shape "
"""How the notes of the books are called, with the path behind it."""
_WHOLE: Final = "/"
_APART: Final = ("type", "devName", "measurementType")
"""Objects of one list that differ in one of these are not alike."""


@dataclass(frozen=True, slots=True)
class Change:
    """A key that is not what it was: since when, in how many documents, and its kind now (empty: missing)."""

    since: float
    documents: int
    kind: str


@dataclass(frozen=True, slots=True)
class Shape:
    """One document's keys: the `kinds` they had by place, what `changed` lately, and what was `said` to be lost."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, Change] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    seen_at: float = 0.0

    def to_text(self) -> str:
        """What must outlive a restart; the same text while nothing is learned or lost."""
        return json.dumps({"kinds": dict(sorted(self.kinds.items())), "said": dict(sorted(self.said.items()))})

    @staticmethod
    def from_text(text: str) -> Shape:
        """As it was stored; a new one for an empty text."""
        raw = json.loads(text) if text else {"kinds": {}, "said": {}}
        return Shape(raw["kinds"], said=raw["said"])


def watch_all(
    shapes: Mapping[str, Shape], notes: Mapping[str, str], documents: Sequence[Document], tick: int
) -> tuple[dict[str, Shape], dict[str, str], list[Event]]:
    """The same for every document: shapes by path, the books' notes with them, and the events."""
    known, kept, events = dict(shapes), dict(notes), []
    for document in documents:
        note = f"{_NOTE}{document.path}"
        shape = known.get(document.path) or Shape.from_text(kept.get(note, ""))
        known[document.path], said = watch(shape, document, tick)
        events += said
        if said or known[document.path].kinds != shape.kinds or note not in kept:
            kept[note] = known[document.path].to_text()
    return known, kept, events


def watch(shape: Shape, document: Document, tick: int) -> tuple[Shape, list[Event]]:
    """The shape after a document, and what there is to say of it at `tick`; a document that was seen says nothing."""
    if document.received_at <= shape.seen_at:
        return shape, []
    found = _found(document.body)
    kinds, said = dict(shape.kinds), dict(shape.said)
    changed: dict[str, Change] = {}
    events: list[Event] = []
    for place, kind in found.kinds.items():
        if place not in found.untold:
            kinds.setdefault(place, kind)
    for place, kind in shape.kinds.items():
        if place in found.untold or (place not in found.kinds and _parent(place) not in found.objects):
            continue
        now = found.kinds.get(place, "")
        if now == kind and said.pop(place, None) is not None:
            events.append(Event(tick, "key_back", f"{document.path} gives {_name(place)} as before again"))
        if now == kind or said.get(place) == now:
            continue
        change = _lasting(shape.changed.get(place), now, document.received_at)
        if change.documents < LASTS or document.received_at - change.since < LASTS_S:
            changed[place] = change
        else:
            said[place] = now
            events.append(Event(tick, "key_lost", _lost(document.path, place, kind, now), "warning"))
    return Shape(kinds, changed, said, document.received_at), events


def _lasting(before: Change | None, kind: str, at: float) -> Change:
    if before is None or before.kind != kind:
        return Change(at, 1, kind)
    return replace(before, documents=before.documents + 1)


def _lost(path: str, place: str, was: str, now: str) -> str:
    fields = fields_of(path, place.rpartition("/")[2])
    made = f" (for {', '.join(fields[:3])}{', …' if len(fields) > 3 else ''})" if fields else ""
    how = f"as {now}, not as {was}," if now else "no more"
    return f"{path} gives {_name(place)}{made} {how} since half an hour; what is read from it is left out"


@dataclass(frozen=True, slots=True)
class _Found:
    """The kind of every key that is read, by place; places where it cannot be told; and where objects are at all."""

    kinds: Mapping[str, str]
    untold: frozenset[str]
    objects: frozenset[str]


def _found(body: Json) -> _Found:
    kinds = {_WHOLE: kind_of(body)}
    untold, objects = set(), {_parent(_WHOLE)}

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
                        untold.add(place)
                if isinstance(part, (dict, list)):
                    look(part, f"{above}/*[{_apart(part)}]" if number else f"{above}/{key}")

    look(body, "")
    return _Found(kinds, frozenset(untold), frozenset(objects | {_alike(above) for above in objects}))


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

"""Every key of every recording, one at a time, broken: no crash, nothing invented, everything else as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import pytest

from tests.readings.confined import LISTS, assert_confined, assert_sound, may_free_duplicates, written
from tests.readings.provenance import Provenance, Where, places
from tests.readings.recordings import Recording, first_poll, load, names, needs_recordings
from tests.readings.site import Body
from tests.sizes import SHARE

pytestmark = [needs_recordings, pytest.mark.long]

REMOVED: Final = object()
KINDS: Final = {"removed": REMOVED, "null": None, "string": "mutated", "negative": -987654, "huge": 1e30}
GONE: Final = {"removed", "null"}
"""After these no value may be written that was not written before, but for what is handed over by the schema."""


def put(body: Body, where: Where, value: object) -> Body:
    """A copy of a body with one key removed or replaced."""
    key, *rest = where
    copy = body.copy()
    if rest:
        copy[key] = put(copy[key], tuple(rest), value)
    elif value is REMOVED:
        del copy[key]
    else:
        copy[key] = value
    return copy


def mutations(recording: Recording) -> Iterator[tuple[str, Where, str, Body]]:
    """A seeded share of all mutations: path, place, kind, the body after it."""
    chance = random.Random(recording.name)
    for path in sorted(recording.bodies):
        for where in places(recording.bodies[path], ()):
            for kind, value in KINDS.items():
                if chance.random() < SHARE:
                    yield path, where, kind, put(recording.bodies[path], where, value)


@pytest.mark.parametrize("name", names())
def test_a_broken_key_changes_only_what_it_stands_for(name: str) -> None:
    recording = load(name)
    provenance, before = Provenance(recording), written(first_poll(recording))
    for path, where, kind, body in mutations(recording):
        what = f"{name} {path} {where} {kind}"
        found = first_poll(recording, {**recording.bodies, path: body}, new=path)
        assert_sound(found, what)
        freed = may_free_duplicates(name, where)
        may = [*provenance.of(path, where), *freed]
        gone = kind in GONE and not freed and where[-1] != "load_name"  # a name is a tag: without it, another series
        assert_confined(before, found, may, what, gone=gone, takes_over=path in LISTS)

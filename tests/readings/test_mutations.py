"""Every key of every recording, one at a time, broken: no crash, nothing invented, everything else as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import pytest

from logger.influx.line_protocol import encode
from logger.model import Json, Value
from logger.readings.interpret import Interpreted
from logger.readings.rows import PATHS
from logger.readings.table import MEASUREMENTS
from tests.readings.recordings import Recording, first_poll, load, names, needs_recordings
from tests.readings.site import Body
from tests.sizes import SHARE

pytestmark = [needs_recordings, pytest.mark.long]

REMOVED: Final = object()
GONE: Final = {"removed": REMOVED, "null": None, "list": [1]}
"""After these nothing may be written that was not written before."""
WRONG: Final = {"string": "mutated", "negative": -987654, "huge": 1e30}
"""These can be what a gateway says (a serial, a power): they may only change what they stand for."""
NAMES_A_DEVICE: Final = {"serialNumber", "sn", "serial_num", "type", "devName", "devType", "measurementType", "eid"}
"""With another of these a device is another device, and its values are that one's."""
SEEDED: Final = ("_today_wh", "_7d_wh")
"""Taken from the next sane figure of the gateway's own; today's books say from which."""
MASKED_TWINS: Final = "8.3.5169_ACB_inventory"
"""Its masked serials collide, so that a device that loses its own frees another's."""
KINDS: Final = {(m.name, f.name): f for m in MEASUREMENTS for f in m.fields}
PYTHON: Final = {"float": float, "int": int, "bool": bool, "string": str}

Where = tuple[str | int, ...]
Points = dict[tuple[str, str, str], Value]


def places(body: Json, at: Where = ()) -> Iterator[Where]:
    """Where every key of a body is."""
    if isinstance(body, dict):
        for key, value in body.items():
            yield (*at, key)
            yield from places(value, (*at, key))
    elif isinstance(body, list):
        for index, value in enumerate(body):
            yield from places(value, (*at, index))


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


def flat(found: Interpreted) -> Points:
    """Every field by measurement, series and name."""
    return {
        (point.measurement, ",".join(sorted(point.tags.values())), name): value
        for point in found.readings
        for name, value in point.fields.items()
    }


def assert_sound(found: Interpreted, what: str) -> None:
    """It is line protocol, and every field has the type of its line of the table and lies within its limits."""
    encode(found.readings)
    for (measurement, _, name), value in flat(found).items():
        field = KINDS[measurement, name]
        assert type(value) is PYTHON[field.kind], what
        assert field.plausible(value), what


def mutated(recording: Recording, kinds: dict[str, object], seed: str) -> Iterator[tuple[str, Where, Interpreted]]:
    """A seeded share of all mutations, interpreted."""
    chance = random.Random(f"{recording.name} {seed}")
    for path in sorted(PATHS & recording.bodies.keys()):
        body = recording.bodies[path]
        for where in places(body):
            for kind, value in kinds.items():
                if chance.random() < SHARE and not (value is REMOVED and isinstance(where[-1], int)):
                    bodies = {**recording.bodies, path: put(body, where, value)}
                    yield f"{recording.name} {path} {where} {kind}", where, first_poll(recording, bodies)


@pytest.mark.parametrize("name", names())
def test_a_key_that_is_gone_takes_away_values_and_brings_none(name: str) -> None:
    recording = load(name)
    before = flat(first_poll(recording))
    for what, where, found in mutated(recording, GONE, "gone"):
        assert_sound(found, what)
        if name == MASKED_TWINS and where[-1] != "activePower":
            continue
        brought = {key: value for key, value in flat(found).items() if before.get(key) != value}
        handed_over = {key for key in brought if key[2].endswith(SEEDED)}
        if "lastReading" in where or "channels" in where or where[-1] in NAMES_A_DEVICE:
            handed_over |= {key for key in brought if key[0] == "envoy_inverter"}  # the v1 list's word, by schema
        assert not brought.keys() - handed_over, f"{what}: {brought}"


@pytest.mark.parametrize("name", names())
def test_a_key_with_a_nonsense_value_changes_only_what_it_stands_for(name: str) -> None:
    recording = load(name)
    before = flat(first_poll(recording))
    for what, where, found in mutated(recording, WRONG, "wrong"):
        assert_sound(found, what)
        after = flat(found)
        if "string" in what and where[-1] not in NAMES_A_DEVICE and name != MASKED_TWINS:
            changed = {k: v for k, v in after.items() if before.get(k) != v and not k[2].endswith(SEEDED)}
            texts = {k for k, v in changed.items() if v in ("mutated", "x")}
            assert not changed.keys() - texts, f"{what}: {changed}"


@pytest.mark.parametrize("name", names())
def test_a_document_that_is_cut_empty_or_html_takes_only_its_own_values_with_it(name: str) -> None:
    """The wire hands on no such document; what then is seen is one that has not had its word."""
    recording = load(name)
    before = flat(first_poll(recording))
    for path in sorted(PATHS & recording.bodies.keys()):
        bodies: dict[str, Body] = {p: body for p, body in recording.bodies.items() if p != path}
        nothing_useful: tuple[Body, ...] = (None, {}, [7])
        for broken in nothing_useful:
            found = first_poll(recording, {**bodies, path: broken})
            assert_sound(found, f"{name} {path}")
            brought = {k: v for k, v in flat(found).items() if before.get(k) != v and not k[2].endswith(SEEDED)}
            if name != MASKED_TWINS:
                assert not brought, f"{name} {path} {broken}"

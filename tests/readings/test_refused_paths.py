"""Whatever paths a legacy gateway refuses, its production is read as long as one document still gives it (Q-C16)."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readings.recordings import Recording, first_poll, load, needs_recordings
from tests.sizes import examples

pytestmark = needs_recordings

LEGACY = ("3.9.36", "4.10.35", "4.2.27", "5.0.49")
BLOCKS = "/production.json?details=1"
INVERTERS = "/api/v1/production/inverters"
SOURCES = ({"/ivp/meters", "/ivp/meters/readings"}, {BLOCKS}, {"/api/v1/production"})
"""The documents that give the power of the whole production; each by itself is enough."""


@cache
def recorded(name: str) -> Recording:
    return load(name)


@settings(max_examples=examples(2000), deadline=None)
@given(
    name=st.sampled_from(LEGACY),
    refused=st.sets(st.sampled_from(sorted({*set().union(*SOURCES), INVERTERS}))),
    says_kind=st.booleans(),
)
def test_production_is_read_while_one_of_its_documents_is_open(name: str, refused: set[str], says_kind: bool) -> None:
    recording = recorded(name)
    bodies: dict[str, Any] = {
        path: copy.deepcopy(body) for path, body in recording.bodies.items() if path not in refused
    }
    if not says_kind and BLOCKS in bodies:
        for block in bodies[BLOCKS]["production"]:
            block.pop("measurementType", None)
    found = first_poll(recording, bodies)
    fields = {name for each in found.readings if each.measurement == "envoy_totals" for name in each.fields}
    if any(source <= bodies.keys() for source in SOURCES):
        assert "production_power_w" in fields, (name, sorted(bodies))
    elif INVERTERS not in bodies:  # their reports give a sum only where they are of one time
        assert "production_power_w" not in fields, (name, sorted(bodies))

"""Servers that mean harm cost a request each: no crash, no memory, no file, no turn of the loop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.errors.hostile import SCRIPTS
from tests.sizes import LONG, sized

ROOT = Path(__file__).parents[2]
MOST_MIB = 20.0
MOST_TURN = 50.0
"""In documents of a megabyte that could be parsed meanwhile: a ratio, which is the same on a slow machine."""
ANSWERS = sized(25_000)
"""From each of the seeds."""
IN_FLIGHT = 2
"""A connection of each lane may stand when files are counted; a leak would be one an answer."""


def ran(module: str, *arguments: object, within_s: float = 600) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.errors.{module}", *(str(argument) for argument in arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=within_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def nothing_was_lost(found: dict[str, Any]) -> None:
    print({name: value for name, value in found.items() if name != "outcomes"})
    assert found["peak_mib"] < MOST_MIB
    assert found["grown_mib"] < MOST_MIB
    assert found["longest_turn"] < MOST_TURN
    before, after = found["files"]
    assert after <= before + IN_FLIGHT


def is_typed(outcome: str, side: str, script: str) -> bool:
    """One of ours, and never a success that nobody sent."""
    allowed = {"cloud": {"Refusal"}, "influx_write": {"Wait", "Blocked"}}
    if script == "eight hundred cookies" and side in ("document", "signed_document"):
        return outcome == "list"
    return outcome in allowed.get(side, set()) or (side not in allowed and outcome.endswith("Error"))


@pytest.mark.long
def test_every_hostile_server_is_a_typed_error_from_every_side_and_is_asked_a_few_times_only() -> None:
    found = ran("facing", 0.3, 5 if LONG else 1)
    nothing_was_lost(found)
    assert found["outcomes"].keys() == SCRIPTS.keys()
    for script, sides in found["outcomes"].items():
        for side, (outcome, requests) in sides.items():
            assert is_typed(outcome, side, script), (script, side, outcome)
            assert requests <= 5, (script, side, requests)  # two tries, a look at who is there before and after each
        assert sides["cloud"][1] == 1  # a sign-in is never tried twice


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_thousand_broken_answers_leave_the_recorder_as_it_was(seed: int) -> None:
    found = ran("enduring", seed, ANSWERS, within_s=3600)
    nothing_was_lost(found)
    assert found["answers"] >= ANSWERS
    assert found["counted"] >= found["ticks"] > ANSWERS / 100  # every tick came to its end
    assert found["points"] > found["ticks"]  # and what was whole was read

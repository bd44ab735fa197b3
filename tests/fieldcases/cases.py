"""Field cases: a recording of the corpus with some bodies changed, laid out whole and read by `once --dry-run`.

`FIELD_CASES / <case>` holds the changed bodies and the name of the recording they belong to in `BASE`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from logger.model import Value
from logger.simulator.recording import Recording as RecordedSite
from tests.clocks import HandClock
from tests.commands.program import Done, program
from tests.endtoend.points import Place, parsed
from tests.readings.recordings import CORPUS, Recording, load_folder
from tests.standin import BackgroundSimulator, Simulator

FIELD_CASES = Path(__file__).parents[3] / "shared" / "field-cases"

DAY = 1_782_000_000 // 86400 * 86400
"""A midnight in UTC, years after every recording: a clock that shows less counts as not set."""

needs_cases = pytest.mark.skipif(
    not (FIELD_CASES.is_dir() and CORPUS.is_dir()),
    reason="needs: recorded gateways and field cases beside the project",
)


@dataclass(frozen=True)
class DryRun:
    """What `once --dry-run` printed: every point, its exit code, and what it said on stderr."""

    points: list[tuple[Place, dict[str, Value]]]
    code: int
    said: str

    def of(self, measurement: str, **tags: str) -> dict[str, Value]:
        """The fields of the one point of a measurement with these tags; empty without a point."""
        found = self.all_of(measurement, **tags)
        assert len(found) <= 1, f"{measurement} {tags}: {len(found)}"
        return found[0] if found else {}

    def all_of(self, measurement: str, **tags: str) -> list[dict[str, Value]]:
        """The fields of each point of a measurement with these tags."""
        return [
            fields
            for place, fields in self.points
            if place.measurement == measurement and tags.items() <= dict(place.tags).items()
        ]

    @property
    def totals(self) -> dict[str, Value]:
        """The fields of `envoy_totals`."""
        return self.of("envoy_totals")

    @property
    def events(self) -> dict[str, str]:
        """The texts of the events, by kind."""
        return {place.tag("kind"): str(f["text"]) for place, f in self.points if place.measurement == "envoy_event"}


def lay_out(case: str, target: Path) -> Path:
    """Make a whole recording of a field case in the new folder `target`: the base, and the case's bodies over it."""
    base = (FIELD_CASES / case / "BASE").read_text(encoding="utf-8").strip()
    shutil.copytree(CORPUS / base, target)
    for file in (FIELD_CASES / case).iterdir():
        if file.name != "BASE":
            shutil.copyfile(file, target / file.name)
    return target


def vary(recording: str, target: Path, changes: Mapping[str, Callable[[Any], object]]) -> Path:
    """Copy a recording of the corpus to the new folder `target` and replace bodies: file name → change of its JSON.

    A change works in place and may return another body instead.
    """
    shutil.copytree(CORPUS / recording, target)
    for name, change in changes.items():
        body = json.loads((target / name).read_text(encoding="utf-8"))
        other = change(body)
        (target / name).write_text(json.dumps(body if other is None else other), encoding="utf-8")
    return target


def recorded(folder: Path) -> Recording:
    """Read a laid-out recording, for tests that make snapshots of it at several ticks."""
    return load_folder(folder)


def dry_run(
    folder: Path,
    home: Path,
    *,
    at: float | None = None,
    settings: Mapping[str, str] | None = None,
    prepare: Callable[[Simulator], None] = lambda simulator: None,
) -> DryRun:
    """Run `once --dry-run` in this process against a laid-out recording; `at` and `prepare` as in `run_at`."""
    done = run_at(folder, home, "once", "--dry-run", at=at, settings=settings, prepare=prepare)
    return DryRun(parsed(done.out.splitlines()), done.code, done.err)


def run_at(
    folder: Path,
    home: Path,
    *words: str,
    at: float | None = None,
    settings: Mapping[str, str] | None = None,
    prepare: Callable[[Simulator], None] = lambda simulator: None,
) -> Done:
    """Run `envoy-logger WORDS` in this process against a laid-out recording.

    Our clock shows `at` seconds after the midnight of `DAY` in UTC; without `at`, the gateway's time of day.
    `prepare` changes how the stand-in behaves.
    """
    clock = HandClock(DAY + (load_folder(folder).at % 86400 if at is None else at))
    home.mkdir(parents=True, exist_ok=True)
    with (
        BackgroundSimulator(RecordedSite(folder), clock) as site,
        patch("logger.commands.ui.start.SystemClock", lambda: clock),
        patch("logger.commands.doctor.SystemClock", lambda: clock),
    ):
        prepare(site.simulator)
        return program(home, *words, settings={"LOGGER_TIMEZONE": "UTC", **site.settings, **(settings or {})})

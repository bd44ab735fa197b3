"""The keys of documents that reading them looks at, found by watching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from logger.energy.state import EnergyState
from logger.model import Json
from logger.readings.observe import ReadingsState, observe
from tests.readings.recordings import SITE, Recording

D = TypeVar("D")


class _Watched(dict[str, Json]):
    """An object that notes which of its keys were asked for."""

    def __init__(self, values: Mapping[str, Json], asked: set[str]) -> None:
        super().__init__(values)
        self._asked = asked

    def get(self, key: str, default: D = None) -> Json | D:  # type: ignore[assignment]
        self._asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Json:
        self._asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._asked.add(str(key))
        return super().__contains__(key)


def watch_keys(recording: Recording) -> set[str]:
    """Return the keys that reading the recording's documents looks at."""
    asked: set[str] = set()
    snapshot = recording.snapshot({path: _watch(body, asked) for path, body in recording.bodies.items()})
    observe(snapshot, frozenset({"totals", "devices"}), ReadingsState(), EnergyState(), SITE)
    return asked


def _watch(body: Json, asked: set[str]) -> Json:
    if isinstance(body, dict):
        return _Watched({key: _watch(value, asked) for key, value in body.items()}, asked)
    return [_watch(item, asked) for item in body] if isinstance(body, list) else body

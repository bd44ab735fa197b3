"""Lists the keys of a gateway's documents that no field is made of: what new firmware brought. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from logger.energy.state import EnergyState
from logger.model import Document, GatewayInfo, Json, Snapshot
from logger.readings import paths
from logger.readings.drift import list_table_keys
from logger.readings.observe import ReadingsState, observe
from logger.site import Site

D = TypeVar("D")
_KINDS: Final[dict[type, str]] = {
    type(None): "null", bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "object",
}  # fmt: skip


class _Watched(dict[str, Json]):
    """An object that notes which of its keys were asked for."""

    def __init__(self, values: Mapping[str, Json], asked: set[str]) -> None:
        super().__init__(values)
        self._asked = asked

    def get(self, key: str, default: D = None) -> Json | D:  # type: ignore[assignment]
        """Return the value; its key is noted."""
        self._asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Json:
        self._asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._asked.add(str(key))
        return super().__contains__(key)


def list_unread_keys(info: GatewayInfo, at: int, bodies: Mapping[str, Json]) -> list[str]:
    """List the keys that no field is made of: path, place of the key, kinds of its values. `at`: unix seconds."""
    known = watch_keys(info, at, bodies) | list_table_keys()
    lines = []
    for path, body in bodies.items():
        kinds: dict[str, set[str]] = {}
        for place, name, value in _find_keys(body, ""):
            if path not in paths.PATHS or name not in known:
                kinds.setdefault(place, set()).add(_KINDS[type(value)])
        lines += [f"{path}  {place}  {'|'.join(sorted(found))}" for place, found in kinds.items()]
    return lines


def watch_keys(info: GatewayInfo, at: int, bodies: Mapping[str, Json]) -> set[str]:
    """Return the keys that reading these documents looks at."""
    asked: set[str] = set()
    documents = {
        path: Document(path, _watch(body, asked), float(at), 0.0)
        for path, body in bodies.items()
        if path in paths.PATHS
    }
    snapshot = Snapshot(info, at, documents, {}, paths.PATHS - documents.keys())
    observe(snapshot, frozenset({"totals", "devices"}), ReadingsState(), EnergyState(), Site(zone="UTC"))
    return asked


def _watch(body: Json, asked: set[str]) -> Json:
    if isinstance(body, dict):
        return _Watched({key: _watch(value, asked) for key, value in body.items()}, asked)
    return [_watch(item, asked) for item in body] if isinstance(body, list) else body


def _find_keys(body: Json, above: str) -> Iterator[tuple[str, str, Json]]:
    """Find every key with its place; a key that is a number is a device's, and stands as `*`."""
    if isinstance(body, list):
        for item in body:
            yield from _find_keys(item, f"{above}[]")
    elif isinstance(body, dict):
        for key, value in body.items():
            place = f"{above}.{'*' if key.isdigit() else key}".removeprefix(".")
            if not key.isdigit():
                yield place, key, value
            yield from _find_keys(value, place)

"""Lists the unread keys of a gateway's documents, such as new keys of new firmware. Pure.

A key is unread if no field is read from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from logger.model import Json
from logger.readings import paths
from logger.readings.drift import READ

_ERRORS: Final = frozenset({"err", "error", "generator"})
"""Keys that mark an error, or absent hardware, instead of a document."""
_KINDS: Final[dict[type, str]] = {
    type(None): "null", bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "object",
}  # fmt: skip


def list_unread_keys(bodies: Mapping[str, Json]) -> list[str]:
    """List the unread keys as texts: path, place of the key, kinds of the key's values."""
    lines = []
    for path, body in bodies.items():
        kinds: dict[str, set[str]] = {}
        for place, name, value in _find_keys(body, ""):
            if path not in paths.PATHS or name not in READ | _ERRORS:
                kinds.setdefault(place, set()).add(_KINDS[type(value)])
        lines += [f"{path}  {place}  {'|'.join(sorted(found))}" for place, found in kinds.items()]
    return lines


def _find_keys(body: Json, above: str) -> Iterator[tuple[str, str, Json]]:
    """Find every key with its place. A key that is a number belongs to a device and is written as `*`.

    `above`: the place of `body`.
    """
    if isinstance(body, list):
        for item in body:
            yield from _find_keys(item, f"{above}[]")
    elif isinstance(body, dict):
        for key, value in body.items():
            place = f"{above}.{'*' if key.isdigit() else key}".removeprefix(".")
            if not key.isdigit():
                yield place, key, value
            yield from _find_keys(value, place)

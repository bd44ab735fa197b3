"""Find the line of a key in TOML text, because the TOML parser does not report lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias

Place: TypeAlias = tuple[str | int, ...]
_TABLE: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*["']?([\w-]+)["']?\s*(?:\.\s*[\w.-]+\s*)?=""")


def find_line(text: str, where: Place) -> int:
    """Return the line number, from 1, of a path such as `("period", 1, "band", 0, "buy")`.

    If the text has only the beginning of the path, such as `("period", 1)`, return the line of the longest beginning
    that the text has. If the text has no part of the path, return 1.
    """
    lines = map_lines(text)
    return next((lines[where[:depth]] for depth in range(len(where), 0, -1) if where[:depth] in lines), 1)


@lru_cache(maxsize=2)
def map_lines(text: str) -> Mapping[Place, int]:
    """Map the path of each table and key to its first line number, from 1.

    If several tables have the same path, the line is the line of the first table.
    """
    found: dict[Place, int] = {}
    table: Place = ()
    counts: dict[Place, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _path_of(header.group(2), counts, is_array=header.group(1) == "[[")
            found.setdefault(table, number)
            if header.group(1) == "[[":
                found.setdefault(table[:-1], number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key.group(1)), number)
    return found


def _path_of(name: str, counts: dict[Place, int], *, is_array: bool) -> Place:
    """Return the path of a table header. `counts`: the number of tables so far in each array of tables."""
    path: Place = ()
    parts = [part.strip().strip("\"'") for part in name.split(".")]
    for place, part in enumerate(parts):
        path = (*path, part)
        if is_array and place == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path

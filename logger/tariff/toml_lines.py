"""Find the line of a key in TOML text, because the parser does not tell it. Pure."""

from __future__ import annotations

import re
from typing import Final

_TABLE: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*["']?([\w-]+)["']?\s*(?:\.\s*[\w.-]+\s*)?=""")


def find_line(text: str, where: tuple[str | int, ...]) -> int:
    """Return the line, from 1, of the deepest part of a path such as `("period", 1, "band", 0, "buy")`."""
    best, best_depth = 1, 0
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _path_of(header.group(2), counts, is_array=header.group(1) == "[[")
            path = table
        elif key := _KEY.match(line):
            path = (*table, key.group(1))
        else:
            continue
        if len(path) > best_depth and where[: len(path)] == path:
            best, best_depth = number, len(path)
    return best


def _path_of(name: str, counts: dict[tuple[str | int, ...], int], *, is_array: bool) -> tuple[str | int, ...]:
    """Return the path of a table header; `counts` holds the tables so far of each array of tables."""
    path: tuple[str | int, ...] = ()
    parts = [part.strip().strip("\"'") for part in name.split(".")]
    for place, part in enumerate(parts):
        path = (*path, part)
        if is_array and place == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path

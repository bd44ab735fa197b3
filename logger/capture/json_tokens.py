"""Finds the strings and numbers of a JSON text with their keys, even if the text is incomplete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

_TOKEN: Final = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<cut>"(?:[^"\\]|\\.)*\\?\Z)|(?P<open>[{\[])|(?P<close>[}\]])'
    r"|(?P<number>-?\d[\d.eE+-]*)",
    re.S,
)


@dataclass(frozen=True, slots=True)
class JsonToken:
    """One string, key or number of a JSON text. `start`, `end`: its position in the text.

    `text`: the value of a string or number, or the text of a key. `key`: the key of a value. If the token itself is a
    key, `key` is the key of the object that contains the token.
    """

    start: int
    end: int
    kind: Literal["key", "string", "number", "cut"]
    text: str
    key: str


def find_tokens(text: str) -> Iterator[JsonToken]:
    """Find every string, key and number in order, even in invalid JSON. A string without an end is `cut`."""
    above: list[str] = []
    key = ""
    for match in _TOKEN.finditer(text):
        if match.group("open"):
            above.append(key)
        elif match.group("close"):
            key = above.pop() if above else ""
        elif match.group("colon"):
            key = _decode_string(match.group("string"))
            start, end = match.span("string")
            yield JsonToken(start, end, "key", key, above[-1] if above else "")
        elif match.group("string"):
            yield JsonToken(match.start(), match.end(), "string", _decode_string(match.group()), key)
        elif match.group("number"):
            yield JsonToken(match.start(), match.end(), "number", match.group(), key)
        else:
            yield JsonToken(match.start(), match.end(), "cut", match.group()[1:], key)


def write_string(text: str, before: str) -> str:
    """Return a text as a JSON string literal that replaces the literal `before`.

    If `before` is ASCII, the new literal is also ASCII.
    """
    return json.dumps(text, ensure_ascii=before.isascii())


def _decode_string(literal: str) -> str:
    try:
        value = json.loads(literal, strict=False)
    except ValueError:
        return literal[1:-1]
    return value if isinstance(value, str) else literal

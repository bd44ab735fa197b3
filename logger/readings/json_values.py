"""Read values of parsed JSON: numbers, texts of serial numbers, lists of objects, values at a path of keys. Pure.

A value of another type than expected counts as absent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from logger.model import Json, add_up

Object: TypeAlias = Mapping[str, Json]
_NUMBERS: Final = frozenset((int, float))
"""The types of a number. The type of true and false, bool, is not included."""
_SERIAL_LIMIT: Final = 32


def number(value: Json) -> float | None:
    """Return a finite number, or None for text, booleans, null and infinite values."""
    if type(value) not in _NUMBERS:
        return None
    try:
        result = float(value)  # type: ignore[arg-type]
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def whole(value: Json) -> int | None:
    """Return a whole number, such as a count or an epoch second, even if the gateway wrote it as text (Q-T3)."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    result = number(value)
    return int(result) if result is not None and result == int(result) else None


def objects(body: Json) -> list[Object] | None:
    """Return the objects of a list; None if `body` is not a list, or if its values are all of other types."""
    found: list[Object] = [item for item in body if isinstance(item, dict)] if isinstance(body, list) else []
    return found if found or body == [] else None


def serial_of(value: Json) -> str:
    """Return a serial number as text, from a text or a number.

    Return an empty text if the value has other characters than letters and digits, or more than 32 characters.
    """
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if len(text) <= _SERIAL_LIMIT and text.isascii() and text.isalnum() else ""


def dig(values: Object, path: str) -> Json:
    """Return the value at a dotted path of keys, or None."""
    if "." not in path:
        return values.get(path)
    current: Json | Object = values
    for part in path.split("."):
        if not isinstance(current, dict):
            return None
        current = current.get(part)
    return current  # type: ignore[return-value]


def total(values: Iterable[Json], least: float = -math.inf, most: float = math.inf) -> float | None:
    """Sum the values; None if any value is not a number or is not between `least` and `most`."""
    found = [number(value) for value in values]
    known = [value for value in found if value is not None and least <= value <= most]
    return add_up(known) if len(known) == len(found) else None

"""Encodes readings as line protocol. Makes no line that a server could refuse or silently lose.

Every generation of InfluxDB reads the same text: precision in seconds, sorted tags, no comments, no blank lines. A
line that ends in a carriage return is refused, so there are no carriage returns. Some servers lose a point with a
line break inside a value, so values have no line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import Any, Final, TypeAlias

from logger.model import Reading, Value, is_rounded

_BREAKS = re.compile(r"\r\n|[\r\n]")
_CONTROLS = re.compile(r"\r\n|[\x00-\x1f]")
_MISREAD = re.compile(r"\\+(?=[ ,=]|\Z)")
_IN_MEASUREMENT = re.compile(r"([ ,])")
_IN_KEY = re.compile(r"([ ,=])")
_IN_STRING = re.compile(r'(["\\])')
_TO_ESCAPE = re.compile(r'["\\\r\n]')


def encode(readings: Iterable[Reading]) -> bytes:
    """Encode readings, one line each. Every line ends in a newline, and times are whole seconds.

    Integers are written as `5i`, and flags as `true` or `false`. Floats are written in the shortest form that is
    parsed to the same number, powers and energies with at most three decimals. A line break becomes a space. In names
    and tags every control character becomes a space, because servers skip tabs. An empty tag value is left out. In a
    tag, backslashes at the end or before a space, comma or equals sign are removed: servers treat them as an escape,
    and 1.x can then join the next line to this line.

    Raises ValueError for a reading that no line can contain: a reading without a field, an empty name, a measurement
    or field with a backslash in its name (parsers read it differently), a measurement whose name begins with `#` (the
    line would be a comment), NaN or infinity, an integer beyond 64 bits.
    """
    known = [*readings]
    text = "".join([_encode_line(reading) for reading in known])
    if "nan" in text or "inf" in text:
        _refuse_infinite(known)
    return text.encode("utf-8", "replace")


def _encode_line(reading: Reading) -> str:
    fields, tags = reading.fields, reading.tags
    if not fields:
        raise ValueError(f"a reading of {reading.measurement!r} has no field")
    values: Iterable[Any] = fields.values()
    try:
        form, long, writers = _plan_fields(*fields, *map(type, values))
    except KeyError:  # a type that is derived from one of ours
        return _encode_line(replace(reading, fields={name: _make_plain(value) for name, value in fields.items()}))
    written = [*values]
    for place in long:
        value = written[place]
        written[place] = value + 0.0 if value.is_integer() else round(value, 3) + 0.0
    for place, write in writers:
        written[place] = write(written[place])
    return f"{_encode_series(reading.measurement, *tags, *tags.values())} {form % (*written,)} {reading.time:d}\n"


def _refuse_infinite(readings: Iterable[Reading]) -> None:
    """Raise ValueError if a field is NaN or infinite."""
    for reading in readings:
        for name, value in reading.fields.items():
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"{name} is {value}")


@lru_cache(maxsize=2048)
def _encode_series(measurement: str, *tags: str) -> str:
    """Return the measurement and `,key=value` for every tag that has a value, sorted by key.

    `tags`: all keys, then all values.
    """
    if measurement.startswith("#") or "\\" in measurement:
        raise ValueError(f"{measurement!r} is a name that servers misread")
    half = len(tags) // 2
    kept = (
        (_encode_name(key, _IN_KEY), _escape(text, _IN_KEY))
        for key, text in sorted(zip(tags[:half], tags[half:], strict=True))
    )
    return _encode_name(measurement, _IN_MEASUREMENT) + "".join(f",{key}={text}" for key, text in kept if text)


@lru_cache(maxsize=1024)
def _plan_fields(*fields: Any) -> _Plan:
    """Make the plan for writing the fields of all readings with the same names and types.

    `fields`: all names, then all types. Return three things. First, the format string for the values. Second, the
    indexes of the values that may have too many decimals. Third, a pair for each value that must be converted before
    it is written: the value's index, and the function that converts the value. Raises KeyError for a type that no
    field can have, and ValueError for a name with a backslash.
    """
    names, kinds = fields[: len(fields) // 2], fields[len(fields) // 2 :]
    for name in names:
        if "\\" in name:
            raise ValueError(f"{name!r} is a name that servers misread")
    starts = [_encode_name(name, _IN_KEY).replace("%", "%%") for name in names]
    form = ",".join(f"{start}={_FORMS[kind]}" for start, kind in zip(starts, kinds, strict=True))
    both = enumerate(zip(names, kinds, strict=True))
    long = tuple(place for place, (name, kind) in both if kind is float and is_rounded(name))
    return form, long, tuple((place, _WRITERS[kind]) for place, kind in enumerate(kinds) if kind in _WRITERS)


def _encode_name(name: str, special: re.Pattern[str]) -> str:
    text = _escape(name, special)
    if not text:
        raise ValueError(f"a measurement, tag or field is called {name!r}")
    return text


def _escape(text: str, special: re.Pattern[str]) -> str:
    return special.sub(r"\\\1", _MISREAD.sub("", _CONTROLS.sub(" ", text)))


def _check_int(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"an integer of a field is {value}, which does not fit into 64 bits")
    return value


def _escape_text(value: str) -> str:
    return _IN_STRING.sub(r"\\\1", _BREAKS.sub(" ", value)) if _TO_ESCAPE.search(value) else value


_Plan: TypeAlias = tuple[str, tuple[int, ...], tuple[tuple[int, Callable[[Any], Value]], ...]]
_FORMS: Final[Mapping[type, str]] = {float: "%r", int: "%di", str: '"%s"', bool: "%s"}
_WRITERS: Final[Mapping[type, Callable[[Any], Value]]] = {
    bool: {True: "true", False: "false"}.__getitem__,
    int: _check_int,
    str: _escape_text,
}


def _make_plain(value: Value) -> Value:
    """Convert a value to one of the types that can be written."""
    return next(kind(value) for kind in (float, int, str) if isinstance(value, kind))

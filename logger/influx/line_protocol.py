"""Encodes readings as line protocol. Nothing is emitted that a server could refuse or silently lose.

Every generation reads the same text: seconds as precision, sorted tags, no comments, no blank lines, no carriage
returns (a line that ends in one is refused), no line break inside a value (some servers lose the point).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from logger.model import Reading, Value, round_value

_BREAKS = re.compile(r"\r\n|[\r\n]")
_CONTROLS = re.compile(r"\r\n|[\x00-\x1f]")
_MISREAD = re.compile(r"\\+(?=[ ,=]|\Z)")
_IN_MEASUREMENT = re.compile(r"([ ,])")
_IN_KEY = re.compile(r"([ ,=])")
_IN_STRING = re.compile(r'(["\\])')


def encode(readings: Iterable[Reading]) -> bytes:
    """Encode readings, one line each; every line ends in a newline, and times are whole seconds.

    ints as `5i`, floats in the shortest form that reads back exactly (powers and energies with at most three
    decimals), bools as `true`/`false`. A line break becomes a
    space (in names and tags every control character does: servers skip tabs), an empty tag value is left out,
    backslashes at the end of a tag or before a space, comma or equals sign in it are cut (servers take them for the
    escape of what follows, and 1.x can then take the next line for a part of this one). Raises ValueError for what no
    line can hold: a reading without a field, an empty name, a measurement or field with a backslash in its name
    (parsers disagree about it), NaN or infinity, an int beyond 64 bits.
    """
    return "".join(_encode_line(reading) for reading in readings).encode("utf-8", "replace")


def _encode_line(reading: Reading) -> str:
    if not reading.fields:
        raise ValueError(f"a reading of {reading.measurement!r} has no field")
    if reading.measurement.startswith("#") or any("\\" in name for name in (reading.measurement, *reading.fields)):
        raise ValueError(f"a measurement or field of {reading.measurement!r} has a name that servers misread")
    head = _encode_name(reading.measurement, _IN_MEASUREMENT)
    fields = ",".join(
        f"{_encode_name(key, _IN_KEY)}={_encode_value(key, round_value(key, value))}"
        for key, value in reading.fields.items()
    )
    return f"{head}{_encode_tags(reading.tags)} {fields} {reading.time:d}\n"


def _encode_tags(tags: Mapping[str, str]) -> str:
    """Return `,key=value` for every tag that has a value, sorted by key."""
    kept = ((_encode_name(key, _IN_KEY), _escape(tags[key], _IN_KEY)) for key in sorted(tags))
    return "".join(f",{key}={value}" for key, value in kept if value)


def _encode_name(name: str, special: re.Pattern[str]) -> str:
    text = _escape(name, special)
    if not text:
        raise ValueError(f"a measurement, tag or field is called {name!r}")
    return text


def _escape(text: str, special: re.Pattern[str]) -> str:
    return special.sub(r"\\\1", _MISREAD.sub("", _CONTROLS.sub(" ", text)))


def _encode_value(key: str, value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            if not -(2**63) <= value < 2**63:
                raise ValueError(f"{key} = {value} does not fit into 64 bits")
            return f"{value:d}i"
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{key} is {value}")
            return repr(float(value))
        case str():
            return '"' + _IN_STRING.sub(r"\\\1", _BREAKS.sub(" ", value)) + '"'

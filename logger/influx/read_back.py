"""Parse line protocol into readings: stored lines to show, and lines that a person corrected."""

from __future__ import annotations

import math
import re
from typing import Final

from logger.model import Reading, Role, Value

_ESCAPED: Final = re.compile(r"\\([ ,=])")
_ESCAPED_IN_STRING: Final = re.compile(r'\\(["\\])')
_NAME: Final = r"(?:[^ ,=\\]++|\\[ ,=]?)+"
_MEASUREMENT: Final = re.compile(r"(?:[^ ,\\]++|\\[ ,=]?)+")
_TAG: Final = re.compile(rf",({_NAME})=({_NAME})")
_FIELD: Final = re.compile(rf'({_NAME})=("(?:[^"\\]++|\\.)*+"|[^ ,"]+)')
_GATEWAY: Final = re.compile(rb",gateway=([0-9A-Za-z]+)")
_WHOLE: Final = re.compile(r"-?\d{1,19}i")
_TIME: Final = re.compile(r" -?\d{1,12}")
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_BOOLS: Final = {"t": True, "T": True, "true": True, "True": True, "TRUE": True,
                 "f": False, "F": False, "false": False, "False": False, "FALSE": False}  # fmt: skip


def read_back(line: str, role: Role) -> Reading:
    """Parse one line into its reading. Raises ValueError with the fault of a wrong line.

    A line is one point with its time in whole seconds, without its newline.
    """
    if "\n" in line or "\r" in line:
        raise ValueError("the line contains a line break")
    head = _MEASUREMENT.match(line)
    if head is None or line.startswith("#"):
        raise ValueError("the line does not begin with a measurement")
    at = head.end()
    tags: dict[str, str] = {}
    while line.startswith(",", at):
        found = _TAG.match(line, at)
        if found is None:
            raise ValueError(f"a tag with its value is missing at {line[at : at + 20]!r}")
        tags[_unescape(found[1])] = _unescape(found[2])
        at = found.end()
    fields: dict[str, Value] = {}
    separator = " "
    while line.startswith(separator, at):
        found = _FIELD.match(line, at + 1)
        if found is None:
            raise ValueError(f"a field with its value is missing at {line[at + 1 : at + 21]!r}")
        fields[_unescape(found[1])] = _parse_value(found[2])
        at, separator = found.end(), ","
    time = line[at:]
    if not fields or not _TIME.fullmatch(time):
        raise ValueError("the line does not end with a time in whole seconds")
    return Reading(_unescape(head[0]), tags, fields, int(time), role)


def time_of(line: bytes) -> int:
    """Return the time of a stored line, in unix seconds."""
    return int(line[line.rindex(b" ") :])


def gateway_of(line: bytes) -> str:
    """Return the gateway serial in a stored line; empty if the line has no gateway serial."""
    found = _GATEWAY.search(line)
    return found[1].decode() if found else ""


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _parse_value(text: str) -> Value:
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    if text.startswith('"'):
        return _ESCAPED_IN_STRING.sub(r"\1", text[1:-1])
    if text in _BOOLS:
        return _BOOLS[text]
    if _WHOLE.fullmatch(text):
        return int(text[:-1])
    raise ValueError(f"{text[:20]!r} is not a number, a text in quotes, true or false")

"""Read when a certificate in DER form ends. A library for certificates would take a tenth of the recorder's memory.

A certificate is a tree of values, each a kind, a length and a content (X.690). Its dates stand at a fixed place (RFC
5280): in its first value, behind version, number, algorithm and issuer. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_FORMS: Final = {_UTC_TIME: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
"""Kind of a date → how it is written."""
_BEFORE_DATES: Final = 3
"""Values between the version and the dates: number, algorithm, issuer."""


def read_end(certificate: bytes) -> float:
    """Return when the certificate ends, in unix seconds; 0.0 if it cannot be read."""
    try:
        _, whole, _ = _take(certificate)
        _, rest, _ = _take(whole)
        if rest[0] == _VERSION:
            rest = _take(rest)[2]
        for _ in range(_BEFORE_DATES):
            rest = _take(rest)[2]
        _, dates, _ = _take(rest)
        kind, text, _ = _take(_take(dates)[2])
        return _read_date(kind, text.decode("ascii"))
    except (ValueError, LookupError, OverflowError):
        return 0.0


def _take(data: bytes) -> tuple[int, bytes, bytes]:
    """Split the first value off → its kind, its content, and what follows it."""
    kind, length, begin = data[0], data[1], 2
    if length & 0x80:  # so many bytes say the length
        begin += length & 0x7F
        length = int.from_bytes(data[2:begin])
    end = begin + length
    if end > len(data):
        raise ValueError("a value is cut")
    return kind, data[begin:end], data[end:]


def _read_date(kind: int, text: str) -> float:
    """Return a date in unix seconds; the years of a short date are 1950 to 2049."""
    found = datetime.strptime(text, _FORMS[kind]).replace(tzinfo=UTC)
    if kind == _UTC_TIME and found.year >= 2050:
        found = found.replace(year=found.year - 100)
    return found.timestamp()

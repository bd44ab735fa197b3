"""Certificates' fingerprints in a terminal: too long for one line, they are shown in two rows that people compare."""

from __future__ import annotations

import re
from typing import Final

_FINGERPRINT: Final = re.compile(r" *((?:[0-9A-F]{2}:){15}[0-9A-F]{2}):((?:[0-9A-F]{2}:){15}[0-9A-F]{2})")
_WIDTH: Final = 80


def folded(text: str, indent: int) -> str:
    """`text` with each fingerprint in two rows of its own, to stand `indent` columns from the left."""
    rows = _FINGERPRINT.sub(r"\n\1\n\2", text).split("\n")
    fit: list[str] = []
    for row in rows:
        head, rest = row[:47], row[47:]
        if _is_half(head) and indent + len(row) > _WIDTH:
            fit += [head, rest.lstrip(" ,")]
        else:
            fit.append(row)
    return "\n".join(fit)


def _is_half(text: str) -> bool:
    return re.fullmatch(r"(?:[0-9A-F]{2}:){15}[0-9A-F]{2}", text) is not None

"""Recognize a limit of the server or the plan by its words, and name the cure where the owner finds it. Pure."""

from __future__ import annotations

import re
from typing import Final

KEPT: Final = "nothing is lost meanwhile."
_LIMIT: Final = re.compile(
    r"limit (of|is|reached|exceeded)|(exceed(s|ed)?|reached|over) [^.;,]{0,60}\b(limit|quota)|would exceed|"
    r"max-(series|values)|\b(plan|cardinality|rate) limit|quota exceeded|upgrade your plan",
    re.I,
)
_OF_ONE_LINE: Final = re.compile(r"\b(line|key|entry|string|value)s? (size|length)|too long", re.I)
"""What a server says of one line that is larger than it takes: other lines may pass."""
_USAGE: Final = "click your organisation's name at the top of InfluxDB Cloud, then Usage"
_CURES: Final = (
    (
        re.compile(r"max-(series|values)", re.I),
        f"raise max-series-per-database or max-values-per-tag in influxdb.conf and restart InfluxDB; {KEPT}",
    ),
    (
        re.compile(r"\borg|\bplan|namespace|service limit|billing|quota|cardinality|rate limit|limited_", re.I),
        f"{_USAGE}: it shows the limit. Delete data there or upgrade the plan; {KEPT}",
    ),
    (
        re.compile(r"databases|tables|columns", re.I),
        f"let the INFLUXDB_BUCKET… settings name fewer databases, or raise the server's limit; {KEPT}",
    ),
)
"""What the words of a limit are about → the cure; the first that fits."""
_ANY_CURE: Final = f"raise the limit of the server or the plan; {KEPT}"
TOO_FAST_HINT: Final = (
    f"wait. If this lasts on InfluxDB Cloud, {_USAGE}: it shows what the plan takes in five minutes. Raise "
    "LOGGER_DEVICES_INTERVAL_S and LOGGER_TOTALS_INTERVAL_S, or upgrade the plan."
)
"""The cure for a server that takes only so much at a time."""


def find_limit(text: str) -> str:
    """Return the cure for the limit that a server's words are about; empty if they are about none."""
    if not _LIMIT.search(text) or _OF_ONE_LINE.search(text):
        return ""
    return next((cure for words, cure in _CURES if words.search(text)), _ANY_CURE)

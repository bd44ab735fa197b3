"""Recognize a limit of the server or of the plan in an answer, and choose the cure for it. Pure.

Only users of InfluxDB Cloud have a plan. So only their cure names the page of the plan.
"""

from __future__ import annotations

import re
from typing import Final

KEPT: Final = "nothing is lost meanwhile."
_LIMIT: Final = re.compile(
    r"limits? (of|is|reached|exceeded)|(exceed(s|ed)?|reached|over) [^.;,]{0,60}\b(limit|quota)|would exceed|"
    r"max-(series|values)|\b(plan|cardinality|rate) limit|quota exceeded|upgrade your plan",
    re.I,
)
_OF_ONE_LINE: Final = re.compile(r"\b(line|key|entry|string|value)s? (size|length)|too long", re.I)
"""What a server says of one line that is larger than it takes: other lines may pass."""
_LASTING: Final = re.compile(
    r"max-(series|values)|cardinality|databases|tables|columns|\bplan\b|\borg|namespace|service limit|limited_", re.I
)
"""What stands until a person changes it, also where the server says that the fault is its own (5xx)."""
_PASSING: Final = re.compile(r"memory|concurren|\brate\b", re.I)
"""What a busy server or proxy runs out of; it passes by itself."""
_USAGE: Final = "click your organisation's name at the top of InfluxDB Cloud, then Usage"
_CURES: Final = (
    (
        re.compile(r"max-(series|values)", re.I),
        f"raise max-series-per-database or max-values-per-tag in influxdb.conf and restart InfluxDB; {KEPT}",
    ),
    (
        re.compile(r"databases|tables|columns", re.I),
        f"let the INFLUXDB_BUCKET… settings name fewer databases, or raise the server's limit; {KEPT}",
    ),
)
"""What the words of a limit are about → the cure; the first that fits."""
_OF_PLAN: Final = re.compile(
    r"\borg|\bplan|namespace|service limit|billing|quota|cardinality|rate limit|limited_", re.I
)
_PLAN_CURE: Final = f"{_USAGE}: it shows the limit. Delete data there or upgrade the plan; {KEPT}"
_ANY_CURE: Final = f"raise the limit of the server, or of a proxy before it; {KEPT}"
_LESS: Final = "raise LOGGER_DEVICES_INTERVAL_S and LOGGER_TOTALS_INTERVAL_S"


def has_limit(text: str) -> bool:
    """Return whether a server's answer names a limit of the whole request or of the server, not of a single line."""
    return bool(_LIMIT.search(text)) and not _OF_ONE_LINE.search(text)


def has_lasting_limit(text: str) -> bool:
    """Return whether a server's error names a limit that lasts until a person acts."""
    return has_limit(text) and bool(_LASTING.search(text)) and not _PASSING.search(text)


def choose_cure(text: str, *, is_cloud: bool) -> str:
    """Return the cure for the limit that a server's answer names."""
    if is_cloud and _OF_PLAN.search(text):
        return _PLAN_CURE
    return next((cure for words, cure in _CURES if words.search(text)), _ANY_CURE)


def choose_pace_hint(*, is_cloud: bool) -> str:
    """Return what helps if a server limits how much data it accepts in a minute."""
    if is_cloud:
        return f"wait. If this lasts, {_USAGE}: it shows what the plan takes in five minutes. Upgrade it, or {_LESS}."
    return f"wait. If this lasts, see the log of InfluxDB, and of any proxy before it, or {_LESS}."

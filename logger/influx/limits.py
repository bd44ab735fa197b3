"""Recognise a limit of the server or of the plan in an answer, and choose the cure for it. Pure.

Only users of InfluxDB Cloud have a plan. So only their cure names the page of the plan.
"""

from __future__ import annotations

import re
from typing import Final

KEPT: Final = "meanwhile the readings wait in the store."
_LIMIT: Final = re.compile(
    r"limits? (of|is|reached|exceeded)|(exceed(s|ed)?|reached|over) [^.;,]{0,60}\b(limit|quota)|would exceed|"
    r"max-(series|values)|\b(plan|cardinality|rate) limit|quota exceeded|upgrade your plan",
    re.I,
)
_OF_ONE_LINE: Final = re.compile(r"\b(line|key|entry|string|value)s? (size|length)|too long", re.I)
"""Words about one line that is too large for the server. Other lines may be accepted."""
_LASTING: Final = re.compile(
    r"max-(series|values)|cardinality|databases|tables|columns|\bplan\b|\borg|namespace|service limit|limited_", re.I
)
"""Words for a limit that lasts until a person changes it, even if the status means a server fault (5xx)."""
_PASSING: Final = re.compile(r"memory|concurren|\brate\b", re.I)
"""Words in an answer about a limit that a busy server or proxy reaches for a short time, until the load falls."""
_USAGE: Final = "click your organisation's name at the top of InfluxDB Cloud, then Usage"
_CURES: Final = (
    (
        re.compile(r"max-(series|values)", re.I),
        f"raise max-series-per-database or max-values-per-tag in influxdb.conf and restart InfluxDB; {KEPT}",
    ),
    (
        re.compile(r"databases|tables|columns", re.I),
        f"name fewer databases in the INFLUXDB_BUCKET… settings, or raise the server's limit; {KEPT}",
    ),
)
"""Words of a limit → the cure. The first match is used."""
_OF_PLAN: Final = re.compile(
    r"\borg|\bplan|namespace|service limit|billing|quota|cardinality|rate limit|limited_", re.I
)
_PLAN_CURE: Final = f"{_USAGE}: this page shows the limit. Delete data there or upgrade the plan; {KEPT}"
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
    """Return the hint for a server that limits how much data it accepts in a minute."""
    if is_cloud:
        shown = f"{_USAGE}: this page shows how much the plan accepts in five minutes"
        return f"wait. If this lasts, {shown}. Upgrade the plan, or {_LESS}."
    return f"wait. If this lasts, see the logs of InfluxDB and of any proxy before it, or {_LESS}."

"""When the gateway's own point is written: every 15 minutes, when `/home.json` came, and on change. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from logger.model import Report, Value
from logger.readings.reports import interval_s

NOTE: Final = "gateway"
"""The note of the books that holds what was written last, and when."""
EVERY_S: Final = 900
_LONGEST_S: Final = 7200
"""Reports further apart are a night or an outage, no interval."""
_CHANGES: Final = ("firmware", "part_number", "interface", "update_status")


def due(fields: Mapping[str, Value], note: str, tick: int) -> bool:
    """Whether a point with these fields is written at this tick; `note` is that of the last one, or empty.

    One that has anything of `/home.json` is: that document comes every 15 minutes, or hourly from a slow gateway.
    """
    known = json.loads(note) if note else {}
    if not 0 <= tick - known.get("at", -EVERY_S) < EVERY_S or fields.keys() - {"firmware", "part_number"}:
        return True
    return any(fields[name] != known.get(name) for name in _CHANGES if name in fields)


def noted(fields: Mapping[str, Value], note: str, tick: int) -> str:
    """The note after a point was written."""
    known = json.loads(note) if note else {}
    return json.dumps({**known, **{name: fields[name] for name in _CHANGES if name in fields}, "at": tick})


def usual_interval_s(reports: Mapping[str, Sequence[Report]]) -> float | None:
    """The median over all inverters of the seconds between their last two reports, each by its gateway's clock; a
    night between the two does not count."""
    found = (interval_s(known) for known in reports.values())
    intervals = [seconds for seconds in found if seconds is not None and seconds <= _LONGEST_S]
    return float(median(intervals)) if intervals else None

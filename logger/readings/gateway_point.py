"""Decide when the gateway's own point is written: every 15 minutes, when `/home.json` came, and on change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from logger.model import Report, Value
from logger.readings.reports import interval_s

EVERY_S: Final = 900
_LONGEST_S: Final = 7200
"""Reports further apart are a night or an outage, no interval."""
_CHANGES: Final = ("firmware", "part_number", "interface", "update_status")


@dataclass(frozen=True, slots=True)
class GatewayPoint:
    """The gateway's own point as it was written last: its tick, and those fields of which a change is written."""

    at: int = -EVERY_S
    fields: Mapping[str, Value] = field(default_factory=dict)


def is_due(fields: Mapping[str, Value], last: GatewayPoint, tick: int) -> bool:
    """Whether a point with these fields is written at this tick.

    One that has anything of `/home.json` is: that document comes every 15 minutes, or hourly from a slow gateway.
    """
    if not 0 <= tick - last.at < EVERY_S or fields.keys() - {"firmware", "part_number"}:
        return True
    return any(fields[name] != last.fields.get(name) for name in _CHANGES if name in fields)


def note_written(fields: Mapping[str, Value], last: GatewayPoint, tick: int) -> GatewayPoint:
    """The last point, after one with these fields was written."""
    return GatewayPoint(tick, {**last.fields, **{name: fields[name] for name in _CHANGES if name in fields}})


def usual_interval_s(reports: Mapping[str, Sequence[Report]]) -> float | None:
    """The median over all inverters of the seconds between their last two reports, by the gateway's clock.

    A night between two reports does not count.
    """
    found = (interval_s(known) for known in reports.values())
    intervals = [seconds for seconds in found if seconds is not None and seconds <= _LONGEST_S]
    return float(median(intervals)) if intervals else None

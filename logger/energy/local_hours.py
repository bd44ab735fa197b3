"""Compute the hours of a local day from the IANA time zone. Pure.

When the clocks are set back, an hour of the day occurs twice, each time with its own beginning. When the clocks are
set forward, an hour is missing. In a zone whose clocks change by half an hour, the second occurrence has only 30
minutes. When the clocks of such a zone are set forward, no hour is missing, but one hour has only 30 minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_QUARTER_S: Final = 900
"""The offset of every zone from UTC is a number of whole quarters of an hour, and changes at a whole quarter."""


@dataclass(frozen=True, slots=True)
class LocalHour:
    """One local hour, from `start` to before `end` in unix seconds.

    `day`: the ISO date of the hour. `hour`: the hour of the day, 00 to 23.
    """

    start: int
    end: int
    day: str
    hour: str

    @property
    def month(self) -> str:
        """Return the month of the hour, 01 to 12."""
        return self.day[5:7]


def hour_of(at: int, zone: str) -> LocalHour:
    """Return the local hour that contains a time in unix seconds."""
    return _find_hour(at // _QUARTER_S, zone)


def list_hours(since: int, until: int, zone: str) -> Iterator[LocalHour]:
    """List in order the local hours between two unix times, including hours that lie only partly between them."""
    at = since
    while at < until:
        hour = hour_of(at, zone)
        yield hour
        at = hour.end


@lru_cache(maxsize=512)
def _find_hour(quarter: int, zone: str) -> LocalHour:
    first = last = quarter
    local = _local_time(quarter, zone)
    while _is_of_hour(_local_time(first - 1, zone), local):
        first -= 1
    while _is_of_hour(_local_time(last + 1, zone), local):
        last += 1
    return LocalHour(first * _QUARTER_S, (last + 1) * _QUARTER_S, local.date().isoformat(), f"{local.hour:02}")


def _local_time(quarter: int, zone: str) -> datetime:
    """Return the local time at which a quarter of an hour begins. `quarter`: its number, counted from 1970."""
    return datetime.fromtimestamp(quarter * _QUARTER_S, UTC).astimezone(ZoneInfo(zone))


def _is_of_hour(other: datetime, local: datetime) -> bool:
    """Return whether two neighbouring quarters lie in one local hour.

    When the clocks are set back, two hours have the same name and differ in the UTC offset.
    """
    return other.hour == local.hour and other.utcoffset() == local.utcoffset()

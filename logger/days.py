"""Compute local days and the gateway's quiet window from the IANA time zone. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_QUIET: Final = ((22, 57), (23, 10))
"""The local times (hour, minute) at which the quiet window begins and ends. Around 23:00 the gateway cleans up and
does not answer for some minutes (Q-C1 of `docs/gateway-quirks.md`)."""
_FINAL: Final = time(3)
"""A day may change until this local time of the next day."""
YEARS: Final = range(2000, 3000)
"""The years in which a date from a person may lie. The first gateway was made in 2008."""


def parse_day(text: str) -> date:
    """Return the date in a text of ISO 8601, such as 2026-05-01.

    Raises ValueError for any other text, and for a year that is not in `YEARS`.
    """
    day = date.fromisoformat(text)
    if day.year not in YEARS:
        raise ValueError(f"{day.year} is no year from {YEARS[0]} to {YEARS[-1]}")
    return day


@lru_cache(maxsize=64)
def local_day(tick: float, zone: str) -> str:
    """Return the ISO date at the site for a time in unix seconds."""
    return datetime.fromtimestamp(tick, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


@lru_cache(maxsize=256)
def first_instant(day: str, zone: str) -> int:
    """Return the first second of a local date, in unix time. In some zones some dates have no midnight."""
    return int(datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone)).timestamp())


@lru_cache(maxsize=256)
def following(day: str) -> str:
    """Return the next ISO date."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def days_before(day: str, count: int) -> str:
    """Return the ISO date `count` days earlier."""
    return (date.fromisoformat(day) - timedelta(days=count)).isoformat()


def list_days(first: str, last: str) -> list[str]:
    """Return the ISO dates from `first` to `last`, both included; empty if `last` is earlier than `first`."""
    count = (date.fromisoformat(last) - date.fromisoformat(first)).days
    return [days_before(last, back) for back in range(count, -1, -1)]


@lru_cache(maxsize=256)
def final_at(day: str, zone: str) -> int:
    """Return when a day is final, in unix seconds: at 03:00 of the next local day."""
    return int(datetime.combine(date.fromisoformat(following(day)), _FINAL, ZoneInfo(zone)).timestamp())


def is_quiet(now: float, zone: str) -> bool:
    """Return True if `now` is in the quiet window, in which gateways often do not answer."""
    return _is_quiet_minute(int(now // 60), zone)


@lru_cache(maxsize=64)
def _is_quiet_minute(minute: int, zone: str) -> bool:
    """Return True if a minute is in the quiet window. `minute`: its number, counted from 1970.

    The result is cached, because each tick calls this function many times.
    """
    local = datetime.fromtimestamp(60 * minute, UTC).astimezone(ZoneInfo(zone) if zone else UTC)
    return _QUIET[0] <= (local.hour, local.minute) < _QUIET[1]


def wait_s(since: int, until: int, zone: str) -> float:
    """Return the seconds from one tick to another, without the quiet windows (22:57 to 23:10 of each local day)."""
    waited = float(until - since)
    day = local_day(since, zone)
    while first_instant(day, zone) < until:
        begin, end = (
            datetime.combine(date.fromisoformat(day), time(*at), ZoneInfo(zone)).timestamp() for at in _QUIET
        )
        waited -= max(0.0, min(end, until) - max(begin, since))
        day = following(day)
    return waited

"""How times are written in this room's messages."""

from __future__ import annotations

from datetime import UTC, datetime


def day(time: float) -> str:
    """A date, in UTC: 2027-03-01."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


def minute(time: float) -> str:
    """A date and time, in UTC: 2027-03-01 12:30 UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(seconds: float) -> str:
    """A length of time in its largest useful unit: 3 days, 5 hours, 12 minutes."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size or (seconds >= size and unit == "minute"):
            count = round(seconds / size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    count = max(0, round(seconds))
    return f"{count} second{'s' if count != 1 else ''}"

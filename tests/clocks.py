"""Clocks that tests move by hand, or that lose patience early."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


def noon_zone() -> str:
    """Name a zone in which it is about noon now: no day begins there while a test runs."""
    ahead_h = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead_h:+d}"  # the signs of these names are reversed: Etc/GMT-3 is three hours ahead of UTC


class HandClock:
    """Stands still unless it is moved; waiting moves it. Each bound on waiting is `patience_s` of real time."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.patience_s = 60.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        if not event.is_set():
            await self.sleep(seconds)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(self.patience_s)

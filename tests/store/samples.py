"""Ticks to store, a clock to turn by hand, and what an onlooker can read of a store's outbox."""

from __future__ import annotations

import asyncio
import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from logger.model import Role
from logger.store.records import Batch, Commit, DailyRow, Lease
from logger.store.store import Store

GATEWAY = "121900000001"
START = 1_780_000_020


@dataclass
class HandClock:
    """A clock that shows what a test sets."""

    now: float = START

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await self.sleep(seconds)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds)


def batch(role: Role, tick: int, lines: int = 1, text: str = "") -> Batch:
    body = b"".join(f'envoy_{role},n={n} v={tick}.0,t="{text}" {tick}\n'.encode() for n in range(lines))
    return Batch(role, lines, gzip.compress(body, 1))


def commit(tick: int, *, lines: int = 1, roles: tuple[Role, ...] = ("totals",), gateway: str = GATEWAY) -> Commit:
    return Commit(
        gateway,
        tick,
        tuple(batch(role, tick, lines) for role in roles),
        state={"last_tick": str(tick)},
        recent={"production_power_w": float(tick)},
    )


def day_row(day: str, value: float, *, final: bool = False, series: str = "gateway=1") -> DailyRow:
    return DailyRow("envoy_day", series, day, f"envoy_day,{series} production_wh={value} 1".encode(), final)


def daily_commit(tick: int, *rows: DailyRow) -> Commit:
    return Commit(GATEWAY, tick, daily=rows)


def make_store(folder: Path, clock: HandClock | None = None, *, max_mb: int = 64, keep_days: int = 30) -> Store:
    return Store.open(folder, max_mb=max_mb, keep_days=keep_days, clock=clock or HandClock())


def text(lease: Lease | None) -> list[str]:
    """The lines of a lease."""
    return [] if lease is None else gzip.decompress(lease.body).decode().splitlines()


def ticks(lines: list[str]) -> list[int]:
    return [int(line.rsplit(" ", 1)[1]) for line in lines]


def drain(store: Store, role: Role = "totals") -> list[int]:
    """Deliver everything of a role; the ticks of its lines in the order of delivery."""
    found = []
    while lease := store.lease(role, newest=False):
        found += ticks(text(lease))
        store.ack(lease)
    return found


def retry_all(store: Store) -> int:
    """Let every refused line wait again; how many it were."""
    return store.retry([line.id for line in store.list_refused(limit=100_000)])


def replay_all(store: Store, since: int) -> int:
    """Let everything from `since` on wait again, step by step; how many rows it were."""
    total = 0
    for step in (store.replay, store.replay_daily):
        after: int | None = 0
        while after is not None:
            count, after = step(since, after)
            total += count
    return total


def as_after_a_crash(folder: Path, target: Path) -> Path:
    """A copy of a state folder as a power cut at this moment would leave it."""
    target.mkdir()
    for name in ("store.sqlite3", "store.sqlite3-wal"):
        if (folder / name).exists():
            shutil.copyfile(folder / name, target / name)
    return target

"""Read stored lines and refused lines page by page, for the commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from logger.control.api import MOST_IDS, Ask, RefusedEntry, StoreApi
from logger.influx.read_back import time_of
from logger.model import Role

_LATER_S: Final = 3600
"""The greatest number of seconds by which the time of a point may be later than its tick."""


async def read_stored_lines(ask: Ask, role: Role, since: int, until: int) -> AsyncIterator[bytes]:
    """Read a role's lines whose time is from `since` to before `until` (unix seconds), in the stored order."""
    after: int | None = 0
    while after is not None:
        lines, after = await ask(StoreApi.read_lines, role, max(0, since - _LATER_S), after)
        for line in lines:
            if since <= time_of(line) < until:
                yield line


async def read_refused_lines(ask: Ask) -> AsyncIterator[RefusedEntry]:
    """Read all refused lines, in the order in which they were first refused."""
    after = 0
    while page := await ask(StoreApi.list_refused, after):
        for entry in page:
            yield entry
        after = page[-1].id


async def ask_in_portions(
    ask: Ask, function: Callable[[StoreApi, list[int]], Awaitable[int]], ids: Sequence[int]
) -> int:
    """Call `function` with the ids of refused lines, in portions. Return the number of changed lines."""
    return sum([await ask(function, [*ids[start : start + MOST_IDS]]) for start in range(0, len(ids), MOST_IDS)])


async def replay_everything(ask: Ask, since: int) -> int:
    """Let all delivered rows since `since` (unix seconds) wait for delivery again. Return their number."""
    total = 0
    for daily in (False, True):
        after: int | None = 0
        while after is not None:
            count, after = await ask(StoreApi.replay, since, after, daily)
            total += count
    return total

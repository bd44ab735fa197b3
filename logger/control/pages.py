"""Read stored lines and refused lines page by page, for the commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Final

from logger.control.api import MOST_IDS, Ask, as_bytes
from logger.influx.read_back import time_of
from logger.model import Json, Role

_LATER_S: Final = 3600
"""No point is later than its tick by more."""
_EVER: Final = 2**62


def part(answer: Json) -> dict[str, Json]:
    """An answer, or a part of one, that is an object."""
    if not isinstance(answer, dict):
        raise TypeError("the store's answer is no object")
    return answer


async def waiting(ask: Ask) -> dict[str, Json]:
    """What waits, by role, and what lies on disk."""
    return part(await ask("waiting"))


async def read_stored_lines(ask: Ask, role: Role, since: int, until: int) -> AsyncIterator[bytes]:
    """Every stored line of a role with a time from `since` to before `until`, in the order in which it was stored."""
    after: Json = 0
    while after is not None:
        page = part(await ask("lines", role=role, since=max(0, since - _LATER_S), until=_EVER, after=after))
        lines = page["lines"]
        for text in lines if isinstance(lines, list) else ():
            line = as_bytes(str(text))
            if since <= time_of(line) < until:
                yield line
        after = page["after"]


async def read_refused_lines(ask: Ask) -> AsyncIterator[dict[str, Json]]:
    """Every refused line, in the order of their first refusal."""
    after: Json = 0
    while True:
        page = await ask("refused", after=after, limit=MOST_IDS)
        if not isinstance(page, list) or not page:
            return
        for entry in page:
            if isinstance(entry, dict):
                yield entry
                after = entry["id"]


async def ask_in_portions(ask: Ask, name: str, ids: Iterable[int]) -> int:
    """Ask for something to be done with these refused lines; with how many it was."""
    left, total = list(ids), 0
    while left:
        part: list[Json] = [*left[:MOST_IDS]]
        done = await ask(name, ids=part)
        total += done if isinstance(done, int) else 0
        left = left[MOST_IDS:]
    return total


async def replay(ask: Ask, since: int) -> int:
    """Let everything delivered of ticks from `since` on wait again; how many rows it were."""
    total = 0
    for daily in (False, True):
        after: Json = 0
        while after is not None:
            step = part(await ask("replay", since=since, after=after, daily=daily))
            total += step["count"] if isinstance(step["count"], int) else 0
            after = step["after"]
    return total

"""Make each answer once for all visitors, until the recorder has news."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Generic, TypeVar

T = TypeVar("T")
JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True)
class WebDocument:
    """One answer: body, media type, HTTP status, and a tag that changes with the body."""

    body: bytes
    media_type: str
    status: int = 200

    @cached_property
    def etag(self) -> str:
        """Return the tag of the body, for the headers ETag and If-None-Match."""
        return f'"{hashlib.blake2b(self.body, digest_size=9).hexdigest()}"'


class FewKept(Generic[T]):
    """Store a value for each key, but not more than `most` values.

    The value that was unused for the longest time is deleted first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key. If the value is not stored, make it by `make`."""
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return self._kept[key]


class NewsCache(Generic[T]):
    """Store a value for each key. A value is made again when the recorder has news.

    Not more than `most` values are stored. The value that was unused for the longest time is deleted first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[int, T]] = OrderedDict()
        self._makers: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str, version: int, make: Callable[[], Awaitable[T]]) -> T:
        """Return the value of a key. Make the value if it is not stored with this `version` of the recorder's news.

        If several callers need the value at the same time, the value is made only once.
        """
        kept = self._kept.get(key)
        if kept is not None and kept[0] == version:
            self._kept.move_to_end(key)
            return kept[1]
        maker = self._makers.get(key)
        if maker is None:
            maker = self._makers[key] = asyncio.create_task(self._make(key, version, make))
            maker.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(maker)

    async def _make(self, key: str, version: int, make: Callable[[], Awaitable[T]]) -> T:
        made = await make()
        self._kept[key] = (version, made)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return made

    def _forget(self, key: str, maker: asyncio.Task[T]) -> None:
        """Remove the task that made a value. If the task failed, each caller that waits gets the task's error."""
        self._makers.pop(key, None)
        if not maker.cancelled():
            maker.exception()

"""Make each answer once for everyone who asks for it, until there is something new to say."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
_MOST: Final = 64
_MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WebDocument:
    """Hold one answer: its body, what kind of body that is, the tag that changes with it, and its HTTP status."""

    body: bytes
    media_type: str
    status: int = 200
    etag: str = ""


class DocumentCache:
    """Keeps the newest answer to each question, with the version of the news from which it was made."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[int, WebDocument]] = OrderedDict()
        self._makers: dict[str, asyncio.Task[WebDocument]] = {}

    async def get(self, key: str, version: int, make: Callable[[], Awaitable[WebDocument]]) -> WebDocument:
        """Return the answer of this version, which is made at most once at a time."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] == version:
            self._kept.move_to_end(key)
            return kept[1]
        maker = self._makers.get(key)
        if maker is None:
            maker = asyncio.ensure_future(self._make(key, version, make))
            self._makers[key] = maker
            maker.add_done_callback(lambda done: self._makers.pop(key, None) and done.cancelled() or done.exception())
        return await asyncio.shield(maker)

    async def _make(self, key: str, version: int, make: Callable[[], Awaitable[WebDocument]]) -> WebDocument:
        made = await make()
        tag = hashlib.blake2b(made.body, digest_size=9).hexdigest()
        document = WebDocument(made.body, made.media_type, made.status, f'"{tag}"')
        self._kept[key] = (version, document)
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST or sum(len(each.body) for _, each in self._kept.values()) > _MOST_BYTES:
            self._kept.popitem(last=False)
        return document

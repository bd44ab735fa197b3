"""Send the parts of the page that change to each visitor, as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.types import Receive, Scope, Send

from logger.daemon.news import News
from logger.web.front_page import FrontPage, write_message
from logger.web.page_texts import Language
from logger.web.shown_sites import ShownSite

MOST_STREAMS: Final = 256
_PAUSE_S: Final = 0.5
"""The least time between two messages, so that a fast clock or a burst of troubles floods nobody."""
_SIGN_OF_LIFE_S: Final = 25.0


class LiveStreams:
    """Counts the open streams, and writes each."""

    def __init__(self, page: FrontPage, news: News) -> None:
        self._page, self._news = page, news
        self.open = 0

    @property
    def is_full(self) -> bool:
        """Tell whether no further visitor can be served."""
        return self.open >= MOST_STREAMS

    async def follow(self, site: ShownSite, language: Language) -> AsyncIterator[bytes]:
        """Yield a message now and after each piece of news: the parts that changed for this visitor."""
        known: dict[str, str] = {}
        while True:
            version = self._news.version
            parts = await self._page.make_parts(site, language)
            changed = {name: text for name, text in parts.items() if known.get(name) != text}
            yield write_message(changed, await self._page.find_point(site))
            known = dict(parts)
            await asyncio.sleep(_PAUSE_S)
            while self._news.version == version:
                try:
                    async with asyncio.timeout(_SIGN_OF_LIFE_S):
                        await self._news.wait_beyond(version)
                except TimeoutError:
                    yield b":\n\n"


class LiveResponse:
    """One stream to one visitor, as an ASGI application: it ends when the visitor leaves."""

    def __init__(self, streams: LiveStreams, site: ShownSite, language: Language) -> None:
        self._streams, self._site, self._language = streams, site, language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send messages until the visitor leaves."""
        self._streams.open += 1
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_wait_for_leave(receive))
        try:
            done, _ = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._streams.open -= 1
            for task in (sending, leaving):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send_all(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for message in self._streams.follow(self._site, self._language):
            await send({"type": "http.response.body", "body": message, "more_body": True})


async def _wait_for_leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""Send the changed parts of the page to each visitor, as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

from logger.daemon.news import News
from logger.web.cached_documents import FewKept
from logger.web.front_page import FrontPage
from logger.web.kept_parts import ShownParts
from logger.web.page_texts import Language
from logger.web.shown_sites import ShownSite

MOST_STREAMS: Final = 256
_MOST_STEPS: Final = 32
_PAUSE_S: Final = 0.5
"""The least time in seconds between two messages, so that many changes in a short time cause few messages."""
_SIGN_OF_LIFE_S: Final = 25.0


_NOTHING: Final = ShownParts({}, {})


@dataclass(slots=True)
class _Step:
    """The message to a visitor who has the parts `known`, with the changes that lead to the parts `shown`."""

    known: ShownParts | None = None
    shown: ShownParts | None = None
    message: bytes = b""


class LiveStreams:
    """Count the open streams, and write their messages. A message for several visitors is written once.

    `hide_serials`: a function that replaces the gateways' serials in a message.
    """

    def __init__(self, page: FrontPage, news: News, hide_serials: Callable[[bytes], bytes]) -> None:
        self._page, self._news, self._hide_serials = page, news, hide_serials
        self._written: FewKept[_Step] = FewKept(_MOST_STEPS)
        self.open = 0

    @property
    def is_full(self) -> bool:
        """Return whether the greatest number of streams is open, so that a further visitor is refused."""
        return self.open >= MOST_STREAMS

    async def follow(self, site: ShownSite, language: Language, stamp: str = "") -> AsyncIterator[bytes]:
        """Yield a message immediately, and after each change of the page that this visitor sees.

        `stamp`: `ShownParts.stamp` of the page that the visitor already has; empty if the visitor has no page.
        """
        version = self._news.version
        shown = await self._page.show(site, language)
        known = shown if shown.stamp == stamp else _NOTHING
        yield self._write(site, language, known, shown)
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        while True:
            while self._news.version == version:
                try:
                    async with asyncio.timeout(_SIGN_OF_LIFE_S):
                        await self._news.wait_beyond(version)
                except TimeoutError:
                    yield b":\n\n"
            known, version = shown, self._news.version
            shown = await self._page.show(site, language)
            if shown != known and (left := sent_at + _PAUSE_S - loop.time()) > 0:
                await asyncio.sleep(left)
                version = self._news.version
                shown = await self._page.show(site, language)
            if shown != known:
                yield self._write(site, language, known, shown)
                sent_at = loop.time()

    def _write(self, site: ShownSite, language: Language, known: ShownParts, shown: ShownParts) -> bytes:
        """Return a message with the changed parts of the page.

        `known`: the parts that the visitor has. `shown`: the present parts.
        """
        step = self._written.get((site.number, language, known is _NOTHING), _Step)
        if step.known is not known or step.shown is not shown:
            changed = {name: text for name, text in shown.parts.items() if known.parts.get(name) != text}
            message = self._hide_serials(write_message(changed, shown.point))
            step.known, step.shown, step.message = known, shown, message
        return step.message


def write_message(parts: Mapping[str, str], point: Mapping[str, float]) -> bytes:
    """Return one server-sent event: the changed parts, and the newest point of the curve."""
    return f"data: {json.dumps({'parts': parts, 'point': point}, ensure_ascii=False)}\n\n".encode()


class LiveResponse:
    """Send one stream to one visitor, as an ASGI application. The stream ends when the visitor disconnects."""

    def __init__(self, streams: LiveStreams, site: ShownSite, language: Language, stamp: str) -> None:
        self._streams, self._site, self._language, self._stamp = streams, site, language, stamp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send messages until the visitor disconnects."""
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
        async for message in self._streams.follow(self._site, self._language, self._stamp):
            await send({"type": "http.response.body", "body": message, "more_body": True})


async def _wait_for_leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

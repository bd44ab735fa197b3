"""Play faults on demand, in place of the correct answers of a path. Only this module makes wrong answers."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

from logger.clock import Clock
from logger.simulator import web_pages
from logger.simulator.connections import Request, Response
from logger.simulator.site_model import Reply

Kind: TypeAlias = Literal[
    "delay", "drip", "hang", "status", "redirect", "html", "empty", "garbage", "cut", "reset", "huge", "bomb",
    "two lengths", "script",
]  # fmt: skip
Script: TypeAlias = Callable[[Request], Awaitable[Response | None]]
_CHUNK: Final = 256 * 1024
_MOVED: Final = b"<html>\r\n<body>Moved Permanently</body>\r\n</html>\r\n"
_CHUNKED: Final = b"%x\r\n%s\r\n0\r\n\r\n" % (len(_MOVED), _MOVED)
_TWO_LENGTHS: Final = (
    b"HTTP/1.1 301 Moved Permanently\r\nlocation: https://localhost/home\r\ncontent-type: text/html\r\n"
    b"connection: close\r\ncontent-length: %d\r\ntransfer-encoding: chunked\r\n\r\n" % len(_MOVED)
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Define one fault, which is played in place of the correct answer.

    `kind` is one of these:

    - `delay`: the correct answer, `seconds` later by the simulator's clock
    - `drip`: the correct answer, one byte every `seconds`
    - `hang`: no answer; the connection ends after `seconds` (0: the connection stays open)
    - `status`: an error page with the HTTP status in the field `status`
    - `redirect`: status 302 with another path
    - `html`, `empty`, `garbage`: status 200 with a web page, with an empty body, with half a document
    - `cut`, `reset`: the connection ends within the body, or before the answer
    - `huge`: a body of `size` bytes
    - `bomb`: a compressed body, which has `size` bytes after unpacking
    - `two lengths`: 301 with both Content-Length and chunked encoding, as firmware 5 answers until it is restarted;
      the body is chunked if `is_chunked`, else it has the given length
    - `script`: the answer that the function `script` returns for the request; the correct answer if it returns None

    A fault is played at most `times` times, between `since` and `until` in unix seconds; None means no limit.
    """

    kind: Kind
    seconds: float = 0.0
    status: int = 503
    times: int | None = None
    since: float | None = None
    until: float | None = None
    size: int = 64 << 20
    is_chunked: bool = True
    script: Script | None = None

    def is_due(self, now: float) -> bool:
        """Return True if the fault is played at `now`, in unix seconds."""
        return (self.since is None or now >= self.since) and (self.until is None or now < self.until)

    async def respond(
        self, request: Request, proper: Callable[[Request], Awaitable[Response]], clock: Clock
    ) -> Response:
        """Return the response with this fault. `proper` makes the correct response."""
        if self.kind == "hang" and not self.seconds:
            await asyncio.Event().wait()
        if self.kind in ("delay", "hang"):
            await clock.sleep(self.seconds)
        if self.script is not None and (scripted := await self.script(request)) is not None:
            return scripted
        return self._deform(await proper(request), clock)

    def _deform(self, response: Response, clock: Clock) -> Response:
        reply, headers = response.reply, response.headers
        match self.kind:
            case "delay" | "script":
                return response
            case "hang" | "reset":
                return replace(response, reset=True)
            case "status":
                return Response(web_pages.nginx(self.status, HTTPStatus(self.status).phrase), headers)
            case "html":
                return Response(web_pages.LOGIN, headers)
            case "empty":
                return Response(replace(reply, body=b""), headers)
            case "garbage":
                return Response(replace(reply, body=b'{"broken": [1, 2,'), headers)
            case "cut":
                return replace(response, cut_after=len(reply.body) // 2)
            case "drip":
                return replace(response, parts=lambda: _drip(reply.body, self.seconds, clock))
            case "huge":
                return Response(replace(reply, body=b""), headers, parts=lambda: _make_huge(self.size))
            case "bomb":
                encoded = (*headers, ("content-encoding", "gzip"))
                return Response(replace(reply, body=b""), encoded, parts=lambda: _make_bomb(self.size))
            case "two lengths":
                moved = Reply(301, web_pages.HTML, b"")
                return Response(moved, raw=_TWO_LENGTHS + (_CHUNKED if self.is_chunked else _MOVED))
            case "redirect":
                return Response(Reply(302, web_pages.HTML, b""), (*headers, ("location", "/login.html")))


@dataclass(slots=True)
class Faults:
    """The faults by path prefix.

    The due fault with the longest matching prefix is played. The prefix `*` matches every path.
    """

    by_prefix: dict[str, Fault] = field(default_factory=dict)
    played: dict[str, int] = field(default_factory=dict)

    def set(self, prefix: str, fault: Fault) -> None:
        """Set the fault for requests of paths with this prefix."""
        self.by_prefix[prefix] = fault
        self.played[prefix] = 0

    def clear(self, prefix: str | None = None) -> None:
        """Remove the fault of a prefix, or all faults."""
        if prefix is None:
            self.by_prefix.clear()
        else:
            self.by_prefix.pop(prefix, None)

    def take(self, path: str, now: float) -> Fault | None:
        """Return the fault to play for a request, and count the fault as played; None without a due fault."""
        fitting = [
            prefix
            for prefix, fault in self.by_prefix.items()
            if (prefix == "*" or path.startswith(prefix))
            and fault.is_due(now)
            and (fault.times is None or self.played[prefix] < fault.times)
        ]
        if not fitting:
            return None
        prefix = max(fitting, key=lambda p: 0 if p == "*" else len(p))
        self.played[prefix] += 1
        return self.by_prefix[prefix]


async def _drip(body: bytes, seconds: float, clock: Clock) -> AsyncIterator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        await clock.sleep(seconds)


async def _make_huge(size: int) -> AsyncIterator[bytes]:
    """Yield a JSON list of about `size` bytes."""
    yield b"[0"
    for _ in range(size // _CHUNK):
        yield b",0" * (_CHUNK // 2)
    yield b"]"


async def _make_bomb(size: int) -> AsyncIterator[bytes]:
    """Yield a JSON list of about `size` bytes, compressed to a thousandth of this size."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    async for part in _make_huge(size):
        if compressed := compressor.compress(part):
            yield compressed
    yield compressor.flush()

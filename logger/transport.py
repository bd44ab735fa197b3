"""The transport under httpx for one server: connections of asyncio that are kept as long as the server keeps them.

httpx's own transport takes more than twice the processor time a request (docs/performance.md), and forgets a
connection after some seconds, so that each minute would begin with a TLS handshake. HTTP is spoken by httpcore, as
there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpcore

from logger.lean_httpx import httpx

MAY_REPEAT: Final = "may_repeat"
"""Extension of a request: False if sending it twice could do harm."""
_SOON_S: Final = 0.25
"""Seconds after which the next address of a name is tried, too."""
_LONG_IDLE_S: Final = 5.0
"""A server may close a connection that was idle for so many seconds."""
_HANDSHAKE_S: Final = 3600.0
"""No bound of its own: the whole request has one."""
_BLOCK: Final = 65536
_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")
_UNANSWERED: Final = "without sending"
"""What httpcore says of a server that closes the connection instead of answering."""


class KeptConnections(httpx.AsyncBaseTransport):
    """Sends requests to one server, at most `most` at a time."""

    def __init__(self, tls: ssl.SSLContext, most: int) -> None:
        self._tls = tls
        self._free = asyncio.Semaphore(most)
        self._idle: list[_Connection] = []
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; if the server closed an idle connection meanwhile, send it again on a new one."""
        await self._free.acquire()
        connection = None
        try:
            connection = await self._find_idle()
            try:
                connection = connection or await self._connect(request)
                return await self._send(request, connection)
            except _ClosedMeanwhileError:
                connection = await self._connect(request)
                return await self._send(request, connection)
        except BaseException:
            await self._take_back(connection)
            raise

    async def aclose(self) -> None:
        """Close all connections; one that is in use is closed when its answer is."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.stream.aclose()

    async def _send(self, request: httpx.Request, connection: _Connection) -> httpx.Response:
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpcore.Request(
            request.method, target, headers=request.headers.raw, content=request.stream, extensions={}
        )
        with _as_httpx(), connection.watch(request.extensions.get(MAY_REPEAT, True)):
            answer = await connection.http.handle_async_request(sent)

        async def end() -> None:
            await answer.aclose()
            await self._take_back(connection)

        assert isinstance(answer.stream, AsyncIterable)  # noqa: S101  of the asynchronous layer
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer.stream, end))

    async def _find_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.stream.is_closed:
                return connection
            await connection.stream.aclose()
        return None

    async def _connect(self, request: httpx.Request) -> _Connection:
        url, within_s = request.url, request.extensions.get("timeout", {}).get("connect")
        host, is_https = url.raw_host.decode("ascii").strip("[]"), url.scheme == "https"
        stream = await _open(host, url.port or (443 if is_https else 80), self._tls if is_https else None, within_s)
        origin = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/").origin
        return _Connection(httpcore.AsyncHTTP11Connection(origin, stream), stream)

    async def _take_back(self, connection: _Connection | None) -> None:
        """Keep a connection for the next request if it is whole, else close it."""
        self._free.release()
        if connection is None:
            return
        if connection.http.is_idle() and not connection.stream.is_closed and not self._is_closed:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            await connection.stream.aclose()


class _ClosedMeanwhileError(Exception):
    """The server closed an idle connection before the request, or while it was on its way."""


class _Stream(httpcore.AsyncNetworkStream):
    """A connection of asyncio as httpcore reads and writes it. The caller bounds the time of all of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def is_closed(self) -> bool:
        """Tell whether the other side has closed."""
        return self._reader.at_eof() or self._reader.exception() is not None or self._writer.is_closing()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, at least one byte; nothing at the end."""
        try:
            return await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore.ReadError from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes; wait while the other side is slow to take them."""
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError as error:
            raise httpcore.WriteError from error

    async def aclose(self) -> None:
        """Close at once, without waiting for the other side."""
        self._writer.transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn


@dataclass(slots=True)
class _Connection:
    """A connection, and since when it is idle, in seconds of the loop; None if it is new."""

    http: httpcore.AsyncHTTP11Connection
    stream: _Stream
    idle_since: float | None = None

    @contextlib.contextmanager
    def watch(self, may_repeat: bool) -> Iterator[None]:
        """Raise _ClosedMeanwhileError where a request may be repeated that an idle connection did not carry."""
        was_idle = self.idle_since is not None and asyncio.get_running_loop().time() - self.idle_since >= _LONG_IDLE_S
        try:
            yield
        except (httpcore.RemoteProtocolError, httpcore.ReadError) as error:
            if was_idle and may_repeat and (isinstance(error, httpcore.ReadError) or _UNANSWERED in str(error)):
                raise _ClosedMeanwhileError from error
            raise


class _Body(httpx.AsyncByteStream):
    """The body of an answer; `end` is called once, when it is closed."""

    def __init__(self, parts: AsyncIterable[bytes], end: Callable[[], Awaitable[None]]) -> None:
        self._parts, self._end = parts, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._parts:
                yield part

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._end()


async def _open(host: str, port: int, tls: ssl.SSLContext | None, within_s: float | None) -> _Stream:
    """Connect, with TLS if asked, within some seconds."""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(
                host,
                port,
                ssl=tls,
                server_hostname=None if tls is None else host,
                ssl_handshake_timeout=None if tls is None else _HANDSHAKE_S,
                limit=_BLOCK,
                happy_eyeballs_delay=_SOON_S,
            )
    except TimeoutError as error:
        raise httpx.ConnectTimeout("no connection in time") from error
    except OSError as error:
        raise httpx.ConnectError(str(error)) from _find_reason(error, is_tls=tls is not None)
    return _Stream(reader, writer)


def _find_reason(error: OSError, *, is_tls: bool) -> OSError:
    """Return the reason that all addresses of a name share, if there were several; the handshake, if that failed."""
    if is_tls and isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
        return ssl.SSLError("the connection was closed")
    numbers = set(_ERRNO.findall(str(error)))
    if error.errno is None and len(numbers) == 1:
        number = int(numbers.pop())
        return OSError(number, errno.errorcode.get(number, ""))
    return error


@contextlib.contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpx's errors for those of httpcore."""
    try:
        yield
    except httpcore.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except httpcore.LocalProtocolError as error:
        raise httpx.LocalProtocolError(str(error)) from error
    except httpcore.NetworkError as error:
        raise httpx.ReadError("") from error

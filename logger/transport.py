"""Sends the requests of httpx to one server, over connections that stay open as long as the server allows.

httpx's own transport takes more than twice the processor time for each request (docs/performance.md). That transport
also closes an idle connection after some seconds, so each minute would begin with a TLS handshake. h11 speaks HTTP,
as it does in httpx.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from logger.http_connection import HttpConnection
from logger.lean_httpx import httpx

MAY_REPEAT: Final = "may_repeat"
"""Extension of a request: False if sending it twice could do harm."""
_SOON_S: Final = 0.25
"""Seconds after which the next address of a name is tried, too. A request that is cut off during this leaves a socket
to the garbage collector of Python 3.11. So an address that is no name is connected to directly."""
_HANDSHAKE_S: Final = 3600.0
"""No bound of its own: the whole request has one."""
_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")


class KeptConnections(httpx.AsyncBaseTransport):
    """Sends requests to one server, at most `most` at a time."""

    def __init__(self, tls: ssl.SSLContext, most: int) -> None:
        self._tls = tls
        self._free = asyncio.Semaphore(most)
        self._idle: list[HttpConnection] = []
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. If the server had closed the idle connection, send it once more on a new connection."""
        await self._free.acquire()
        connection = None
        try:
            connection = await self._find_idle()
            try:
                connection = connection or await self._connect(request)
                return await self._send(request, connection)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                may_repeat = request.extensions.get(MAY_REPEAT, True)
                if connection is None or not (may_repeat and connection.was_closed_meanwhile):
                    raise
                await connection.aclose()
                connection = None
                connection = await self._connect(request)
                return await self._send(request, connection)
        except BaseException:
            await self._take_back(connection)
            raise

    async def aclose(self) -> None:
        """Close all connections. A connection in use is closed at the end of its answer."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.aclose()

    async def _send(self, request: httpx.Request, connection: HttpConnection) -> httpx.Response:
        target, fields = request.url.raw_path, request.headers.raw
        status, headers = await connection.send(request.method, target, fields, request.content)
        return httpx.Response(status, headers=headers, stream=_Body(connection, self._take_back))

    async def _find_idle(self) -> HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            await connection.aclose()
        return None

    async def _connect(self, request: httpx.Request) -> HttpConnection:
        url, within_s = request.url, request.extensions.get("timeout", {}).get("connect")
        host, is_https = url.raw_host.decode("ascii").strip("[]"), url.scheme == "https"
        return await _open(host, url.port or (443 if is_https else 80), self._tls if is_https else None, within_s)

    async def _take_back(self, connection: HttpConnection | None) -> None:
        """Keep a connection for the next request if it is whole. Close it otherwise."""
        self._free.release()
        if connection is None:
            return
        if not self._is_closed and connection.rest():
            self._idle.append(connection)
        else:
            await connection.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of an answer. Closing the body calls `end` once."""

    def __init__(self, connection: HttpConnection, end: Callable[[HttpConnection], Awaitable[None]]) -> None:
        self._connection, self._end = connection, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while part := await self._connection.read():
            yield part

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._end(self._connection)


async def _open(host: str, port: int, tls: ssl.SSLContext | None, within_s: float | None) -> HttpConnection:
    """Connect within some seconds, with TLS if a context is given."""
    try:
        async with asyncio.timeout(within_s):
            _, connection = await asyncio.get_running_loop().create_connection(
                HttpConnection,
                host,
                port,
                ssl=tls,
                server_hostname=None if tls is None else host,
                ssl_handshake_timeout=None if tls is None else _HANDSHAKE_S,
                happy_eyeballs_delay=None if _is_address(host) else _SOON_S,
            )
    except TimeoutError as error:
        raise httpx.ConnectTimeout("no connection in time") from error
    except OSError as error:
        raise httpx.ConnectError(str(error)) from _find_reason(error, is_tls=tls is not None)
    return connection


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _find_reason(error: OSError, *, is_tls: bool) -> OSError:
    """Return the cause of a failed connection.

    The cause is a broken TLS handshake, else the one cause that all addresses of a name share, else `error` itself.
    """
    if is_tls and isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
        return ssl.SSLError("the connection was closed")
    numbers = set(_ERRNO.findall(str(error)))
    if error.errno is None and len(numbers) == 1:
        number = int(numbers.pop())
        return OSError(number, errno.errorcode.get(number, ""))
    return error

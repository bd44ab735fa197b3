"""Sends calls to one server, over connections that stay open as long as the server allows, or through a proxy.

httpx's own transport takes more than twice the processor time for each call (docs/performance.md). That transport
also closes an idle connection after some seconds, so each minute would begin with a TLS handshake. Only calls through
a proxy use httpx's own transport.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import ssl
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias, cast

from logger.http_connection import HttpConnection
from logger.lean_httpx import httpx

RawFields: TypeAlias = list[tuple[bytes, bytes]]
"""The header lines of a call or of an answer, as names and values in bytes."""
_SOON_S: Final = 0.25
"""Seconds after which the next address of a host name is tried in parallel.

If a request is cancelled during parallel tries, Python 3.11 leaves a socket to its garbage collector. So
parallel tries are switched off for a host that is an IP address: there is no other address to try.
"""
_HANDSHAKE_S: Final = 3600.0
"""Seconds for a TLS handshake. The value is no real limit, because the whole request has a time limit."""
_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Header names are in lower case; host and length are added when the call is sent.

    `connect_s`: how long connecting may take, in seconds. `may_repeat`: sending the call twice does no harm.
    """

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(default=b"", repr=False)
    connect_s: float | None = None
    may_repeat: bool = True

    @property
    def target(self) -> bytes:
        """Return path and query of the URL."""
        return self.url.raw_path

    def make_fields(self) -> RawFields:
        """Make all header lines of the call.

        Values are encoded in UTF-8, because a user's name in a signature may have letters outside ASCII.
        """
        fields = [(b"Host", self.url.netloc)]
        fields += [(name.encode("ascii"), value.encode()) for name, value in self.headers.items()]
        return fields if self.method == "GET" else [*fields, (b"Content-Length", str(len(self.content)).encode())]


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """The beginning of an answer.

    `read` returns the next part of the body, and empty bytes at the end. Call `close` after the last `read`.
    """

    status: int
    fields: RawFields = field(repr=False)
    read: Callable[[], Awaitable[bytes]]
    close: Callable[[], Awaitable[None]]


class Transport(Protocol):
    """Sends calls to one server."""

    async def send(self, call: Call) -> OpenAnswer:
        """Send a call. Return the beginning of the answer. Raises an error of httpx or an OSError."""
        ...

    async def aclose(self) -> None:
        """Close all connections. A connection in use is closed at the end of its answer."""
        ...


class KeptConnections:
    """Sends calls to one server, not more than `most` at a time."""

    def __init__(self, tls: ssl.SSLContext, most: int) -> None:
        self._tls = tls
        self._free = asyncio.Semaphore(most)
        self._idle: list[HttpConnection] = []
        self._is_closed = False

    async def send(self, call: Call) -> OpenAnswer:
        """Send a call.

        If the server had closed the idle connection, and the call may be repeated, send it again on a new connection.
        """
        await self._free.acquire()
        connection = None
        try:
            connection = await self._find_idle()
            try:
                connection = connection or await self._connect(call)
                return await self._send(call, connection)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                if connection is None or not (call.may_repeat and connection.was_closed_meanwhile):
                    raise
                await connection.aclose()
                connection = None
                connection = await self._connect(call)
                return await self._send(call, connection)
        except BaseException:
            await self._take_back(connection)
            raise

    async def aclose(self) -> None:
        """Close all connections. A connection in use is closed at the end of its answer."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.aclose()

    async def _send(self, call: Call, connection: HttpConnection) -> OpenAnswer:
        status, fields = await connection.send(call.method, call.target, call.make_fields(), call.content)
        return OpenAnswer(status, fields, connection.read, lambda: self._take_back(connection))

    async def _find_idle(self) -> HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            await connection.aclose()
        return None

    async def _connect(self, call: Call) -> HttpConnection:
        url = call.url
        host, is_https = url.raw_host.decode("ascii").strip("[]"), url.scheme == "https"
        port = url.port or (443 if is_https else 80)
        return await _open(host, port, self._tls if is_https else None, call.connect_s)

    async def _take_back(self, connection: HttpConnection | None) -> None:
        """Store a connection for the next call if it is still usable. Otherwise close the connection."""
        self._free.release()
        if connection is None:
            return
        if not self._is_closed and connection.rest():
            self._idle.append(connection)
        else:
            await connection.aclose()


class ProxiedConnections:
    """Sends calls to one server through a proxy."""

    def __init__(self, tls: ssl.SSLContext, proxy: str) -> None:
        self._transport = httpx.AsyncHTTPTransport(verify=tls, proxy=proxy, trust_env=False)

    async def send(self, call: Call) -> OpenAnswer:
        """Send a call through the proxy."""
        limits = {"timeout": {"connect": call.connect_s}}
        request = httpx.Request(
            call.method, call.url, headers=call.make_fields(), content=call.content, extensions=limits
        )
        response = await self._transport.handle_async_request(request)
        parts = aiter(cast("AsyncIterable[bytes]", response.stream))
        return OpenAnswer(response.status_code, response.headers.raw, lambda: anext(parts, b""), response.aclose)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


async def _open(host: str, port: int, tls: ssl.SSLContext | None, within_s: float | None) -> HttpConnection:
    """Open a connection within `within_s` seconds, with TLS if `tls` is given."""
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

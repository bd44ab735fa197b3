"""Keeps the connections to one server: opens them with asyncio, checks TLS, and lends them to one request at a time.

HTTP itself is spoken by httpcore, the lower layer of httpx.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

import httpcore

_SOON_S: Final = 0.25
"""Seconds after which the next address of a name is tried, too."""
_LONG_IDLE_S: Final = 5.0
"""A server may close a connection that was idle for so many seconds."""
_FOR_EVER_S: Final = 3600.0
_BLOCK: Final = 65536
_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")
_SAFE: Final = "/?&=%:;,@+$!*'()~[]-._"


class ConnectFailedError(OSError):
    """No connection came about; the cause says why."""


class ConnectTooSlowError(Exception):
    """No connection came about within its time."""


class Server:
    """The server of one base URL (scheme://host[:port][/path]). Raises ValueError for any other text."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{parts.scheme or 'no'} scheme")
        self.is_https = parts.scheme == "https"
        self.name = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
        self.port = parts.port or (443 if self.is_https else 80)
        usual = parts.port is None or parts.port == (443 if self.is_https else 80)
        bracketed = f"[{self.name}]" if ":" in self.name else self.name
        self.host_header = bracketed if usual else f"{bracketed}:{self.port}"
        self.user, self.password = parts.username or "", parts.password or ""
        self._path = parts.path
        self._scheme, self._host = parts.scheme.encode(), bracketed.encode()

    def locate(self, path: str, query: str) -> httpcore.URL:
        """Return the URL of a path below the base URL; the path may hold a query of its own."""
        target = quote(f"{self._path}{path}", safe=_SAFE) + (f"?{query}" if query else "")
        return httpcore.URL(
            scheme=self._scheme, host=self._host, port=self.port, target=(target or "/").encode("ascii")
        )


class Stream(httpcore.AsyncNetworkStream):
    """A connection of asyncio as httpcore reads and writes it. The caller bounds the time of all of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def is_closed(self) -> bool:
        """Tell whether the other side has closed, or something came that nobody asked for."""
        return self._reader.at_eof() or self._reader.exception() is not None or self._writer.is_closing()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, at least one byte; nothing at the end."""
        return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes; wait while the other side is slow to take them."""
        if buffer:
            self._writer.write(buffer)
            await self._writer.drain()

    async def aclose(self) -> None:
        """Close at once, without waiting for the other side."""
        self._writer.transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Begin TLS on a connection that a proxy has opened."""
        await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        return self


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore's proxy."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: object = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the proxy."""
        return await _open(host, port, None, timeout)


Lent = tuple[httpcore.AsyncConnectionInterface | httpcore.AsyncHTTPProxy, bool]
"""What a request is sent on, and whether it was idle for long, so that the server may just have closed it."""


class Transport:
    """Lends connections to one server, at most `most` at a time. They are kept as long as the server keeps them."""

    def __init__(self, server: Server, tls: ssl.SSLContext | None, *, proxy: str | None, most: int) -> None:
        self._server, self._tls = server, tls
        self._free = asyncio.Semaphore(most)
        self._idle: list[_Kept] = []
        self._proxy: httpcore.AsyncHTTPProxy | None = None
        self.is_closed = False
        if proxy is not None:
            self._proxy = _make_proxy(proxy, tls, most)

    @contextlib.asynccontextmanager
    async def lend(self, connect_s: float | None, *, anew: bool = False) -> AsyncIterator[Lent]:
        """Lend a connection: an idle one unless `anew`, else a new one that is open within `connect_s` seconds.

        Raises ConnectFailedError and ConnectTooSlowError.
        """
        if self._proxy is not None:
            yield self._proxy, False
            return
        async with self._free:
            kept = None if anew else await self._find_idle()
            used = kept or await self._connect(connect_s)
            loop = asyncio.get_running_loop()
            try:
                yield used.connection, loop.time() - used.idle_since >= _LONG_IDLE_S
            finally:
                if used.connection.is_idle() and not used.stream.is_closed and not self.is_closed:
                    used.idle_since = loop.time()
                    self._idle.append(used)
                else:
                    await used.stream.aclose()

    async def aclose(self) -> None:
        """Close all connections; those that are lent are closed when they come back."""
        self.is_closed = True
        idle, self._idle = self._idle, []
        for kept in idle:
            await kept.stream.aclose()
        if self._proxy is not None:
            await self._proxy.aclose()

    async def _find_idle(self) -> _Kept | None:
        while self._idle:
            kept = self._idle.pop()
            if not kept.stream.is_closed:
                return kept
            await kept.stream.aclose()
        return None

    async def _connect(self, connect_s: float | None) -> _Kept:
        server = self._server
        stream = await _open(server.name, server.port, self._tls if server.is_https else None, connect_s)
        connection = httpcore.AsyncHTTP11Connection(server.locate("", "").origin, stream)
        return _Kept(connection, stream, asyncio.get_running_loop().time())


@dataclass(slots=True)
class _Kept:
    """A connection, and since when it is idle, in seconds of the loop."""

    connection: httpcore.AsyncHTTP11Connection
    stream: Stream
    idle_since: float


async def _open(host: str, port: int, tls: ssl.SSLContext | None, within_s: float | None) -> Stream:
    """Connect, with TLS if asked, within some seconds."""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(
                host,
                port,
                ssl=tls,
                server_hostname=None if tls is None else host,
                ssl_handshake_timeout=None if tls is None else _FOR_EVER_S,
                limit=_BLOCK,
                happy_eyeballs_delay=_SOON_S,
            )
    except TimeoutError as error:
        raise ConnectTooSlowError from error
    except OSError as error:
        raise ConnectFailedError(*error.args) from _find_reason(error, is_tls=tls is not None)
    return Stream(reader, writer)


def _find_reason(error: OSError, *, is_tls: bool) -> OSError:
    """Return the reason that all addresses of a name share, if there were several; the handshake, if that failed."""
    if is_tls and isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
        return ssl.SSLError("the connection was closed")
    numbers = set(_ERRNO.findall(str(error)))
    if error.errno is None and len(numbers) == 1:
        number = int(numbers.pop())
        return OSError(number, errno.errorcode.get(number, ""))
    return error


def _make_proxy(url: str, tls: ssl.SSLContext | None, most: int) -> httpcore.AsyncHTTPProxy:
    parts = urlsplit(url)
    auth = (parts.username or "", parts.password or "") if parts.username else None
    return httpcore.AsyncHTTPProxy(
        parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
        proxy_auth=auth,
        ssl_context=tls,
        max_connections=most,
        max_keepalive_connections=most,
        network_backend=_Backend(),
    )

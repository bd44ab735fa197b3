"""Sends requests over one connection. h11 parses HTTP, and a protocol of asyncio wakes the caller.

The caller is woken once for each answer. httpcore, which httpx usually uses, wakes the caller for each part of an
answer and also takes locks. So httpcore costs three times the processor time (docs/performance.md).
"""

from __future__ import annotations

import asyncio
from typing import Final

import h11

from logger.lean_httpx import httpx

_MUCH: Final = 65536
"""When this many bytes of a body have arrived, `send` or `read` returns although the answer is not complete.

Reading from the server pauses until the next `read` takes these bytes.
"""
_HEAD_LIMIT: Final = 100 * 1024
"""The greatest number of bytes that status and headers of an answer may have."""
_MOST_HEADS: Final = 32
"""The greatest number of request heads that are cached for one connection."""
_LONG_IDLE_S: Final = 5.0
"""A server may close a connection that was idle for at least this many seconds."""


class HttpConnection(asyncio.Protocol):
    """Sends requests one after the other.

    For each request call `send`, then `read` until `read` returns empty bytes, then `rest`.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
        self._transport = asyncio.Transport()
        self._heads: dict[tuple[str, bytes], tuple[list[tuple[bytes, bytes]], h11.Request]] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._idle_since: float | None = None
        self._was_idle_s = 0.0
        self._failure: Exception | None = None
        self._begin()

    def _begin(self) -> None:
        """Clear the previous answer before the next request."""
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._has_begun = self._is_complete = self._is_paused = False

    async def send(
        self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Send a request. Return status and headers of the answer.

        This method returns when the answer is complete, or when much of its body has arrived. Raises
        RemoteProtocolError, LocalProtocolError or ReadError, as `read` does.
        """
        self._begin()
        self._was_idle_s = 0.0 if self._idle_since is None else self._loop.time() - self._idle_since
        self._idle_since = None
        try:
            parts = [self._http.send(self._make_head(method, target, headers))]
            if content:
                parts.append(self._http.send(h11.Data(data=content)))
            parts.append(self._http.send(h11.EndOfMessage()))
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        self._transport.write(b"".join([part for part in parts if part]))
        await self._wait()
        if self._head is None:
            raise self._failure or httpx.ReadError("")
        return self._head.status_code, self._head.headers.raw_items()

    def _make_head(self, method: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> h11.Request:
        """Make the head of a request.

        The head is cached, because h11 checks each header, and most requests are repeated.
        """
        known = self._heads.get((method, target))
        if known is None or known[0] != headers:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            known = headers, h11.Request(method=method, target=target, headers=headers)
            self._heads[method, target] = known
        return known[1]

    async def read(self) -> bytes:
        """Wait until the body is complete or a large part has arrived. Return what has arrived; empty at the end."""
        if not self._body and not self._is_complete:
            await self._wait()
        data = bytes(self._body)
        self._body.clear()
        if not data and self._failure is not None:
            raise self._failure
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    def rest(self) -> bool:
        """Prepare the connection for the next request. Return False if no further request is possible."""
        is_done = self._is_complete and self._http.our_state is self._http.their_state is h11.DONE
        if not is_done or not self.is_open or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        self._idle_since = self._loop.time()
        return True

    async def aclose(self) -> None:
        """Close the connection immediately, without waiting for the server."""
        self._transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    @property
    def is_open(self) -> bool:
        """Return True until the connection is closed or broken."""
        return self._failure is None and not self._transport.is_closing()

    @property
    def was_closed_meanwhile(self) -> bool:
        """Return True if the server closed the idle connection before receiving the last request."""
        return self._was_idle_s >= _LONG_IDLE_S and self._failure is not None and not self._has_begun

    async def _wait(self) -> None:
        """Wait until the answer is complete or broken, or until much of its body has arrived."""
        if self._failure is None and not self._is_complete and len(self._body) < _MUCH:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    # -- methods that asyncio calls -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport of the new connection."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  a stream has this kind of transport
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read bytes of the answer."""
        self._has_begun = True
        self._take(data)

    def eof_received(self) -> None:
        """Record that the server ended its answer, or closed the idle connection."""
        self._take(b"")

    def connection_lost(self, error: Exception | None) -> None:
        """Record that the connection is closed, with the error that closed the connection."""
        if error is not None and not self._is_complete:
            self._fail(httpx.ReadError(""), error)
        self._take(b"")

    def _take(self, data: bytes) -> None:
        """Pass received bytes to h11. Wake the caller if enough of the answer has arrived."""
        if self._failure is not None:
            return
        if self._idle_since is not None:
            self._fail(httpx.RemoteProtocolError("Server disconnected without sending a response."))
            return
        try:
            self._http.receive_data(data)
            self._read_events()
        except h11.RemoteProtocolError as error:
            if not data and self._head is None:
                self._fail(httpx.RemoteProtocolError("Server disconnected without sending a response."), error)
            else:
                self._fail(httpx.RemoteProtocolError(str(error)), error)
        if self._is_complete or len(self._body) >= _MUCH:
            self._wake()

    def _read_events(self) -> None:
        while not self._is_complete:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.Response):
                self._head = event
            elif isinstance(event, h11.EndOfMessage):
                self._is_complete = True
            elif not isinstance(event, h11.InformationalResponse):
                break
        if len(self._body) >= _MUCH and not self._is_complete and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _fail(self, failure: Exception, cause: Exception | None = None) -> None:
        failure.__cause__ = cause
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

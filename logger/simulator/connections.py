"""Serve HTTP/1.1 with h11 and asyncio streams, by a server that can play every fault."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

import h11

from logger.simulator.site_model import Reply


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` contains the query; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """A reply, further headers, and the fault of its transfer.

    `cut_after`: the connection ends after this many bytes of the body. `reset`: the connection ends without an
    answer. `parts`: texts that are sent instead of the body, without a length. `raw`: bytes that are sent instead of
    an answer; then the connection ends.
    """

    reply: Reply
    headers: tuple[tuple[str, str], ...] = ()
    cut_after: int | None = None
    reset: bool = False
    parts: Callable[[], AsyncIterator[bytes]] | None = None
    raw: bytes | None = None


Handler = Callable[[Request], Awaitable[Response]]


class HttpServer:
    """Listen on 127.0.0.1, and answer requests by `handler`.

    `raw`: the bytes that each connection sent after the TLS handshake, in order. An attacker in the place of the
    gateway would see these bytes.
    """

    def __init__(self, handler: Handler, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.tls = tls
        self.raw: list[bytearray] = []
        self._handler = handler
        self._listener: socket.socket | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen, and set `port` to the port in use, which stays the same at the next start."""
        self._listener = listener = socket.create_server(("127.0.0.1", self.port))
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    async def stop(self) -> None:
        """Stop listening and close every connection. A second call has no effect."""
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
            await self.drop()

    async def drop(self) -> None:
        """Close every connection, even during a handshake. A gateway that restarts does the same."""
        clients = list(self._clients)
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await asyncio.sleep(0)  # aborted connections are closed in the next turn of the loop

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # the client closed the connection before it was accepted
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the body is sent 40 ms after the head
        task = asyncio.get_running_loop().create_task(self._client(connection))
        self._clients.add(task)
        task.add_done_callback(partial(self._forget, connection))

    def _forget(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        task.get_loop().call_soon(connection.close)  # a task that never began has no transport to close

    async def _client(self, connection: socket.socket) -> None:
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        patience_s = None if self.tls is None else 10.0
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self.tls, ssl_handshake_timeout=patience_s
            )
        except (OSError, asyncio.CancelledError):
            return  # the handshake failed, or the client no longer waits for it
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._serve(reader, writer)
        except (OSError, h11.ProtocolError, asyncio.CancelledError):
            writer.transport.abort()  # the client is gone, sent an invalid request, or the server stops
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        seen = bytearray()
        self.raw.append(seen)
        while request := await _read_request(connection, reader, seen):
            response = await self._handler(request)
            await _send(connection, writer, response)
            if connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()


async def _read_request(connection: h11.Connection, reader: asyncio.StreamReader, seen: bytearray) -> Request | None:
    """Read the next request; None at the end of the connection. Append every received byte to `seen`."""
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(65536)
            seen += data
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
            return Request(head.method.decode("ascii"), head.target.decode("latin-1"), headers, body)
        else:
            return None


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, response: Response) -> None:
    if response.reset:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return
    if response.raw is not None:
        writer.write(response.raw)
        await writer.drain()
        return
    reply = response.reply
    body = reply.body if response.cut_after is None else reply.body[: response.cut_after]
    headers = [("content-type", reply.content_type), *response.headers]
    if response.parts is None:
        headers.append(("content-length", str(len(reply.body))))
    reason = HTTPStatus(reply.status).phrase.encode()
    writer.write(connection.send(h11.Response(status_code=reply.status, reason=reason, headers=headers)) or b"")
    if response.parts is not None:
        async for part in response.parts():
            writer.write(connection.send(h11.Data(data=part)) or b"")
            await writer.drain()
    else:
        writer.write(connection.send(h11.Data(data=body)) or b"")
    await writer.drain()
    if response.cut_after is None:
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()

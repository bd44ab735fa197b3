"""A small HTTP/1.1 server on h11 and asyncio streams: plain enough that every fault can be played on it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import h11

from logger.standin.plant import Reply


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `path` with its query, header names in lower case."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent: the reply, further headers, and how it is spoiled on the wire."""

    reply: Reply
    headers: tuple[tuple[str, str], ...] = ()
    cut_after: int | None = None
    reset: bool = False
    drip_s: float = 0.0


Handler = Callable[[Request], Awaitable[Response]]


class HttpServer:
    """Listens on 127.0.0.1 and answers by `handler`; `raw` collects what each connection sent after the handshake."""

    def __init__(self, handler: Handler, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.raw: list[bytes] = []
        self._handler = handler
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen; `port` is then the real one."""
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        await self.drop()
        if self._server is not None:
            await self._server.wait_closed()

    async def drop(self) -> None:
        """End every connection, as a restart of the device does."""
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a stream callback runs in a task
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, h11.ProtocolError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        slot = len(self.raw)
        self.raw.append(b"")
        while True:
            request = await self._request(connection, reader, slot)
            if request is None:
                return
            response = await self._handler(request)
            await self._send(connection, writer, response)
            if response.reset or response.cut_after is not None or connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _request(self, connection: h11.Connection, reader: asyncio.StreamReader, slot: int) -> Request | None:
        head: h11.Request | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(65536)
                self.raw[slot] += data
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

    async def _send(self, connection: h11.Connection, writer: asyncio.StreamWriter, response: Response) -> None:
        reply = response.reply
        if response.reset:
            raw = writer.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return
        try:
            reason = HTTPStatus(reply.status).phrase
        except ValueError:
            reason = ""
        headers = [("content-type", reply.content_type), ("content-length", str(len(reply.body))), *response.headers]
        head = connection.send(h11.Response(status_code=reply.status, reason=reason.encode(), headers=headers)) or b""
        data = b"" if not reply.body else (connection.send(h11.Data(data=reply.body)) or b"")
        if response.cut_after is not None:
            writer.write(head + data[: response.cut_after])
            await writer.drain()
            return
        if response.drip_s:
            for at in range(len(data)):
                writer.write(head + data[at : at + 1] if at == 0 else data[at : at + 1])
                await writer.drain()
                await asyncio.sleep(response.drip_s)
        else:
            writer.write(head + data)
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()

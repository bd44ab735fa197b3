"""Answer connections with the HTTP protocol class of the library uvicorn, in the recorder's event loop.

The number and the duration of connections are limited.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import struct
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from logger.clock import Clock
from logger.daemon.recorder import Recorder
from logger.settings.load import Settings
from logger.web.build_app import build_app
from logger.web.guard import MOST_HEADER_BYTES

MOST_CONNECTIONS: Final = 320
_OWN_FILES: Final = 96
"""The number of file descriptors that are reserved for the recorder itself."""
REQUEST_S: Final = 10.0
"""Seconds until a connection is closed whose request has not arrived, or whose visitor does not read the answer."""
_KEEP_ALIVE_S: Final = 20
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_BACKLOG: Final = 128


async def answer(listener: socket.socket, settings: Settings, recorder: Recorder, clock: Clock) -> None:
    """Answer every connection of a listening socket until cancelled. Then close all connections."""
    config = Config(
        build_app(settings, recorder, clock),
        http=GuardedConnection,
        ws="none",
        loop="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
    )
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # otherwise a visitor could fill the log
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: GuardedConnection(config, state, {}), sock=listener, backlog=_BACKLOG
    )
    try:
        await asyncio.Event().wait()
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def count_most_connections() -> int:
    """Return how many connections may be open at once, so that enough file descriptors are left for the recorder."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(8, min(MOST_CONNECTIONS, soft - _OWN_FILES))


class GuardedConnection(H11Protocol):
    """The connection of one visitor.

    The connection is closed in three cases: too many connections are open, a request takes too long, or the visitor
    does not read the answer in time.
    """

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection. If there are too many connections, close the new connection immediately."""
        super().connection_made(transport)
        if len(self.connections) > count_most_connections():
            self._cut_off()
        else:
            self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the deadline of a connection that was closed."""
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request. The whole request must arrive before the deadline."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._start_deadline()
        elif self.flow.write_paused is False:
            self._stop_deadline()

    def pause_writing(self) -> None:
        """Set a deadline, because the visitor does not read the answer."""
        super().pause_writing()
        self._start_deadline()

    def resume_writing(self) -> None:
        """Remove the deadline, because the visitor reads again."""
        self._stop_deadline()
        super().resume_writing()

    def _cut_off(self) -> None:
        """Close the connection immediately.

        The kernel also deletes the data that the visitor has not read. Otherwise the kernel would store these data
        for many minutes.
        """
        own: socket.socket = self.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self._cut_off)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

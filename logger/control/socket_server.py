"""Answers the requests of commands on the recorder's Unix socket. Each message is one line of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError, validate_call

from logger import __version__, log
from logger.control.unix_socket import (
    ANSWER_S,
    MOST_ANSWER_BYTES,
    MOST_REQUEST_BYTES,
    SAME_VERSION,
    SOCKET,
    connect,
    parse_line,
    read_annotations,
    short_name,
    write_line,
)
from logger.errors import EnvoyLoggerError, StoreHeldError
from logger.model import Json

_IDLE_S: Final = 300.0
_MOST_CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One function that a command can call. `call` checks the arguments, and `answer` encodes the result.

    The function raises EnvoyLoggerError with a message for people. For arguments that make no sense the function
    raises KeyError, TypeError or ValueError.
    """

    call: Callable[..., Awaitable[object]]
    answer: TypeAdapter[Any]


@contextlib.asynccontextmanager
async def serving(folder: Path, *apis: object) -> AsyncIterator[None]:
    """Serve the public async methods of `apis` on the socket `folder`/control, within this context.

    If the socket cannot be made, log a warning and continue. Raises StoreHeldError if another recorder answers on the
    socket.
    """
    server = _Server(_list_endpoints(apis))
    try:
        await server.open(folder / SOCKET)
    except OSError as error:
        log.get("control").warning(
            f"there is no control socket in {folder}, so no command reaches the recorder: {error.strerror or error}\n"
            f"Try: put {folder} on a local file system, and let the recorder's user write to this folder; until "
            "then, stop the recorder before you run `outbox`, `export`, `query` or `backfill`."
        )
    try:
        yield
    finally:
        await server.close()


def _list_endpoints(apis: tuple[object, ...]) -> dict[str, _Endpoint]:
    return {
        name: _Endpoint(validate_call(method), read_annotations(method.__func__)["return"])
        for api in apis
        for name, method in inspect.getmembers(api, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }


class _Server:
    """Accepts connections, checks the user of each connection, and answers requests."""

    def __init__(self, endpoints: Mapping[str, _Endpoint]) -> None:
        self._endpoints = endpoints
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None

    async def open(self, path: Path) -> None:
        if (there := await connect(path)) is not None:
            there.close()
            raise StoreHeldError(
                f"another envoy-logger answers at {path}",
                "stop the other recorder first, or give each recorder its own runtime folder.",
            )
        listener = _bind(path)
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MOST_REQUEST_BYTES)
        self._path = path

    async def close(self) -> None:
        if self._server is None or self._path is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _remove(self._path)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.close())  # also if the task was cancelled before it began

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until the client closes it, is silent for 300 s, or sends a line over the limit."""
        with contextlib.suppress(OSError, TimeoutError, ValueError):  # ValueError: a line beyond the limit
            if not _may_ask(writer) or len(self._tasks) > _MOST_CONNECTIONS:
                return
            while line := await asyncio.wait_for(reader.readline(), _IDLE_S):
                writer.write(await self._answer(line))
                await asyncio.wait_for(writer.drain(), ANSWER_S)

    async def _answer(self, line: bytes) -> bytes:
        try:
            name, arguments = _request(line)
            if name not in self._endpoints:
                raise EnvoyLoggerError(
                    f"the running recorder (version {__version__}) does not know {name!r}", SAME_VERSION
                )
            endpoint = self._endpoints[name]
            async with asyncio.timeout(ANSWER_S):
                answer = await endpoint.call(**arguments)
            text = write_line({"answer": endpoint.answer.dump_python(answer, mode="json")})
            if len(text) > MOST_ANSWER_BYTES:
                raise EnvoyLoggerError(f"the answer to {name!r} is too large for the control socket")
        except EnvoyLoggerError as error:
            return _refusal(error)
        except TimeoutError:
            return _refusal(
                StoreHeldError("the running recorder took too long to answer", "run the same command again later.")
            )
        except (KeyError, TypeError, ValueError) as error:
            reason = _describe_mistake(error) if isinstance(error, ValidationError) else repr(error)
            return _refusal(EnvoyLoggerError(f"the running recorder does not understand the request: {reason}"))
        return text


def _describe_mistake(error: ValidationError) -> str:
    """Return the name of the first wrong argument of a request, and the mistake in this argument."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _bind(path: Path) -> socket.socket:
    """Bind a Unix socket at `path`. Replace a socket that a killed recorder left behind."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before the socket has a name, so that no other user can connect
        with short_name(path) as name:
            listener.bind(name)
    except BaseException:
        listener.close()
        raise
    return listener


def _may_ask(writer: asyncio.StreamWriter) -> bool:
    """Return True if the client is the recorder's own user or root. The socket's file mode has no influence."""
    peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", peer)[1] in (0, os.geteuid())


def _request(line: bytes) -> tuple[str, Mapping[str, Json]]:
    message = parse_line(line)
    name, arguments = message["ask"], message.get("with", {})
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise ValueError("`ask` must be a name, and `with` must be an object")
    return name, arguments


def _refusal(error: EnvoyLoggerError) -> bytes:
    said: dict[str, Json] = {
        "kind": type(error).__name__,
        "what": log.mask(error.message),
        "hint": log.mask(error.hint),
    }
    return write_line({"error": said})

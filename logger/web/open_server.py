"""Wait for the first visitor of the page, and then load the web server. Recording does not depend on the server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias

from logger import log
from logger.clock import Clock
from logger.daemon.recorder import Recorder
from logger.settings.load import Settings

Answer: TypeAlias = Callable[[socket.socket, Settings, Recorder, Clock], Awaitable[None]]
_AGAIN_S: Final = 60.0
_BACKLOG: Final = 64
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  only if a person set it
_TROUBLE: Final = "page"
PAGE: Final = "page"
"""The name of the page's address in the recorder's status."""


@contextlib.asynccontextmanager
async def serve_web(settings: Settings, recorder: Recorder, clock: Clock) -> AsyncIterator[None]:
    """Serve page, API and health checks within this context, if LOGGER_HTTP is not off. Failures are not raised."""
    address = settings.recorder.http_address
    if address is None:
        yield
        return
    task = asyncio.create_task(_serve_or_tell(address, settings, recorder, clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _serve_or_tell(address: tuple[str, int], settings: Settings, recorder: Recorder, clock: Clock) -> None:
    """Serve until cancelled. Report an unexpected error and return, because recording continues without the page."""
    try:
        await _serve(address, settings, recorder, clock)
    except Exception as error:  # noqa: BLE001  no error of the page may end the recorder
        log.get("web").error("the page is no longer served, because of an unexpected error", exc_info=error)
        recorder.outlets.pop(PAGE, None)
        text = f"the page is no longer served: {type(error).__name__}: {error}\nTry: restart the recorder."
        recorder.changes.begin(_TROUBLE, text)


async def _serve(address: tuple[str, int], settings: Settings, recorder: Recorder, clock: Clock) -> None:
    """Bind the address, wait for the first connection, then serve until cancelled."""
    with await _bind_patiently(address, recorder) as listener:
        host, port = listener.getsockname()[:2]
        seen_as = "localhost" if host in _EVERYWHERE else _name_host(host)
        recorder.outlets[PAGE] = f"http://{seen_as}:{port}/"
        recorder.news.announce()
        log.get("web").info("the local web page is available", extra={"address": recorder.outlets[PAGE]})
        await _wait_for_visitor(listener)
        answer = await asyncio.to_thread(_load)
        await answer(listener, settings, recorder, clock)


def _load() -> Answer:
    """Import the function that answers requests, and return it.

    starlette and uvicorn take memory, so these packages are imported at the first visit.
    """
    from logger.web.listener import answer

    return answer


async def _bind_patiently(address: tuple[str, int], recorder: Recorder) -> socket.socket:
    """Bind the address. While binding fails, report the problem once and try again each minute."""
    while True:
        try:
            listener = _bind(address)
        except OSError as error:
            recorder.changes.begin(_TROUBLE, _describe(address, error))
            await asyncio.sleep(_AGAIN_S)
        else:
            recorder.changes.end(_TROUBLE, "the page can be served again")
            return listener


def _bind(address: tuple[str, int]) -> socket.socket:
    """Bind a listening socket. Raises OSError if the address cannot be used."""
    host, port = address
    family, kind, protocol, _, place = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _describe(address: tuple[str, int], error: OSError) -> str:
    """Return the reason why the page cannot be served, with a hint."""
    host, port = address
    place = f"{_name_host(host)}:{port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"the page cannot be served: another program listens at {place}\n"
            f"Try: set LOGGER_HTTP to another port, such as {_name_host(host)}:{port + 1}, or to off."
        )
    if error.errno in (errno.EPERM, errno.EACCES):
        return (
            f"the page cannot be served: this system does not let the recorder listen at {place}\n"
            f"Try: set LOGGER_HTTP to port 9817, or add SocketBindAllow=tcp:{port} to the unit of systemd."
        )
    reason = error.strerror or str(error)
    return (
        f"the page cannot be served at {place}: {reason}\n"
        "Try: set LOGGER_HTTP to an address of this machine, such as 127.0.0.1:9817, or to off."
    )


def _name_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _wait_for_visitor(listener: socket.socket) -> None:
    """Wait until a visitor connects. The connection stays in the listener's queue."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(listener.fileno(), came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(listener.fileno())

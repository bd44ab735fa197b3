"""A page that is served on a real socket of this machine, on the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from logger.web.open_server import serve_web
from tests.web.stage import Stage, configured

HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def served(made: Stage, **settings: str) -> AsyncIterator[int]:
    """Serve the stage's recorder at a free port → the port."""
    settings_ = configured(LOGGER_HTTP=f"{HOST}:0", **settings)
    async with serve_web(settings_, made.recorder, made.clock):
        while "page" not in made.recorder.outlets:
            await asyncio.sleep(0.005)
        yield int(str(made.recorder.outlets["page"]).rstrip("/").rpartition(":")[2])


async def ask_raw(port: int, request: bytes) -> bytes:
    """Send bytes → everything that is answered until the other side closes."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(request)
        with contextlib.suppress(ConnectionError):
            return await reader.read()
        return b""
    finally:
        writer.close()


def get(path: str, *headers: str, host: str = f"{HOST}:9817") -> bytes:
    """A request that ends its connection."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")

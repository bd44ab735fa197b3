"""The listening socket: IPv6, one that listens everywhere, and visitors who speak HTTP/1.0."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from logger.web.open_server import serve_web
from tests.web.serving import HOST, ask_raw, get, served
from tests.web.stage import Stage, configured, on_stage


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


@contextlib.asynccontextmanager
async def served_at(made: Stage, address: str) -> AsyncIterator[str]:
    """Serve the stage's recorder at an address → where status says that it is."""
    async with serve_web(configured(LOGGER_HTTP=address), made.recorder, made.clock):
        while "page" not in made.recorder.outlets:
            await asyncio.sleep(0.005)
        yield str(made.recorder.outlets["page"])


async def ask_at(host: str, port: int, request: bytes) -> bytes:
    """Ask at an address of this machine → the whole answer."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.skipif(not has_ipv6(), reason="needs: IPv6 on this machine")
@pytest.mark.parametrize(
    ("address", "seen_as", "reached"),
    [("[::1]:0", "http://[::1]:", ("::1",)), ("[::]:0", "http://localhost:", ("::1", HOST))],
)
def test_an_ipv6_address_is_listened_at_and_named_as_a_browser_wants_it(
    tmp_path: Path, address: str, seen_as: str, reached: tuple[str, ...]
) -> None:
    async def play(made: Stage) -> tuple[str, list[bytes]]:
        await made.tick(0)
        async with served_at(made, address) as place:
            port = int(place.rstrip("/").rpartition(":")[2])
            request = get("/api/v1/now", host=place.removeprefix("http://").rstrip("/"))
            return place, [await ask_at(host, port, request) for host in reached]

    place, answers = on_stage(tmp_path, play)
    assert place.startswith(seen_as)
    assert all(answer.startswith(b"HTTP/1.1 200") and b'"zone"' in answer for answer in answers)


def test_a_visitor_who_speaks_http_1_0_gets_whole_answers_without_chunks(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[bytes]:
        await made.tick(0)
        async with served(made) as port:
            paths = ("/", "/api/v1/now", "/metrics", "/healthz")
            return [await ask_raw(port, f"GET {p} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode()) for p in paths]

    for answer in on_stage(tmp_path, play):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.split()[1] == b"200"
        assert f"content-length: {len(body)}".encode() in head.lower()
        assert b"chunked" not in head


def test_a_visitor_who_speaks_http_1_0_can_follow_the_page(tmp_path: Path) -> None:
    async def play(made: Stage) -> bytes:
        await made.tick(0)
        async with served(made) as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(f"GET /live HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            first = await reader.readuntil(b"\n\n")
            writer.close()
            assert b"chunked" not in head
            return first

    assert on_stage(tmp_path, play).startswith(b"data: {")

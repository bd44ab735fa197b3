"""Visitors who mean no good, on real sockets: each is refused or cut off, and the next one is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import select
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from logger.commands.ui.status_text import write_lines
from logger.daemon.status_file import describe
from logger.doctor.check_result import CheckResult
from logger.doctor.machine_checks import check_daemon
from logger.store.store import Store
from logger.web import listener, live_stream
from logger.web.open_server import serve_web
from tests.waiting import LONGEST_S
from tests.web.serving import HOST, ask_raw, get, served
from tests.web.stage import SERIAL, START, Stage, configured, on_stage

SOON_S = 0.2
Scene = Callable[[Stage, int], Coroutine[Any, Any, Any]]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the deadlines be short."""
    monkeypatch.setattr(listener, "REQUEST_S", SOON_S)
    monkeypatch.setattr(live_stream, "_PAUSE_S", 0.01)


def play(folder: Path, scene: Scene) -> Any:
    """Play one scene with a page on a socket; afterwards the page must still answer."""

    async def run(made: Stage) -> Any:
        await made.tick(0)
        async with served(made) as port:
            found = await scene(made, port)
            assert (await ask_raw(port, get("/healthz"))).startswith(b"HTTP/1.1 200")
            return found

    return on_stage(folder, run)


def test_half_a_request_is_cut_off(tmp_path: Path) -> None:
    async def scene(made: Stage, port: int) -> list[bytes]:
        halves = (b"", b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        return list(await asyncio.gather(*(ask_raw(port, half) for half in halves)))

    assert play(tmp_path, scene) == [b""] * 4


def test_a_request_that_comes_letter_by_letter_is_cut_off(tmp_path: Path) -> None:
    async def scene(made: Stage, port: int) -> int:
        reader, writer = await asyncio.open_connection(HOST, port)
        sent = 0
        with contextlib.suppress(ConnectionError):
            for letter in get("/healthz", "X-Long: " + "x" * 5000):
                writer.write(bytes([letter]))
                await writer.drain()
                await asyncio.sleep(0.01)
                sent += 1
                if reader.at_eof():
                    break
        writer.close()
        return sent

    assert play(tmp_path, scene) < 5000


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/healthz", "X-Huge: " + "x" * 20_000), 431),
        (get("/healthz", *[f"X-{n}: {'y' * 100}" for n in range(300)]), 431),
        (get("/" + "a" * 3_000), 414),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 421),
        (get("/", "Content-Length: 5") + b"hello", 413),
        (get("/", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n", 413),
        (get("/", host="rebound.example:9817"), 421),
        (get("/live", host="rebound.example:9817"), 421),
        (get("http://evil.example/"), 404),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n", 405),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        (get("/live", "Upgrade: websocket", "Sec-WebSocket-Key: x", host="evil.example"), 421),
        (get("/assets/..%2f..%2f..%2fetc%2fpasswd"), 404),
        (get("/assets/../../../../etc/passwd"), 404),
        (get("/assets/%00page.css"), 404),
        (get("/%ff%fe"), 404),
        (get("/api/v1/now?" + "a=1&" * 200), 414),
        (get("/api/v1/days?from=" + "9" * 100), 400),
        (get("/?site=%27%3B--"), 404),
        (get("/?lang=%3Cscript%3E"), 200),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(tmp_path: Path, request_: bytes, status: int) -> None:
    async def scene(made: Stage, port: int) -> bytes:
        answer = await ask_raw(port, request_)
        return answer[:40] if status != 200 else answer

    answer = play(tmp_path, scene)
    assert int(answer.split(b" ")[1]) == status
    assert b"<script>" not in answer


def test_nothing_that_a_visitor_sends_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(made: Stage, port: int) -> None:
        upgrade = get("/live", "Upgrade: websocket", host="evil")
        for nonsense in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", upgrade):
            await ask_raw(port, nonsense)

    with caplog.at_level(logging.WARNING):
        play(tmp_path, scene)
    assert [record.getMessage() for record in caplog.records] == []


def test_a_visitor_who_does_not_read_a_stream_is_cut_off(tmp_path: Path) -> None:
    async def scene(made: Stage, port: int) -> None:
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.setblocking(False)
            await asyncio.get_running_loop().sock_connect(lazy, (HOST, port))
            lazy.sendall(get("/live"))
            ends = select.poll()
            ends.register(lazy, 0)
            async with asyncio.timeout(LONGEST_S):
                while not ends.poll(0):  # reset by the other side
                    text = f"{time.monotonic()} " + "x" * 100_000
                    made.recorder.changes.begin("long", text)
                    await asyncio.sleep(0.01)

    play(tmp_path, scene)


def test_more_streams_than_there_may_be_are_told_to_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_stream, "MOST_STREAMS", 3)

    async def scene(made: Stage, port: int) -> list[bytes]:
        open_ = [await asyncio.open_connection(HOST, port) for _ in range(4)]
        heads = []
        for reader, writer in open_:
            writer.write(get("/live"))
            heads.append((await reader.readline())[:12])
        for _, writer in open_:
            writer.close()
            await writer.wait_closed()
        reader, writer = await asyncio.open_connection(HOST, port)
        while True:
            writer.write(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = (await reader.readline())[:12]
            if head != b"HTTP/1.1 503":
                break
            await reader.readuntil(b"too many visitors\n")
        writer.close()
        return [*heads, head]

    ok, busy = b"HTTP/1.1 200", b"HTTP/1.1 503"
    assert play(tmp_path, scene) == [ok, ok, ok, busy, ok]


def test_more_connections_than_there_may_be_are_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "count_most_connections", lambda: 8)

    async def scene(made: Stage, port: int) -> int:
        answers = await asyncio.gather(*(ask_raw(port, b"GET") for _ in range(30)))
        return len(answers)

    assert play(tmp_path, scene) == 30


def test_a_stream_sends_the_parts_that_changed(tmp_path: Path) -> None:
    async def scene(made: Stage, port: int) -> list[dict[str, Any]]:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(get("/live?lang=de"))
        messages = []
        await reader.readuntil(b"\r\n\r\n")
        for minute in (0, 1, 2):
            if minute:
                await made.tick(minute)
            line = await reader.readuntil(b"}\n\n")
            messages.append(json.loads(line[line.index(b"data: ") + 6 :]))
        writer.close()
        return messages

    first, second, third = play(tmp_path, scene)
    assert {"state", "flow", "days", "roof"} <= first["parts"].keys()
    assert "state" in second["parts"]
    assert "months" not in second["parts"]
    assert [each["point"]["at"] for each in (first, second, third)] == [START, START + 60, START + 120]
    assert "Sonne" in first["parts"]["flow"]


def test_no_message_of_a_stream_has_the_serial_of_the_gateway(tmp_path: Path) -> None:
    async def scene(made: Stage, port: int) -> list[str]:
        made.recorder.changes.begin("token", f"gateway {SERIAL} needs a token\nTry: set ENPHASE_TOKEN_FILE")
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(get("/live"))
        first = await reader.readuntil(b"}\n\n")
        made.recorder.changes.begin("pin", f"gateway {SERIAL} shows another certificate\nTry: accept it")
        second = await reader.readuntil(b"}\n\n")
        writer.close()
        return [first.decode(), second.decode()]

    messages = play(tmp_path, scene)
    assert ["gateway (gateway) needs a token" in each for each in messages] == [True, True]
    assert not [each for each in messages if SERIAL in each]


def test_the_server_ends_with_open_streams_at_once(tmp_path: Path) -> None:
    async def run(made: Stage) -> bytes:
        await made.tick(0)
        async with served(made) as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(get("/live"))
            await reader.readuntil(b"data: ")
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)
        return b"ended"

    assert on_stage(tmp_path, run) == b"ended"


def test_a_port_in_use_never_ends_the_recording_and_is_told_once(tmp_path: Path) -> None:
    async def run(made: Stage) -> tuple[list[str], str]:
        with socket.create_server((HOST, 0)) as taken:
            settings = configured(LOGGER_HTTP=f"{HOST}:{taken.getsockname()[1]}")
            async with serve_web(settings, made.recorder, made.clock):
                while not made.recorder.changes.troubles:
                    await asyncio.sleep(0.005)
                await made.tick(0)
                return list(made.recorder.changes.troubles.values()), str(made.collector.collected.ticks)

    (trouble,), ticks = on_stage(tmp_path, run)
    assert ticks == "1"
    assert trouble.startswith("the page cannot be served: another program listens at 127.0.0.1:")
    assert "\nTry: set LOGGER_HTTP to another port, such as 127.0.0.1:" in trouble


def test_status_and_doctor_name_the_address_and_the_trouble(tmp_path: Path) -> None:
    async def run(made: Stage) -> tuple[str, str, str]:
        await made.tick(0)
        async with served(made):
            figures = await made.inline.call(Store.read_figures)
            now = made.clock.time()
            found = describe(made.recorder, figures, made.clock)
            checks: list[CheckResult] = []
            check_daemon(found, now, "", checks.append)
            made.recorder.changes.begin("page", "the page cannot be served: another program listens there")
            check_daemon(describe(made.recorder, figures, made.clock), now, "", checks.append)
            return "\n".join(write_lines(found, now)), checks[0].text, checks[1].text

    status, good, bad = on_stage(tmp_path, run)
    assert re.search(r"^page +http://127\.0\.0\.1:\d+/", status, re.M)
    assert re.search(r"page at http://127\.0\.0\.1:(\d+)/ .* ssh -L \1:localhost:\1 ", good)
    assert "another program listens there" in bad


def test_off_listens_nowhere(tmp_path: Path) -> None:
    async def run(made: Stage) -> dict[str, Any]:
        async with serve_web(configured(LOGGER_HTTP="off"), made.recorder, made.clock):
            await asyncio.sleep(0)
            return dict(made.recorder.outlets)

    assert on_stage(tmp_path, run) == {}

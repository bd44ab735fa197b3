"""The control socket: the same answers through the daemon as without one, for its owner alone, and bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from logger import commands
from logger.clock import SystemClock
from logger.control import socket_server, unix_socket
from logger.control.api import MOST_IDS, Ask, Line, RefusedEntry, StoreApi, reach
from logger.control.socket_server import serving
from logger.control.unix_socket import SOCKET, connect
from logger.errors import EnvoyLoggerError, StateError, StoreFullError, StoreHeldError
from logger.model import RefusedLine
from logger.settings.load import Settings, load_settings
from logger.store.figures import StoreFigures
from logger.store.folder import claim
from logger.store.thread import StoreThread
from tests.store.samples import START, commit, daily_commit, day_row, make_store

CLOCK = SystemClock()


def settings(folder: Path) -> Settings:
    return load_settings(None, environ={"LOGGER_STATE_DIR": str(folder)})


def filled(folder: Path) -> None:
    """Three ticks, a day, and one line of the first tick refused."""
    store = make_store(folder)
    for n in range(3):
        store.put(commit(START + 60 * n, lines=2))
    store.put(daily_commit(START, day_row("2026-05-28", 1.0)))
    lease = store.lease("totals", newest=False, max_lines=2)
    assert lease is not None
    store.ack(lease, [RefusedLine(b'envoy_totals s="\xff" 1', 400, "field type conflict")])
    store.close()


@contextlib.asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[None]:
    """Holds the folder and answers as the daemon does."""
    with claim(folder) as lock:
        store = await StoreThread.open(folder, max_mb=64, keep_days=30, clock=CLOCK, lock=lock)
        async with serving(folder, StoreApi(store)):
            yield
        await store.close()


@dataclass
class Answers:
    """What the store answered, before and after its changes."""

    figures: list[StoreFigures]
    refused: list[RefusedEntry]
    lines: list[tuple[list[bytes], int | None]]
    changes: list[bool | int | tuple[int, int | None]]


async def everything(ask: Ask) -> Answers:
    """Ask for each thing, in an order in which each changes what the next sees."""
    before = await ask(StoreApi.read_figures)
    refused = await ask(StoreApi.list_refused, 0)
    lines = [
        await ask(StoreApi.read_lines, "totals", 0, 0),
        await ask(StoreApi.read_lines, "daily", since=0, after=0),
    ]
    corrected = b'envoy_totals,n=0 s="\xff" 1'
    changes: list[bool | int | tuple[int, int | None]] = [
        await ask(StoreApi.put_back, 1, corrected),
        await ask(StoreApi.put_back, row_id=1, line=corrected),
        await ask(StoreApi.retry, [1, 2]),
        await ask(StoreApi.discard, ids=[1]),
        await ask(StoreApi.replay, since=0, after=0),
        await ask(StoreApi.replay, since=0, after=0, daily=True),
    ]
    lines.append(await ask(StoreApi.read_lines, "totals", 0, 0))
    return Answers([before, await ask(StoreApi.read_figures)], refused, lines, changes)


def test_the_daemon_and_the_store_itself_answer_the_same(tmp_path: Path) -> None:
    async def scenario() -> tuple[Answers, Answers]:
        for name in ("a", "b"):
            filled(tmp_path / name)
        async with reach(settings(tmp_path / "a"), CLOCK) as ask:
            alone = await everything(ask)
        async with daemon(tmp_path / "b"), reach(settings(tmp_path / "b"), CLOCK) as ask:
            through = await everything(ask)
        return alone, through

    alone, through = asyncio.run(scenario())
    assert alone == through
    assert alone.refused == [
        RefusedEntry(
            id=1, gateway="121900000001", role="totals", tick=START, at=alone.refused[0].at,
            status=400, reason="field type conflict", line=b'envoy_totals s="\xff" 1',
        )
    ]  # fmt: skip
    assert b'envoy_totals,n=0 s="\xff" 1' in through.lines[2][0]
    assert through.changes == [True, False, 0, 0, (1, None), (1, None)]
    assert [figures.roles["totals"].rows for figures in through.figures] == [2, 4]


class Odd:
    """What a daemon of another kind can be asked."""

    async def fill(self) -> None:
        raise StoreFullError("no room for the next tick", "free some space.")

    async def double(self, n: int) -> list[int]:
        return [n, n]

    async def answer(self) -> int:
        return 1

    async def never(self) -> None:
        await asyncio.sleep(30)

    async def huge(self) -> str:
        return "x" * (unix_socket.MOST_ANSWER_BYTES + 1)

    async def echo(self, text: Line) -> Line:
        return text

    async def _hide(self) -> int:
        return 1


class Newer:
    """What a command of another version asks."""

    async def dance(self) -> None: ...

    async def double(self) -> list[int]:
        return []

    async def answer(self) -> list[str]:
        return []


def test_errors_arrive_as_what_they_are_and_do_not_end_the_conversation(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Odd()):
            there = await connect(tmp_path / SOCKET)
            assert there is not None
            with pytest.raises(StoreFullError) as told:
                await there.ask(Odd.fill)
            assert str(told.value) == "no room for the next tick\nTry: free some space."
            for function, name in ((Newer.dance, "dance"), (Odd._hide, "_hide")):
                with pytest.raises(EnvoyLoggerError, match=rf"does not know '{name}'\nTry: restart the recorder"):
                    await there.ask(function)
            with pytest.raises(EnvoyLoggerError, match="does not understand the request: n: Missing required"):
                await there.ask(Newer.double)
            with pytest.raises(
                EnvoyLoggerError,
                match="answers 'answer' in a form that this command does not know\nTry: restart the recorder",
            ):
                await there.ask(Newer.answer)
            assert await there.ask(Odd.double, 7) == [7, 7]
            there.close()

    asyncio.run(scenario())


async def tell(folder: Path, sent: bytes) -> bytes:
    """Send bytes to the control socket → the line that it answers."""
    reader, writer = await asyncio.open_unix_connection(str(folder / SOCKET), limit=2**26)
    writer.write(sent)
    with contextlib.suppress(OSError):
        await writer.drain()
    got = b""
    with contextlib.suppress(OSError):
        got = await reader.readline()
    writer.close()
    return got


WRONG = [
    ("retry", {"ids": [*range(MOST_IDS + 1)]}),
    ("retry", {"ids": [1, "2"]}),
    ("retry", {"ids": [True]}),
    ("retry", {"ids": {"1": 1}}),
    ("retry", {}),
    ("discard", {"ids": [1], "all": True}),
    ("discard", {"ids": [2**63]}),
    ("list_refused", {"after": 2**70}),
    ("list_refused", {"after": "0"}),
    ("list_refused", {"after": None}),
    ("put_back", {"row_id": 1, "line": 7}),
    ("put_back", {"row_id": 1, "line": "\ud800"}),
    ("read_lines", {"role": "months", "since": 0, "after": 0}),
    ("read_lines", {"role": ["totals"], "since": 0, "after": 0}),
    ("read_lines", {"role": "totals", "since": 0.5, "after": 0}),
    ("replay", {"since": 0, "after": 0, "daily": "perhaps"}),
]


def test_arguments_that_make_no_sense_reach_no_store(tmp_path: Path) -> None:
    filled(tmp_path)

    async def scenario() -> None:
        async with daemon(tmp_path):
            for name, arguments in WRONG:
                answer = await tell(tmp_path, json.dumps({"ask": name, "with": arguments}).encode() + b"\n")
                assert b"does not understand the request" in answer, (name, arguments)
            assert await tell(tmp_path, b'{"ask": "discard", "with": {"ids": [1]}}\n') == b'{"answer":1}\n'

    asyncio.run(scenario())


DEEP = b"[" * 100_000 + b"\n"


def test_what_no_command_sends_is_answered_or_cut_off_and_others_are_still_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_server, "_IDLE_S", 0.3)
    monkeypatch.setattr(socket_server, "ANSWER_S", 0.3)

    async def scenario() -> None:
        async with serving(tmp_path, Odd()):
            for sent in (
                b"\n",
                b"[]\n",
                b"{}\n",
                b'{"ask": 3}\n',
                b'{"ask": "answer", "with": []}\n',
                b"\xff\xfe\n",
                DEEP,
            ):
                assert b"does not understand" in await tell(tmp_path, sent), sent
            assert await tell(tmp_path, b'{"ask": "answer"') == b"", "silent for too long"
            assert await tell(tmp_path, b"x" * (unix_socket.MOST_REQUEST_BYTES + 10)) == b""
            assert b"took too long" in await tell(tmp_path, b'{"ask": "never"}\n')
            assert b"too large" in await tell(tmp_path, b'{"ask": "huge"}\n')
            assert await tell(tmp_path, b'{"ask": "answer"}\n') == b'{"answer":1}\n'
            crowd = [await connect(tmp_path / SOCKET) for _ in range(12)]
            await asyncio.sleep(0.05)
            first, last = crowd[0], crowd[-1]
            assert first is not None
            assert last is not None
            with pytest.raises(StoreHeldError, match="gave no answer"):
                await last.ask(Odd.answer)
            assert await first.ask(Odd.answer) == 1
            for there in crowd:
                assert there is not None
                there.close()

    asyncio.run(scenario())


def test_the_socket_is_its_owners_alone_and_gone_when_the_daemon_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / SOCKET
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))  # what a killed daemon leaves
        stale.close()
        async with serving(tmp_path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            with pytest.raises(StoreHeldError, match="another envoy-logger answers"):
                async with serving(tmp_path):
                    pass
            code = (
                "import os, socket, sys\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n"
                "try:\n s.connect(sys.argv[1])\nexcept PermissionError:\n print('refused')"
            )
            stranger = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
            await asyncio.sleep(0.05)  # the second daemon's question is still at the door
            assert stranger.stdout == "refused\n" or "Operation not permitted" in stranger.stderr
        assert not path.exists()

    asyncio.run(scenario())


def test_a_folder_with_a_very_long_name_has_a_socket_too(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 200)
    filled(folder)

    async def scenario() -> int:
        async with daemon(folder), reach(settings(folder), CLOCK) as ask:
            return await ask(StoreApi.discard, ids=[1])

    assert asyncio.run(scenario()) == 1


def test_the_holder_of_the_folder_is_found_where_it_says_it_can_be_asked(tmp_path: Path) -> None:
    state, runtime = tmp_path / "state", tmp_path / "runtime"
    runtime.mkdir()
    filled(state)

    async def scenario() -> int:
        with claim(state) as lock:
            store = await StoreThread.open(state, max_mb=64, keep_days=30, clock=CLOCK, lock=lock)
            with pytest.raises(StoreHeldError, match=r"in use by process \d+"):
                async with reach(settings(state), CLOCK):
                    pass
            async with serving(runtime, StoreApi(store)):
                lock.write_socket(runtime / SOCKET)
                async with reach(settings(state), CLOCK) as ask:
                    found = await ask(StoreApi.discard, ids=[1])
            await store.close()
        return found

    assert asyncio.run(scenario()) == 1


def test_without_a_store_nothing_is_made_and_that_is_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(StateError, match="there is no store in .*\nTry: envoy-logger run"):
            async with reach(settings(tmp_path / "none"), CLOCK):
                pass

    asyncio.run(scenario())
    assert not (tmp_path / "none").exists()


def test_a_daemon_without_a_place_for_its_socket_says_so_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving(tmp_path / "nowhere"):
            pass

    asyncio.run(scenario())
    assert "there is no control socket in" in caplog.text
    package = Path(commands.__file__).parent
    needing = {path.stem for path in package.glob("*.py") if "reach(" in path.read_text()}
    assert needing == set(re.findall(r"`(\w+)`", caplog.text)), "the hint names every command that needs the socket"


def test_one_line_a_message_whatever_is_in_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Odd()):
            there = await connect(tmp_path / SOCKET)
            assert there is not None
            for text in ("a\nb", "\u2028\x85", "\udcff", "ü" * 70_000, json.dumps({"a": "\n"})):
                line = text.encode("utf-8", "surrogateescape")
                assert await there.ask(Odd.echo, line) == line
            there.close()

    asyncio.run(scenario())

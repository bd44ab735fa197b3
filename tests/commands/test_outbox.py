"""`outbox` and `export`: the same beside a running daemon as without one, and for people when something is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from logger.clock import SystemClock
from logger.control.api import StoreApi
from logger.control.socket_server import serving
from logger.model import RefusedLine
from logger.store.folder import claim
from logger.store.records import Commit
from logger.store.thread import StoreThread
from tests.commands.program import Done, program
from tests.store.samples import GATEWAY, START, batch, day_row, make_store
from tests.waiting import LONGEST_S

FIRST = "2026-05-28T20:27:00Z"
CONFLICT = 'partial write: field type conflict: input field "production_power_w"'
BAD = [f"envoy_totals,gateway={n} production_power_w={n}i {START}" for n in range(3)]


def filled(folder: Path) -> None:
    """Four ticks and a day; the first tick delivered, but for three lines of it that were refused."""
    store = make_store(folder)
    for n in range(4):
        tick = START + 60 * n
        store.put(Commit(GATEWAY, tick, (batch("totals", tick, 2, "it's 5 €, fine"), batch("devices", tick))))
    store.put(Commit(GATEWAY, START, daily=(day_row("2026-05-28", 1.5),)))
    lease = store.lease("totals", newest=False, max_lines=1)
    assert lease is not None
    store.ack(lease, [RefusedLine(line.encode(), 400, CONFLICT) for line in BAD])
    store.close()


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """Holds the folder and answers on a thread of its own."""
    loop = asyncio.new_event_loop()
    ended, ready = asyncio.Event(), threading.Event()

    async def serve() -> None:
        with claim(folder) as lock:
            store = await StoreThread.open(folder, max_mb=64, keep_days=30, clock=SystemClock(), lock=lock)
            async with serving(folder, StoreApi(store)):
                ready.set()
                await ended.wait()
            await store.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(LONGEST_S)
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(LONGEST_S)
        loop.close()


@pytest.mark.parametrize("how", ["beside the daemon", "alone"])
def test_what_was_refused_is_listed_corrected_and_sent_again(tmp_path: Path, how: str) -> None:
    state = tmp_path / "state"
    filled(state)

    def ask(*words: str, code: int = 0) -> Done:
        done = program(tmp_path, *words)
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        return done

    with daemon(state) if how != "alone" else contextlib.nullcontext():
        told = ask("outbox").out.splitlines()
        assert told[0].startswith("totals    6 points wait, the oldest of 2026-05-28 20:28 UTC (")
        assert told[2:4] == [
            "daily     1 points wait; 0 delivered in total",
            "refused   3: envoy-logger outbox refused",
        ]
        figures = json.loads(ask("outbox", "list", "--json").out)
        assert figures.keys() == {"roles", "refused", "disk_bytes"}
        assert (figures["roles"]["totals"]["lines"], figures["refused"]) == (6, 3)
        listed = ask("outbox", "refused").out.splitlines()
        assert listed[:2] == [f"    1  2026-05-28 20:27 UTC  totals  HTTP 400: {CONFLICT}", f"       {BAD[0]}"]
        assert [entry["line"] for entry in json.loads(ask("outbox", "refused", "--json").out)] == BAD
        newest = json.loads(ask("outbox", "refused", "--json", "--limit", "1").out)
        assert [entry["line"] for entry in newest] == BAD[-1:]
        assert ask("outbox", "refused", "--limit", "1").out.splitlines()[1].strip() == BAD[-1]

        file = tmp_path / "refused.lp"
        assert "3 points written to" in ask("export", "--refused", "--output", str(file)).err
        text = file.read_text()
        file.write_text(text.replace("production_power_w=0i", "production_power_w=zero"))
        wrong = ask("outbox", "retry", "--from", str(file), code=2)
        assert "line 4: 'zero' is not a number, a text in quotes, true or false" in wrong.err
        left = text.replace("=0i", "=0.0").split("\n")
        del left[-3:-1]  # the third with its number stays refused
        file.write_text("\n".join(left))
        assert ask("outbox", "retry", "--from", str(file)).out == "2 refused lines wait for delivery again.\n"
        again = ask("outbox", "retry", "--from", str(file)).out
        assert again == "0 refused lines wait for delivery again; 2 are no longer refused.\n"
        assert "Try: envoy-logger outbox refused" in ask("outbox", "retry", "1", code=2).err
        assert ask("outbox", "discard", "3").out == "1 refused lines were deleted.\n"
        assert ask("outbox", "refused").out == "InfluxDB has refused no line.\n"
        assert ask("outbox", "replay", "--since", FIRST).out.startswith("2 rows since 2026-05-28 20:27 UTC wait")
    store = make_store(state)
    waiting = store.read_figures().roles
    assert (waiting["totals"].rows, waiting["totals"].lines, waiting["daily"].rows) == (6, 10, 1)
    store.close()


@pytest.mark.parametrize("how", ["beside the daemon", "alone"])
def test_everything_stored_can_be_exported_as_lines_and_as_a_table(tmp_path: Path, how: str) -> None:
    state = tmp_path / "state"
    filled(state)
    with daemon(state) if how != "alone" else contextlib.nullcontext():
        lines = program(tmp_path, "export", "--until", "2099-01-01").out.splitlines()
        assert len(lines) == 8 + 4 + 1
        assert lines[0] == f'envoy_totals,n=0 v={START}.0,t="it\'s 5 €, fine" {START}'
        some = program(tmp_path, "export", "--since", "2026-05-28T20:28Z", "--until", "2026-05-28T20:29Z").out
        assert {line.rsplit(" ", 1)[1] for line in some.splitlines()} == {str(START + 60)}
        assert len(some.splitlines()) == 3
        table = program(tmp_path, "export", "--format", "csv", "--measurement", "envoy_totals").out
        rows = list(csv.DictReader(io.StringIO(table)))
        assert len(rows) == 8
        assert rows[0] == {"time": FIRST, "measurement": "envoy_totals", "n": "0", "v": f"{START}.0",
                           "t": "it's 5 €, fine"}  # fmt: skip
        unknown = program(tmp_path, "export", "--measurement", "envoy_totls")
        assert unknown.code == 2
        assert "there is no measurement envoy_totls; similar names: envoy_totals" in unknown.err
        nothing = program(tmp_path, "export", "--role", "devices", "--since", "2m")
        assert (nothing.code, nothing.out, nothing.err) == (0, "", "0 points: nothing to export\n")


def test_where_nothing_can_be_exported_from_or_to_that_is_said(tmp_path: Path) -> None:
    empty = program(tmp_path, "outbox")
    assert (empty.code, empty.out) == (78, "")
    assert empty.said == [
        f"there is no store in {tmp_path / 'state'} yet",
        "Try: envoy-logger run, or start the recorder's container.",
    ]
    filled(tmp_path / "state")
    (tmp_path / "file").write_text("no folder")
    for place, reason in (("no/such/file", "No such file or directory"), ("file/below", "Not a directory"),
                          ("x" * 255, "File name too long"), (".", "Is a directory")):  # fmt: skip
        for words in (["export", "--output"], ["backup"]):
            nowhere = program(tmp_path, *words, str(tmp_path / place))
            assert nowhere.code in (78, 2), nowhere.err
            assert reason.lower() in nowhere.err.lower()
            assert nowhere.said[-1].startswith("Try: ")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert program(tmp_path, "export", "--output", str(pipe)).code == 0
        assert reader.stdout is not None
        assert b"envoy_totals" in reader.stdout.read()
    assert pipe.is_fifo()
    with claim(tmp_path / "state"):  # held by one that does not answer
        held = program(tmp_path, "outbox")
    assert held.code == 69
    assert "is in use by process" in held.err
    assert program(tmp_path, "outbox", "replay", "--since", "yesterday").code == 2
    assert program(tmp_path, "outbox", "discard").code == 2

"""The size limit and the full disk: what goes first, what is said, and that delivery goes on."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from logger.errors import StoreFullError
from logger.model import RefusedLine, Role
from logger.store.ballast import Ballast
from logger.store.records import Batch, Commit
from tests.store.samples import GATEWAY, START, make_store, replay_all, ticks

MB = 1024 * 1024


def _big(tick: int, size: int, role: Role = "totals") -> Commit:
    return Commit(
        GATEWAY, tick, (Batch(role, 10, gzip.compress(os.urandom(size) + b"\n", 0)),), state={"last": str(tick)}
    )


def test_at_the_limit_delivered_rows_go_before_undelivered_ones(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_mb=16)
    for n in range(30):
        store.put(_big(START + 60 * n, 100_000))
    for _ in range(10):
        lease = store.lease("totals", newest=False, max_lines=10)
        assert lease is not None
        store.ack(lease)
    for n in range(30, 45):
        store.put(_big(START + 60 * n, 100_000))
    waiting = store.read_figures()
    assert (waiting.roles["totals"].rows, waiting.lines_dropped) == (35, 0)
    assert replay_all(store, 0) == 0, "the delivered ones made room"
    assert waiting.disk_bytes + 8 * MB <= 16 * MB
    store.close()


def test_at_the_limit_the_oldest_undelivered_rows_go_counted_and_announced(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_mb=16)
    for n in range(300):
        store.put(_big(START + 60 * n, 20_000, "devices" if n % 5 == 0 else "totals"))
    waiting = store.read_figures()
    gone = 300 - waiting.rows
    assert gone > 0
    assert gone % 64 == 0
    assert waiting.lines_dropped == 10 * gone
    assert waiting.oldest_tick == START + 60 * gone, "the oldest of all roles go first"
    notes = store.take_notes()
    assert len(notes) == gone // 64
    assert "reached its limit of 16 MiB: 640 undelivered lines from 2026-05-28 20:27" in notes[0]
    assert store.take_notes() == []
    assert store.read_state(GATEWAY) == {"last": str(START + 60 * 299)}
    assert (store.read_figures().disk_bytes + 8 * MB) <= 16 * MB
    store.close()


def test_a_tick_larger_than_the_whole_store_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_mb=16)
    with pytest.raises(StoreFullError) as caught:
        store.put(_big(START, 6 * MB))
    assert caught.value.retry
    assert store.read_state(GATEWAY) == {}
    assert store.read_figures().ticks_missed == 1
    store.put(_big(START + 60, 1000))
    assert store.read_figures().ticks_missed == 1
    store.close()
    store = make_store(tmp_path, max_mb=16)
    assert (store.read_figures().ticks_missed, store.read_figures().rows) == (1, 1)
    store.close()


def test_at_the_limit_refused_lines_go_before_undelivered_ones(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_mb=16)
    store.put(_big(START, 1000))
    lease = store.lease("totals", newest=False)
    assert lease is not None
    store.ack(lease, [RefusedLine(os.urandom(1000), 400, "no") for _ in range(1500)])
    for n in range(1, 31):
        store.put(_big(START + 60 * n, 100_000))
    waiting = store.read_figures()
    assert waiting.refused == 500
    assert (waiting.rows, waiting.lines_dropped) == (30, 0)
    assert store.take_notes() == ["the store is full: the oldest refused lines were dropped"] * 2
    store.close()


def test_a_refused_line_does_not_stop_delivery_from_a_store_full_of_undelivered_rows(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_mb=16)
    for n in range(200):
        store.put(_big(START + 60 * n, 30_000))
    assert store.read_figures().lines_dropped > 0
    while store._file._connection.execute("PRAGMA freelist_count").fetchone()[0] > 8:
        store.put(_big(START + 60 * n, 30_000))
    before = store.read_figures().rows
    lease = store.lease("totals", newest=False, max_lines=20)
    assert lease is not None
    store.ack(lease, [RefusedLine(os.urandom(40_000), 400, "no")])
    waiting = store.read_figures()
    assert (waiting.rows, waiting.refused) == (before - 2, 1)
    store.close()


def test_at_the_limit_delivered_rows_that_wait_for_their_marks_go_before_undelivered_ones(tmp_path: Path) -> None:
    store, count = make_store(tmp_path, max_mb=16), 200
    for n in range(count):
        store.put(_big(START + 60 * n, 30_000))
    while store._file._connection.execute("PRAGMA freelist_count").fetchone()[0] > 60:
        store.put(_big(START + 60 * count, 30_000))
        count += 1
    before, after = store.read_figures(), (0, 0)
    assert before.lines_dropped > 0
    for _ in range(5):
        lease = store.lease("totals", newest=False, max_lines=100, after=after)
        assert lease is not None
        store.ack_soon(lease, START + 60 * count)
        after = lease.end
    store.put(_big(START + 60 * count, 500_000))
    waiting = store.read_figures()
    assert (waiting.lines_dropped, waiting.lines_delivered) == (before.lines_dropped, 500)
    assert waiting.rows == before.rows - 50 + 1
    store.close()


def test_a_lowered_limit_still_opens_and_makes_room(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_mb=64)
    for n in range(100):
        store.put(_big(START + 60 * n, 100_000))
    store.close()
    store = make_store(tmp_path, max_mb=16)
    store.put(_big(START + 60 * 100, 100_000))
    assert store.read_figures().lines_dropped == 10 * 64
    store.close()


def test_the_ballast_takes_real_room_and_comes_back(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path)
    assert not ballast.held
    assert ballast.restore()
    assert not ballast.restore()
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 8 * MB
    assert Ballast(tmp_path).held
    assert ballast.release()
    assert not ballast.release()
    assert not (tmp_path / "ballast").exists()


_FULL_DISK = """
import gzip, os, sys
from pathlib import Path
from logger.errors import StoreFullError
from logger.store.records import Batch, Commit
from tests.store.samples import GATEWAY, START, make_store, ticks, text
folder = Path(sys.argv[1])
store = make_store(folder / "state")
assert (folder / "state" / "ballast").exists()
kept, stopped, n = [], 0, 0
rows = "".join(f"envoy_totals,n={n} v=TICK.0 TICK\\n" for n in range(200))
def commit(tick):
    body = gzip.compress(rows.replace("TICK", str(tick)).encode(), 1)
    return Commit(GATEWAY, tick, (Batch("totals", 200, body),), state={"last_tick": str(tick)})
def drain():
    while lease := store.lease("totals", newest=False):
        yield from ticks(text(lease)[::200])
        store.ack(lease)
def put():
    global n
    n += 1
    try:
        store.put(commit(START + 60 * n))
    except StoreFullError:
        return False
    kept.append(START + 60 * n)
    return True
for _ in range(300):
    assert put()
lease = store.lease("totals", newest=False, max_lines=20000)
store.ack(lease)
sent = ticks(text(lease)[::200])
with open(folder / "hog", "wb", buffering=0) as hog:
    try:
        while True:
            hog.write(os.urandom(4096))
    except OSError:
        pass
while stopped < 5:
    stopped = 0 if put() else stopped + 1
    assert n < 50000
assert not (folder / "state" / "ballast").exists()
missed = store.read_figures().ticks_missed
assert missed == n - len(kept)
assert any("the file `ballast`) was released" in note for note in store.take_notes())
store.close()
store = make_store(folder / "state")
sent += drain()
assert sent == kept, (len(sent), len(kept))
assert put(), "what was delivered made room"
(folder / "hog").unlink()
assert put()
assert (folder / "state" / "ballast").exists(), "the reserve is back"
assert [*drain()] == kept[-2:]
assert len(kept) + missed <= n
store.close()
print("kept", len(kept))
"""


_NO_INODES = """
import sys
from pathlib import Path
import pytest
from logger.errors import StoreFullError
from tests.store.samples import START, commit, drain, make_store
folder = Path(sys.argv[1])
make_store(folder / "state").close()
(folder / "state" / "store.sqlite3").write_bytes(b"damaged" * 1000)
count = 0
try:
    while True:
        (folder / str(count)).touch()
        count += 1
except OSError:
    pass
with pytest.raises(StoreFullError):
    make_store(folder / "state")
for number in range(count):
    (folder / str(number)).unlink()
store = make_store(folder / "state")
store.put(commit(START))
assert drain(store) == [START]
store.close()
print("kept 1")
"""


@pytest.mark.parametrize(
    ("script", "options"),
    [
        (_FULL_DISK, "size=48m"),
        (_NO_INODES, "size=48m,nr_inodes=40"),
        (_NO_INODES.replace('.write_bytes(b"damaged" * 1000)', ""), "size=48m,nr_inodes=40"),
    ],
    ids=[
        "recording stops, delivery drains, and recording goes on",
        "the start with a damaged store waits",
        "the start waits",
    ],
)
def test_on_a_full_disk(script: str, options: str, tmp_path: Path) -> None:
    program = tmp_path / "full.py"
    program.write_text(script)
    mount = tmp_path / "disk"
    mount.mkdir()
    probe = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mount)],
        capture_output=True,
        text=True,
    )
    if probe.returncode != 0:
        pytest.skip(f"needs: a small file system (unshare -rm mount: {probe.stderr.strip()})")
    done = subprocess.run(
        [
            "unshare",
            "-rm",
            "sh",
            "-c",
            'mount -t tmpfs -o "$4" tmpfs "$1" && exec "$2" "$3" "$1"',
            "sh",
            str(mount),
            sys.executable,
            str(program),
            options,
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("kept ")


def test_ticks_of_a_list_of_lines_are_read_from_their_ends() -> None:
    assert ticks(["a b=1 7", 'a,b=c d="x y" 9']) == [7, 9]

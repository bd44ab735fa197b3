"""The size limit and the full disk: what goes first, what is said, and that delivery goes on."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from logger.errors import StoreFullError
from logger.model import RefusedLine, Role
from logger.store import outbox_rows
from logger.store.ballast import Ballast
from logger.store.records import Batch, Commit, Lease
from logger.store.store import Store
from tests.store.samples import (
    GATEWAY,
    START,
    as_after_a_crash,
    batch,
    commit,
    drain,
    make_store,
    replay_all,
    text,
    ticks,
)

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


def _fill_disk(monkeypatch: pytest.MonkeyPatch, *, last_id: int) -> None:
    """Let marks find no space, and deletions only up to the row `last_id`."""
    deliver = outbox_rows.deliver

    def try_to(connection: sqlite3.Connection, role: Role, ids: Sequence[int], refused: int, at: int | None) -> None:
        if at is not None or max(ids) > last_id:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        deliver(connection, role, ids, refused, at)

    monkeypatch.setattr(outbox_rows, "deliver", try_to)


def _put_rows(store: Store, count: int) -> Lease:
    store.put(Commit(GATEWAY, START, tuple(batch("totals", START + n) for n in range(count))))
    lease = store.lease("totals", newest=False)
    assert lease is not None
    return lease


def test_of_a_lease_that_does_not_fit_the_deleted_part_stays_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "state")
    lease = _put_rows(store, 1200)
    bad = [RefusedLine(text(lease)[n].encode(), 400, "no", n) for n in (3, 700, 1100)]
    with monkeypatch.context() as disk:
        _fill_disk(disk, last_id=1000)
        with pytest.raises(StoreFullError):
            store.ack(lease, bad)
    figures = store.read_figures()
    assert (figures.rows, figures.roles["totals"].delivered_rows, figures.lines_delivered) == (200, 1000, 998)
    assert [row.line for row in store.list_refused()] == [line.line for line in bad[:2]]
    again = store.lease("totals", newest=False)
    assert again is not None
    assert ticks(text(again)) == [START + n for n in range(1000, 1200)]
    store.ack(again, [RefusedLine(bad[2].line, 400, "no", 100)])
    assert (store.read_figures().rows, store.read_figures().lines_delivered) == (0, 1197)
    assert [row.line for row in store.list_refused()] == [line.line for line in bad]
    store.close()


def test_rows_that_wait_for_their_marks_are_counted_once_while_only_a_part_of_them_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "state")
    store.ack_soon(_put_rows(store, 1200), START)
    with monkeypatch.context() as disk:
        _fill_disk(disk, last_id=1000)
        with pytest.raises(StoreFullError):
            store.find_last_sent()
        totals = store.read_figures().roles["totals"]
        assert (totals.rows, totals.lines, totals.bytes, totals.delivered_lines) == (0, 0, 0, 1200)
    killed = make_store(as_after_a_crash(tmp_path / "state", tmp_path / "killed"))
    assert drain(killed) == [START + n for n in range(1000, 1200)]
    killed.close()
    store.put(commit(START + 60))
    assert drain(store) == [START + 60]
    assert store.read_figures().lines_delivered == 1201
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


_LITTLE_SPACE = """
import gzip, os, sys
from pathlib import Path
from logger.store.records import Batch, Commit
from tests.store.samples import GATEWAY, START, drain, make_store, ticks, text
folder = Path(sys.argv[1])
def put(tick, size):
    body = gzip.compress(f'x v="{os.urandom(size // 2).hex()}" {tick}\\n'.encode(), 0)
    return Batch("totals", 1, body)
store = make_store(folder / "state")
for tick, (count, size) in enumerate([(2000, 150), (2000, 150), (20, 30_000), (20, 30_000)]):
    store.put(Commit(GATEWAY, tick, tuple(put(tick, size) for _ in range(count))))
store.close()
(folder / "state" / "ballast").unlink()
with open(folder / "hog", "wb") as hog:
    disk = os.statvfs(folder)
    os.posix_fallocate(hog.fileno(), 0, disk.f_bavail * disk.f_frsize - 256 * 1024)
store = make_store(folder / "state")
lease = store.lease("totals", newest=False, max_lines=2000)
store.ack_soon(lease, START)
assert store.find_last_sent() == (0, 0), "without space for marks, delivered rows are deleted"
found = ticks(text(lease)) + drain(store)
assert found == [0] * 2000 + [1] * 2000 + [2] * 20 + [3] * 20, "each row once, in its order"
figures = store.read_figures().roles["totals"]
assert (figures.rows, figures.bytes, figures.delivered_rows, figures.delivered_lines) == (0, 0, 4040, 4040)
(folder / "hog").unlink()
store.put(Commit(GATEWAY, START, (put(START, 150),)))
assert drain(store) == [START]
store.close()
print("kept", len(found))
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
        pytest.param(_LITTLE_SPACE, "size=48m", marks=pytest.mark.long),
        (_NO_INODES, "size=48m,nr_inodes=40"),
        (_NO_INODES.replace('.write_bytes(b"damaged" * 1000)', ""), "size=48m,nr_inodes=40"),
    ],
    ids=[
        "recording stops, delivery drains, and recording goes on",
        "many small rows and some large rows drain after a restart",
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

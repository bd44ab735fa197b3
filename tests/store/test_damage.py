"""A newer, odd or damaged file: said, set aside, carried over; never a loop of crashes."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from logger.errors import StateError, StoreFullError
from logger.model import Report
from logger.store import damage
from logger.store.records import Commit, Lease
from logger.store.store import Store
from logger.store.tables import Torn
from tests.store.samples import (
    GATEWAY,
    START,
    HandClock,
    batch,
    commit,
    daily_commit,
    day_row,
    drain,
    make_store,
    text,
)


def _filled(folder: Path, count: int = 400) -> None:
    store = make_store(folder)
    store.put(Commit(GATEWAY, START, state={"base": "[1]"}, reports=(Report("482", 7, 8, "list"),)))
    store.put(daily_commit(START, day_row("2026-05-28", 1.0)))
    for n in range(count):
        store.put(commit(START + 60 * n, lines=4))
    store.close()


def _rescue_all(store: Store) -> None:
    for _ in range(10_000):
        if not store.rescue():
            return
    raise AssertionError("the rescue has no end")


def test_a_store_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    _filled(tmp_path, 3)
    with sqlite3.connect(tmp_path / "store.sqlite3") as connection:
        connection.execute("PRAGMA user_version=2")
    connection.close()
    before = (tmp_path / "store.sqlite3").read_bytes()
    with pytest.raises(StateError, match="newer envoy-logger") as caught:
        make_store(tmp_path)
    assert caught.value.exit_code == 78
    assert (tmp_path / "store.sqlite3").read_bytes() == before


def test_without_shared_memory_the_store_falls_back_to_a_rollback_journal(tmp_path: Path) -> None:
    make_store(tmp_path).close()
    (tmp_path / "store.sqlite3-shm").mkdir()
    for _ in range(2):
        store = make_store(tmp_path)
        assert "rollback journal" in "".join(store.take_notes())
        store.put(commit(START))
        assert drain(store) == [START]
        store.close()
    (tmp_path / "store.sqlite3-shm").rmdir()
    store = make_store(tmp_path)
    assert store.take_notes() == []
    store.put(commit(START))
    assert (tmp_path / "store.sqlite3-wal").exists()
    store.close()


def test_a_file_that_is_no_store_is_set_aside_and_recording_starts_anew(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_bytes(b"not a database at all" * 1000)
    store = make_store(tmp_path)
    notes = store.take_notes()
    assert "set aside as store.sqlite3.damaged-20260528T" in notes[0]
    assert "no row of its outbox can be read" in notes[1]
    store.put(commit(START))
    store.close()
    store = make_store(tmp_path)
    assert store.take_notes() == [], "it is said once"
    assert drain(store) == [START]
    store.close()


def test_a_truncated_to_nothing_store_is_said(tmp_path: Path) -> None:
    _filled(tmp_path, 3)
    (tmp_path / "store.sqlite3").write_bytes(b"")
    store = make_store(tmp_path)
    assert "the file is empty" in store.take_notes()[0]
    store.close()


def test_what_can_be_read_of_a_damaged_store_is_carried_over_ledger_first(tmp_path: Path) -> None:
    _filled(tmp_path, 1200)
    path = tmp_path / "store.sqlite3"
    pages = bytearray(path.read_bytes())
    with sqlite3.connect(path) as connection:
        leaf = (
            connection.execute(
                "SELECT pageno FROM dbstat WHERE name = 'outbox' AND pagetype = 'leaf' "
                "ORDER BY pageno LIMIT 1 OFFSET 5"
            ).fetchone()
            if _has_dbstat(connection)
            else (40,)
        )
    connection.close()
    start = (leaf[0] - 1) * 1024
    pages[start : start + 1024] = b"\0" * 1024
    path.write_bytes(pages)
    store = make_store(tmp_path)
    notes = "\n".join(store.take_notes())
    assert "1 of the table daily, 1 of the table report" in notes
    assert store.read_state(GATEWAY) == {"base": "[1]", "last_tick": str(START + 60 * 1199)}
    assert store.read_reports(GATEWAY) == {"482": [Report("482", 7, 8, "list")]}
    assert text(store.lease_daily()) == ["envoy_day,gateway=1 production_wh=1.0 1"]
    store.put(commit(START + 60 * 1200))
    assert store.rescue() > 500
    assert len(drain(store)) > 1
    store.close()
    store = make_store(tmp_path)
    _rescue_all(store)
    assert "outbox rows were saved from" in "\n".join(store.take_notes())
    found = sorted(set(drain(store)))
    assert set(found) <= {START + 60 * n for n in range(500, 1201)}
    assert 600 <= len(found) <= 710, "the rest of the rows, but for those of one page"
    store.close()


def _has_dbstat(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1 FROM dbstat LIMIT 1")
    except sqlite3.OperationalError:
        return False
    return True


def test_damage_that_shows_in_use_replaces_the_file_and_the_tick_in_hand_is_stored(tmp_path: Path) -> None:
    _filled(tmp_path, 40)
    store = make_store(tmp_path)
    path = tmp_path / "store.sqlite3"
    path.write_bytes(path.read_bytes()[:4096] + random.Random(1).randbytes(path.stat().st_size - 4096))
    store._file._connection.execute("PRAGMA cache_size=0")
    store.put(commit(START + 60 * 1000))
    assert store.read_state(GATEWAY)["last_tick"] == str(START + 60 * 1000)
    assert any("set aside" in note for note in store.take_notes())
    _rescue_all(store)
    assert START + 60 * 1000 in drain(store)
    store.close()


def test_a_lease_of_the_damaged_file_marks_no_row_of_the_new_file(tmp_path: Path) -> None:
    _filled(tmp_path, 40)
    store = make_store(tmp_path)
    lease = store.lease("totals", newest=False)
    assert lease is not None
    path = tmp_path / "store.sqlite3"
    path.write_bytes(path.read_bytes()[:4096] + random.Random(1).randbytes(path.stat().st_size - 4096))
    store._file._connection.execute("PRAGMA cache_size=0")
    store.put(commit(START + 60 * 1000))
    store.ack(lease)
    assert START + 60 * 1000 in drain(store)
    store.close()


@pytest.mark.parametrize("is_damaged", [True, False])
def test_a_disk_that_is_gone_ends_no_call_of_the_loops_otherwise_than_a_full_one(
    tmp_path: Path, is_damaged: bool
) -> None:
    folder, away = tmp_path / "state", tmp_path / "away"
    folder.mkdir()
    _filled(folder, 40)
    store = make_store(folder)
    store._file.ballast.release()
    folder.rename(away)
    path = away / "store.sqlite3"
    if is_damaged:
        path.write_bytes(path.read_bytes()[:4096] + random.Random(1).randbytes(path.stat().st_size - 4096))
        store._file._connection.execute("PRAGMA cache_size=0")
    lease = Lease((1,), GATEWAY, "totals", (b"",), 1, START, START)
    for call in (
        lambda: store.put(commit(START + 60 * 1000)),
        lambda: store.ack(lease),
        lambda: store.lease("totals", newest=False),
        store.lease_daily,
        store.find_last_sent,
        store.take_report,
        store.tidy,
        store.rescue,
    ):
        with contextlib.suppress(StoreFullError):
            call()
    away.rename(folder)
    store.put(commit(START + 60 * 1001))
    assert store.read_state(GATEWAY)["last_tick"] == str(START + 60 * 1001)
    store.close()


def test_new_files_that_are_damaged_as_soon_as_they_are_made_end_the_recorder_only_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _filled(tmp_path, 40)
    store = make_store(tmp_path)
    path = tmp_path / "store.sqlite3"
    path.write_bytes(path.read_bytes()[:4096] + random.Random(1).randbytes(path.stat().st_size - 4096))
    store._file._connection.execute("PRAGMA cache_size=0")

    def find_damage(connection: sqlite3.Connection, path: Path) -> None:
        raise Torn("a bad disk")

    with monkeypatch.context() as bad_disk:
        bad_disk.setattr(damage, "check", find_damage)
        for _ in range(2):
            with pytest.raises(StoreFullError, match="damaged each time it is made") as caught:
                store.put(commit(START + 60 * 1000))
            assert caught.value.hint == "check the disk for faults."
    store.put(commit(START + 60 * 1001))
    assert store.read_state(GATEWAY)["last_tick"] == str(START + 60 * 1001)
    store.close()


def _cut(data: bytes, at: int, _: random.Random) -> bytes:
    return data[:at]


def _zeroed(data: bytes, at: int, _: random.Random) -> bytes:
    return data[:at] + b"\0" * (len(data) - at)


def _noisy(data: bytes, at: int, chance: random.Random) -> bytes:
    noise = chance.randbytes(2000)
    return (data[:at] + noise + data[at + 2000 :])[: len(data)]


@pytest.mark.parametrize("spoil", [_cut, _zeroed, _noisy])
@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_whatever_is_done_to_its_files_the_store_opens_records_and_delivers(
    tmp_path: Path, spoil: Callable[[bytes, int, random.Random], bytes], suffix: str
) -> None:
    chance = random.Random(f"{spoil.__name__}{suffix}")
    source = tmp_path / "source"
    store = make_store(source)
    for n in range(300):
        store.put(commit(START + 60 * n, lines=4))
    for run in range(8):
        folder = tmp_path / str(run)
        folder.mkdir()
        for name in ("store.sqlite3", "store.sqlite3-wal"):
            data = (source / name).read_bytes()
            if name.endswith("3" + suffix):
                data = spoil(data, chance.randrange(len(data)), chance)
            (folder / name).write_bytes(data)
        for _ in range(2):
            spoiled = make_store(folder)
            _rescue_all(spoiled)
            spoiled.put(Commit(GATEWAY, START - 60, (batch("totals", START - 60),), state={"x": "1"}))
            found = drain(spoiled)
            assert START - 60 in found
            assert set(found) <= {START + 60 * n for n in range(-1, 300)}, "nothing is invented"
            assert spoiled.read_state(GATEWAY)["x"] == "1"
            spoiled.read_figures()
            spoiled.close()
    store.close()


def test_a_setting_aside_that_was_killed_half_way_is_finished(tmp_path: Path) -> None:
    _filled(tmp_path, 3)
    store = make_store(tmp_path)
    store.put(commit(START + 600))
    wal = (tmp_path / "store.sqlite3-wal").read_bytes()
    store.close()
    (tmp_path / "store.sqlite3.damaged-20260101T000000Z-wal").write_bytes(wal)
    store = make_store(tmp_path)
    assert "copied from the damaged store store.sqlite3.damaged-20260101T000000Z" in store.take_notes()[0]
    assert store.read_state(GATEWAY)["last_tick"] == str(START + 600)
    _rescue_all(store)
    assert drain(store)[-1] == START + 600
    store.close()


def _spoil(folder: Path) -> None:
    """A power cut that leaves the file damaged, and its write-ahead log beside it."""
    store = make_store(folder)
    for n in range(500):
        store.put(commit(START + 60 * n, lines=4))
    data, log = ((folder / name).read_bytes() for name in ("store.sqlite3", "store.sqlite3-wal"))
    store.close()
    (folder / "store.sqlite3").write_bytes(data[:4096] + b"\x07" * (len(data) - 4096))
    (folder / "store.sqlite3-wal").write_bytes(log)


@pytest.mark.parametrize("is_killed", [False, True])
def test_the_log_of_a_damaged_store_that_its_owner_deleted_leaves_the_new_store_alone(
    tmp_path: Path, is_killed: bool
) -> None:
    folder = tmp_path / "state"
    _spoil(folder)
    store = make_store(folder)
    _rescue_all(store)
    store.put(commit(START + 60 * 2000))
    if is_killed:
        folder = Path(shutil.copytree(folder, tmp_path / "killed"))
    store.close()
    (damaged,) = folder.glob("*.damaged-*Z")
    damaged.unlink()
    assert damaged.with_name(f"{damaged.name}-wal").exists()
    store = make_store(folder)
    assert store.take_notes() == []
    assert store.read_state(GATEWAY)["last_tick"] == str(START + 60 * 2000)
    store.close()


def test_of_the_damaged_stores_whose_rows_are_saved_only_the_newest_is_kept(tmp_path: Path) -> None:
    clock = HandClock()
    for hour in range(3):
        clock.now = START + 3600 * hour
        path = tmp_path / "store.sqlite3"
        _filled(tmp_path, 40)
        path.write_bytes(path.read_bytes()[:8192])
        store = make_store(tmp_path, clock=clock)
        assert len([*tmp_path.glob("*.damaged-*Z")]) == min(hour + 1, 2), "its rows are not saved yet"
        _rescue_all(store)
        assert [each.name[-7:] for each in tmp_path.glob("*.damaged-*Z")] == [f"{20 + hour}2700Z"]
        store.close()


def test_a_damaged_store_that_cannot_be_deleted_is_not_called_deleted_again_and_again(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "store.sqlite3"
    for hour in range(2):
        clock.now = START + 3600 * hour
        _filled(tmp_path, 40)
        path.write_bytes(path.read_bytes()[:8192])
        store = make_store(tmp_path, clock=clock)
        older = min(tmp_path.glob("*.damaged-*Z"))
        if hour:
            older.unlink()
            older.mkdir()  # cannot be deleted as a file
            store.take_notes()
        _rescue_all(store)
        assert not any("is deleted" in note for note in store.take_notes())
        store.close()

"""What is put comes out, in the promised order, until it is acknowledged."""

from __future__ import annotations

import gzip
import random
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from logger.model import RefusedLine, Report
from logger.store.records import Batch, Commit
from tests.store.samples import (
    GATEWAY,
    START,
    HandClock,
    as_after_a_crash,
    batch,
    commit,
    drain,
    make_store,
    replay_all,
    retry_all,
    text,
    ticks,
)


def test_a_tick_comes_back_byte_for_byte_and_is_there_until_it_is_acknowledged(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    only = batch("totals", START, 3)
    new = store.put(Commit(GATEWAY, START, (only,)))
    first, again = store.lease("totals", newest=False), store.lease("totals", newest=False)
    assert first is not None
    assert first == again == replace(new[0], is_all=True)
    assert first.body == only.body
    assert (first.gateway, first.lines, first.oldest_tick, first.newest_tick) == (GATEWAY, 3, START, START)
    assert store.lease("devices", newest=False) is None
    store.ack(first)
    assert store.lease("totals", newest=False) is None
    store.close()


def test_members_are_joined_oldest_first_within_the_limits_on_lines_and_bytes(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for n in range(10):
        store.put(commit(START + 60 * n, lines=10))
    lease = store.lease("totals", newest=False, max_lines=35)
    assert lease is not None
    assert lease.lines == 30
    assert ticks(text(lease)) == [START] * 10 + [START + 60] * 10 + [START + 120] * 10
    size = len(lease.batches[0])
    two = store.lease("totals", newest=False, max_bytes=2 * size + 5)
    assert two is not None
    assert len(two.batches) == 2
    one = store.lease("totals", newest=False, max_lines=1)
    assert one is not None
    assert one.lines == 10, "a row larger than the limit still goes, alone"
    store.close()


def test_newest_first_is_only_the_newest_tick_and_leaves_the_backlog_in_order(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for n in range(4):
        store.put(commit(START + 60 * n))
    store.put(Commit(GATEWAY, START + 180, (batch("totals", START + 180),)))
    newest = store.lease("totals", newest=True)
    assert newest is not None
    assert ticks(text(newest)) == [START + 180, START + 180]
    store.ack(newest)
    assert drain(store) == [START, START + 60, START + 120]
    store.close()


def test_a_lease_never_mixes_gateways(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for n, gateway in enumerate(["1", "2", "1", "2"]):
        store.put(commit(START + 60 * n, gateway=gateway))
    lease = store.lease("totals", newest=False)
    assert lease is not None
    assert (lease.gateway, ticks(text(lease))) == ("1", [START, START + 120])
    store.ack(lease)
    other = store.lease("totals", newest=False)
    assert other is not None
    assert (other.gateway, ticks(text(other))) == ("2", [START + 60, START + 180])
    store.close()


def test_everything_of_a_tick_survives_a_power_cut_or_none_of_it(tmp_path: Path) -> None:
    store = make_store(tmp_path / "a")
    report = Report("482", 1_779_999_000, 1_779_999_003, "device_data")
    store.put(
        Commit(
            GATEWAY,
            START,
            (batch("totals", START), batch("devices", START, 12)),
            state={"base": "[1,2]", "gone": "1"},
            reports=(report,),
            recent={"a": 1.5},
        )
    )
    store.put(Commit(GATEWAY, START + 60, state={"gone": None}))
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.put(
            Commit(
                GATEWAY,
                START + 120,
                (batch("totals", START + 120),),
                state={"base": "[9]"},
                recent={"a": float("nan")},
            )
        )
    after = make_store(as_after_a_crash(tmp_path / "a", tmp_path / "b"))
    assert after.read_state(GATEWAY) == {"base": "[1,2]"}
    assert after.read_reports(GATEWAY) == {"482": [report]}
    assert after.read_recent(GATEWAY, 0) == [(START, {"a": 1.5})]
    assert drain(after) == [START]
    assert drain(after, "devices") == [START] * 12
    after.close()
    store.close()


def test_the_first_time_and_source_of_a_report_stand_and_sixteen_are_kept(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(Commit(GATEWAY, START, reports=(Report("482", 1000, 1000, "device_data"),)))
    store.put(Commit(GATEWAY, START, reports=(Report("482", 1000, 1003, "list"), Report("999", 5, 5, "list"))))
    assert store.read_reports(GATEWAY)["482"] == [Report("482", 1000, 1000, "device_data")]
    for n in range(20):
        store.put(Commit(GATEWAY, START, reports=(Report("482", 900 - n, 900 - n, "list"),)))
    kept = [report.gateway_second for report in store.read_reports(GATEWAY)["482"]]
    assert kept == [900 - n for n in range(4, 20)], "the last seen stay, also if the gateway's clock stepped back"
    assert store.read_reports(GATEWAY)["999"] == [Report("999", 5, 5, "list")]
    assert store.read_reports("another") == {}
    store.close()


def test_refused_lines_are_kept_with_their_reason_and_the_rest_counts_as_delivered(tmp_path: Path) -> None:
    clock = HandClock()
    store = make_store(tmp_path, clock)
    store.put(commit(START, lines=5))
    lease = store.lease("totals", newest=False)
    assert lease is not None
    bad = text(lease)[2].encode()
    store.ack(lease, [RefusedLine(bad, 400, "field type conflict")])
    store.ack(lease, [RefusedLine(bad, 422, "said again after a crash")])
    [kept] = store.list_refused()
    assert (kept.line, kept.status, kept.reason) == (bad, 422, "said again after a crash")
    assert (kept.gateway, kept.role, kept.tick, kept.at) == (GATEWAY, "totals", START, START)
    waiting = store.read_figures()
    assert (waiting.rows, waiting.lines_delivered, waiting.refused) == (0, 4, 1)
    assert store.list_refused(after=kept.id) == []
    assert store.retry([kept.id + 1]) == 0
    assert store.retry([kept.id]) == 1
    assert text(store.lease("totals", newest=False)) == [bad.decode()]
    assert store.list_refused() == []
    store.close()


def test_a_row_that_rotted_on_the_disk_is_set_aside_and_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for n in range(3):
        store.put(commit(START + 60 * n))
    store.close()
    import sqlite3

    with sqlite3.connect(tmp_path / "store.sqlite3") as connection:
        body = bytearray(connection.execute("SELECT body FROM outbox WHERE id = 2").fetchone()[0])
        body[20] ^= 0xFF
        connection.execute("UPDATE outbox SET body = ? WHERE id = 2", (bytes(body),))
    connection.close()
    store = make_store(tmp_path)
    assert drain(store) == [START, START + 120]
    [kept] = store.list_refused()
    assert (kept.line, kept.tick, kept.status) == (bytes(body), START + 60, 0)
    assert "damaged" in kept.reason
    assert "1 stored row(s) were damaged" in store.take_notes()[-1]
    assert retry_all(store) == 0
    store.close()


def rotten() -> dict[str, bytes]:
    """Batches as a worn card or a failing memory gives them back."""
    good = gzip.compress(b"".join(b"m,n=%d v=1.5 1\n" % n for n in range(50)), mtime=0)
    flipped = bytearray(good)
    flipped[len(flipped) // 2] ^= 0xFF
    return {
        "cut": good[:-9],
        "zeroed": bytes(len(good)),
        "flipped": bytes(flipped),
        "headless": good[10:],
        "tail": good + b"\0\0\0\0",
        "noise": random.Random(3).randbytes(80),
        "empty": b"",
        "no lines": gzip.compress(b"", mtime=0),
        "a cut line": gzip.compress(b"m v=1 1\nm v=2", mtime=0),
    }


@pytest.mark.parametrize("how", rotten())
def test_a_member_that_was_wrong_before_it_was_stored_is_set_aside_whole_and_not_counted(
    tmp_path: Path, how: str
) -> None:
    store = make_store(tmp_path)
    for n in range(3):
        body = rotten()[how] if n == 1 else batch("totals", START + 60 * n).body
        store.put(Commit(GATEWAY, START + 60 * n, (Batch("totals", 1, body),)))
    assert drain(store) == [START, START + 120]
    [kept] = store.list_refused()
    assert (kept.line, kept.tick, kept.status) == (rotten()[how], START + 60, 0)
    assert "the stored batch is damaged" in kept.reason
    figures = store.read_figures().roles["totals"]
    assert (figures.rows, figures.delivered_rows, figures.delivered_lines) == (0, 2, 2)
    store.close()


def test_delivered_rows_stay_for_their_days_and_can_be_replayed(tmp_path: Path) -> None:
    clock = HandClock()
    store = make_store(tmp_path, clock, keep_days=30)
    for n in range(3):
        store.put(commit(START + 60 * n, roles=("totals", "devices")))
    clock.now += 120
    assert drain(store) == [START, START + 60, START + 120]
    clock.now += 30 * 86400 - 1
    store.tidy()
    assert replay_all(store, START + 60) == 2
    assert drain(store) == [START + 60, START + 120]
    clock.now += 2
    store.tidy()
    assert replay_all(store, 0) == 2, "those delivered again stay another thirty days, the first is gone"
    clock.now += 40 * 86400
    store.tidy()
    assert drain(store) == [START + 60, START + 120], "what waits is never too old"
    assert drain(store, "devices") == [START, START + 60, START + 120]
    store.close()


def test_a_replay_in_many_steps_reaches_every_row(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for n in range(1203):
        store.put(commit(START + 60 * n))
    assert len(drain(store)) == 1203
    assert replay_all(store, START + 60) == 1202
    assert store.read_figures().rows == 1202
    store.close()


def test_recent_numbers_are_kept_for_eight_days(tmp_path: Path) -> None:
    clock = HandClock()
    store = make_store(tmp_path, clock)
    store.put(commit(START))
    store.put(commit(START + 86400))
    clock.now = START + 8 * 86400 + 1
    store.tidy()
    assert [tick for tick, _ in store.read_recent(GATEWAY, 0)] == [START + 86400]
    assert store.read_recent(GATEWAY, START + 86401) == []
    store.close()


def test_the_figures_say_what_waits_and_what_ever_went_through_across_restarts(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    assert store.read_figures().oldest_tick is None
    for n in range(3):
        store.put(commit(START + 60 * n, lines=2, roles=("totals", "devices")))
    lease = store.lease("totals", newest=False, max_lines=4)
    assert lease is not None
    store.ack(lease)
    store.ack(lease)
    store.close()
    store = make_store(tmp_path)
    waiting = store.read_figures()
    totals, devices = waiting.roles["totals"], waiting.roles["devices"]
    assert (totals.rows, totals.lines, totals.oldest_tick) == (1, 2, START + 120)
    assert (devices.rows, devices.lines, devices.oldest_tick) == (3, 6, START)
    assert totals.bytes == len(batch("totals", START + 120, 2).body)
    assert (waiting.lines_stored, waiting.lines_delivered, waiting.lines_dropped, waiting.ticks_missed) == (
        12,
        4,
        0,
        0,
    )
    assert (totals.stored_rows, totals.delivered_rows, waiting.oldest_tick) == (3, 2, START)
    assert waiting.disk_bytes > 0
    store.close()


def test_export_reads_what_is_stored_delivered_or_not(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for n in range(120):
        tick = START + 60 * n
        store.put(Commit(GATEWAY, tick, (batch("totals", tick, 2, secrets.token_hex(9000)),)))
    lease = store.lease("totals", newest=False, max_lines=50)
    assert lease is not None
    store.ack(lease)
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page, after = store.read_lines("totals", START + 60, START + 60 * 119, after)
        found += ticks([line.decode() for line in page])
    assert found == [START + 60 * n for n in range(1, 119) for _ in range(2)]
    store.close()


def test_ids_never_come_back_after_the_outbox_was_empty(tmp_path: Path) -> None:
    clock = HandClock()
    store = make_store(tmp_path, clock, keep_days=0)
    store.put(commit(START))
    old = store.lease("totals", newest=False)
    assert old is not None
    store.ack(old)
    store.tidy()
    store.close()
    store = make_store(tmp_path, clock, keep_days=0)
    store.put(commit(START + 60))
    store.ack(old)
    assert drain(store) == [START + 60], "an old lease acknowledges nothing new"
    store.close()


def test_what_was_acknowledged_soon_is_marked_before_it_becomes_much(tmp_path: Path) -> None:
    store = make_store(tmp_path / "state")
    for n in range(20):
        store.put(commit(START + 60 * n))
    end, taken = (0, 0), []
    for _ in range(12):
        lease = store.lease("totals", newest=False, max_lines=1, after=end)
        assert lease is not None
        store.ack_soon(lease, 0.0)
        taken.append(lease.oldest_tick)
        end = lease.end
    assert store.read_figures().rows == 8
    crashed = make_store(as_after_a_crash(tmp_path / "state", tmp_path / "crashed"))
    sent_twice = sorted(set(drain(crashed)) & set(taken))
    assert sent_twice == taken[8:], "only the last few, which were not on the disk yet"
    for each in (store, crashed):
        each.close()


def test_the_store_knows_from_before_when_it_last_delivered(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    assert store.read_figures().last_delivery is None
    for n in range(2):
        store.put(commit(START + 60 * n))
    first = store.lease("totals", newest=False, max_lines=1)
    assert first is not None
    store.ack_soon(first, 0.0)
    assert store.read_figures().last_delivery == START
    store.close()
    store = make_store(tmp_path)
    assert store.read_figures().last_delivery == START
    store.close()

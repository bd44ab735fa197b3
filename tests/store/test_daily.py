"""Daily rows: the current value is sent, and an old one never takes its place."""

from __future__ import annotations

import gzip
from pathlib import Path

from logger.model import RefusedLine
from tests.store.samples import (
    GATEWAY,
    START,
    commit,
    daily_commit,
    day_row,
    drain,
    make_store,
    replay_all,
    retry_all,
    text,
)


def test_only_the_current_value_of_a_day_is_sent_and_once(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0), day_row("2026-05-28", 7.0, series="gateway=2")))
    store.put(daily_commit(START + 900, day_row("2026-05-28", 2.0)))
    lease = store.lease_daily()
    assert lease is not None
    assert lease.role == "daily"
    assert text(lease) == ["envoy_day,gateway=1 production_wh=2.0 1", "envoy_day,gateway=2 production_wh=7.0 1"]
    store.ack(lease)
    assert store.lease_daily() is None
    store.put(daily_commit(START + 1800, day_row("2026-05-28", 2.0, final=True)))
    assert store.lease_daily() is None, "the same line again is not sent again"
    assert store.read_daily(GATEWAY, "2026-05-28")[0].final
    assert store.read_daily(GATEWAY, "2026-05-29") == []
    store.close()


def test_rows_of_one_measurement_are_read_between_two_days_as_they_were_stored(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    rows = [day_row(f"2026-05-{day}", float(day)) for day in (27, 28, 29, 30)]
    store.put(daily_commit(START, *rows))
    assert store.read_rows(GATEWAY, "envoy_day", "2026-05-28", "2026-05-29") == rows[1:3]
    assert store.read_rows(GATEWAY, "envoy_month", "2026-05-28", "2026-05-29") == []
    store.close()


def test_a_row_that_changed_after_the_lease_stays_marked(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0), day_row("2026-05-29", 5.0)))
    lease = store.lease_daily()
    assert lease is not None
    store.put(daily_commit(START + 900, day_row("2026-05-28", 2.0)))
    store.ack(lease)
    assert text(store.lease_daily()) == ["envoy_day,gateway=1 production_wh=2.0 1"]
    store.close()


def test_a_row_that_changed_and_changed_back_after_the_lease_stays_marked(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0)))
    lease = store.lease_daily()
    assert lease is not None
    store.put(daily_commit(START + 900, day_row("2026-05-28", 2.0)))
    store.put(daily_commit(START + 1800, day_row("2026-05-28", 1.0)))
    store.ack(lease)
    assert store.lease_daily() is not None
    store.close()


def test_a_part_of_a_lease_can_be_acknowledged_alone(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, *(day_row(f"2026-05-{day}", float(day)) for day in (26, 27, 28))))
    lease = store.lease_daily()
    assert lease is not None
    store.ack(lease.select([0, 2]))
    assert text(store.lease_daily()) == ["envoy_day,gateway=1 production_wh=27.0 1"]
    assert store.read_figures().lines_delivered == 2
    store.close()


def test_the_marks_and_the_figures_survive_a_restart(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0), day_row("2026-05-29", 1.0)))
    store.close()
    store = make_store(tmp_path)
    lease = store.lease_daily(max_lines=1)
    assert lease is not None
    store.ack(lease)
    waiting = store.read_figures()
    assert (waiting.rows, waiting.roles["daily"].lines, waiting.lines_delivered) == (1, 1, 1)
    store.close()


def test_a_refused_daily_line_is_kept_and_tried_again_as_its_row_is_now(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0), day_row("2026-05-29", 2.0)))
    lease = store.lease_daily()
    assert lease is not None
    store.ack(lease, [RefusedLine(day_row("2026-05-28", 1.0).line, 400, "conflict")])
    assert store.lease_daily() is None
    assert [line.line for line in store.list_refused()] == [day_row("2026-05-28", 1.0).line]
    assert retry_all(store) == 1
    assert text(store.lease_daily()) == ["envoy_day,gateway=1 production_wh=1.0 1"]
    assert store.lease("daily", newest=False) is None
    store.close()


def test_a_refused_day_is_forgotten_once_a_newer_value_was_taken_and_never_sent_over_it(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0), day_row("2026-05-29", 2.0)))
    lease = store.lease_daily()
    assert lease is not None
    store.ack(lease, [RefusedLine(day_row("2026-05-29", 2.0).line, 400, "conflict", 1)])
    store.put(daily_commit(START, day_row("2026-05-29", 3.0)))
    again = store.lease_daily()
    assert again is not None
    assert text(again) == ["envoy_day,gateway=1 production_wh=3.0 1"]
    store.put(daily_commit(START, day_row("2026-05-29", 4.0)))
    store.ack(again, [RefusedLine(day_row("2026-05-29", 3.0).line, 400, "conflict", 0)])
    assert store.list_refused() == [], "a value that is not the current one any more is nobody's business"
    newest = store.lease_daily()
    assert newest is not None
    store.ack(newest)
    assert (store.list_refused(), retry_all(store), store.read_figures().rows) == ([], 0, 0)
    store.close()


def test_a_replay_sends_the_days_again(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, *(day_row(f"2026-05-{day}", 1.0) for day in (26, 27, 28, 29))))
    lease = store.lease_daily()
    assert lease is not None
    store.ack(lease)
    assert replay_all(store, 1_779_926_400) == 3, "2026-05-28 00:00 UTC is still the 27th in the west"
    again = store.lease_daily()
    assert again is not None
    assert again.lines == 3
    store.ack(lease)
    assert store.lease_daily() == again, "what was leased before the replay does not clear its marks"
    assert store.read_lines("daily") == ([day_row("", 1.0).line] * 4, None)
    store.close()


def test_delivered_rows_of_days_are_read_again_without_a_change_of_the_store(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, *(day_row(f"2026-05-{day}", float(day)) for day in (26, 27, 28, 29))))
    lease = store.lease_daily()
    assert lease is not None
    store.ack(lease)
    store.put(daily_commit(START + 60, day_row("2026-05-28", 30.0)))
    before = store.read_figures()
    first = store.read_sent_days(1_779_926_400, 0, 1)
    assert first is not None
    assert [gzip.decompress(batch) for batch in first.batches] == [day_row("", 27.0).line + b"\n"]
    following = store.read_sent_days(1_779_926_400, first.end[1])
    assert following is not None
    assert [gzip.decompress(batch) for batch in following.batches] == [day_row("", 29.0).line + b"\n"], (
        "the 28th waits"
    )
    assert store.read_sent_days(1_779_926_400, following.end[1]) is None
    assert store.read_figures() == before
    store.close()


def test_what_was_stored_and_what_was_delivered_are_counted_alike(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for n, value in enumerate((1.0, 1.0, 2.0)):
        store.put(daily_commit(START + 60 * n, day_row("2026-05-28", value), day_row("2026-05-29", 5.0)))
        lease = store.lease_daily()
        if lease is not None:
            store.ack(lease)
    waiting = store.read_figures()
    assert (waiting.lines_stored, waiting.lines_delivered, waiting.rows) == (3, 3, 0)
    assert waiting.roles["daily"].stored_rows == 3
    store.close()


def test_hours_are_sent_after_the_rows_of_days_and_once(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(commit(START, roles=("totals", "daily")))
    store.put(daily_commit(START, day_row("2026-05-28", 1.0)))
    assert store.read_figures().roles["daily"].lines == 2
    rows = store.lease_daily()
    assert rows is not None
    assert text(rows) == ["envoy_day,gateway=1 production_wh=1.0 1"]
    store.ack(rows)
    hours = store.lease_daily()
    assert hours is not None
    assert [line.split()[0] for line in text(hours)] == ["envoy_daily,n=0"]
    store.ack_soon(hours, 0.0)
    assert store.lease_daily() is None
    assert store.read_figures().roles["daily"].lines == 0
    assert drain(store) == [START]
    store.close()


def test_hours_are_sent_again_and_read_again_with_the_rows_of_days(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(commit(START, roles=("daily",)))
    store.put(commit(START + 3600, roles=("daily",)))
    store.put(daily_commit(START, *(day_row(f"2026-05-{day}", 1.0) for day in (28, 29))))
    while lease := store.lease_daily():
        store.ack(lease)
    found, after = store.read_lines("daily")
    assert after is None
    assert [line.split(b",")[0] for line in found] == [b"envoy_day"] * 2 + [b"envoy_daily"] * 2
    assert replay_all(store, START + 3000) == 3
    sent = list[str]()
    while lease := store.lease_daily():
        sent += text(lease)
        store.ack(lease)
    assert [line.split(",")[0] for line in sent] == ["envoy_day", "envoy_day", "envoy_daily"]
    store.close()

"""Lines of daily rows are stored packed; those of an earlier version stay readable, and damage is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from logger.store.packed_lines import pack_line, unpack_line
from logger.store.tables import FILE
from tests.store.samples import START, daily_commit, day_row, make_store, text

INVERTER = (
    b"envoy_inverter_day,gateway=122500000001,panel_group=east,serial=122501000000 energy_wh=662.313,"
    b"estimated_wh=0.0,peak_power_w=126.0,group_ratio=0.9773,group_ratio_7d=0.9587,coverage_percent=100.0,panel=\"A0\",panel_row=\"1\","
    b"panel_column=\"0\",silent_days=0i,low_days=0i,tripped_s=0.0 1704063600"
)  # fmt: skip

STORED = (
    "78f96c3bd804c31b3a46a606106088124ea989c5258860022a3284a8420a2a3333233d6343630221666864861948e6e6c658"
    "02c5d4c29c50b818e00f170392c2c5c0c4c0ccd8ccc0000081465f20"
)


@given(st.binary())
def test_every_line_comes_back_as_it_was_packed(line: bytes) -> None:
    assert unpack_line(pack_line(line)) == line


def test_a_line_of_an_inverter_takes_a_third_of_its_bytes() -> None:
    assert len(pack_line(INVERTER)) < len(INVERTER) / 3


def test_what_is_packed_today_can_be_unpacked_for_ever() -> None:
    stored = bytes.fromhex(STORED)
    assert unpack_line(stored) == INVERTER


def test_a_line_of_an_earlier_version_is_read_and_sent_only_when_it_changes(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0)))
    while lease := store.lease_daily():
        store.ack(lease)
    store.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE daily SET line = ?", (day_row("2026-05-28", 1.0).line,))
    store = make_store(tmp_path)
    assert store.read_lines("daily") == ([day_row("2026-05-28", 1.0).line], None)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0)))
    assert store.lease_daily() is None
    store.put(daily_commit(START, day_row("2026-05-28", 2.0)))
    assert text(store.lease_daily()) == ["envoy_day,gateway=1 production_wh=2.0 1"]
    store.close()


def test_a_damaged_line_is_deleted_and_said_and_holds_nothing_up(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(daily_commit(START, day_row("2026-05-28", 1.0), day_row("2026-05-29", 2.0)))
    store.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        found = connection.execute("SELECT line FROM daily WHERE day = '2026-05-28'").fetchone()[0]
        torn = found[:-1] + bytes([found[-1] ^ 1])
        connection.execute("UPDATE daily SET line = ? WHERE day = '2026-05-28'", (torn,))
    store = make_store(tmp_path)
    assert [row.day for row in store.read_daily("121900000001", "")] == ["2026-05-29"]
    assert text(store.lease_daily()) == ["envoy_day,gateway=1 production_wh=2.0 1"]
    assert "1 stored row(s) of days were damaged" in store.take_notes()[0]
    assert store.read_figures().roles["daily"].rows == 1
    store.close()

"""The invented sites tell one story: their ticks, their rows of days, and what is known of them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from line_protocol_parser import parse_line

from tests.grafana.known import Points
from tests.grafana.sites import Past, play, read_time
from tests.history.kinds import KINDS

NOON = int(datetime(2025, 6, 15, 16, tzinfo=UTC).timestamp())
"""Noon in New York."""
NIGHT = NOON + 11 * 3600 + 1800
"""Half an hour before midnight there."""
QUARTER_WH = KINDS[2].peak_w / 4


@cache
def play_one(now: int) -> Past:
    (past,) = play([KINDS[2]], days=2, step_s=900, ahead_s=5400, now=now, minutes_s=4 * 3600)
    return past


def energy_in_ticks(past: Past, at: int) -> float:
    """What the newest tick up to a time says of today."""
    lines = [line for each in past.made.lines["totals"] for line in each.splitlines()]
    newest = [line for line in lines if line.startswith(b"envoy_totals,") and read_time(line) <= at][-1]
    return float(parse_line(newest.decode())["fields"]["production_today_wh"])


def energy_in_rows(lines: list[bytes]) -> float:
    """What the newest row of a day says of it."""
    rows = [parse_line(line.decode()) for line in lines if line.startswith(b"envoy_day,")]
    return float(max(rows, key=lambda row: row["time"])["fields"]["production_wh"])


def test_the_row_of_today_is_no_further_than_the_ticks() -> None:
    past = play_one(NOON)
    assert energy_in_ticks(past, NOON) > 1000
    assert 0 <= energy_in_ticks(past, NOON) - energy_in_rows(past.made.lines["daily"]) <= QUARTER_WH


def test_rows_grow_as_time_passes() -> None:
    past = play_one(NOON)
    for at in (NOON + 1800, NOON + 5400):
        grown = [*past.made.lines["daily"], *(line for when, line in past.later if when <= at)]
        newest: dict[bytes, bytes] = {line.split(b" ")[0] + line.rsplit(b" ", 1)[1]: line for line in grown}
        assert 0 <= energy_in_ticks(past, at) - energy_in_rows(list(newest.values())) <= QUARTER_WH


def test_what_is_known_of_today_is_what_is_in_its_row_when_the_future_holds_a_midnight() -> None:
    past = play_one(NIGHT)
    assert max(past.made.truth.days) > "2025-06-15", "the truth knows the next day"
    known = Points(NIGHT)
    known.add(past)
    newest = max(known.found["envoy_day"], key=lambda row: row.time)
    assert newest.fields["local_date"] == "2025-06-15"
    assert newest.fields["production_wh"] == energy_in_rows(past.made.lines["daily"])

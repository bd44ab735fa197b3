"""Hours of a local day: twice or missing at a change of clocks, halves, no midnight; an instant lies in one hour."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logger.days import first_instant, following, local_day
from logger.energy.local_hours import hour_of, list_hours


def hours(day: str, zone: str) -> list[tuple[str, int]]:
    """The hours of a local day, each with its length in minutes."""
    found = list_hours(first_instant(day, zone), first_instant(following(day), zone), zone)
    return [(hour.hour, (hour.end - hour.start) // 60) for hour in found]


@pytest.mark.parametrize(
    ("day", "zone", "twice", "missing", "half"),
    [
        ("2026-06-15", "Europe/Berlin", None, None, None),
        ("2026-10-25", "Europe/Berlin", "02", None, None),
        ("2026-03-29", "Europe/Berlin", None, "02", None),
        ("2018-02-17", "America/Sao_Paulo", "23", None, None),
        ("2018-11-04", "America/Sao_Paulo", None, "00", None),
        ("2026-04-05", "Australia/Lord_Howe", "01", None, "01"),
        ("2026-10-04", "Australia/Lord_Howe", None, None, "02"),
        ("2026-06-15", "Asia/Kathmandu", None, None, None),
    ],
)
def test_a_day_has_every_hour_once_but_where_the_clocks_change(
    day: str, zone: str, twice: str | None, missing: str | None, half: str | None
) -> None:
    names = [f"{hour:02}" for hour in range(24) for _ in range(1 + (f"{hour:02}" == twice))]
    found = hours(day, zone)
    assert [name for name, _ in found] == [name for name in names if name != missing]
    assert [name for name, minutes in found if minutes != 60] == ([half] if half else [])


@given(
    st.integers(1_325_376_000, 2_051_222_400),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Pacific/Chatham", "Asia/Kolkata"]),
)
def test_every_instant_lies_in_the_hour_that_a_clock_shows(at: int, zone: str) -> None:
    hour, local = hour_of(at, zone), datetime.fromtimestamp(at, ZoneInfo(zone))
    assert hour.start <= at < hour.end <= hour.start + 3600
    assert (hour.day, hour.hour, hour.month) == (local_day(at, zone), f"{local:%H}", f"{local:%m}")
    assert hour_of(hour.end, zone).start == hour.end
    before = datetime.fromtimestamp(hour.start - 1, ZoneInfo(zone))
    assert (before.hour, before.utcoffset()) != (local.hour, local.utcoffset())

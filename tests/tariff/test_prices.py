"""Each minute has one price, on days of 23, 24 and 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.tariff.price_table import make_table, parse_prices
from logger.tariff.prices import Prices
from logger.tariff.tariff_file import parse_tariff
from tests.sizes import examples
from tests.tariff.tariffs import tariff_texts
from tests.tariff.test_tariff_file import TIME_OF_USE

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Cairo",
    "Pacific/Chatham",
)


def first_instant(day: date, zone: str) -> int:
    return int(datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).timestamp())


def hours_of(day: str, zone: str = "Europe/Berlin", text: str = TIME_OF_USE) -> dict[str, float]:
    """Band → hours of a local day."""
    prices = Prices(parse_tariff(text.encode())[0])
    start = date.fromisoformat(day)
    found: dict[str, float] = {}
    for slot in prices.list_slots(first_instant(start, zone), first_instant(start + timedelta(days=1), zone), zone):
        found[slot.band] = found.get(slot.band, 0.0) + (slot.end - slot.begin) / 3600
    return found


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2025-05-07", {"night": 8.0, "day": 16.0}),
        ("2025-03-30", {"night": 7.0, "weekend": 16.0}),
        ("2025-10-26", {"night": 9.0, "weekend": 16.0}),
        ("2024-05-07", {"flat": 24.0}),
        ("2023-05-07", {}),
    ],
)
def test_a_day_has_the_hours_of_its_bands(day: str, hours: dict[str, float]) -> None:
    assert hours_of(day) == hours


SPANS = (
    tariff_texts(),
    st.sampled_from(ZONES),
    st.dates(date(2024, 1, 2), date(2026, 12, 30)),
    st.integers(0, 86400),
    st.integers(1, 3 * 86400),
)


@given(*SPANS)
def test_the_slots_of_a_span_cover_it_once_and_have_the_price_of_each_of_their_minutes(
    text: str, zone: str, day: date, after: int, length: int
) -> None:
    assert_slots_cover(text, zone, day, after, length)


@pytest.mark.long
@settings(max_examples=examples(5000), deadline=None)
@given(*SPANS)
def test_the_slots_of_many_spans_cover_them_once(text: str, zone: str, day: date, after: int, length: int) -> None:
    assert_slots_cover(text, zone, day, after, length)


@given(tariff_texts(), st.sampled_from([("2025-03-30", 23), ("2025-06-15", 24), ("2025-10-26", 25)]))
def test_a_day_on_which_the_clocks_change_has_the_prices_of_its_hours(text: str, changed: tuple[str, int]) -> None:
    day, hours = date.fromisoformat(changed[0]), changed[1]
    begin, end = (first_instant(day + timedelta(days=n), "Europe/Berlin") for n in (0, 1))
    slots = list(Prices(parse_tariff(text.encode())[0]).list_slots(begin, end, "Europe/Berlin"))
    assert sum(slot.end - slot.begin for slot in slots) == hours * 3600
    assert {slot.day for slot in slots} == {day}


def assert_slots_cover(text: str, zone: str, day: date, after: int, length: int) -> None:
    tariff, problems = parse_tariff(text.encode())
    assert problems == ()
    since = first_instant(day, zone) + after
    slots = list(Prices(tariff).list_slots(since, since + length, zone))
    assert slots[0].begin == since
    assert slots[-1].end == since + length
    for slot, following in zip(slots, slots[1:], strict=False):
        assert slot.end == following.begin
    for slot in slots:
        for at in {slot.begin, (slot.begin + slot.end) // 2, slot.end - 1}:
            local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
            period = tariff.period_on(local.date())
            assert period is not None
            band = period.band_at(local.date(), local.hour * 60 + local.minute)
            assert band is not None
            assert (slot.day, slot.band, slot.buy, slot.sell) == (local.date(), band.name, band.buy, band.sell)


HOURLY = 'currency = "EUR"\nprices = "p.csv"\n[[period]]\nfrom = 2025-01-01\nhourly = true\nsell = 0.05\n'


def test_a_price_holds_until_the_next_and_no_longer_than_its_neighbours() -> None:
    rows, problems = parse_prices(
        "time,buy,sell\n2025-06-01T00:00+02:00,0.20,0.01\n2025-05-31T22:15Z,0.30\n2025-06-01T03:00+02:00,0.4,"
    )
    assert problems == []
    assert len(rows) == 2, "a line without its end is still being written"
    prices = Prices(parse_tariff(HOURLY.encode())[0], make_table([rows]))
    begin = int(datetime(2025, 5, 31, 22, tzinfo=UTC).timestamp())
    found = [
        ((slot.begin - begin) // 60, (slot.end - begin) // 60, slot.buy, slot.sell)
        for slot in prices.list_slots(begin, begin + 5400, "Europe/Berlin")
    ]
    assert found == [
        (0, 15, 0.20, 0.01),
        (15, 30, 0.30, 0.05),
        *((at, at + 15, None, None) for at in range(30, 90, 15)),
    ]


QUARTER, HOUR = 900, 3600


@pytest.mark.parametrize(
    ("steps", "gaps"),
    [
        ([], []),
        ([HOUR] * 3, []),
        ([QUARTER] * 9, []),
        ([HOUR, HOUR, QUARTER, QUARTER, QUARTER], []),
        ([QUARTER, QUARTER, QUARTER, HOUR, HOUR], []),
        ([QUARTER, QUARTER, HOUR, QUARTER, QUARTER], [(3 * QUARTER, 2 * QUARTER + HOUR)]),
        ([HOUR, HOUR, 3 * HOUR, HOUR], [(3 * HOUR, 5 * HOUR)]),
        ([HOUR, 86400, QUARTER, QUARTER], [(2 * HOUR, HOUR + 86400)]),
    ],
)
def test_a_missing_price_is_a_gap_also_where_the_length_of_prices_changes(
    steps: list[int], gaps: list[tuple[int, int]]
) -> None:
    times = [sum(steps[:place]) for place in range(len(steps) + 1)]
    table = make_table([dict.fromkeys(times, (0.3, None))])
    assert list(table.list_gaps()) == gaps
    last = steps[-1] if steps else HOUR
    assert table.price_at(times[-1] + last) is None, "the last one is not held until the next file comes"
    assert table.price_at(times[-1] + last - 1) is not None


def test_bands_change_with_the_clocks_of_chatham_which_change_at_a_quarter_to_three() -> None:
    text = TIME_OF_USE.replace("22:00-06:00", "22:00-03:00").replace("06:00-22:00", "03:00-22:00")
    for day, night, weekend in (("2025-04-06", 5.25, 19.75), ("2025-09-28", 4.75, 18.25)):
        assert hours_of(day, "Pacific/Chatham", text) == {"night": night, "weekend": weekend}, day


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2025-06-01T00:00,0.2,0.1\n", "line 1: the time has no offset"),
        (
            "2025-06-01T00:00Z,x,0.1\n",
            "line 1: a price is not a number; write a line such as 2026-01-31T14:00+01:00,0.2871",
        ),
        ("2025-06-01T00:00Z,nan,0.1\n", "line 1: a price is not a finite number"),
        ("2025-06-01T00:00Z\n", "line 1: a line is time,buy,sell"),
        ("2025-06-01T00:00Z;0.2;0.1\n", "line 1: a line is time,buy,sell with a point in each price, such as"),
        ("2025-06-01T00:00Z\t0,2\n", "line 1: the line does not begin with a time; write"),
        ("2025-06-01T00:00Z,0,2871\n", "line 1: sold at 2871? write a price with a point, not with a comma"),
        ("2025-06-01T00:00Z,0,05\n", "line 1: sold at 05? write a price with a point, not with a comma"),
        ("2025-06-01T00:00Z,-0,2\n", "line 1: sold at 2? write a price with a point, not with a comma"),
        ("2025-06-01T00:00Z,0,2871,0,0412\n", "line 1: a line is time,buy,sell with a point in each price"),
        ("1748736000,0.2,0.1\n", "line 1: the line does not begin with a time; write"),
        ("01.06.2025 00:00,0.2,0.1\n", "line 1: the line does not begin with a time; write"),
        ("yesterday 1,0.2,0.1\n", "line 1: the line does not begin with a time; write"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_the_others_hold(line: str, problem: str) -> None:
    rows, problems = parse_prices(line + "2025-06-01T01:00Z,0.2,0.1\n")
    assert len(rows) == 1
    assert len(problems) == 1
    assert problems[0].startswith(problem)


@pytest.mark.parametrize("header", ["time,sell,buy", "timestamp,price", "time;buy;sell", "Zeit,Bezug,Einspeisung"])
def test_no_line_below_a_wrong_header_is_used(header: str) -> None:
    rows, problems = parse_prices(f"{header}\n2025-06-01T01:00Z,0.2,0.1\n")
    assert (rows, len(problems)) == ({}, 1)
    assert problems[0].startswith("line 1: the header must be time,buy,sell")


def test_a_line_has_no_more_cells_than_its_header() -> None:
    rows, problems = parse_prices("time,buy\n2025-06-01T01:00Z,0,3\n2025-06-01T02:00Z,0.3\n")
    assert list(rows.values()) == [(0.3, None)]
    assert problems[0].startswith("line 2: a line is time,buy,sell with a point in each price")


def test_quotes_and_line_ends_of_windows_are_read_and_a_later_line_corrects_an_earlier_one() -> None:
    text = '"time","buy","sell"\r\n"2025-06-01T02:00+02:00","-0.2",""\r\n2025-06-01T00:00Z,0,0\r\n'
    assert parse_prices(text) == ({1748736000: (0.0, 0.0)}, [])

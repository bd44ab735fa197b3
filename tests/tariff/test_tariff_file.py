"""A tariff file is read whole or not at all, and each problem names its line."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from logger.tariff.tariff_file import parse_tariff

DOCUMENT = Path(__file__).parents[2] / "docs" / "tariffs.md"
TIME_OF_USE = """\
currency = "EUR"

[[period]]
from = 2024-01-01
until = 2025-01-01
buy = 0.32
sell = 0.082

[[period]]
from = 2025-01-01
buy = 0.3

  [[period.band]]
  name = "night"
  hours = ["22:00-06:00"]
  buy = 0.22

  [[period.band]]
  name = "weekend"
  days = ["sat-sun"]
  hours = ["06:00-22:00"]
  buy = 0.25

  [[period.band]]
  name = "day"
"""


def problems_of(text: str) -> tuple[str, ...]:
    tariff, problems = parse_tariff(text.encode())
    assert bool(problems) != bool(tariff.periods), "either a tariff or problems"
    return problems


def test_every_example_of_the_documentation_is_good() -> None:
    examples = re.findall(r"<!-- example -->\n```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert problems_of(example) == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("buy = 0.25", 'buy = "x"', "line 22: buy must be a number"),
        ("buy = 0.25", "buy = true", "line 22: buy must be a number"),
        ("buy = 0.25", "buy = nan", "line 22: buy must be a finite number"),
        ("buy = 0.25", "price = 0.25", "line 22: price is not a key of a [[period.band]]; its keys are name, buy"),
        ('  name = "day"', '  nom = "day"', "line 24: name is missing"),
        ("from = 2025-01-01", 'from = "2025-01-01"', "line 10: from must be a date without quotes"),
        ('["22:00-06:00"]', '"22:00-06:00"', 'line 15: hours must be a list of texts, such as ["22:00-06:00"]'),
        ("22:00-06:00", "22-6", "line 15: hours '22-6' is not a span of hours such as \"22:00-06:00\""),
        ("22:00-06:00", "22:00-24:30", "line 15: hours '22:00-24:30' is not a span of hours: it ends where it"),
        ("sat-sun", "samstag", "line 20: days 'samstag' is not a day of the week"),
        ('currency = "EUR"', "", "line 3: period has no currency"),
        ("until = 2025-01-01", "until = 2024-12-01", "line 10: from 2025-01-01 leaves a gap after the period that"),
        ("until = 2025-01-01", "until = 2025-02-01", "line 10: from 2025-01-01 lies in the period from 2024-01-01"),
        ("until = 2025-01-01\n", "", "line 9: from 2025-01-01 lies in the period from 2024-01-01, which has no end"),
        ("until = 2025-01-01", "until = 2023-01-01", "line 5: until is not later than `from`"),
        ("22:00-06:00", "22:00-07:00", "line 9: period has two bands at sat 06:00 in jan: night and weekend"),
        ('name = "day"', 'name = "day"\n  hours = ["06:00-20:00"]', "line 9: period has no band"),
        ("[[period]]\nfrom = 2024", "[[period]\nfrom = 2024", "line 3: is not TOML: "),
        ('name = "night"', 'name = "standing"', "line 14: name 'standing' is a name that the recorder uses itself"),
        ("buy = 0.3\n", "hourly = true\n", "line 11: hourly needs prices"),
        ("sat-sun", "sat,sun", "line 20: days 'sat,sun' is not a day of the week or a range of them: write mon or"),
        ("sat-sun", "saturnalia", "line 20: days 'saturnalia' is not a day of the week"),
        ("22:00-06:00", "22:00-05:59", "line 15: hours '22:00-05:59' leaves its last minute out: write the end"),
        ("buy = 0.25", "buy = 25.0", "line 22: buy is 25 EUR for a kWh; prices are in EUR, not in hundredths of it"),
        ('currency = "EUR"', 'currency = "EUR"\nprices = "p"', "line 2: prices is used by no period: write hourly"),
        ("buy = 0.3\n", "buy = 0.3\nhourly = true\n", "line 11: buy has no effect with hourly = true: write the"),
        ("[[period.band]]", "[[band]]", "line 13: band is not a key at the top of the file; write [[period.band]]"),
        ("[[period.band]]", "[period.band]", "line 18: is not TOML: this table occurs twice; if the file may"),
        ("sell = 0.082", "sel = 0.082", "line 7: sel is not a key of a [[period]]; did you mean sell?"),
        ("buy = 0.3\n", "buy = 0.3\nprices = 'p'\n", "line 12: prices is not a key of a [[period]]; it belongs"),
        ('name = "night"', 'name = "a\\nb"', "line 14: name must be one line of text"),
        ("from = 2025-01-01", "from = 2024-01-01", "line 10: from 2024-01-01 is also the first day"),
    ],
)  # fmt: skip
def test_each_problem_is_named_with_its_line(old: str, new: str, problem: str) -> None:
    assert old in TIME_OF_USE
    found = problems_of(TIME_OF_USE.replace(old, new, 1))
    assert any(each.startswith(problem) for each in found), found


def test_the_case_of_a_currency_does_not_hide_prices_in_cents() -> None:
    found = problems_of('currency = "eur"\n[[period]]\nfrom = 2025-01-01\nbuy = 32.1\n')
    assert found == ("line 4: buy is 32.1 eur for a kWh; prices are in eur, not in hundredths of it",)


def test_hours_with_one_digit_and_days_and_months_in_full_are_right() -> None:
    text = TIME_OF_USE.replace("22:00-06:00", "22:00 \N{EN DASH} 6:00").replace('"sat-sun"', '"Saturday", "sunday"')
    assert parse_tariff(text.encode())[0] == parse_tariff(TIME_OF_USE.encode())[0]


def test_a_single_table_where_several_belong_needs_two_brackets() -> None:
    (problem,) = problems_of('currency = "EUR"\n[period]\nfrom = 2025-01-01\nbuy = 0.3\n')
    assert problem == "line 2: period must have two brackets: [[period]]"


@pytest.mark.parametrize(
    "data", [b"", b"# later\n", TIME_OF_USE.encode("utf-16"), b"x = " + b"9" * 5000, b"x = " + b"[" * 99_999]
)
def test_a_file_that_is_no_tariff_is_a_problem(data: bytes) -> None:
    tariff, problems = parse_tariff(data)
    assert not tariff.periods
    assert problems


def test_all_problems_are_named_at_once() -> None:
    text = TIME_OF_USE.replace("buy = 0.25", "price = 0.25").replace('"22:00-06:00"', '"22-6"')
    assert [problem.split(":")[0] for problem in problems_of(text)] == ["line 15", "line 22"]


def test_ranges_of_days_and_months_may_pass_the_end_of_the_week_and_of_the_year() -> None:
    text = TIME_OF_USE.replace('days = ["sat-sun"]', 'days = ["fri-mon", "holiday"]\n  months = ["nov-feb"]')
    tariff, problems = parse_tariff(text.encode())
    assert problems == ()
    weekend = tariff.periods[1].bands[1]
    assert set(weekend.days) == {4, 5, 6, 0, 7}
    assert set(weekend.months) == {11, 12, 1, 2}


def test_a_holiday_is_a_sunday_unless_a_band_names_holidays() -> None:
    text = TIME_OF_USE.replace("from = 2025-01-01", "from = 2025-01-01\nholidays = [2025-05-01]")
    period = parse_tariff(text.encode())[0].periods[1]
    noon, thursday = 12 * 60, date(2025, 5, 1)
    assert period.band_at(thursday, noon) == period.bands[1]
    named = text.replace('["22:00-06:00"]', '["22:00-06:00"]\n  days = ["mon-sat", "holiday"]')
    period = parse_tariff(named.encode())[0].periods[1]
    assert period.band_at(thursday, noon) == period.rest

"""Every query of `docs/queries.md` gives the true answer on real databases, at four kinds of site."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from logger.days import first_instant
from logger.model import Role
from logger.query.catalog import QUERIES
from tests.databases.server_process import Binary
from tests.history.generator import FIRST, Generated
from tests.history.kinds import KINDS
from tests.history.load import write_lines
from tests.history.truth import Truth
from tests.questions.catalog import QUESTIONS
from tests.questions.documents import PATH, make_text
from tests.questions.judge import ask, judge, languages_of
from tests.questions.play import play, play_days
from tests.questions.question import NEEDS, Past
from tests.sizes import LONG


def find_wrong(server: Binary, sites: Iterable[tuple[Past, Generated]]) -> list[str]:
    """Put each site into the same buckets, then ask everything of each of them."""
    buckets: dict[Role, str] = server.fresh_buckets()
    played = []
    for site, made in sites:
        write_lines(server, buckets, made.lines)
        played.append(site)
    outcomes = [outcome for site in played for outcome in judge(server, buckets, site)]
    assert {outcome.question.text for outcome in outcomes} == {question.text for question in QUESTIONS}
    return [
        f"{outcome.question.text}, {outcome.kind}, {outcome.language}: {outcome.wrong}"
        for outcome in outcomes
        if outcome.wrong
    ]


@pytest.fixture(params=["influx1_session", "influx2_session", "influx3_session"])
def server(request: pytest.FixtureRequest) -> Binary:
    """Every generation, real ones."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Binary)
    return found


def test_every_answer_about_some_days_around_a_new_year_is_true(server: Binary) -> None:
    assert find_wrong(server, play_days()) == []


@pytest.mark.long
def test_every_answer_about_two_years_is_true(server: Binary) -> None:
    last = date(2026, 1, 28) if LONG else date(2024, 4, 11)
    assert find_wrong(server, play(KINDS, FIRST, last, 900)) == []


def test_every_question_of_owners_and_every_named_query_has_an_answer() -> None:
    assert {number for question in QUESTIONS for number in question.numbers} == set(range(1, 31))
    assert {question.report for question in QUESTIONS} == QUERIES.keys()
    assert len({question.text for question in QUESTIONS}) == len(QUESTIONS)
    assert {question.fits for question in QUESTIONS} <= NEEDS.keys()


def test_the_document_is_made_of_the_questions() -> None:
    assert PATH.read_text() == make_text(), "Run: make docs"


def test_the_same_days_of_a_month_are_those_of_their_own_year(server: Binary) -> None:
    """Up to a day of a month and up to its end, also in December, and up to a leap day."""
    kind = next(each for each in KINDS if each.has_meters)
    question = next(each for each in QUESTIONS if 4 in each.numbers)
    truth, lines = Truth(), list[bytes]()
    for number in range((date(2025, 1, 1) - date(2023, 1, 1)).days):
        day = (date(2023, 1, 1) + timedelta(days=number)).isoformat()
        wh = {"production": 1000.0 + number, "load": 100.0, "grid_import": float(number), "grid_export": 1.0}
        truth.days[day].wh.update(wh)
        fields = ",".join(f"{name}_wh={value}" for name, value in wh.items())
        at = first_instant(day, kind.zone)
        lines.append(f'envoy_day,gateway={kind.gateway} local_date="{day}",{fields} {at}\n'.encode())
    buckets: dict[Role, str] = server.fresh_buckets()
    for start in range(0, len(lines), 100):  # a year needs 52 shards, and a write makes them all before it ends
        write_lines(server, buckets, {"daily": lines[start : start + 100]})
    for month, last in ((1, 31), (2, 29), (6, 17), (11, 10), (12, 31)):
        noon = datetime(2024, month, last, 12, tzinfo=ZoneInfo(kind.zone))
        site = Past(kind, truth, int(noon.timestamp()), 900)
        assert [each.wrong for each in ask(server, buckets, site, question)] == [""] * len(languages_of(server))

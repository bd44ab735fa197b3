"""Every query of `docs/queries.md` gives the true answer on real databases, at four kinds of site."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from logger.days import first_instant
from logger.model import Role
from logger.query.catalog import QUERIES
from logger.readings.table import MEASUREMENTS
from tests.databases.server_process import Binary
from tests.history.generator import FIRST, Generated
from tests.history.kinds import KINDS, RICHEST
from tests.history.load import write_lines
from tests.history.truth import Truth
from tests.questions.catalog import QUESTIONS
from tests.questions.documents import PATH, make_text
from tests.questions.judge import ask, judge, languages_of
from tests.questions.play import play, play_days
from tests.questions.question import NEEDS, Past, Question
from tests.sizes import LONG

_OF_SITE = re.compile(rb"envoy_(totals|day),")


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


@pytest.mark.long
def test_every_answer_about_some_days_around_a_new_year_is_true(server: Binary) -> None:
    assert find_wrong(server, play_days(KINDS)) == []


@pytest.mark.long
def test_every_answer_about_two_years_is_true(server: Binary) -> None:
    first, last = (FIRST, date(2026, 1, 28)) if LONG else (date(2024, 3, 5), date(2024, 4, 11))
    assert find_wrong(server, play(KINDS if LONG else RICHEST, first, last, 900)) == []


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


@pytest.mark.long
def test_the_queries_of_a_site_of_several_gateways_differ_only_as_the_page_says(server: Binary) -> None:
    """Asked of a site whose sums are the rows of one gateway."""
    fields = {each.name: {field.name for field in each.fields} for each in MEASUREMENTS}
    site, made = play_days(RICHEST)[0]
    buckets: dict[Role, str] = server.fresh_buckets()
    of_site: dict[Role, list[bytes]] = {
        role: [_as_site(line) for line in b"".join(lines).splitlines(keepends=True) if _OF_SITE.match(line)]
        for role, lines in made.lines.items()
    }
    write_lines(server, buckets, of_site)
    asked = 0
    for question in QUESTIONS:
        flux, influxql = _as_site(question.flux.encode()), _as_site(question.influxql.encode())
        (measurement,) = set(re.findall(r'r\._measurement == "(\w+)"', flux.decode()))
        if set(re.findall(r'r\._field == "(\w+)"', question.flux)) <= fields[measurement] and b"site" in flux:
            changed = replace(question, flux=flux.decode(), influxql=influxql.decode())
            assert [each.wrong for each in ask(server, buckets, site, changed)] == [""] * len(languages_of(server))
            asked += 1
    assert asked > 5


def _as_site(text: bytes) -> bytes:
    """Change a line or a query of one gateway as the page says."""
    text = re.sub(rb"\benvoy_totals\b", b"envoy_site", re.sub(rb"\benvoy_day\b", b"envoy_site_day", text))
    if b"envoy_site" not in text:
        return text
    text = text.replace(b"r.gateway ==", b"r.site ==").replace(b"gateway = '", b"site = '")
    return text.replace(b",gateway=", b",site=", 1)


def test_the_months_of_a_site_are_the_sums_of_its_gateways(server: Binary) -> None:
    _, _, section = make_text().partition("## A site of several gateways")
    flux, influxql = re.findall(r"```(?:flux|sql)\n(.*?)\n```", section, re.DOTALL)[:2]
    kind = next(each for each in KINDS if each.has_meters)
    made = {"2024-10": (1000.0, 10.0), "2024-11": (2000.0, 20.0), "2024-12": (3000.0, 30.0)}
    lines = [
        f"envoy_month,gateway={number},site={name} production_wh={wh * number},load_wh={used} "
        f"{first_instant(f'{month}-01', kind.zone)}\n".encode()
        for month, (wh, used) in made.items()
        for number, name in ((1, "house"), (2, "house"), (3, "barn"))
    ]
    buckets: dict[Role, str] = server.fresh_buckets()
    write_lines(server, buckets, {"daily": lines})
    question = Question(
        "months", "", flux, influxql, ("month",), ("production_wh", "load_wh"),
        lambda _: {(month,): (3 * wh, 2 * used) for month, (wh, used) in made.items()},
    )  # fmt: skip
    site = Past(kind, Truth(), first_instant("2024-12-20", kind.zone), 900)
    assert [each.wrong for each in ask(server, buckets, site, question)] == [""] * len(languages_of(server))

"""Answers the requests of the JSON API for days, months and years."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from logger.backfill.history import Point
from logger.days import parse_day
from logger.model import Json
from logger.query.catalog import QUERIES
from logger.query.named_query import Rows, Scope
from logger.web.question import Question, QuestionError, head_of, round_all
from logger.web.shown_sites import ShownSite
from logger.web.today_shares import pick_ratios

_MOST_DAYS: Final = 400


async def answer_days(question: Question) -> Json:
    """Answer with the day rows."""
    today = await question.site.today()
    until = _parse_date(question, "to", today)
    since = _parse_date(question, "from", until - timedelta(days=13))
    if until < since:
        raise QuestionError("`to` is before `from`")
    if (until - since).days >= _MOST_DAYS:
        raise QuestionError(f"these are more than {_MOST_DAYS} days")
    return await _answer_spans(question.site, "days", "envoy_day", since, until)


async def answer_months(question: Question) -> Json:
    """Answer with the month rows of the last twelve months."""
    today = await question.site.today()
    first = date(today.year - 1, today.month, 1) + timedelta(days=31)
    last = date(today.year, 12, 31)
    return await _answer_spans(question.site, "months", "envoy_month", first.replace(day=1), last)


async def answer_years(question: Question) -> Json:
    """Answer with the year rows of all years."""
    today = await question.site.today()
    return await _answer_spans(question.site, "years", "envoy_year", date(2000, 1, 1), date(today.year, 12, 31))


async def _answer_spans(site: ShownSite, name: str, measurement: str, since: date, until: date) -> Json:
    """Answer with the rows of days, months or years, and the percentages that the named query `name` adds to each."""
    scope = await site.make_scope(since, until)
    points = await site.read_rows(measurement, since, until)
    return {**head_of(site, scope), name: describe_spans(points, name, measurement, scope)}


def describe_spans(points: Sequence[Point], name: str, measurement: str, scope: Scope) -> list[Json]:
    """Return the fields of each row, and the two percentages that the named query `name` computes from them."""
    ratios = pick_ratios(QUERIES[name].answer(Rows({measurement: points}), scope))
    return [{**round_all(point.fields), **of_point} for point, of_point in zip(points, ratios, strict=True)]


def _parse_date(question: Question, name: str, default: date) -> date:
    """Return the date in a parameter. Raise QuestionError if it is no date."""
    text = question.parameters.get(name)
    if text is None:
        return default
    try:
        return parse_day(text)
    except ValueError:
        raise QuestionError(f"`{name}` is not a date such as 2026-11-28") from None

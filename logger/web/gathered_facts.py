"""Gather the facts that the page shows of one site. Facts without a change are not gathered again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from logger.model import Json, Reading
from logger.web import json_answers, site_answers, span_answers
from logger.web.day_curve import SERIES
from logger.web.json_answers import CURVE
from logger.web.question import Question

_OF_INVERTERS: Final = ("envoy_inverter", "envoy_inverter_status", "envoy_inverter_day")
_OF_ROWS: Final = ("envoy_day", "envoy_month", "envoy_site_day")
_ROWS_S: Final = 900
"""The rows of days and months are read again after this many seconds, because a command may have changed them."""


@dataclass(frozen=True)
class PageFacts:
    """The facts that the page shows of one site: answers of the API, and times in unix seconds.

    The times are the present time, the first instant of today and the last instant of today. At a site of several
    gateways, `whole` has the newest sums over the gateways, and `whole_days` has the sums of each of the last
    fourteen days.
    """

    now: Mapping[str, Any]
    days: Sequence[Mapping[str, Any]]
    months: Sequence[Mapping[str, Any]]
    inverters: Sequence[Mapping[str, Any]]
    whole: Mapping[str, Any]
    whole_days: Sequence[Mapping[str, Any]]
    time: float
    span: tuple[int, int]

    @cached_property
    def zone(self) -> ZoneInfo:
        """Return the time zone of the site."""
        return ZoneInfo(self.now["zone"])

    @cached_property
    def today(self) -> date:
        """Return the present date at the site."""
        return self.local(self.time).date()

    def local(self, at: float) -> datetime:
        """Return the local time of the site at a unix second."""
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone)

    @cached_property
    def totals(self) -> Mapping[str, Any]:
        """Return the newest totals; without powers and percentages if the totals are not fresh.

        Old powers and percentages are not shown as present values.
        """
        return only_true_now(self.now)

    @property
    def point(self) -> dict[str, float]:
        """Return the newest point of today's curve: `at` and the powers; empty while no power of today is known."""
        at, totals = self.now["at"], self.now["totals"]
        if at is None or at < self.span[0] or not any(name in totals for name in SERIES):
            return {}
        return {"at": at, **{name: totals[name] for name in CURVE if name in totals}}


def only_true_now(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the totals of an answer; without powers and percentages if the totals are not fresh."""
    totals: Mapping[str, Any] = answer["totals"]
    if answer["is_fresh"]:
        return totals
    return {name: value for name, value in totals.items() if not name.endswith(("_w", "_percent"))}


class GatheredFacts:
    """Gather the facts of one site. The same object is returned until a fact has changed."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._gathering = asyncio.Lock()
        self._facts: PageFacts | None = None
        self._seen: object = None
        self._rows: _Rows | None = None
        self._rows_of: object = None
        self._inverters: Sequence[Mapping[str, Any]] = ()
        self._inverters_of: object = None

    async def gather(self) -> PageFacts:
        """Return the present facts, which are gathered once even if many visitors wait for them."""
        async with self._gathering:
            seen = self._look()
            if self._facts is None or seen != self._seen:
                self._facts, self._seen = await self._ask(), seen
            return self._facts

    def _look(self) -> object:
        """Return a value that changes as soon as one of the facts changes."""
        recorder, collector, minute = self._question.recorder, self._question.site.collector, self._count(60)
        sums = tuple(each.newest for each in recorder.sites)
        absences = tuple(collector.state.readings.absences.lasting.items())
        return collector.newest, collector.newest.revision, sums, recorder.changes.troubles, absences, minute

    def _list_newest(self, *measurements: str) -> tuple[Reading, ...]:
        newest = self._question.site.collector.newest
        return tuple(reading for name in measurements for reading in newest.list_of(name))

    def _count(self, span_s: int) -> int:
        return int(self._question.clock.time()) // span_s

    async def _ask(self) -> PageFacts:
        """Return the facts, made from the answers of the API."""
        question = self._question
        scope = await question.site.make_scope()
        rows = await self._find_rows()
        return PageFacts(
            now=_as_mapping(await json_answers.answer_now(question)),
            days=rows.days,
            months=rows.months,
            inverters=await self._find_inverters(),
            whole=await site_answers.sum_now(question),
            whole_days=rows.whole,
            time=question.clock.time(),
            span=(scope.since, await question.site.find_end_of_day()),
        )

    async def _find_rows(self) -> _Rows:
        """Return the rows of days and months, and the sums of the whole site's days.

        The store is read again only in four cases: a row was written, a new day began, the next span of `_ROWS_S`
        seconds began, or the gateway has another serial.
        """
        question = self._question
        of = (
            self._list_newest(*_OF_ROWS),
            await question.site.today(),
            self._count(_ROWS_S),
            question.site.collector.serial,
        )
        if self._rows is None or of != self._rows_of:
            self._rows = _Rows(
                _as_mapping(await span_answers.answer_days(question))["days"],
                _as_mapping(await span_answers.answer_months(question))["months"],
                [_as_mapping(row) for row in await site_answers.sum_days(question)],
            )
            self._rows_of = of
        return self._rows

    async def _find_inverters(self) -> Sequence[Mapping[str, Any]]:
        of = self._list_newest(*_OF_INVERTERS), self._question.site.collector.newest
        if of != self._inverters_of:
            answer = _as_mapping(await json_answers.answer_inverters(self._question))
            self._inverters, self._inverters_of = answer["inverters"], of
        return self._inverters


@dataclass(frozen=True, slots=True)
class _Rows:
    """The day and month rows of one gateway, and the days of its whole site (`whole`), summed over the gateways."""

    days: Sequence[Mapping[str, Any]]
    months: Sequence[Mapping[str, Any]]
    whole: Sequence[Mapping[str, Any]]


def _as_mapping(answer: Json) -> dict[str, Any]:
    return cast(dict[str, Any], answer)

"""Ask every question at a site, in each language that a server speaks, and compare the answers with the truth."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeAlias

from logger.model import Role
from tests.benchmarks.processes import read_cpu_s
from tests.databases.influx2 import Influx2
from tests.databases.server_process import Binary
from tests.questions.ask import arrange, ask_flux, ask_influxql, render
from tests.questions.catalog import QUESTIONS
from tests.questions.question import Answer, Cell, Past, Question

Language: TypeAlias = Literal["flux", "influxql"]


@dataclass(frozen=True)
class Outcome:
    """The answer to one question: what is wrong with it, empty if nothing; its greatest error.

    `took_ms`: how long the answer took, the median; `processor_ms`: what the server worked for it, the mean.
    """

    question: Question
    kind: str
    language: Language
    rows: int
    wrong: str
    worst: float
    took_ms: float
    processor_ms: float


def judge(server: Binary, buckets: Mapping[Role, str], site: Past, times: int = 1) -> Iterator[Outcome]:
    """Ask every question that fits the site, each so many times."""
    for question in QUESTIONS:
        if question.fits(site.kind):
            yield from ask(server, buckets, site, question, times)


def ask(
    server: Binary, buckets: Mapping[Role, str], site: Past, question: Question, times: int = 1
) -> Iterator[Outcome]:
    """Ask one question in each language of the server."""
    wanted = question.wanted(site)
    for language in languages_of(server):
        yield _ask(server, buckets, site, question, language, wanted, times)


def languages_of(server: Binary) -> tuple[Language, ...]:
    return ("flux", "influxql") if isinstance(server, Influx2) else ("influxql",)


def _ask(
    server: Binary,
    buckets: Mapping[Role, str],
    site: Past,
    question: Question,
    language: Language,
    wanted: Answer,
    times: int,
) -> Outcome:
    text, took = render(getattr(question, language), site, buckets), list[float]()
    worked = read_cpu_s(server.process.pid)
    for _ in range(times):
        begun = time.perf_counter()
        if isinstance(server, Influx2) and language == "flux":
            rows = ask_flux(server, text)
        else:
            rows = ask_influxql(server, buckets, question.role, text)
        took.append(1000 * (time.perf_counter() - begun))
    worked = 1000 * (read_cpu_s(server.process.pid) - worked) / times
    found = arrange(question, site, rows)
    wrong, worst = compare(found, wanted, question.within, is_part=question.is_part)
    return Outcome(question, site.kind.name, language, len(found), wrong, worst, median(took), worked)


def compare(found: Answer, wanted: Answer, within: float, *, is_part: bool) -> tuple[str, float]:
    """Return what is wrong, and the greatest difference of a number. `is_part`: more rows than wanted are right."""
    worst = 0.0
    for key in [*wanted, *(() if is_part else found)]:
        if key not in found or key not in wanted:
            return f"{key}: {found.get(key)} instead of {wanted.get(key)}", worst
        for got, true in zip(found[key], wanted[key], strict=True):
            error = _differ(got, true)
            worst = max(worst, error)
            if error > within:
                return f"{key}: {found[key]} instead of {wanted[key]}", worst
    return "", worst


def _differ(got: Cell, true: Cell) -> float:
    if true is None:
        return 0.0
    if isinstance(true, str):
        return 0.0 if got == true else float("inf")
    return float("inf") if got is None else abs(float(got) - true)

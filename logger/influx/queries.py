"""Put texts into quotes for InfluxQL and Flux, and parse InfluxQL's answers.

Only commands send queries. The recorder sends none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter, ValidationError

from logger.answer import Answer
from logger.model import Value


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer. A float field may arrive as a whole number. An absent value is None."""

    tags: dict[str, str] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    values: list[list[Value | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StatementResult:
    """The result of one statement of a query."""

    series: list[Series] = field(default_factory=list)
    error: str = ""


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The body of an answer to `/query`."""

    results: list[StatementResult] = field(default_factory=list)
    error: str = ""


_ANSWER: Final = TypeAdapter(QueryAnswer)


def parse_answer(answer: Answer) -> tuple[Sequence[Series], str]:
    """Parse an answer to a query.

    Return the series of the first statement, and the server's error, empty for none.
    """
    try:
        parsed = _ANSWER.validate_json(answer.body)
    except ValidationError:
        parsed = QueryAnswer()
    errors = [text for text in (parsed.error, *(result.error for result in parsed.results)) if text]
    if not errors and (answer.status != 200 or not parsed.results):
        errors = [": ".join(filter(None, (f"HTTP {answer.status}", answer.text.strip())))]
    return parsed.results[0].series if parsed.results else [], errors[0] if errors else ""


def quote_name(text: str) -> str:
    """Return `text`, a name, as an identifier of InfluxQL, in quotes."""
    return '"' + _escape(text, '"') + '"'


def quote_text(text: str) -> str:
    """Return `text` as a string of InfluxQL, in quotes."""
    return "'" + _escape(text, "'") + "'"


def _escape(text: str, quote: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, f"\\{quote}")


def quote_flux(text: str) -> str:
    """Return `text` as a string of Flux, in quotes. Escape `${`, which would begin an expression in Flux."""
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")

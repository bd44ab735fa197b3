"""Parse the values of a tariff file: prices, dates, names, time spans, days of the week, months. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from logger.tariff.price_plan import DAY_MINUTES, HOLIDAY

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FULL_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_DASHES: Final = "-\N{EN DASH}"
_SPAN: Final = re.compile(rf"\s*([01]?\d|2[0-4]):([0-5]\d)\s*[{_DASHES}]\s*([01]?\d|2[0-4]):([0-5]\d)\s*")
_LEAST_FULL: Final = 59
"""A span that ends at this minute of an hour, such as 21:59, probably means the end of this hour."""


def _only_number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number without quotes and unit, such as 0.32")
    return value


def _only_day(value: object) -> object:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("must be a date without quotes, such as 2026-01-31")
    return value


def _parse_hours(value: object) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for text in _texts(value, '["22:00-06:00"]'):
        parts = _SPAN.fullmatch(text)
        if parts is None:
            raise ValueError(
                f'{text!r} is not a span of hours such as "22:00-06:00"; write each span in its own quotes'
            )
        first, last = int(parts[1]) * 60 + int(parts[2]), int(parts[3]) * 60 + int(parts[4])
        if max(first, last) > DAY_MINUTES or first == last:
            raise ValueError(f"{text!r} is not a span of hours: it ends where it begins, or after 24:00")
        if last % 60 == _LEAST_FULL:
            raise ValueError(f"{text!r} leaves its last minute out: write the end as {last // 60 + 1:02}:00")
        found += [(first, last)] if first < last else [(first, DAY_MINUTES), *([(0, last)] if last else [])]
    return tuple(sorted(found))


def _parse_days(value: object) -> frozenset[int]:
    texts = _texts(value, '["mon-fri"]')
    week = [text for text in texts if text.strip().lower() != "holiday"]
    found = set(_list_numbers(week, DAYS[:HOLIDAY], _FULL_DAYS, "day of the week"))
    return frozenset(found | ({HOLIDAY} if len(week) < len(texts) else set()))


def _parse_months(value: object) -> frozenset[int]:
    texts = _texts(value, '["nov-mar"]')
    return frozenset(number + 1 for number in _list_numbers(texts, MONTHS, _FULL_MONTHS, "month"))


def _texts(value: object, example: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError(f"must be a list of texts, such as {example}")
    return value


def _list_numbers(texts: list[str], names: Sequence[str], full: Sequence[str], what: str) -> Iterator[int]:
    """Yield the position in `names` of each name that `texts` gives, alone or in a range.

    A range such as `nov-mar` continues at the beginning of `names`. `full`: the same names in full length, which are
    also allowed. `what`: what a name is, such as "month", for the error message.
    """
    places = {name: place % len(names) for place, name in enumerate((*names, *full))}
    for text in texts:
        ends = [part.strip().lower() for part in text.split("-")]
        if len(ends) > 2 or any(end not in places for end in ends):
            raise ValueError(
                f"{text!r} is not a {what} or a range of them: write {names[0]} or {names[0]}-{names[4]}, "
                "each in its own quotes"
            )
        first, last = places[ends[0]], places[ends[-1]]
        yield from (at % len(names) for at in range(first, last + 1 + (len(names) if last < first else 0)))


Price = Annotated[float, BeforeValidator(_only_number), Field(allow_inf_nan=False)]
Day = Annotated[date, BeforeValidator(_only_day)]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]
Hours = Annotated[tuple[tuple[int, int], ...], BeforeValidator(_parse_hours)]
Days = Annotated[frozenset[int], BeforeValidator(_parse_days)]
Months = Annotated[frozenset[int], BeforeValidator(_parse_months)]

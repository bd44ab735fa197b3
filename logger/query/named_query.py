"""Define a named query: the points that it reads, and the function that makes its table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from logger.backfill.history import Point
from logger.energy.counting import Counting
from logger.model import Role, Value, add_up

Span = Literal["day", "month", "year", "months", "ever"]
"""The time span of a query, if the user gives none.

`day`: today. `month`: the last 31 days. `year`: the last 366 days. `months`: as `year`, but from the first day of the
month in which these 366 days begin. `ever`: everything.
"""
Cell: TypeAlias = Value | None
LABEL: Final = ""


@dataclass(frozen=True, slots=True)
class Column:
    """Describe a column: its name, its title and the unit of its values (the ending of a field's name, or `%`).

    `absent`: why a value of this column may be unknown; empty for the usual reasons.
    """

    name: str
    title: str
    unit: str = LABEL
    absent: str = ""


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """The answer to a query.

    `rows`: one value for each column, None if unknown. `curve`: the name of a column to draw. `notes`: sentences for
    people. `reasons`: column name → why a value of this column is unknown in this answer.
    """

    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    curve: str = ""
    notes: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Need:
    """Name the points that a query reads: their role, measurement and fields.

    `newest_s`: if it is not 0, only the points of the last `newest_s` seconds of the time span are read.
    """

    role: Role
    measurement: str
    fields: tuple[str, ...]
    newest_s: int = 0

    def find_begin(self, since: int, until: int) -> int:
        """Return the earliest time of the points to read. `since`, `until`: the time span in unix seconds."""
        return max(since, until - self.newest_s) if self.newest_s else since


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a query: the site's time zone, the time span in unix seconds, and the user's numbers.

    `until` is the first second after the span, at most the present time. `numbers`: the numbers that the user gave
    for this query, such as a limit, by name. `counting`: what the recorder's state says about each energy of today:
    whether it is measured, and since when it is counted; None if the query reads only rows.
    """

    zone: ZoneInfo
    since: int
    until: int
    numbers: Mapping[str, float] = field(default_factory=dict)
    counting: Counting | None = None

    @property
    def last_day(self) -> date:
        """Return the last local day of the time span."""
        return self.local(self.until - 1).date()

    @property
    def is_last_day_over(self) -> bool:
        """Return whether the time span ends with the end of its last day, and not with the present time."""
        return self.local(self.until).date() > self.last_day

    def local(self, at: float) -> datetime:
        """Return a unix time as the local time of the site."""
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone)


@dataclass(frozen=True, slots=True)
class Rows:
    """The points for a query, by measurement and in the order of time."""

    points: Mapping[str, Sequence[Point]]

    def plus(self, more: Rows) -> Rows:
        """Return these points and the points of `more`, each measurement in the order of time."""
        names = {**self.points, **more.points}
        return Rows({name: sorted((*self.of(name), *more.of(name)), key=lambda p: p.time) for name in names})

    def of(self, measurement: str) -> Sequence[Point]:
        """Return the points of a measurement, in the order of time."""
        return self.points.get(measurement, ())


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """Describe a query: its name on the command line, the question, its points, and the function that answers.

    `numbers`: name → (default, meaning) of the numbers that only the user can give. `is_by_panel`: the query makes a
    row for each panel, so one table may have the panels of several gateways. `is_comparison`: the query compares a
    year with the year before, so it needs the rows of both years. `if_none`: the meaning of an empty table although
    readings exist; empty if an empty table has no meaning.
    """

    name: str
    question: str
    needs: tuple[Need, ...]
    answer: Callable[[Rows, Scope], AnswerTable]
    span: Span = "month"
    numbers: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    is_by_panel: bool = False
    is_comparison: bool = False
    if_none: str = ""

    def describe_empty(self, rows: Rows, scope: Scope) -> str:
        """Describe the meaning of an empty table, with the time at which the rows of the query begin."""
        first = min((point.time for points in rows.points.values() for point in points), default=None)
        if not self.if_none or first is None:
            return "Nothing is recorded for this query."
        since = f"{scope.local(first):%Y-%m-%d %H:%M}".removesuffix(" 00:00")
        return f"{self.if_none} since {since} ({scope.zone.key}), where these rows begin."


def number(point: Point, name: str) -> float | None:
    """Return a field of a point if the field is a number; None if it is missing or not a number."""
    value = point.fields.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def text(point: Point, name: str) -> str:
    """Return a field of a point if the field is a text; empty if it is missing or not a text."""
    value = point.fields.get(name)
    return value if isinstance(value, str) else ""


def percent(part: float | None, whole: float | None) -> float | None:
    """Return the percentage of `part` in `whole`; None if a value is unknown, or if `whole` is not above zero."""
    return None if part is None or whole is None or whole <= 0 else 100.0 * part / whole


def less(a: float | None, b: float | None) -> float | None:
    """Return `a` minus `b`; None if `a` or `b` is unknown."""
    return None if a is None or b is None else a - b


def total(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values; None if all are unknown."""
    known = [value for value in values if value is not None]
    return add_up(known) if known else None


def note_sums(energies: Mapping[str, float | None], amounts: Mapping[str, float | None]) -> tuple[str, ...]:
    """Return the sums of a table as a sentence, with their names: energies in Wh and amounts of money.

    Unknown sums are left out.
    """
    known = [f"{name} {wh / 1000:,.2f} kWh" for name, wh in energies.items() if wh is not None]
    known += [f"{name} {amount:,.2f}" for name, amount in amounts.items() if amount is not None]
    return (f"In all: {', '.join(known)}.",) if known else ()


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the known values; None if all are unknown."""
    known = [value for value in values if value is not None]
    return add_up(known) / len(known) if known else None


def greatest(values: Iterable[float | None]) -> float | None:
    """Return the greatest of the known values; None if all are unknown."""
    return max((value for value in values if value is not None), default=None)


def least(values: Iterable[float | None]) -> float | None:
    """Return the least of the known values; None if all are unknown."""
    return min((value for value in values if value is not None), default=None)


def group_by(points: Iterable[Point], key: Callable[[Point], str]) -> dict[str, list[Point]]:
    """Group points by the text that `key` returns. The groups are in the order of these texts."""
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(key(point), []).append(point)
    return dict(sorted(found.items()))


def quarters(points: Iterable[Point], name: str) -> dict[int, float]:
    """Return the mean of the field `name` over each quarter of an hour.

    The keys are the beginnings of the quarters of an hour, in unix seconds.
    """
    sums: dict[int, list[float]] = {}
    for point in points:
        if (value := number(point, name)) is not None:
            sums.setdefault(point.time // 900 * 900, []).append(value)
    return {at: add_up(values) / len(values) for at, values in sums.items()}

"""Define what every query has: the rows it reads, and the statements it becomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

from logger.energy.site_sums import SITE, SITE_DAY
from logger.model import Role
from logger.readings.table import MEASUREMENTS

Dialect: TypeAlias = Literal["flux", "influxql"]
Form: TypeAlias = Literal["table", "time_series"]
Merge: TypeAlias = Literal["sum", "mean", "min", "max"]

SHOWN: Final = ""
"""As `since`: the time that the board shows."""
BEFORE: Final = "before"
"""As `since`: the days that lie 365 days before those that the board shows."""
_OF_SITES: Final = (SITE, SITE_DAY)
_MEANS: Final = ("_percent", "_v", "_hz", "_c", "_factor", "latency_s")
_AGES: Final = ("_age_s", "_oldest_s", "_delivery_s", "_skew_s")


@dataclass(frozen=True)
class Statement:
    """Hold one query as Grafana sends it. `alias` names the series of InfluxQL's time series."""

    role: Role
    text: str
    form: Form = "table"
    alias: str = ""


@dataclass(frozen=True)
class Rows:
    """Name points of one measurement of the chosen gateways, or of the chosen sites of several gateways.

    `since`: how far back, `SHOWN` or `BEFORE`. `where`: tag and value, or tag and `${variable}`.
    """

    measurement: str
    fields: tuple[str, ...]
    since: str = SHOWN
    where: tuple[tuple[str, str], ...] = ()

    @property
    def role(self) -> Role:
        """Return the bucket that holds the measurement."""
        return roles()[self.measurement]

    @property
    def owner(self) -> str:
        """Return the tag, and the variable, by which the points are chosen."""
        return "site" if self.measurement in _OF_SITES else "gateway"

    def having(self, fields: Iterable[str]) -> Rows:
        """Return the same rows with other fields."""
        return Rows(self.measurement, tuple(fields), self.since, self.where)

    def at(self, tag: str, value: str) -> Rows:
        """Return those of the rows that have this value of a tag."""
        return Rows(self.measurement, self.fields, self.since, (*self.where, (tag, value)))


@cache
def roles() -> dict[str, Role]:
    """Return the bucket of each measurement of the table."""
    return {measurement.name: measurement.role for measurement in MEASUREMENTS}


def merge_of(field: str) -> Merge:
    """Return how the values of several gateways become one: energies are added, of ages the greatest is taken."""
    if "_min_" in field or field == "token_expires_s":
        return "min"
    if "_max_" in field or field.startswith("peak_") or field.endswith(_AGES):
        return "max"
    return "mean" if field.endswith(_MEANS) else "sum"


def by_merge(fields: Iterable[str]) -> dict[Merge, list[str]]:
    """Return the fields that are merged in the same way together."""
    found: dict[Merge, list[str]] = {}
    for field in fields:
        found.setdefault(merge_of(field), []).append(field)
    return found


class Query(ABC):
    """One thing asked. `columns` are the names of what comes back; looks are given by them."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the answer, as far as they are known beforehand."""

    @abstractmethod
    def flux(self) -> list[Statement]:
        """Return the statements in Flux."""

    @abstractmethod
    def influxql(self) -> list[Statement]:
        """Return the statements in InfluxQL."""

    def statements(self, dialect: Dialect) -> list[Statement]:
        """Return the statements in one of the two."""
        return self.flux() if dialect == "flux" else self.influxql()


@dataclass(frozen=True)
class OneColumn(Query):
    """A query whose answer has one column, `name`, made of `rows`."""

    name: str
    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the name of the column."""
        return (self.name,)

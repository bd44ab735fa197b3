"""Define the base of all queries: the rows that a query reads, and its statements in Flux and InfluxQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal, TypeAlias

from logger.energy.site_sums import SITE, SITE_DAY
from logger.model import Role
from logger.readings.table import MEASUREMENTS

Dialect: TypeAlias = Literal["flux", "influxql"]
Form: TypeAlias = Literal["table", "time_series"]
Merge: TypeAlias = Literal["sum", "mean", "min", "max"]

SHOWN: Final = ""
"""Value of `Rows.since`: the time that the board shows."""
BEFORE: Final = "before"
"""Value of `Rows.since`: the time that is 365 days before the time that the board shows."""
_OF_SITES: Final = (SITE, SITE_DAY)
_MEANS: Final = ("_percent", "_v", "_hz", "_c", "_factor", "latency_s")
_AGES: Final = ("_age_s", "_oldest_s", "_delivery_s", "_skew_s")


@dataclass(frozen=True)
class Statement:
    """One statement as Grafana sends it. `alias`: the name of a series in InfluxQL's form `time_series`."""

    role: Role
    text: str
    form: Form = "table"
    alias: str = ""


@dataclass(frozen=True)
class Rows:
    """Select points of one measurement, of the chosen gateways or of the chosen sites of several gateways.

    `since`: how far back the query reads (such as `10m`), `SHOWN` or `BEFORE`. `until`: the end of the time
    that the query reads, as a duration before now; empty for now. `where`: pairs of a tag and its value, or of a tag
    and a `${variable}`.
    """

    measurement: str
    fields: tuple[str, ...]
    since: str = SHOWN
    where: tuple[tuple[str, str], ...] = ()
    until: str = ""

    @property
    def role(self) -> Role:
        """Return the role of the measurement. The role decides the bucket."""
        return roles()[self.measurement]

    @property
    def owner(self) -> str:
        """Return the tag that names the gateway or the site of a point. The board has a variable of the same name."""
        return "site" if self.measurement in _OF_SITES else "gateway"

    def having(self, fields: Iterable[str]) -> Rows:
        """Return a copy of the rows with these fields."""
        return replace(self, fields=tuple(fields))

    def at(self, tag: str, value: str) -> Rows:
        """Return a copy of the rows that also requires this value of a tag."""
        return replace(self, where=(*self.where, (tag, value)))


@cache
def roles() -> dict[str, Role]:
    """Return the role of each measurement: measurement → role."""
    return {measurement.name: measurement.role for measurement in MEASUREMENTS}


def merge_of(field: str) -> Merge:
    """Return the function that merges the values of several gateways, such as `sum` for energies."""
    if "_min_" in field or field == "token_expires_s":
        return "min"
    if "_max_" in field or field.startswith("peak_") or field.endswith(_AGES):
        return "max"
    return "mean" if field.endswith(_MEANS) else "sum"


def by_merge(fields: Iterable[str]) -> dict[Merge, list[str]]:
    """Return the fields by the function that merges their values: function → fields."""
    found: dict[Merge, list[str]] = {}
    for field in fields:
        found.setdefault(merge_of(field), []).append(field)
    return found


class Query(ABC):
    """Define a query, with its statements in Flux and InfluxQL.

    A panel finds the look of each column by the name in `columns`.
    """

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Return the names of the answer's columns that are known before the answer."""

    @abstractmethod
    def flux(self) -> list[Statement]:
        """Return the statements in Flux."""

    @abstractmethod
    def influxql(self) -> list[Statement]:
        """Return the statements in InfluxQL."""

    def statements(self, dialect: Dialect) -> list[Statement]:
        """Return the statements in the query language `dialect`."""
        return self.flux() if dialect == "flux" else self.influxql()


@dataclass(frozen=True)
class BySign(Query):
    """Define a query that divides a power with a sign into two columns without a sign, of which one is 0."""

    rows: Rows
    positive: str
    negative: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the two columns."""
        return (self.positive, self.negative)

    def split_flux(self, missing: str = "") -> str:
        """Return the Flux of the two columns of a record.

        `missing`: the Flux with which the expression of each column begins, for a record without a value.
        """
        parts = ((self.positive, ">", "r._value"), (self.negative, "<", "-r._value"))
        return ", ".join(
            f"{name}: {missing}if r._value {sign} 0.0 then {value} else 0.0" for name, sign, value in parts
        )

    def split_influxql(self, power: str) -> dict[str, str]:
        """Return column → InfluxQL that computes the column: (|w| + w) / 2 or (|w| − w) / 2 of a power w."""
        parts = {self.positive: "+", self.negative: "-"}
        return {name: f'(abs({power}) {sign} {power}) / 2 AS "{name}"' for name, sign in parts.items()}


@dataclass(frozen=True)
class OneColumn(Query):
    """Define a query whose answer has one column, `name`, computed from `rows`."""

    name: str
    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the name of the column."""
        return (self.name,)

"""Define the figures that alert rules compare: one value for each gateway or device, in Flux and in InfluxQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Literal

from grafana.query.asked import roles
from grafana.query.influxql import quote, select
from logger.model import Role

BUCKETS: Final[dict[Role, str]] = {"totals": "envoy", "devices": "envoy_devices", "daily": "envoy_daily"}


@dataclass(frozen=True)
class Figure(ABC):
    """A figure of a measurement. `by`: the tags that identify a value. `since`: how far back the query reads."""

    measurement: str
    fields: tuple[str, ...]
    since: str
    by: tuple[str, ...] = ("gateway",)
    where: tuple[tuple[str, str], ...] = ()

    @property
    def role(self) -> Role:
        """Return the role of the measurement. The role decides the bucket."""
        return roles()[self.measurement]

    @abstractmethod
    def flux(self) -> str:
        """Return the query in Flux."""

    @abstractmethod
    def influxql(self) -> str:
        """Return the query in InfluxQL."""

    def _pipe(self, *steps: str) -> str:
        wanted = " or ".join(f'r._field == "{field}"' for field in self.fields)
        tags = "".join(f' and r.{tag} == "{value}"' for tag, value in self.where)
        read = (
            f'from(bucket: "{BUCKETS[self.role]}")',
            f"range(start: -{self.since})",
            f'filter(fn: (r) => r._measurement == "{self.measurement}"{tags} and ({wanted}))',
        )
        return "\n    |> ".join((*read, *steps)) + "\n"

    def _select(self, what: str, every: str = "", fill: str = "", more: str = "") -> str:
        tags = [f"\"{tag}\" = '{value}'" for tag, value in self.where]
        where = " AND ".join([*tags, *([more] if more else []), f"time > now() - {self.since}"])
        groups = f"GROUP BY {f'time({every}), ' if every else ''}{self._columns}"
        return select([what], quote(self.measurement), f"WHERE {where}", groups, fill and f"fill({fill})")

    @property
    def _columns(self) -> str:
        return ", ".join(f'"{tag}"' for tag in self.by)

    @property
    def _keep(self) -> str:
        return f'keep(columns: ["_time", "_value", {self._columns}])'


@dataclass(frozen=True)
class Newest(Figure):
    """Compute the newest value (if `fn` is `last`) or the mean of the values (if `fn` is `mean`)."""

    fn: Literal["last", "mean"] = "last"

    def flux(self) -> str:
        """Return the query in Flux, which first takes the newest value of each series, because that is fastest."""
        return self._pipe(
            *(("last()",) if self.fn == "last" else ()),
            f"group(columns: [{self._columns}])",
            *(('sort(columns: ["_time"])',) if self.fn == "last" else ()),
            f"{self.fn}()",
            *_finish("float(v: r._value)"),
            self._keep,
        )

    def influxql(self) -> str:
        """Return the query in InfluxQL."""
        return self._select(f'{self.fn}("{self.fields[0]}")')


@dataclass(frozen=True)
class Course(Figure):
    """Compute the newest value of each quarter of an hour."""

    def flux(self) -> str:
        """Return the query in Flux."""
        return self._pipe(
            f"group(columns: [{self._columns}])",
            'sort(columns: ["_time"])',
            "aggregateWindow(every: 15m, fn: last, createEmpty: false)",
            self._keep,
        )

    def influxql(self) -> str:
        """Return the query in InfluxQL."""
        return self._select(f'last("{self.fields[0]}")', "15m", "none")


@dataclass(frozen=True)
class Heard(Figure):
    """Compute 0 if no field has had a value for 20 minutes (InfluxQL: 20 to 30), otherwise a number above 0."""

    def flux(self) -> str:
        """Return the query in Flux, which keeps only the times, because the fields have several types."""
        return self._pipe(
            "last()",
            f'keep(columns: ["_time", {self._columns}])',
            f"group(columns: [{self._columns}])",
            'max(column: "_time")',
            *_finish("if int(v: now()) - int(v: r._time) > int(v: 20m) then 0.0 else 1.0"),
            self._keep,
        )

    def influxql(self) -> str:
        """Return the query in InfluxQL, which counts the values of the last 10 minutes and the 20 minutes before."""
        counts = " + ".join(f'count("{field}")' for field in self.fields)
        each = self._select(f'{counts} AS "n"', "10m", "0")
        return select(['moving_average("n", 3)'], f"({each})", f"GROUP BY {self._columns}")


@dataclass(frozen=True)
class Unlike(Figure):
    """Count the values of a string field that differ from `usual`."""

    usual: str = ""

    def flux(self) -> str:
        """Return the query in Flux."""
        return self._pipe(
            f"group(columns: [{self._columns}])",
            f'map(fn: (r) => ({{r with _value: if r._value == "{self.usual}" then 0.0 else 1.0}}))',
            "sum()",
            *_finish("r._value"),
            self._keep,
        )

    def influxql(self) -> str:
        """Return the query in InfluxQL. Its second source gives 0 where the first source gives no row."""
        (field,) = self.fields
        unlike = self._select(f'count("{field}") AS "n"', more=f"\"{field}\" <> '{self.usual}'")
        none = self._select(f'count("{field}") * 0 AS "n"')
        return select(['sum("n")'], f"({unlike}), ({none})", f"GROUP BY {self._columns}")


def _finish(value: str) -> tuple[str]:
    return (f"map(fn: (r) => ({{r with _time: now(), _value: {value}}}))",)

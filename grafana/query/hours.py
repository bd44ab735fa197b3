"""Query rows of hours: one row for each local hour of each local day."""

from __future__ import annotations

from dataclasses import dataclass

from grafana.query import flux, influxql
from grafana.query.asked import Query, Rows, Statement


@dataclass(frozen=True)
class HoursOfDays(Query):
    """Query each local hour with energy: the energy, the first second of the hour, and the hour of the day."""

    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return hour and energy."""
        return ("hour", *self.rows.fields)

    def flux(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        steps = (
            'group(columns: ["_time", "hour"])',
            "sum()",
            "group()",
            f"map(fn: (r) => ({{Time: r._time, hour: r.hour, {field}: r._value}}))",
            'sort(columns: ["Time"])',
        )
        text = flux.pipe(*flux.read(self.rows, "filter(fn: (r) => r._value > 0.0)"), *steps)
        return [Statement(self.rows.role, text)]

    def influxql(self) -> list[Statement]:
        """Return one statement."""
        (field,) = self.rows.fields
        text = influxql.select(
            [influxql.call("sum", field)],
            influxql.quote(self.rows.measurement),
            influxql.where(self.rows, f'"{field}" > 0'),
            'GROUP BY time(15m), "hour" fill(none)',
        )
        return [Statement(self.rows.role, text)]

"""Write the parts of Flux that several queries share."""

from __future__ import annotations

from typing import Final

from grafana.query.asked import BEFORE, SHOWN, Rows

BUCKETS: Final = {"totals": "bucket", "devices": "bucket_devices", "daily": "bucket_daily"}
_RANGES: Final = {
    SHOWN: "range(start: v.timeRangeStart, stop: v.timeRangeStop)",
    BEFORE: (
        "range(start: time(v: int(v: v.timeRangeStart) - int(v: 365d)), "
        "stop: time(v: int(v: v.timeRangeStop) - int(v: 365d)))"
    ),
}
WIDE: Final = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
AT_NOW: Final = "map(fn: (r) => ({_time: now(), _field: r._field, _value: r._value}))"
NAME: Final = "if exists r.panel then r.panel else r.serial"
"""What people call an inverter; without a layout file its serial number."""
_MAY_LACK: Final = {"panel_group"}
"""Tags that a series lacks without a layout file; to InfluxQL they are empty then."""


def pipe(*steps: str, imports: tuple[str, ...] = ()) -> str:
    """Join steps to a query."""
    head = "".join(f'import "{name}"\n' for name in imports)
    return f"{head}\n" * bool(imports) + "\n    |> ".join(steps)


def read(rows: Rows, *early: str) -> tuple[str, ...]:
    """Write the first steps of a query: its rows. `early`: steps that the database itself takes, series by series.

    It takes none after a filter that a series without the tag may pass; so such a filter follows them.
    """
    span = _RANGES.get(rows.since) or f"range(start: -{rows.since})"
    chosen = f"${{{rows.owner}:regex}}"
    wanted = " or ".join(f'r._field == "{field}"' for field in rows.fields)
    return (
        f'from(bucket: "${{{BUCKETS[rows.role]}}}")',
        span,
        f'filter(fn: (r) => r._measurement == "{rows.measurement}" and {_condition(rows.owner, chosen)})',
        *(f"filter(fn: (r) => {_condition(tag, value)})" for tag, value in rows.where if tag not in _MAY_LACK),
        f"filter(fn: (r) => {wanted})",
        *early,
        *(f"filter(fn: (r) => {_condition(tag, value)})" for tag, value in rows.where if tag in _MAY_LACK),
    )


def _condition(tag: str, value: str) -> str:
    found = f'(if exists r.{tag} then r.{tag} else "")' if tag in _MAY_LACK else f"r.{tag}"
    return f"{found} =~ /^{value}$/" if value.startswith("$") else f'{found} == "{value}"'


WHOLE_WINDOWS: Final = "filter(fn: (r) => int(v: r._time) % int(v: v.windowPeriod) == 0)"
"""Leaves out the first window if the range cuts it: it would make all cells of a heat map as narrow as itself."""


def windows(fn: str, *, empty: bool, every: str = "v.windowPeriod") -> str:
    """Write the step that takes one value of each window of time; a window without one stays null, or is left out."""
    return f'aggregateWindow(every: {every}, fn: {fn}, createEmpty: {str(empty).lower()}, timeSrc: "_start")'

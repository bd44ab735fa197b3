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
"""The Flux expression for an inverter's name: the panel's name, or the serial number without a layout file."""
_MAY_LACK: Final = {"panel_group"}
"""Tags that a series lacks without a layout file. InfluxQL reads an absent tag as an empty string."""


def pipe(*steps: str, imports: tuple[str, ...] = ()) -> str:
    """Return the steps joined to a query."""
    head = "".join(f'import "{name}"\n' for name in imports)
    return f"{head}\n" * bool(imports) + "\n    |> ".join(steps)


def read(rows: Rows, *early: str) -> tuple[str, ...]:
    """Return the first steps of a query, which read its rows. `early`: steps that run inside the database.

    Some series lack a tag such as `panel`. A filter by such a tag runs outside the database, and so do all
    later steps. Therefore such a filter comes after the steps of `early`.
    """
    stop = f", stop: -{rows.until}" if rows.until else ""
    span = _RANGES.get(rows.since) or f"range(start: -{rows.since}{stop})"
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
"""The step that drops a first window that the range cuts. Such a window would make all cells of a heat map narrow."""


def windows(fn: str, *, empty: bool, every: str = "v.windowPeriod") -> str:
    """Return the step that computes one value for each window. `empty`: keep a window without a value, as null."""
    return f'aggregateWindow(every: {every}, fn: {fn}, createEmpty: {str(empty).lower()}, timeSrc: "_start")'

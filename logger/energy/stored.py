"""Convert an energy state to JSON texts and back.

The state is split into parts, so that a tick rewrites little. The part `energy.now` changes at every tick. Each past
day has a part of its own, which hardly ever changes. The other parts change less often than `energy.now`. Values
equal to the default of their type are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from logger.energy.periods import Period
from logger.energy.state import Day, EnergyState

T = TypeVar("T")
_STATE: Final = TypeAdapter(EnergyState)
_DAY: Final = TypeAdapter(Day)
_PERIOD_SUMS: Final = TypeAdapter(Period)
_PAST_DAY: Final = "energy.day."
_PERIOD: Final = "energy.period."
_TODAY: Final = -1
"""The index of the open day in the list of days."""
_PARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "energy.now": {
        "last_tick": True,
        "samples": True,
        "unbalanced": True,
        "quarter": True,
        "grid": True,
        "hours": True,
        "counters": {"__all__": {"accepted_wh", "at", "rose_at", "bridged_wh"}},
        "marks": True,
        "days": {_TODAY: {"energy", "polled_s", "peak_production_w", "peak_load_w", "bands"}},
    },
    "energy.counters": {"counters": {"__all__": {"source", "held", "offset_wh", "resets", "first_day"}}},
    "energy.today": {
        "zone": True,
        "wiring": True,
        "days": {_TODAY: {"date", "start", "end", "tags", "resets", "wiring", "final", "extremes", "left_out"}},
    },
    "energy.start": {"first_day": True, "first_tick": True, "bases": True, "seeds": True, "refused": True},
    "energy.held": {"held_ticks": True},
    "energy.unpriced": {"unpriced": True},
}
"""Part name → the values of the state in that part."""


def dump_energy(
    state: EnergyState, before: EnergyState | None = None, dumped: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Convert the state to one JSON text for each part. Parts that did not change need not be stored again.

    `before`: an earlier state that was converted to the parts `dumped`. The text of a past day, month or year that
    did not change since `before` is taken from `dumped`.
    """
    parts = {
        name: _STATE.dump_json(state, include=dict(values), exclude_defaults=True).decode()
        for name, values in _PARTS.items()
    }
    days, periods = ({day.date: day for day in before.past}, before.periods) if before is not None else ({}, {})
    for key, period in state.periods.items():
        is_same = periods.get(key) is period
        parts[f"{_PERIOD}{key}"] = dumped[f"{_PERIOD}{key}"] if is_same else _dump(_PERIOD_SUMS, period)
    for day in state.past:
        is_same = days.get(day.date) is day
        parts[f"{_PAST_DAY}{day.date}"] = dumped[f"{_PAST_DAY}{day.date}"] if is_same else _dump(_DAY, day)
    return parts


def load_energy(parts: Mapping[str, str]) -> EnergyState:
    """Load the state from its stored parts. Without any part, return a new state.

    Raise ValueError if a part cannot be read.
    """
    values, today = dict[str, Any](), dict[str, Any]()
    for name in _PARTS.keys() & parts.keys():
        part = json.loads(parts[name])
        for day in part.pop("days", ()):
            today |= day
        merge_values(values, part)
    days = [json.loads(text) for text in select_parts(parts, _PAST_DAY).values()]
    periods = {key: json.loads(text) for key, text in select_parts(parts, _PERIOD).items()}
    return _STATE.validate_python({**values, "days": [*days, today] if today else days, "periods": periods})


def _dump(adapter: TypeAdapter[T], value: T) -> str:
    return adapter.dump_json(value, exclude_defaults=True).decode()


def select_parts(parts: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the parts whose names begin with `prefix`, sorted by name: the rest of the name → the part."""
    return {name.removeprefix(prefix): parts[name] for name in sorted(parts) if name.startswith(prefix)}


def merge_values(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Merge the values of another part into `values`, nested object by nested object."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            merge_values(values[key], value)
        else:
            values[key] = value

"""Dump an energy state as JSON texts and load it; the state is split into parts so that a tick rewrites little.

The part `energy.now` changes at every tick. The part of a past day hardly ever changes. The other parts change about
once a day or less often. Values equal to the default of their type are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter

from logger.energy.periods import Period
from logger.energy.state import Day, EnergyState

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


def dump_energy(state: EnergyState) -> dict[str, str]:
    """Dump the state as one JSON text per part; parts that did not change need not be stored again."""
    parts = {
        name: _STATE.dump_json(state, include=dict(values), exclude_defaults=True).decode()
        for name, values in _PARTS.items()
    }
    parts |= {f"{_PERIOD}{key}": _dump_period(period) for key, period in state.periods.items()}
    return parts | {f"{_PAST_DAY}{day.date}": _dump_day(day) for day in state.past}


def load_energy(parts: Mapping[str, str]) -> EnergyState:
    """Load the stored state; without any part, return a new state. Raise ValueError if a part cannot be read."""
    values, today = dict[str, Any](), dict[str, Any]()
    for name in _PARTS.keys() & parts.keys():
        part = json.loads(parts[name])
        for day in part.pop("days", ()):
            today |= day
        merge_values(values, part)
    days = [json.loads(parts[name]) for name in sorted(parts) if name.startswith(_PAST_DAY)]
    periods = {name.removeprefix(_PERIOD): json.loads(parts[name]) for name in sorted(parts) if _PERIOD in name}
    return _STATE.validate_python({**values, "days": [*days, today] if today else days, "periods": periods})


@lru_cache(maxsize=256)
def _dump_day(day: Day) -> str:
    return _DAY.dump_json(day, exclude_defaults=True).decode()


@lru_cache(maxsize=512)
def _dump_period(period: Period) -> str:
    return _PERIOD_SUMS.dump_json(period, exclude_defaults=True).decode()


def merge_values(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Merge the values of one more part into `values`, object by object."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            merge_values(values[key], value)
        else:
            values[key] = value

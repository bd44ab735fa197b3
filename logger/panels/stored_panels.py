"""Convert a panel state to JSON texts and back. The state is split into parts so that a poll rewrites little.

The part `panels.now`, the part of today and the part of the present hour change at every poll of the inverters. The
other parts change about once a day or less often. Values equal to the default of their type are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter

from logger.energy.state import Counter, HeldValue
from logger.energy.stored import merge_values, select_parts
from logger.panels.panel_state import (
    IntervalRun,
    InverterState,
    PanelDay,
    PanelDays,
    PanelState,
    SeenHour,
    UsualRatio,
    Watch,
)

_STATE: Final = TypeAdapter(PanelState)
_DAY: Final = TypeAdapter(PanelDays)
_HOUR: Final = TypeAdapter(Mapping[str, SeenHour])
_PANELS: Final = "panels."
_DAY_OF: Final = f"{_PANELS}day."
_HOUR_OF: Final = f"{_PANELS}hour."
_COUNTER_OFTEN: Final = {"accepted_wh", "at", "bridged_wh"}
_WATCH_OFTEN: Final = {"since", "last_tick", "interval_run"}
_PARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "panels.now": {
        "inverters": {"__all__": {"last_at": True, "power_w": True, "counter": _COUNTER_OFTEN}},
        "watch": _WATCH_OFTEN,
    },
    "panels.inverters": {
        "since": True,
        "interval_s": True,
        "inverters": {
            "__all__": {
                "first_at": True,
                "first_wh": True,
                "counter": {"source", "rose_at", "held", "offset_wh", "resets", "first_day"},
            }
        },
    },
    "panels.places": {"places": True},
    "panels.watch": {"watch": {"judged", "weak_days", "usual", "alerts"}},
}
"""Name of a part → the values of the panel state that are stored in this part."""


def dump_panels(
    state: PanelState, before: PanelState | None = None, dumped: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Convert the state to one JSON text for each part. Parts that did not change need not be stored again.

    `before`: a state that was converted to the parts `dumped`. The text of an object that both states share is taken
    from `dumped`.
    """
    if not state.since:
        return {}
    if before is state:
        return {name: text for name, text in dumped.items() if name.startswith(_PANELS)}
    parts = {
        name: _STATE.dump_json(state, include=dict(values), exclude_defaults=True).decode()
        for name, values in _PARTS.items()
    }
    parts |= {f"{_HOUR_OF}{start}": _HOUR.dump_json(seen).decode() for start, seen in state.hours.items()}
    same = set() if before is None else {day for day, kept in state.days.items() if before.days.get(day) is kept}
    for day, kept in state.days.items():
        name = f"{_DAY_OF}{day}"
        parts[name] = dumped[name] if day in same else _DAY.dump_json(kept, exclude_defaults=True).decode()
    return parts


def load_panels(parts: Mapping[str, str]) -> PanelState:
    """Load the stored state. Without any part, return a new state.

    A state from a version before 0.1.0 is loaded, too. Raise ValueError, KeyError or TypeError if a part cannot be
    read.
    """
    if "panels.now" in parts and "panels.inverters" not in parts:
        return _read_old(parts)
    values: dict[str, Any] = {}
    for name in _PARTS.keys() & parts.keys():
        merge_values(values, json.loads(parts[name]))
    values["days"] = {day: json.loads(text) for day, text in select_parts(parts, _DAY_OF).items()}
    values["hours"] = {int(start): json.loads(text) for start, text in select_parts(parts, _HOUR_OF).items()}
    return _STATE.validate_python(values)


# --- parts of versions before 0.1.0, which were positional ------------------------------------------------------


def _read_old(parts: Mapping[str, str]) -> PanelState:
    now, watch = json.loads(parts["panels.now"]), json.loads(parts["panels.watch"])
    return PanelState(
        since=now["since"],
        interval_s=now["interval_s"],
        inverters={
            serial: InverterState(
                last_at, power_w, _read_old_counter(*counter) if counter else None, first_at, first_wh
            )
            for serial, (last_at, power_w, counter, first_at, first_wh) in now["inverters"].items()
        },
        days={day: _read_old_day(**json.loads(text)) for day, text in select_parts(parts, _DAY_OF).items()},
        watch=Watch(
            since=now["at"][0],
            last_tick=now["at"][1],
            interval_run=IntervalRun(*now["run"]),
            judged=watch["judged"],
            weak_days=watch["weak"],
            usual={serial: UsualRatio(*usual) for serial, usual in watch["usual"].items()},
            alerts=watch["told"],
        ),
    )


def _read_old_counter(
    accepted_wh: float, at: int, rose_at: int, held: list[list[Any]], resets: int, first_day: str
) -> Counter:
    values = tuple(HeldValue(*value) for value in held)
    return Counter(accepted_wh, at, "", rose_at, values, resets=resets, first_day=first_day)


def _read_old_day(site: str, **panels: list[Any]) -> PanelDays:
    return PanelDays(site, {serial: PanelDay(*figures) for serial, figures in panels.items()})

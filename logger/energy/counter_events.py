"""Describe the events of a counter, such as a reset, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from logger.energy.state import Counter
from logger.energy.validate import Decision
from logger.model import Event

_NAMES: Final = {
    "production": "production",
    "import": "import from the grid",
    "export": "export to the grid",
    "consumption": "consumption",
    "charged": "battery charge",
    "discharged": "battery discharge",
}


def describe_decision(name: str, known: Counter, decision: Decision, wh: float, tick: int) -> Iterator[Event]:
    """Yield the events that follow from the `decision` on the value `wh` of the counter `name`.

    `known`: the counter before the tick. `tick`: the time of the value, in unix seconds.
    """
    subject, before = _NAMES.get(name, name), _kwh(known.accepted_wh)
    if decision.rejected:
        figures = [_kwh(value.wh) for value in decision.rejected]
        shown = figures[0] if len(set(figures)) == 1 else f"{figures[0]} … {figures[-1]}"
        refused = f"{len(figures)} values of {shown} were" if len(figures) > 1 else f"a value of {shown} was"
        text = f"{subject}: {refused} rejected; the last accepted value is {before}"
        yield Event(decision.rejected[0].at, "counter_refused", text, "warning")
    if decision.rollovers:
        text = f"{subject}: the lifetime counter rolled over; counting continues from {before}"
        yield Event(tick, "counter_wrapped", text)
    if decision.reset and known.source != decision.counter.source:
        change = f"the source changed from {known.source} to {decision.counter.source}"
        yield Event(tick, "counter_reset", f"{subject}: {change}; counting continues from {_kwh(wh)}", "warning")
    elif decision.reset:
        change = f"the lifetime counter went from {before} to {_kwh(wh)}"
        yield Event(tick, "counter_reset", f"{subject}: {change}; counting continues from the new value", "warning")


def _kwh(wh: float) -> str:
    return f"{wh / 1000:,.1f} kWh"

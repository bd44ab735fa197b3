"""What happened to a counter, in words for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from logger.energy.state import Counter
from logger.energy.validate import Verdict
from logger.model import Event

_NAMES: Final = {
    "production": "production",
    "import": "import from the grid",
    "export": "export to the grid",
    "consumption": "consumption",
    "charged": "battery charge",
    "discharged": "battery discharge",
}


def told(name: str, known: Counter | None, verdict: Verdict, value: float, tick: int) -> Iterator[Event]:
    """The events of one verdict on the value of counter `name` at `tick`."""
    what = _NAMES.get(name, name)
    if known is None:
        return
    if verdict.dropped:
        figures = [_kwh(wh) for _, wh in verdict.dropped]
        shown = figures[0] if len(set(figures)) == 1 else f"{figures[0]} … {figures[-1]}"
        refused = f"{len(figures)} figures of {shown} were" if len(figures) > 1 else f"a figure of {shown} was"
        text = f"{what}: {refused} not believed after {_kwh(known.accepted)}"
        yield Event(verdict.dropped[0][0], "counter_refused", text, "warning")
    if verdict.wraps:
        text = f"{what}: the lifetime counter wrapped, {_kwh(known.accepted)} goes on"
        yield Event(tick, "counter_wrapped", text)
    if verdict.reset and known.source != verdict.counter.source:
        text = (
            f"{what}: read from {verdict.counter.source} now, not from {known.source}; counted on from {_kwh(value)}"
        )
        yield Event(tick, "counter_reset", text, "warning")
    elif verdict.reset:
        text = (
            f"{what}: the lifetime counter went from {_kwh(known.accepted)} to {_kwh(value)}; counted on from there"
        )
        yield Event(tick, "counter_reset", text, "warning")


def _kwh(wh: float) -> str:
    return f"{wh / 1000:,.1f} kWh"

"""Describe an energy state for `status`: the source, held values and estimates of each counter. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from logger.energy.counting import UNKNOWN, Counting, describe_counting
from logger.energy.quantities import TOTALS, terms
from logger.energy.state import BALANCED, POWER, DayEnergy, EnergyState
from logger.model import Json, number_or_zero
from logger.readings.source_selection import Sources


def describe_energy(state: EnergyState, sources: Sources) -> dict[str, Json]:
    """Describe an energy state as JSON for `status`. Energies in Wh, times in unix seconds.

    In `counters`, the key `state` of each counter is "pinned", "provisional" (another source may still prove better),
    "balanced" (computed from import and export) or "integrated" (there is no counter, so energy is integrated from
    power). The key `integrated` lists the quantities that are integrated from power, wholly or in part. The key
    `counting` holds the fields of a `Counting`.
    """
    today = state.today.energy if state.days else {}
    return {
        "zone": state.zone,
        "day": state.day,
        "first_day": state.first_day,
        "seeded": [*sorted(state.seeds)],
        "integrated": [*quantities_by_power(state)],
        "counting": _describe_counting(describe_counting(state, state.day)),
        "counters": {
            name: {
                "source": c.source,
                "state": _pinning(sources, name, c.source),
                "held": len(c.held) if c.has_base else 0,
                "waits_for_base": not c.has_base,
                "accepted_at": c.at,
                "resets": c.resets,
                "offset_wh": c.offset_wh,
                "today_wh": today.get(name, DayEnergy()).wh,
                "estimated_today_wh": today.get(name, DayEnergy()).estimated_wh,
            }
            for name, c in sorted(state.counters.items())
        },
        "sources": {**list_sources(sources)},
    }


def _describe_counting(counting: Counting) -> dict[str, Json]:
    return {
        "measured": None if counting.measured is None else [*sorted(counting.measured)],
        "waiting": [*sorted(counting.waiting)],
        "begun": [*sorted(counting.begun)],
        "since": counting.since,
        "wh": {**counting.wh},
    }


def read_counting(books: Mapping[str, Json]) -> Counting:
    """Read the part `counting` of a description that `describe_energy` made; UNKNOWN if this part is missing."""
    found = books.get("counting")
    if not isinstance(found, dict):
        return UNKNOWN
    names = {key: frozenset(map(str, part)) for key, part in found.items() if isinstance(part, list)}
    wh = found.get("wh")
    return Counting(
        names.get("measured"),
        names.get("waiting", frozenset()),
        names.get("begun", frozenset()),
        int(number_or_zero(found.get("since"))),
        {name: number_or_zero(each) for name, each in (wh if isinstance(wh, dict) else {}).items()},
    )


def list_sources(sources: Sources) -> dict[str, str]:
    """Return the source of each field and of each counter.

    The keys are `measurement.field` and `counter.<name>`. If the source of a counter is pinned, the key
    `pinned.<name>` holds this source, too.
    """
    return {
        **sources.fields,
        **{f"counter.{name}": source for name, source in sources.counters.items()},
        **{f"pinned.{name}": sources.counters[name] for name in sources.pinned},
    }


def quantities_by_power(state: EnergyState) -> list[str]:
    """List the quantities of the totals that are integrated from power, wholly or in part."""
    by_power = {name for name, c in state.counters.items() if c.source == POWER}
    return [quantity for quantity in TOTALS if by_power & terms(state.wiring).get(quantity, {}).keys()]


def _pinning(sources: Sources, name: str, source: str) -> str:
    if source == POWER:
        return "integrated"
    if source == BALANCED:
        return "balanced"
    return "provisional" if sources.is_open(name) else "pinned"

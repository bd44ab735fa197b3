"""Read a gateway state that a version before 0.1.0 stored: lists of values without keys, in parts with other names.

No code writes this format. The first commit stores the state in the present format and deletes the old parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from logger.energy.state import (
    POWER,
    Base,
    Counter,
    Day,
    DayEnergy,
    EnergyState,
    HeldTick,
    HeldValue,
    Sample,
    Seed,
    Wiring,
)
from logger.readings.drift import DocumentKeys, Shape
from logger.readings.equipment import Equipment
from logger.readings.points import GatewayPoint
from logger.readings.source_selection import Finding, Review, Sources

_PINNED: Final = "settled."
_CHOSEN: Final = "counter."
_SHAPE: Final = "note.shape "


def is_old(parts: Mapping[str, str]) -> bool:
    """Return True if a version before 0.1.0 stored these parts."""
    return "head" in parts


def read_energy(parts: Mapping[str, str]) -> EnergyState:
    """Read the energy state. Raises ValueError, LookupError or TypeError if the parts are malformed."""
    head, now = json.loads(parts["head"]), json.loads(parts["now"])
    first_tick, bases = json.loads(parts.get("note.began", "[0, {}]"))
    steady = {name: json.loads(text) for name, text in _under(parts, "counter.").items()}
    days = [_past_day(date, json.loads(text)) for date, text in sorted(_under(parts, "day.").items())]
    if "today" in head:
        days.append(_today(head["today"], now, steady))
    return EnergyState(
        zone=head["zone"],
        first_day=head["first_day"],
        first_tick=first_tick,
        last_tick=now["tick"],
        days=tuple(days),
        wiring=_wiring(head["wiring"]),
        counters={name: _counter(now["counters"][name], rest) for name, rest in steady.items()},
        samples={name: Sample(at, watts) for name, (at, watts) in now["samples"].items()},
        held_ticks=tuple(HeldTick(*each) for each in json.loads(parts.get("pending", "[]"))),
        seeds={name: Seed(*json.loads(text)) for name, text in _under(parts, "seed.").items()},
        bases={name: Base(at, wh) for name, (at, wh) in bases.items()},
    )


def read_sources(parts: Mapping[str, str]) -> Sources:
    """Read the source of each value, the pinned sources of the counters, and the review of the other sources."""
    book, review = json.loads(parts["book"]), json.loads(parts.get("review", "{}"))
    pinned = _under(book, _PINNED)
    return Sources(
        fields={name: source for name, source in book.items() if not name.startswith((_PINNED, _CHOSEN))},
        counters={**_under(book, _CHOSEN), **pinned},
        pinned=tuple(sorted(pinned)),
        review=Review(
            review.get("firmware", ""),
            review.get("meters", ""),
            review.get("changed_at", 0),
            review.get("polled_s", 0),
            {name: Finding(source, count) for name, (source, count) in review.get("votes", {}).items()},
            review.get("marks", {}),
        ),
    )


def read_equipment(parts: Mapping[str, str]) -> Equipment:
    """Read the list of installed equipment."""
    known, doubted, since = json.loads(parts.get("note.equipment", "[{}, {}, 0]"))
    return Equipment(known, doubted, since, int(parts.get("note.inverters", "0")))


def read_gateway_point(parts: Mapping[str, str]) -> GatewayPoint:
    """Read the last written point of the gateway itself."""
    fields = json.loads(parts.get("note.gateway", "{}"))
    return GatewayPoint(fields.pop("at"), fields) if fields else GatewayPoint()


def read_shapes(parts: Mapping[str, str]) -> dict[str, Shape]:
    """Read the known keys of each document, by path."""
    found = {path: json.loads(text) for path, text in _under(parts, _SHAPE).items()}
    return {path: Shape(DocumentKeys(shape["kinds"], shape["said"])) for path, shape in found.items()}


def _under(values: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the values whose name starts with `prefix`; the prefix is removed from the names."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _counter(often: list[Any], steady: list[Any]) -> Counter:
    accepted_wh, at, rose_at, bridged_wh = often
    source, _start_wh, _estimated_wh, held, offset_wh, resets, first_day = steady
    values = tuple(HeldValue(*value) for value in held)
    return Counter(accepted_wh, at, source, rose_at, values, bridged_wh, offset_wh, resets, first_day)


def _today(steady: list[Any], now: Mapping[str, Any], counters: Mapping[str, list[Any]]) -> Day:
    """Make the open day. Its energy is the rise of each counter since the start of the day, in Wh.

    `steady`: the seldom changing values of the day. `counters`: the name of each counter → the counter's seldom
    changing values. `now`: the values of the last tick.
    """
    date, start, end, tags, resets = steady
    polled_s, production_w, load_w = now["today"]
    energy = {
        name: DayEnergy(now["counters"][name][0] - start_wh, estimated_wh, source == POWER)
        for name, (source, start_wh, estimated_wh, *_, first_day) in counters.items()
        if first_day
    }
    return Day(date, start, end, dict(tags), energy, polled_s, production_w, load_w, resets)


def _past_day(date: str, values: list[Any]) -> Day:
    start, end, tags, polled_s, production_w, load_w, resets, wiring, energy, final = values
    of_counters = {name: DayEnergy(*figures) for name, figures in energy.items()}
    figures = (polled_s, production_w, load_w, resets)
    return Day(date, start, end, dict(tags), of_counters, *figures, _wiring(wiring), final)


def _wiring(known: list[Any] | None) -> Wiring | None:
    return Wiring(*known) if known else None

"""Events as points: what happened, for the boards' annotations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from logger.model import Event, Reading

_ORDER = ("info", "warning", "error")


def event_readings(events: Iterable[Event], tags: Mapping[str, str]) -> list[Reading]:
    """One point a kind, serial and second; several texts of one second are joined by `; `."""
    merged: dict[tuple[int, str, str], list[Event]] = {}
    for event in events:
        merged.setdefault((event.time, event.kind, event.serial), []).append(event)
    return [
        Reading(
            "envoy_event",
            {**tags, "kind": kind, **({"serial": serial} if serial else {})},
            {
                "text": "; ".join(dict.fromkeys(e.text for e in same)),
                "severity": max((e.severity for e in same), key=_ORDER.index),
            },
            time,
            "totals",
        )
        for (time, kind, serial), same in merged.items()
    ]

"""Hold events until the next commit, and make the `envoy_event` points for the dashboards' annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from logger.model import Event, Reading, Value

_SEVERITIES: Final = ("info", "warning", "error")


class PendingEvents:
    """The events of one gateway that wait for the next commit, oldest first.

    `take_more` returns the events that the gateway's client has collected since the previous call. `serial` is the
    gateway's serial, empty until the gateway has answered.
    """

    def __init__(self, take_more: Callable[[], list[Event]]) -> None:
        self.serial = ""
        self._take_more = take_more
        self._events: list[Event] = []

    def record(self, event: Event) -> None:
        """Add an event to the events of the next commit."""
        self._events.append(event)

    def take(self) -> tuple[Event, ...]:
        """Return all events that are not stored yet. A later call of `mark_stored` removes these events."""
        self._events += self._take_more()
        return tuple(self._events)

    def mark_stored(self, count: int) -> None:
        """Remove the oldest `count` events, because a commit has stored them. Newer events remain."""
        del self._events[:count]


def event_points(events: Iterable[Event], tags: Mapping[str, str]) -> list[Reading]:
    """Make one `envoy_event` point for each kind, serial and second. The texts of one point are joined by `; `."""
    merged: dict[tuple[int, str, str], list[Event]] = {}
    for event in events:
        merged.setdefault((event.time, event.kind, event.serial), []).append(event)
    return [
        Reading(
            "envoy_event",
            {**tags, "kind": kind, **({"serial": serial} if serial else {})},
            _fields_of(same),
            time,
            "totals",
        )
        for (time, kind, serial), same in merged.items()
    ]


def _fields_of(same: Sequence[Event]) -> dict[str, Value]:
    """Join the events of one point: all texts, the highest severity and the longest duration."""
    fields: dict[str, Value] = {
        "text": "; ".join(dict.fromkeys(event.text for event in same)),
        "severity": max((event.severity for event in same), key=_SEVERITIES.index),
    }
    lasted_s = [event.duration_s for event in same if event.duration_s is not None]
    return {**fields, "duration_s": float(max(lasted_s))} if lasted_s else fields

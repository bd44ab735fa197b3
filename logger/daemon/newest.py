"""Hold the newest reading of each series and the last events of one gateway, for all outlets."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from logger.model import AHEAD_S, Reading
from logger.site import Site

EVENTS_KEPT: Final = 500
_TAGS: Final = ("serial", "meter", "phase", "contact", "kind", "endpoint", "band")
"""The tags that distinguish the series of one measurement of one gateway."""

_RECENT_INTERVALS: Final = 2
_CURRENT_INTERVALS: Final = 3
_CURRENT_S: Final = {"envoy_inverter": 7200, "envoy_gateway": 2700}
"""Seconds for which a reading is current, for the measurements that do not have a new reading at every poll."""


def is_current(reading: Reading, site: Site, now: float) -> bool:
    """Return True if the values of a reading may still be shown as present values. `now` in unix seconds."""
    usual_s = _CURRENT_INTERVALS * site.intervals[reading.role]
    return -AHEAD_S <= now - reading.time <= _CURRENT_S.get(reading.measurement, usual_s)


def is_recent(at: float, site: Site, now: float) -> bool:
    """Return True if the tick `at` is one of the last two ticks, whose readings are shown as present values.

    `at` and `now` in unix seconds.
    """
    return -AHEAD_S <= now - at < _RECENT_INTERVALS * site.totals_s + site.offset_s


class NewestReadings:
    """The newest stored readings, one for each series, and the events from oldest to newest.

    `revision` rises each time that readings are added. `heard_at`: the last stored tick at which the gateway
    answered; 0 before the first answer. Readings of later ticks hold only values that need no answer of the gateway.
    """

    def __init__(self) -> None:
        self.revision = self.heard_at = self._noted_at = 0
        self.events: deque[Reading] = deque(maxlen=EVENTS_KEPT)
        self._series: dict[str, dict[tuple[str | None, ...], Reading]] = {}

    def take(self, readings: Iterable[Reading]) -> None:
        """Add readings that were stored. An older reading does not replace a newer reading of its series.

        Exception: a reading from a time when this machine's clock was ahead is replaced.
        """
        self.revision += 1
        latest = self._noted_at + AHEAD_S if self._noted_at else math.inf
        for reading in readings:
            if reading.measurement == "envoy_event":
                self.events.append(reading)
                continue
            series = self._series.setdefault(reading.measurement, {})
            key = tuple(map(reading.tags.get, _TAGS))
            known = series.get(key)
            if known is None or known.time <= reading.time or known.time > latest:
                series[key] = reading

    def note_answer(self, tick: int, *, is_answered: bool | None) -> None:
        """Record whether the gateway answered between the last stored tick and `tick`.

        `is_answered`: None if no request was sent. In this case the gateway counts as answering if it answered at the
        last stored tick.
        """
        if is_answered or (is_answered is None and self.heard_at == self._noted_at > 0):
            self.heard_at = tick
        self._noted_at = tick

    def list_of(self, measurement: str) -> list[Reading]:
        """Return the newest reading of each series of a measurement."""
        return list(self._series.get(measurement, {}).values())

    def find(self, measurement: str) -> Reading | None:
        """Return the newest reading of a measurement with only one series; None if there is no reading."""
        return max(self._series.get(measurement, {}).values(), key=lambda reading: reading.time, default=None)

    def is_heard(self, site: Site, now: float) -> bool:
        """Return True if the gateway answered at one of the last two ticks. `now` in unix seconds."""
        return is_recent(self.heard_at, site, now)

"""Count the ticks of a collect loop, and report the findings of the ticks: events, site warnings, absent values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field

from logger import log
from logger.model import Event
from logger.readings.missing import Absences, group_reasons
from logger.readings.site_warnings import SiteWarning


@dataclass(slots=True)
class Collected:
    """Figures of the collect loop since the start, for `status`. Times in unix seconds."""

    ticks: int = 0
    lines: int = 0
    missed: int = 0
    last_tick: int = 0
    last_poll_s: float = 0.0
    values: dict[str, float] = field(default_factory=dict)
    started_at: float = 0.0

    def count(self, tick: int, every_s: int, lines: int, values: Mapping[str, float]) -> None:
        """Count a stored tick, and the missed ticks between the previous stored tick and this tick.

        `every_s`: the seconds between two ticks. `lines`: the number of the tick's points. `values`: some of the
        tick's values, by name.
        """
        if self.last_tick and tick > self.last_tick + every_s:
            self.missed += (tick - self.last_tick) // every_s - 1
        self.ticks += 1
        self.lines += lines
        self.last_tick = tick
        self.values = dict(values)
        log.get("collect").debug("poll", extra={"tick": tick, **{k: round(v, 1) for k, v in values.items()}})


class Findings:
    """Logs each site warning, and each value that is absent: once at the beginning, and once at the end.

    A site warning with `is_daily` is also logged each day. `record`: stores an event with the next tick.
    """

    def __init__(self, changes: log.Changes, record: Callable[[Event], None]) -> None:
        self._changes, self._record = changes, record
        self._warnings: dict[str, SiteWarning] = {}
        self._absences: Set[str] = frozenset()

    def report_warnings(self, tick: int, found: dict[str, SiteWarning]) -> None:
        """Report the site warnings of a tick. Record the event of each warning that has an event."""
        known = self._warnings
        for name, warning in known.items():
            if name not in found and self._changes.end(name, warning.ended) and warning.event:
                self._record(Event(tick, warning.event, warning.ended))
        for name, warning in found.items():
            if name in known and not warning.is_daily:
                self._changes.renew(name, warning.text)
            elif self._changes.begin(name, warning.text) and warning.event:
                self._record(Event(tick, warning.event, warning.message, "warning"))
        self._warnings = found

    def report_absences(self, after: Absences) -> None:
        """Log each value that has been absent for more than 15 minutes, with the reason, and log its return.

        A value that is absent because of a logged problem is not logged.
        """
        logged = self._changes.list_messages()
        new = {
            name: absence.reason
            for name, absence in after.lasting.items()
            if name not in self._absences and not any(text in absence.reason for text in logged)
        }
        for reason, names in group_reasons(new).items():
            log.get("collect").warning(f"values missing for more than 15 minutes: {', '.join(names)} ({reason})")
        over, expected = sorted(self._absences - after.lasting.keys()), {each.name for each in after.expected}
        if back := [name for name in over if name in expected]:
            log.get("collect").info(f"values present again: {', '.join(back)}")
        if gone := [name for name in over if name not in expected]:
            log.get("collect").info(f"values no longer expected of this site: {', '.join(gone)}")
        self._absences = (self._absences | new.keys()) & after.lasting.keys()

    def report_events(self, events: Iterable[Event]) -> None:
        """Log the events of a tick."""
        for event in events:
            log.get("collect").log(logging.INFO if event.severity == "info" else logging.WARNING, event.text)

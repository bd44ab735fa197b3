"""One step of the inverters' books at each poll of the inverters: reports in, rows of days and events out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from logger.energy.day_rows import EVERY_S
from logger.energy.days import final_at, local_day
from logger.model import DayRow, Event, Reading, Report
from logger.panels.books import Panels, Place, enter, trimmed
from logger.panels.inverter_day_rows import day_rows
from logger.panels.stored_text import from_text, to_text
from logger.panels.watch import Watch, judge_days, look, notice_interval


@dataclass(frozen=True, slots=True)
class PanelBooks:
    """What is remembered of the inverters; `text` is made once."""

    panels: Panels = field(default_factory=Panels)
    watch: Watch = field(default_factory=Watch)
    _text: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def to_text(self) -> dict[str, str]:
        """One text a part, for the store."""
        if not self._text:
            self._text.update(to_text(self.panels, self.watch))
        return self._text

    @staticmethod
    def from_text(parts: Mapping[str, str]) -> PanelBooks:
        """The books as they were stored."""
        return PanelBooks(*from_text(parts))


@dataclass(frozen=True, slots=True)
class Stepped:
    """The books after a poll, the rows of days to write now, and what a person should know."""

    books: PanelBooks
    rows: list[DayRow]
    events: list[Event]


def step(
    books: PanelBooks,
    readings: Iterable[Reading],
    new: Sequence[Report],
    known: Mapping[str, Sequence[Report]],
    tick: int,
    gateway: str,
    place: Place,
    alert_percent: float,
) -> Stepped:
    """Enter the new points of `envoy_inverter`; `known` are the reports remembered before the `new` ones."""
    watch, panels, events = notice_interval(books.watch, books.panels, new, known, tick)
    before, closed = panels.days, closed_day(tick, place.zone)
    panels = enter(panels, readings, tick, tick, place)
    if watch.judged > local_day(tick, place.zone):
        watch = replace(watch, judged=closed)
    turned = tick // EVERY_S != watch.last_tick // EVERY_S
    rows = []
    for day, kept in panels.days.items():
        reopened = day <= watch.judged and before.get(day) != kept
        if reopened or (turned and day > watch.judged):
            rows += [DayRow(row, day, day <= closed) for row in day_rows(panels, day, gateway, place.zone)]
    watch, silent = look(watch, panels, tick)
    if turned:
        watch, weak = judge_days(watch, panels, closed, alert_percent, tick)
        silent += weak
    return Stepped(PanelBooks(trimmed(panels), watch), rows, [*events, *silent])


def closed_day(tick: int, zone: str) -> str:
    """The latest local day whose rows are final at a poll of that time."""
    today = date.fromisoformat(local_day(tick, zone))
    yesterday = (today - timedelta(days=1)).isoformat()
    return yesterday if tick >= final_at(yesterday, zone) else (today - timedelta(days=2)).isoformat()

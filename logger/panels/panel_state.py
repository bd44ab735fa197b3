"""Define the panel state: the values of a site's inverters that are stored from poll to poll."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from logger.energy.state import Counter

Alert: TypeAlias = Literal["silent", "weak"]


@dataclass(frozen=True, slots=True)
class InverterState:
    """The state of one inverter after its last report.

    `counter`: the inverter's lifetime energy, None if no report gave it in the 24 hours before the last report.
    `first_at`: the time of the first report that was counted. `first_wh`: the lifetime energy in that first report,
    None if the report had no lifetime energy.
    """

    last_at: int
    power_w: float
    counter: Counter | None = None
    first_at: int = 0
    first_wh: float | None = None


@dataclass(frozen=True, slots=True)
class PanelDay:
    """One inverter's local day: its energy, the estimated part, the peak power and the number of reports.

    `first_at`, `last_at`: the times of the first and last report. `group`: the group when the day began.
    `silent_days`: days in a row, including this day, without a report while other inverters reported. `low_days`:
    sunny days in a row on which the panel was below the limit for weak panels. `tripped_s`: seconds for which the
    inverter was off because of the grid's voltage or frequency. `waiting_wh`: the energy of reports without lifetime
    energy; it is added to `wh` only if no later rise of the inverter's counter contains it.
    """

    wh: float = 0.0
    estimated_wh: float = 0.0
    peak_w: float = 0.0
    reports: int = 0
    first_at: int = 0
    last_at: int = 0
    group: str = ""
    silent_days: int = 0
    low_days: int = 0
    tripped_s: int = 0
    waiting_wh: float = 0.0

    @property
    def is_known(self) -> bool:
        """Return whether the inverter's energy of the day is known."""
        return self.reports > 0 or self.wh > 0


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an inverter, as the owner wrote it in the layout file; empty without a layout file."""

    panel: str = ""
    group: str = ""
    row: str = ""
    column: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """Describe one installed inverter at a poll.

    `is_tripped`: the inverter is off because of the grid's voltage or frequency.
    """

    serial: str
    place: Place = Place()
    is_tripped: bool = False


@dataclass(frozen=True, slots=True)
class PanelDays:
    """All inverters of one local day, by serial. `site`: the site's name when the day began."""

    site: str
    panels: Mapping[str, PanelDay]


@dataclass(frozen=True, slots=True)
class SeenHour:
    """The part of an hour that one inverter's reports cover: its energy in Wh, and its length in seconds."""

    wh: float = 0.0
    seen_s: int = 0


@dataclass(frozen=True, slots=True)
class UsualRatio:
    """A panel's usual ratio to its group's median, and the number of sunny days from which it was computed."""

    ratio: float
    days: int


@dataclass(frozen=True, slots=True)
class IntervalRun:
    """The reporting interval in the latest polls, and the number of polls in a row with this interval."""

    interval_s: int = 0
    polls: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """The state that is needed to judge the inverters.

    `since`, `last_tick`: the first and last tick of the present run of polls without a gap. `judged`: the last day
    that was judged. `weak_days`: the number of sunny days in a row on which a panel was below the limit for weak
    panels, by serial. `usual`: each panel's usual ratio, by serial. `alerts`: the active alerts, by serial.
    """

    since: int = 0
    last_tick: int = 0
    interval_run: IntervalRun = IntervalRun()
    judged: str = ""
    weak_days: Mapping[str, int] = field(default_factory=dict)
    usual: Mapping[str, UsualRatio] = field(default_factory=dict)
    alerts: Mapping[str, Alert] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PanelState:
    """The state of a site's inverters, by serial, and their last days, by ISO date.

    `since`: the tick at which counting began. `interval_s`: seconds between an inverter's reports, 0 while unknown.
    `places`: every inverter of the last list of installed inverters. `hours`: the hours that are not written yet, by
    their first instant and by serial.
    """

    since: int = 0
    interval_s: int = 0
    inverters: Mapping[str, InverterState] = field(default_factory=dict)
    days: Mapping[str, PanelDays] = field(default_factory=dict)
    watch: Watch = Watch()
    places: Mapping[str, Place] = field(default_factory=dict)
    hours: Mapping[int, Mapping[str, SeenHour]] = field(default_factory=dict)

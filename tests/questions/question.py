"""Define a question: its text in both query languages, what its answer must be, and on which sites it makes sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TypeAlias
from zoneinfo import ZoneInfo

from logger.model import Role
from tests.history.kinds import Kind
from tests.history.truth import DayTruth, Truth

Cell: TypeAlias = float | str | None
Answer: TypeAlias = Mapping[tuple[str, ...], tuple[Cell, ...]]
"""Key of a row → its values; None stands for any value."""


@dataclass(frozen=True)
class Past:
    """What really happened at a site up to `now`, a minute after its last tick. `step_s`: seconds between ticks."""

    kind: Kind
    truth: Truth
    now: int
    step_s: int

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.kind.zone)

    def local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone)

    def minute(self, at: float) -> str:
        return f"{self.local(at):%Y-%m-%d %H:%M}"

    @property
    def today(self) -> str:
        return self.local(self.now).date().isoformat()

    def begins(self, day: str) -> int:
        """The first instant of a day."""
        return int(datetime.fromisoformat(day).replace(tzinfo=self.zone).timestamp())

    def days(self, back: float = 1e6) -> dict[str, DayTruth]:
        """The days that began in the last `back` days, in order."""
        since = self.now - back * 86400
        return {day: self.truth.days[day] for day in sorted(self.truth.days) if self.begins(day) > since}

    def months(self, back: float = 1e6) -> dict[str, dict[str, DayTruth]]:
        """The days of each month of the last `back` months."""
        first = (self.local(self.now).replace(day=1) - timedelta(days=30.5 * back)) if back < 1e6 else None
        found: dict[str, dict[str, DayTruth]] = {}
        for day, truth in self.days().items():
            if first is None or day[:7] >= first.date().isoformat()[:7]:
                found.setdefault(day[:7], {})[day] = truth
        return found

    def years(self) -> dict[str, dict[str, DayTruth]]:
        found: dict[str, dict[str, DayTruth]] = {}
        for day, truth in self.days().items():
            found.setdefault(day[:4], {})[day] = truth
        return found


def add(days: Mapping[str, DayTruth], name: str) -> float:
    """The sum of an energy over days, in Wh."""
    return sum(day.wh[name] for day in days.values())


def percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def is_gap(site: Past, start: int) -> bool:
    """Whether the recorder was away at a border of the hour that begins at `start`, or for all of it."""
    end = start + 3600
    return any(
        gap_end - lasted < end and gap_end > start and not start <= gap_end - lasted < gap_end <= end
        for gap_end, lasted in site.truth.gaps.items()
    )


def is_any(_: Kind) -> bool:
    return True


def has_meters(kind: Kind) -> bool:
    return kind.has_meters


def has_battery(kind: Kind) -> bool:
    return kind.battery_wh > 0


def has_phase_voltages(kind: Kind) -> bool:
    return kind.has_meters


def has_grid_state(kind: Kind) -> bool:
    """The sites with a battery also have a controller."""
    return kind.battery_wh > 0


def has_events(kind: Kind) -> bool:
    """Only the outages of the sites with a battery are known, so only their events are compared."""
    return kind.battery_wh > 0


def has_tariff(kind: Kind) -> bool:
    return bool(kind.tariff)


def has_phases(kind: Kind) -> bool:
    return kind.phases > 1


NEEDS: Mapping[Callable[[Kind], bool], str] = {
    is_any: "",
    has_meters: "This query needs a meter at the grid.",
    has_battery: "This query needs a battery.",
    has_phase_voltages: "This query needs a meter.",
    has_grid_state: "This query needs a system controller or a collar, because only these report the state of the "
    "grid.",
    has_events: "",
    has_tariff: "This query needs a tariff file ([tariffs.md](tariffs.md)).",
    has_phases: "This query needs a meter at the grid with several phases.",
}


@dataclass(frozen=True)
class Question:
    """One question, with both its queries as `docs/queries.md` shows them.

    `report`: the same question of `envoy-logger query`. `role`: the database of the InfluxQL query. `keys`, `values`:
    the columns that identify and answer (`day`, `month`, `year`, `minute` are made of a row's time). `wanted`: the
    true answer. `within`: by how much a number may be wrong. `note`: what one must know. `numbers`: which of the
    owners' thirty questions it answers. `is_part`: the answer may have more rows than are wanted.
    """

    report: str
    text: str
    flux: str
    influxql: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    wanted: Callable[[Past], Answer]
    role: Role = "daily"
    within: float = 1.0
    fits: Callable[[Kind], bool] = is_any
    note: str = ""
    numbers: tuple[int, ...] = ()
    is_part: bool = False

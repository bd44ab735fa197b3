"""What really happened, counted step by step with no code of the recorder's."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class DayTruth:
    """One local day: Wh by quantity, means of quarters of an hour, volts, charge, seconds off the grid, money.

    `usual_cost`: what the load would have cost without sun and battery. `tripped_s`: of the first panel.
    """

    wh: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    quarters: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {"net": defaultdict(list), "load": defaultdict(list)}
    )
    volts: list[float] = field(default_factory=list)
    hertz: list[float] = field(default_factory=list)
    charge: list[float] = field(default_factory=list)
    off_grid_s: float = 0.0
    cost: float = 0.0
    income: float = 0.0
    usual_cost: float = 0.0
    panels: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    tripped_s: float = 0.0
    ticks: int = 0

    def means(self, name: str, least: int) -> dict[str, float]:
        """The means of the quarters of an hour that have at least so many ticks, by local time."""
        return {at: sum(w) / len(w) for at, w in self.quarters[name].items() if len(w) >= least}


@dataclass
class HourTruth:
    """One local hour: Wh by quantity, and by inverter."""

    hour: str = ""
    month: str = ""
    wh: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    panels: dict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass
class Truth:
    """All days by ISO date, all hours by their first instant, and the outages of the grid: its end → its seconds.

    `gaps`: the first tick after a gap → its seconds; `gap_wh`: → what was produced in it. `mornings`: the first tick
    of a day with more than 10 W of production → seconds since the last such tick of the day before. `now`: the powers
    at the last tick. `reports`: the inverters' powers by serial and time, of the last days alone.
    """

    days: dict[str, DayTruth] = field(default_factory=lambda: defaultdict(DayTruth))
    hours: dict[int, HourTruth] = field(default_factory=lambda: defaultdict(HourTruth))
    outages: dict[int, float] = field(default_factory=dict)
    gaps: dict[int, int] = field(default_factory=dict)
    gap_wh: dict[int, float] = field(default_factory=dict)
    mornings: dict[int, int] = field(default_factory=dict)
    now: dict[str, float] = field(default_factory=dict)
    reports: dict[tuple[str, int], float] = field(default_factory=dict)

    def within(self, key: str) -> list[DayTruth]:
        """The days of a month (`2025-03`) or a year."""
        return [day for date, day in self.days.items() if date.startswith(key)]

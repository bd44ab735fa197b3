"""A house minute by minute, and what truly flowed on each of its local days: the measure for every other figure.

Powers are constant within a minute and energy is conserved:
production + import + discharged = load + export + charged.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

MINUTE = 60
FLOWS = ("production", "load", "import", "export", "charged", "discharged")
_LOAD = (0.4, 0.35, 0.35, 0.35, 0.4, 0.5, 0.9, 1.5, 1.3, 0.9, 0.8, 0.9,
         1.2, 1.5, 1.2, 0.9, 0.8, 0.9, 1.2, 1.7, 2.2, 2.3, 1.6, 0.9)  # fmt: skip


@dataclass(frozen=True)
class Battery:
    """One battery; what it gives back is `efficiency` of what it took."""

    capacity_wh: float = 10_000.0
    power_w: float = 4000.0
    efficiency: float = 0.9


@dataclass
class House:
    """Whole local days from `first` to `last` in `zone`.

    `watts[flow][n]` is the power of the minute that begins at `start` + 60 n; `wh[flow][n]` what had flowed by then.
    `dark` are spans of minutes in which everything is switched off: somebody works on the wiring. A day's sky lets
    through a part within `clear`.
    """

    zone: str
    first: date
    last: date
    seed: int = 1
    peak_w: float = 7000.0
    house_w: float = 600.0
    battery: Battery | None = field(default_factory=Battery)
    dark: tuple[tuple[int, int], ...] = ()
    clear: tuple[float, float] = (0.25, 1.0)
    flows: ClassVar[tuple[str, ...]] = FLOWS

    def __post_init__(self) -> None:
        self.start = first_instant(self.first, self.zone)
        self.end = first_instant(self.last + timedelta(days=1), self.zone)
        self.minutes = (self.end - self.start) // MINUTE
        self.watts = {flow: array("d", bytes(8 * self.minutes)) for flow in self.flows}
        self.play()
        self.wh = {flow: _sums(self.watts[flow]) for flow in self.flows}

    def days(self) -> Iterator[date]:
        """Every local day."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)

    def span(self, day: date) -> tuple[int, int]:
        """The minutes of a local day, as places in the arrays."""
        following = day + timedelta(days=1)
        return tuple(  # type: ignore[return-value]
            (first_instant(each, self.zone) - self.start) // MINUTE for each in (day, following)
        )

    def day_wh(self, flow: str, day: date) -> float:
        """The truth: what flowed on a local day."""
        begin, end = self.span(day)
        return self.wh[flow][end] - self.wh[flow][begin]

    def play(self) -> None:
        """Fill in the powers of all minutes."""
        draw = random.Random(self.seed)
        stored = 0.0
        made = {flow: self.watts[flow] for flow in FLOWS}
        dark = {at for begin, end in self.dark for at in range(begin, end)}
        for day in self.days():
            begin, end = self.span(day)
            season = -math.cos(2 * math.pi * (day.timetuple().tm_yday + 10) / 365.25)
            half = 4.2 + 1.9 * (1 + season)  # hours of sun before and after noon
            clear, rough = draw.uniform(*self.clear), draw.uniform(0.0, 0.5)
            machine = draw.randrange(8 * 60, 20 * 60)
            for at in range(begin, end):
                if at in dark:
                    continue
                hours = (at - begin) / 60
                high = math.cos(math.pi / 2 * (hours - 12.6) / half)
                sun = 0.0
                if abs(hours - 12.6) < half:
                    sun = self.peak_w * clear * high * (1 - rough * draw.random())
                load = self.house_w * _LOAD[int(hours) % 24] * (0.7 + 0.6 * draw.random())
                if machine <= at - begin < machine + 75:
                    load += 1900.0
                over = sun - load
                charge = discharge = 0.0
                if self.battery is not None:
                    limit, keep = self.battery.power_w, self.battery.efficiency
                    charge = min(max(over, 0.0), limit, (self.battery.capacity_wh - stored) * MINUTE / keep)
                    discharge = min(max(-over, 0.0), limit, stored * MINUTE)
                    stored += (charge * keep - discharge) / MINUTE
                made["production"][at], made["load"][at] = sun, load
                made["charged"][at], made["discharged"][at] = charge, discharge
                made["import"][at], made["export"][at] = max(-over, 0.0) - discharge, max(over, 0.0) - charge


def first_instant(day: date, zone: str) -> int:
    """The first second of a local date, found by looking: some dates begin at one o'clock."""
    there = ZoneInfo(zone)
    guess = int(datetime.combine(day, time(), UTC).timestamp())
    low, high = guess - 15 * 3600, guess + 15 * 3600
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, there).date() >= day:
            high = middle
        else:
            low = middle
    return high


def _sums(watts: array[float]) -> array[float]:
    """What had flowed before each minute, in Wh."""
    total, sums = 0.0, array("d", [0.0])
    for power in watts:
        total += power / 60
        sums.append(total)
    return sums

"""Define the facts of an invented site, and the energies that flowed there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

Phases: TypeAlias = Literal[1, 2, 3]


@dataclass(frozen=True, slots=True)
class Battery:
    """`count` equal batteries, each with `capacity_wh` and `power_w`. `reserve`: the lowest charge, 0 to 1."""

    count: int = 2
    capacity_wh: float = 5000.0
    power_w: float = 3840.0
    reserve: float = 0.2
    efficiency: float = 0.9


@dataclass(frozen=True, slots=True)
class Energy:
    """Energies in Wh: lifetime counters, or the energies of a span of time."""

    produced_wh: float
    house_wh: float
    imported_wh: float
    exported_wh: float
    charged_wh: float
    discharged_wh: float

    @property
    def net_wh(self) -> float:
        """Return import minus export, in Wh."""
        return self.imported_wh - self.exported_wh

    @property
    def consumption_wh(self) -> float:
        """Return the consumption in Wh as a gateway with a net CT counts it: production + import - export."""
        return self.produced_wh + self.imported_wh - self.exported_wh

    def __sub__(self, other: Energy) -> Energy:
        return Energy(
            self.produced_wh - other.produced_wh, self.house_wh - other.house_wh,
            self.imported_wh - other.imported_wh, self.exported_wh - other.exported_wh,
            self.charged_wh - other.charged_wh, self.discharged_wh - other.discharged_wh,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """The facts of a site.

    `inverters`: the number of inverters, which share the production in fixed, slightly different parts. `house_w`:
    the mean load. `longitude` determines the solar time. `zone` determines the local hours of the load. `phases`: 1,
    2 (split) or 3. The site begins on the UTC day of `epoch` (unix seconds). `before`: the energy before that day.
    The first document takes about 0.4 ms for each day since the beginning, because the energies of all these days are
    computed.

    `second_system`: the part of the production that no CT measures, because it comes from inverters of another make.
    These inverters feed in on the house's side of the net CT. `sun_phase`: the only phase with production; 0 if the
    production is equal on all phases.
    """

    inverters: int = 12
    battery: Battery | None = Battery()
    phases: Phases = 1
    serial: str = "122000000042"
    latitude: float = 40.4
    longitude: float = -3.7
    zone: str = "Europe/Madrid"
    inverter_w: float = 349.0
    house_w: float = 520.0
    epoch: float = 1_717_200_000.0
    before: Energy = Energy(12_345_678.25, 14_332_097.75, 8_765_432.5, 6_543_210.5, 2_345_678.0, 2_109_875.5)
    report_interval_s: int = 300
    seed: int = 1
    has_production_ct: bool = True
    second_system: float = 0.0
    sun_phase: int = 0

    @property
    def capacity_wh(self) -> float:
        """Return the capacity of all batteries together, in Wh."""
        return self.battery.count * self.battery.capacity_wh if self.battery else 0.0

    @property
    def start(self) -> float:
        """Return the beginning of the site, a midnight in UTC, in unix seconds."""
        return self.epoch // 86400 * 86400

    def midnight(self, now: float, days_ago: int = 0) -> float:
        """Return the local midnight that begins the day `days_ago` days before the day of `now`, in unix seconds.

        If this midnight is before the site's start, return the site's start.
        """
        day = datetime.fromtimestamp(now, ZoneInfo(self.zone)).date() - timedelta(days=days_ago)
        return max(_find_midnight(self.zone, day), self.start)


@lru_cache(maxsize=64)
def _find_midnight(zone: str, day: date) -> float:
    return datetime.combine(day, time(), ZoneInfo(zone)).timestamp()

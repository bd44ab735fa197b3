"""A house with sun, load and a battery as a pure function of time: the truth behind every generated document.

Powers are constant within a 5-minute slot but for a ripple from minute to minute that cancels within the slot, so
every counter is an exact integral and energy is conserved at any moment:
production + import + discharged = house + export + charged. Two processes with an equal `Site` agree.
"""

from __future__ import annotations

import math
import random
from dataclasses import astuple, dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from logger.simulator.site_days import SLOT_S, SLOTS, Days, Row

Phases: TypeAlias = Literal[1, 2, 3]

_RIPPLE: Final = (0.6, -1.0, 0.3, 0.9, -0.8)
_RIPPLE_SUMS: Final = tuple(
    tuple(accumulate((*_RIPPLE[shift:], *_RIPPLE[:shift]), initial=0.0)) for shift in range(len(_RIPPLE))
)


@dataclass(frozen=True, slots=True)
class Battery:
    """`count` equal batteries: each `capacity_wh` when full and at most `power_w`; never below `reserve` (0 to 1)."""

    count: int = 2
    capacity_wh: float = 5000.0
    power_w: float = 3840.0
    reserve: float = 0.2
    efficiency: float = 0.9


@dataclass(frozen=True, slots=True)
class Energy:
    """Watt-hours: lifetime counters, or what flowed within a span of time."""

    produced_wh: float
    house_wh: float
    imported_wh: float
    exported_wh: float
    charged_wh: float
    discharged_wh: float

    @property
    def net_wh(self) -> float:
        """Import minus export."""
        return self.imported_wh - self.exported_wh

    @property
    def consumed_wh(self) -> float:
        """As a gateway counts with a net CT: production + import - export, batteries not regarded."""
        return self.produced_wh + self.imported_wh - self.exported_wh

    def __sub__(self, other: Energy) -> Energy:
        return Energy(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class SiteState:
    """Everything at one moment. Powers in W, all of them 0 or more; `stored_wh` in the batteries."""

    time: float
    production_w: float
    house_w: float
    import_w: float
    export_w: float
    charge_w: float
    discharge_w: float
    stored_wh: float
    charge_percent: float
    total: Energy

    @property
    def net_w(self) -> float:
        """+ import."""
        return self.import_w - self.export_w

    @property
    def battery_w(self) -> float:
        """+ discharging."""
        return self.discharge_w - self.charge_w

    @property
    def consumption_w(self) -> float:
        """As a gateway counts with a net CT: production + net, batteries not regarded."""
        return self.production_w + self.net_w


@dataclass(frozen=True, slots=True)
class Report:
    """An inverter's last report: its second, the energy of its interval, and the mean of that."""

    at: int
    watts: int
    energy_wh: float


@dataclass(frozen=True, slots=True)
class Site:
    """What stands there. `inverters` share the production by fixed, slightly different parts; `house_w` is the mean
    load; solar time comes from `longitude`, the household's hours from `zone`. `phases`: 1, 2 (split) or 3 in use.
    The site is known from the UTC day of `epoch` (unix seconds) on; `before` is what had flowed until then. The
    longer ago the epoch, the longer the first question takes: about 0.4 ms a day.
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

    def at(self, now: float) -> SiteState:
        """The state at unix time `now`. Raises ValueError before the epoch."""
        slot, within_s = divmod(now, SLOT_S)
        day, number = divmod(int(slot), SLOTS)
        row, totals = _days(self).day(day)[number]
        minute, seconds = divmod(within_s, 60)
        ripple = _RIPPLE_SUMS[number % len(_RIPPLE)]
        here = ripple[int(minute) + 1] - ripple[int(minute)]
        swing_w, swing_wh = row[6] * here, row[6] * (ripple[int(minute)] * 60 + here * seconds) / 3600
        powers, counters = list(row[:6]), list(totals[:6])
        for index in range(6):
            counters[index] += row[index] * within_s / 3600
        for index in _rippling(row):
            powers[index] += swing_w
            counters[index] += swing_wh
        battery, stored = self.battery, 0.0
        if battery is not None:
            stored = totals[6] + (counters[4] - totals[4]) * battery.efficiency - (counters[5] - totals[5])
        capacity = self.capacity_wh
        stored = min(max(stored, 0.0), capacity)
        percent = 100 * stored / capacity if capacity else 0.0
        made, used, into, out, charge, discharge = powers
        total = Energy(*counters)
        return SiteState(now, made, used, into, out, charge, discharge, stored, percent, total)

    def energy(self, start: float, stop: float) -> Energy:
        """What flowed between two moments."""
        return self.at(stop).total - self.at(start).total

    @property
    def capacity_wh(self) -> float:
        """Of all batteries together."""
        return self.battery.count * self.battery.capacity_wh if self.battery else 0.0

    @property
    def started(self) -> float:
        """The first moment of which the site knows: midnight UTC."""
        return self.epoch // 86400 * 86400

    def midnight(self, now: float, days_ago: int = 0) -> float:
        """The local midnight that began the day of `now`, or one so many days before; never before the start."""
        zone = ZoneInfo(self.zone)
        day = datetime.fromtimestamp(now, zone).date() - timedelta(days=days_ago)
        return max(datetime.combine(day, time(), zone).timestamp(), self.started)

    def share(self, inverter: int) -> float:
        """The part of the whole production that this inverter makes; all parts add up to 1."""
        return _shares(self.inverters, self.seed)[inverter]

    def report(self, inverter: int, now: float) -> Report:
        """The newest report of that inverter: one each interval at a second of its own, none while it is dark."""
        every = self.report_interval_s
        offset = (inverter * 97 + 41 * self.seed) % every
        last = int((now - offset) // every * every + offset)
        last = max(last, int(self.started) + every)
        if self.energy(last - every, last).produced_wh <= 0:
            bright = _days(self).last_bright(last)
            last = min(last, int((math.ceil((bright - offset) / every)) * every + offset))
            last = max(last, int(self.started) + every)
        energy_wh = self.energy(last - every, last).produced_wh * self.share(inverter)
        return Report(last, round(energy_wh * 3600 / every), energy_wh)


def _rippling(row: Row) -> tuple[int, int]:
    """Which two powers the ripple moves together: production and where it goes, or the load and what feeds it."""
    if row[3] > 0:
        return 0, 3
    if row[4] > 0:
        return 0, 4
    return (1, 2) if row[2] > 0 else (1, 5)


@lru_cache(maxsize=64)
def _shares(inverters: int, seed: int) -> tuple[float, ...]:
    draw = random.Random(seed)  # noqa: S311  weather, not a secret
    weights = [1 + 0.05 * (draw.random() - 0.5) for _ in range(inverters)]
    if inverters > 3:
        weights[2] *= 0.85  # one panel behind the chimney
    return tuple(weight / sum(weights) for weight in weights)


@lru_cache(maxsize=16)
def _days(site: Site) -> Days:
    return Days(site)

"""An invented site: sun, house, battery and grid as exact functions of time. Energy is conserved to the watt-hour.

Power is constant within each five minutes, so every counter is the exact integral of its power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

STEP_S: Final = 300
_DAY_S: Final = 86400


@dataclass(frozen=True, slots=True)
class Flows:
    """Powers in W (or, integrated, energies in Wh): produced, used by the house, charged, discharged, bought, sold.

    produced + bought + discharged = used + sold + charged, always.
    """

    produced: float = 0.0
    used: float = 0.0
    charged: float = 0.0
    discharged: float = 0.0
    bought: float = 0.0
    sold: float = 0.0

    def plus(self, other: Flows, factor: float = 1.0) -> Flows:
        """The sum with `factor` times the other."""
        return Flows(*(a + b * factor for a, b in zip(self.all(), other.all(), strict=True)))

    def all(self) -> tuple[float, ...]:
        """The six figures in order."""
        return self.produced, self.used, self.charged, self.discharged, self.bought, self.sold


@dataclass(frozen=True, slots=True)
class SiteState:
    """One instant: powers in W, lifetime counters in Wh, the battery's charge in Wh."""

    power: Flows
    counters: Flows
    stored_wh: float


@dataclass(slots=True)
class Site:
    """A house in `zone`. Its history begins at `epoch` (unix seconds) with the counters at `base`."""

    epoch: float
    zone: str = "Europe/Madrid"
    latitude: float = 40.4
    inverters: int = 12
    inverter_w: float = 366.0
    batteries: int = 2
    base: Flows = field(
        default_factory=lambda: Flows(
            produced=12_345_678.9, bought=8_765_432.1, sold=6_543_210.9, charged=2_345_678.1, discharged=2_109_876.5
        )
    )
    _steps: list[Flows] = field(default_factory=list, repr=False)
    _sums: list[Flows] = field(default_factory=list, repr=False)
    _stored: list[float] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.epoch = self.epoch // _DAY_S * _DAY_S

    @property
    def capacity_wh(self) -> float:
        """What the batteries hold when full."""
        return 5000.0 * self.batteries

    @property
    def battery_w(self) -> float:
        """What the batteries charge or discharge at most."""
        return 3840.0 * self.batteries

    def at(self, time: float) -> SiteState:
        """Powers, counters and charge at unix time `time`."""
        place = max(0.0, (time - self.epoch) / STEP_S)
        number = int(place)
        self._reach(number)
        step, hours = self._steps[number], (place - number) * STEP_S / 3600
        stored = self._stored[number] + (step.charged - step.discharged) * hours
        return SiteState(step, self.base.plus(self._sums[number]).plus(step, hours), stored)

    def energy(self, start: float, stop: float) -> Flows:
        """What flowed between two times, in Wh."""
        return self.at(stop).counters.plus(self.at(start).counters, -1.0)

    def midnight(self, time: float) -> float:
        """The local midnight before `time`."""
        local = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(self.zone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    def share(self, inverter: int) -> float:
        """That inverter's part of the production; all together are 1."""
        weights = [0.92 + 0.16 * chance("panel", n) for n in range(self.inverters)]
        return weights[inverter] / sum(weights)

    def _reach(self, number: int) -> None:
        """Compute the steps up to `number`."""
        while len(self._steps) <= number:
            at = len(self._steps)
            if at == 0:
                self._sums.append(Flows())
                self._stored.append(0.5 * self.capacity_wh)
            else:
                before, hours = self._steps[-1], STEP_S / 3600
                self._sums.append(self._sums[-1].plus(before, hours))
                self._stored.append(self._stored[-1] + (before.charged - before.discharged) * hours)
            self._steps.append(self._step(self.epoch + at * STEP_S, self._stored[-1]))

    def _step(self, time: float, stored: float) -> Flows:
        """The five minutes that begin at `time` with that much in the battery."""
        produced, used = self._sun_w(time), self._house_w(time)
        spare, hours = produced - used, STEP_S / 3600
        charged = discharged = 0.0
        if self.batteries and spare > 0:
            charged = min(spare, self.battery_w, (self.capacity_wh - stored) / hours)
        elif self.batteries:
            discharged = min(-spare, self.battery_w, max(0.0, stored - 0.1 * self.capacity_wh) / hours)
        grid = used + charged - produced - discharged
        return Flows(produced, used, charged, discharged, max(0.0, grid), max(0.0, -grid))

    def _sun_w(self, time: float) -> float:
        """Clear sky by the sun's height, less clouds that last for half hours."""
        local = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(self.zone))
        day = local.timetuple().tm_yday
        hour = local.hour + local.minute / 60 - (1.0 if local.dst() else 0.0) + 0.2
        tilt = math.radians(-23.44) * math.cos(2 * math.pi * (day + 10) / 365.25)
        place = math.radians(self.latitude)
        height = math.sin(place) * math.sin(tilt) + math.cos(place) * math.cos(tilt) * math.cos(
            math.radians(15 * (hour - 12))
        )
        if height <= 0.02:
            return 0.0
        clouds = 1.0 - 0.55 * chance("clouds", int(time // 1800)) * chance("weather", int(time // _DAY_S))
        return round(self.inverters * self.inverter_w * min(1.0, 1.25 * math.pow(height, 0.9)) * clouds, 3)

    def _house_w(self, time: float) -> float:
        """A base load, a morning, a noon, a long evening, and things that switch."""
        local = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(self.zone))
        hour = local.hour + local.minute / 60
        bumps = ((7.3, 1.0, 900.0), (13.0, 1.2, 700.0), (20.3, 2.2, 1600.0))
        load = 260.0 + sum(top * math.exp(-(((hour - at) / wide) ** 2)) for at, wide, top in bumps)
        if chance("kettle", int(time // 900)) > 0.88:
            load += 1500.0 * chance("which", int(time // 900))
        return round(load + 90.0 * chance("fridge", int(time // 1200)), 3)


def chance(name: str, number: int) -> float:
    """A number from 0 to 1 that is always the same for the same name and number."""
    digest = blake2b(f"{name} {number}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / float(1 << 48)

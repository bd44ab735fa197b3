"""The power of sun and house at any time, the same for the same seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from tests.history.kinds import Kind

_LEANS_H: Final = {"east": -1.5, "west": 1.5}
"""Group → how many hours after noon the sun faces it."""


@dataclass(frozen=True)
class Flows:
    """Mean powers in W of one step. `battery`: + discharging. `net`: + importing."""

    production: float
    load: float
    battery: float
    net: float


class Weather:
    """Sun by hour, season and a cloud for each day; a house with evenings and noise."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self._zone, self._is_lively = ZoneInfo(kind.zone), kind.is_lively
        self._random = Random(f"{kind.name} {seed}")
        self._sky_of = f"{kind.name} sky {seed}"
        self._clouds: dict[str, float] = {}

    def local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at, self._zone)

    def sun_of(self, at: int, groups: set[str]) -> dict[str, float]:
        """The part of the peak power that the sun gives to each group of panels, 0 to 1."""
        if self._is_lively:
            return {group: self._sky(at, self.local(at), _LEANS_H.get(group, 0.0)) for group in sorted(groups)}
        return dict.fromkeys(groups, self._sun(at))

    def _sun(self, at: int) -> float:
        local = self.local(at)
        hour, day = local.hour + local.minute / 60, local.timetuple().tm_yday
        season = 0.75 + 0.25 * math.cos((day - 172) * math.tau / 365)
        cloud = self._clouds.setdefault(local.date().isoformat(), 0.55 + 0.45 * self._random.random())
        return max(0.0, math.sin((hour - 6) * math.pi / 12)) * season * cloud

    def _sky(self, at: int, local: datetime, lean_h: float) -> float:
        """A roof of 30° at 41° north: long days in June, short ones in December, dull and bright ones as it comes."""
        summer_h = (local.dst() or timedelta()).total_seconds() / 3600
        angle = (local.hour - summer_h + local.minute / 60 + local.second / 3600 - 12) * math.tau / 24
        tilt = math.radians(-23.44 * math.cos((local.timetuple().tm_yday + 10) * math.tau / 365))
        height = _facing(math.radians(41.0), tilt, angle)
        if height <= 0:
            return 0.0
        date = local.date().isoformat()
        if (cloud := self._clouds.get(date)) is None:
            cloud = self._clouds[date] = min(1.0, 0.25 + 0.95 * Random(f"{self._sky_of} {date}").random())
        passing = (0.08 + 0.7 * (1 - cloud)) * waver(at, 1500) + 0.04 * waver(at, 180)
        facing = max(0.0, _facing(math.radians(11.0), tilt, angle - lean_h * math.tau / 24))
        return (0.08 + 0.92 * facing) * (1 - math.exp(-5 * height)) * (0.25 + 0.75 * cloud) * (1 - passing)

    def house(self, at: int) -> float:
        """What the house draws, in W."""
        local = self.local(at)
        if self._is_lively:
            return self._appliances(at, local.hour * 60 + local.minute)
        evening = 1800.0 if 17 <= local.hour < 22 else 0.0
        return 180.0 + evening + (at // 900 * 7919) % 400

    def _appliances(self, at: int, minute: int) -> float:
        """What is on at a minute of the day: what never sleeps, fridge, kitchen, evening, washing, a car."""
        watts = 190.0 + 40 * waver(at, 420) + (95.0 if at // 60 % 45 < 17 else 0.0)
        day = at // 86400 * 7919 % 10
        for first, last, most, is_cycling in (
            (395, 410, 1900.0, False), (720 + 2 * day, 760, 2300.0, True), (1040, 1330, 650.0, False),
            (1095 + 3 * day, 1150 + 3 * day, 2600.0, True), (560 + 9 * day, 640 + 9 * day, 1500.0 * (day > 4), True),
            (1300, 1425, 3600.0 * (day < 6), False),
        ):  # fmt: skip
            if first <= minute < last:
                watts += most * (waver(at, 240) > 0.4 if is_cycling else 0.9 + 0.1 * waver(at, 300))
        return watts


def _facing(latitude: float, tilt: float, angle: float) -> float:
    """The sine of the sun's height over a plane that lies as flat ground does at a latitude."""
    return math.sin(latitude) * math.sin(tilt) + math.cos(latitude) * math.cos(tilt) * math.cos(angle)


def waver(at: int, period_s: int) -> float:
    """A number between 0 and 1 that wanders from one period to the next."""
    number, part = divmod(at, period_s)
    one, other = _scatter(number), _scatter(number + 1)
    return one + (other - one) * part / period_s


def _scatter(number: int) -> float:
    """A number between 0 and 1 that tells nothing about its neighbours."""
    mixed = number * 2654435761 % 2**32
    mixed = (mixed ^ mixed >> 15) * 2246822519 % 2**32
    return (mixed ^ mixed >> 13) / 2**32

"""The power of sun and house at any time, the same for the same seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from tests.history.kinds import Kind


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
        self._zone = ZoneInfo(kind.zone)
        self._random = Random(f"{kind.name} {seed}")
        self._clouds: dict[str, float] = {}

    def local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at, self._zone)

    def sun(self, at: int) -> float:
        """The part of the peak power that the sun gives, 0 to 1."""
        local = self.local(at)
        hour, day = local.hour + local.minute / 60, local.timetuple().tm_yday
        season = 0.75 + 0.25 * math.cos((day - 172) * math.tau / 365)
        cloud = self._clouds.setdefault(local.date().isoformat(), 0.55 + 0.45 * self._random.random())
        return max(0.0, math.sin((hour - 6) * math.pi / 12)) * season * cloud

    def house(self, at: int) -> float:
        """What the house draws, in W."""
        local = self.local(at)
        evening = 1800.0 if 17 <= local.hour < 22 else 0.0
        return 180.0 + evening + (at // 900 * 7919) % 400

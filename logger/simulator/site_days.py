"""Compute the days of an invented site, slot by slot: sun, load, battery and grid."""

from __future__ import annotations

import math
import random
import threading
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from logger.simulator.site_facts import SiteFacts

SLOT_S: Final = 300
SLOTS: Final = 86400 // SLOT_S
_HOURS: Final = SLOT_S / 3600
_RIPPLE_PART: Final = 0.25
_KEPT: Final = 24
_LOAD: Final = (0.4, 0.35, 0.35, 0.35, 0.4, 0.5, 0.9, 1.5, 1.3, 0.9, 0.8, 0.9,
                1.2, 1.5, 1.2, 0.9, 0.8, 0.9, 1.2, 1.7, 2.2, 2.3, 1.6, 0.9)  # fmt: skip
"""The house load in each local hour, divided by the mean load."""


Row: TypeAlias = tuple[float, float, float, float, float, float, float]
"""A slot's mean powers in W: production, house, import, export, charge and discharge; then the ripple in W.

The ripple is the greatest difference between the power of a minute and the mean. Only two powers vary from minute to
minute, such as production and export.
"""
Totals: TypeAlias = tuple[float, float, float, float, float, float, float]
"""The six counters and the stored energy at the start of a slot, in Wh."""


class SiteDays:
    """Compute the days of one site in order, each in slots of `SLOT_S` seconds.

    Two things are cached: the counters at the start of each day, and the slots of the days that were requested last.
    """

    def __init__(self, site: SiteFacts) -> None:
        self.site = site
        self.first = int(site.start) // 86400
        battery = site.battery
        flown = site.before
        self.starts: list[Totals] = [
            (flown.produced_wh, flown.house_wh, flown.imported_wh, flown.exported_wh, flown.charged_wh,
             flown.discharged_wh, battery.reserve * site.capacity_wh if battery else 0.0)
        ]  # fmt: skip
        self.slots: dict[int, list[tuple[Row, Totals]]] = {}
        self._lock = threading.Lock()  # a test and the thread of its simulator may need the same site
        draw = random.Random(site.seed)  # noqa: S311  weather, not a secret
        self.noise = [draw.random() for _ in range(4096)]
        self.hour_angles = [
            math.cos(math.radians(360 * (slot + 0.5) / SLOTS + site.longitude - 180)) for slot in range(SLOTS)
        ]

    def day(self, day: int) -> list[tuple[Row, Totals]]:
        """Return the slots of one day. `day`: the number of days since 1970-01-01, in UTC."""
        if day < self.first:
            raise ValueError(f"the site begins later, at {self.site.start:.0f}")
        with self._lock:
            if day not in self.slots:
                while len(self.starts) <= day - self.first:
                    self._play(self.first + len(self.starts) - 1)
                self._play(day)
            return self.slots[day]

    def last_bright(self, before: float) -> float:
        """Return the end of the last slot that has production and begins before the unix second `before`.

        Without such a slot, return the site's start.
        """
        day, number = divmod(int(before) // SLOT_S, SLOTS)
        while day >= self.first:
            rows = self.day(day)
            for index in range(number, -1, -1):
                if rows[index][0][0] > 0:
                    return day * 86400.0 + (index + 1) * SLOT_S
            day, number = day - 1, SLOTS - 1
        return self.site.start

    def _play(self, day: int) -> None:
        """Compute the slots of one day from the state at its start."""
        site, battery = self.site, self.site.battery
        capacity, limit, reserve, efficiency = site.capacity_wh, 0.0, 0.0, 1.0
        if battery is not None:
            limit, efficiency = battery.count * battery.power_w, battery.efficiency
            reserve = battery.reserve * capacity
        totals = self.starts[day - self.first]
        sun, load = self._sun(day), self._load(day)
        rows: list[tuple[Row, Totals]] = []
        for number in range(SLOTS):
            produced, used, imported, exported, charged, discharged, stored = totals
            production, house = sun[number], load[number]
            over = production - house
            charge = discharge = 0.0
            if over > 0:
                charge = min(over, limit, max(0.0, capacity - stored) / efficiency / _HOURS)
                into, out = 0.0, over - charge
                free = out if out > 0 else min(charge, limit - charge)
            else:
                discharge = min(-over, limit, max(0.0, stored - reserve) / _HOURS)
                into, out = -over - discharge, 0.0
                free = into if into > 0 else min(discharge, limit - discharge)
            row = (production, house, into, out, charge, discharge, _RIPPLE_PART * max(0.0, free))
            rows.append((row, totals))
            totals = (
                produced + production * _HOURS, used + house * _HOURS, imported + into * _HOURS,
                exported + out * _HOURS, charged + charge * _HOURS, discharged + discharge * _HOURS,
                stored + (charge * efficiency - discharge) * _HOURS,
            )  # fmt: skip
        if day - self.first + 1 == len(self.starts):
            self.starts.append(totals)
        self.slots[day] = rows
        if len(self.slots) > _KEPT:
            del self.slots[next(iter(self.slots))]

    def _sun(self, day: int) -> list[float]:
        """Return the production of each slot in W, from the sun's height, the day's clouds, and passing clouds."""
        site, noise = self.site, self.noise
        of_year = day % 365.2425
        tilt = math.radians(-23.44) * math.cos(2 * math.pi * (of_year + 10) / 365.2425)
        latitude = math.radians(site.latitude)
        high, wide = math.sin(latitude) * math.sin(tilt), math.cos(latitude) * math.cos(tilt)
        clear = 0.45 + 0.55 * noise[day * 31 % 4096] ** 0.5
        rough = 0.9 * (1 - clear)
        peak = site.inverters * site.inverter_w
        watts = []
        for number, angle in enumerate(self.hour_angles):
            height = high + wide * angle
            if height <= 0.01:
                watts.append(0.0)
                continue
            cloud = clear * (1 - rough * noise[(day * 97 + number // 2) % 4096]) * (1 - 0.03 * noise[number])
            watts.append(peak * cloud * height**1.2)
        return watts

    def _load(self, day: int) -> list[float]:
        """Return the house load of each slot in W: the usual load of the hour, varied by chance.

        At random times, an appliance adds 1.9 kW.
        """
        site, noise = self.site, self.noise
        zone = ZoneInfo(site.zone)
        offsets = [
            datetime.fromtimestamp(day * 86400 + hour * 3600, zone).utcoffset() or timedelta() for hour in (0, 23)
        ]
        watts = []
        for number in range(SLOTS):
            offset = offsets[0]
            if offsets[0] != offsets[1]:  # the clocks change today
                offset = datetime.fromtimestamp(day * 86400 + number * SLOT_S, zone).utcoffset() or offset
            hour = int((number * SLOT_S + offset.total_seconds()) // 3600) % 24
            load = site.house_w * _LOAD[hour] * (0.7 + 0.6 * noise[(day * 53 + number) % 4096])
            if _LOAD[hour] > 0.85 and noise[(day * 71 + number // 8) % 4096] > 0.93:
                load += 1900.0
            watts.append(load)
        return watts

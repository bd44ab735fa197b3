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

Phases: TypeAlias = Literal[1, 2, 3]

SLOT_S: Final = 300
_SLOTS: Final = 86400 // SLOT_S
_HOURS: Final = SLOT_S / 3600
_RIPPLE: Final = (0.6, -1.0, 0.3, 0.9, -0.8)
_RIPPLE_SUMS: Final = tuple(
    tuple(accumulate((*_RIPPLE[shift:], *_RIPPLE[:shift]), initial=0.0)) for shift in range(len(_RIPPLE))
)
_RIPPLE_PART: Final = 0.25
_LOAD: Final = (0.4, 0.35, 0.35, 0.35, 0.4, 0.5, 0.9, 1.5, 1.3, 0.9, 0.8, 0.9,
                1.2, 1.5, 1.2, 0.9, 0.8, 0.9, 1.2, 1.7, 2.2, 2.3, 1.6, 0.9)  # fmt: skip
"""House load by local hour, against its mean."""


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


_Row: TypeAlias = tuple[float, float, float, float, float, float, float]
"""Within a slot: the powers of production, house, import, export, charge, discharge, and the ripple's depth (W)."""
_Totals: TypeAlias = tuple[float, float, float, float, float, float, float]
"""At the start of a slot: the six counters (Wh), and the energy stored (Wh)."""


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
    serial: str = "122300012345"
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
        day, number = divmod(int(slot), _SLOTS)
        row, totals = _history(self).slot(day, number)
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
        return SiteState(
            now, *powers, stored_wh=stored, charge_percent=100 * stored / capacity if capacity else 0.0,
            total=Energy(*counters),
        )  # fmt: skip

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
            bright = _history(self).last_bright(last)
            last = min(last, int((math.ceil((bright - offset) / every)) * every + offset))
            last = max(last, int(self.started) + every)
        energy_wh = self.energy(last - every, last).produced_wh * self.share(inverter)
        return Report(last, round(energy_wh * 3600 / every), energy_wh)


def _rippling(row: _Row) -> tuple[int, int]:
    """Which two powers the ripple moves together: what is left over and where it goes, or what is missing and whence."""
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


class _History:
    """The days of one site, made one after the other and kept: where each begins, and the slots of those asked for."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.first = int(site.started) // 86400
        battery = site.battery
        flown = site.before
        self.starts: list[_Totals] = [
            (flown.produced_wh, flown.house_wh, flown.imported_wh, flown.exported_wh, flown.charged_wh,
             flown.discharged_wh, battery.reserve * site.capacity_wh if battery else 0.0)
        ]  # fmt: skip
        self.slots: dict[int, list[tuple[_Row, _Totals]]] = {}
        draw = random.Random(site.seed)  # noqa: S311  weather, not a secret
        self.noise = [draw.random() for _ in range(4096)]
        self.hour_angles = [
            math.cos(math.radians(360 * (slot + 0.5) / _SLOTS + site.longitude - 180)) for slot in range(_SLOTS)
        ]

    def slot(self, day: int, number: int) -> tuple[_Row, _Totals]:
        return self.day(day)[number]

    def day(self, day: int) -> list[tuple[_Row, _Totals]]:
        """The slots of one day (days since 1970, UTC)."""
        if day < self.first:
            raise ValueError(f"the site begins later, at {self.site.started:.0f}")
        if day not in self.slots:
            while len(self.starts) <= day - self.first:
                self._play(self.first + len(self.starts) - 1)
            self._play(day)
        return self.slots[day]

    def last_bright(self, before: float) -> float:
        """The end of the last slot with production that began before that moment, or the site's start."""
        day, number = divmod(int(before) // SLOT_S, _SLOTS)
        while day >= self.first:
            rows = self.day(day)
            for index in range(number, -1, -1):
                if rows[index][0][0] > 0:
                    return day * 86400.0 + (index + 1) * SLOT_S
            day, number = day - 1, _SLOTS - 1
        return self.site.started

    def _play(self, day: int) -> None:
        """Play one day from where it starts."""
        site, battery, noise = self.site, self.site.battery, self.noise
        capacity, limit, reserve, efficiency = site.capacity_wh, 0.0, 0.0, 1.0
        if battery is not None:
            limit, efficiency = battery.count * battery.power_w, battery.efficiency
            reserve = battery.reserve * capacity
        totals = self.starts[day - self.first]
        sun, load = self._sun(day), self._load(day)
        rows: list[tuple[_Row, _Totals]] = []
        for number in range(_SLOTS):
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
        if len(self.slots) > 24:
            del self.slots[next(iter(self.slots))]

    def _sun(self, day: int) -> list[float]:
        """Production by slot: the sun's height, the day's clouds, and passing ones."""
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
        """House load by slot: the hour of the local day, chance, and a machine now and then."""
        site, noise = self.site, self.noise
        zone = ZoneInfo(site.zone)
        offsets = [
            datetime.fromtimestamp(day * 86400 + hour * 3600, zone).utcoffset() or timedelta() for hour in (0, 23)
        ]
        watts = []
        for number in range(_SLOTS):
            offset = offsets[0]
            if offsets[0] != offsets[1]:  # the clocks change today
                offset = datetime.fromtimestamp(day * 86400 + number * SLOT_S, zone).utcoffset() or offset
            hour = int((number * SLOT_S + offset.total_seconds()) // 3600) % 24
            load = site.house_w * _LOAD[hour] * (0.7 + 0.6 * noise[(day * 53 + number) % 4096])
            if _LOAD[hour] > 0.85 and noise[(day * 71 + number // 8) % 4096] > 0.93:
                load += 1900.0
            watts.append(load)
        return watts


@lru_cache(maxsize=16)
def _history(site: Site) -> _History:
    return _History(site)

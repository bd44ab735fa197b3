"""Compute sun, house load and battery as functions of time. Every invented document is made from these functions.

Powers are constant within a slot of 5 minutes, except for a variation from minute to minute whose sum over the slot
is zero. So every counter is an exact integral, and energy is conserved at any time: production + import + discharged
= house + export + charged. Two processes with equal `Household`s get equal values.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

from logger.simulator.site_days import SLOT_S, SLOTS, Row, SiteDays
from logger.simulator.site_facts import Energy, SiteFacts

_RIPPLE: Final = (0.6, -1.0, 0.3, 0.9, -0.8)
_RIPPLE_SUMS: Final = tuple(
    tuple(accumulate((*_RIPPLE[shift:], *_RIPPLE[:shift]), initial=0.0)) for shift in range(len(_RIPPLE))
)


@dataclass(frozen=True, slots=True)
class SiteState:
    """Powers and counters at one time. Powers are in W, at least 0. `stored_wh`: the batteries' energy."""

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
        """Return the net power in W, positive while importing."""
        return self.import_w - self.export_w

    @property
    def battery_w(self) -> float:
        """Return the battery power in W, positive while discharging."""
        return self.discharge_w - self.charge_w

    @property
    def consumption_w(self) -> float:
        """Return the consumption in W as a gateway with a net CT computes it: production + net power."""
        return self.production_w + self.net_w


@dataclass(frozen=True, slots=True)
class LastReport:
    """An inverter's last report, made at the unix second `at`.

    `watts`: the inverter's mean power in the interval before `at`. `energy_wh`: its energy in this interval.
    """

    at: int
    watts: int
    energy_wh: float


@dataclass(frozen=True, slots=True)
class Household(SiteFacts):
    """Compute the state of a site at any time. The fields are the facts of the site."""

    def __hash__(self) -> int:
        """Hash only the fields in which two sites usually differ, because each look-up of a state hashes the site."""
        return hash((self.serial, self.epoch, self.inverters, self.seed))

    def at(self, now: float) -> SiteState:
        """Return the state at unix time `now`. Raises ValueError for a time before the epoch."""
        return _compute_state(self, now)

    def energy(self, start: float, stop: float) -> Energy:
        """Return the energy that flowed between two unix times."""
        return self.at(stop).total - self.at(start).total

    def share(self, inverter: int) -> float:
        """Return this inverter's share of the site's production, 0 to 1.

        The shares of all inverters add up to 1, or to less if a second solar system produces the rest.
        """
        return _shares(self.inverters, self.seed)[inverter] * (1 - self.second_system)

    def report(self, inverter: int, now: float) -> LastReport:
        """Return an inverter's newest report.

        In daylight each inverter reports once in each interval, at a second of its own. In the dark no inverter
        reports.
        """
        every = self.report_interval_s
        offset = (inverter * 97 + 41 * self.seed) % every
        first = int(self.start) + every
        last = max(first, int((now - offset) // every * every + offset))
        produced_wh = self.energy(last - every, last).produced_wh
        if produced_wh <= 0:
            bright = _days(self).last_bright(last)
            last = max(first, min(last, int((math.ceil((bright - offset) / every)) * every + offset)))
            produced_wh = self.energy(last - every, last).produced_wh
        energy_wh = produced_wh * self.share(inverter)
        return LastReport(last, round(energy_wh * 3600 / every), energy_wh)


@lru_cache(maxsize=1024, typed=True)
def _compute_state(site: Household, now: float) -> SiteState:
    """Return a site's state at the time `now`.

    The result is cached, because several documents of the same time need the state.
    """
    slot, within_s = divmod(now, SLOT_S)
    day, number = divmod(int(slot), SLOTS)
    row, totals = _days(site).day(day)[number]
    minute, seconds = divmod(within_s, 60)
    ripple = _RIPPLE_SUMS[number % len(_RIPPLE)]
    here = ripple[int(minute) + 1] - ripple[int(minute)]
    swing_w, swing_wh = row[6] * here, row[6] * (ripple[int(minute)] * 60 + here * seconds) / 3600
    powers, counters = list(row[:6]), list(totals[:6])
    for index in range(6):
        counters[index] += row[index] * within_s / 3600
    for index in _find_rippling(row):
        powers[index] += swing_w
        counters[index] += swing_wh
    battery, stored = site.battery, 0.0
    if battery is not None:
        stored = totals[6] + (counters[4] - totals[4]) * battery.efficiency - (counters[5] - totals[5])
    capacity = site.capacity_wh
    stored = min(max(stored, 0.0), capacity)
    percent = 100 * stored / capacity if capacity else 0.0
    made, used, into, out, charge, discharge = powers
    return SiteState(now, made, used, into, out, charge, discharge, stored, percent, Energy(*counters))


def list_minutes(row: Row, number: int) -> list[tuple[float, ...]]:
    """Return the powers in W in each minute of one slot of a day.

    `row`: the slot's mean powers. `number`: the slot's place in the day. The six powers of a minute are, in
    this order, production, load, import, export, charge and discharge.
    """
    ripple, found = _RIPPLE_SUMS[number % len(_RIPPLE)], []
    for minute in range(len(_RIPPLE)):
        powers = list(row[:6])
        for index in _find_rippling(row):
            powers[index] += row[6] * (ripple[minute + 1] - ripple[minute])
        found.append(tuple(powers))
    return found


def _find_rippling(row: Row) -> tuple[int, int]:
    """Return the positions in `row` of two powers that vary together.

    The first power is production, if the site exports or charges. The second power is then export, if there is
    export, else charge. Otherwise the first power is load. The second power is then import, if there is import, else
    discharge.
    """
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
def _days(site: SiteFacts) -> SiteDays:
    return SiteDays(site)

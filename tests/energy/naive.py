"""What people do with a gateway's figures: its own "today", the spread of its counter, the area under its power.

Fed with the same answers that the recorder gets, faults and silences included.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from logger.model import Document
from logger.readings import paths
from tests.energy.gateway import Metered
from tests.energy.house import MINUTE

METHODS: Final = ("whToday", "spread", "integral")


@dataclass
class _Day:
    """One local day of one figure: the last "today" seen, the counter's extremes, the area."""

    today: float = 0.0
    low: float = float("inf")
    high: float = 0.0
    area_wh: float = 0.0


@dataclass
class Naive:
    """The three methods, for production and for the consumption that the gateway counts.

    The gateway's "today" begins anew some minutes late, on some days not at all, and is absurd for half an hour after
    a restart: so it is seen in the field (Q-P12, Q-P22).
    """

    plant: Metered
    seed: int = 1
    days: dict[tuple[str, str], _Day] = field(default_factory=dict)

    def __post_init__(self) -> None:
        house, draw = self.plant.house, random.Random(self.seed)
        self._day_of: list[str] = []
        self._restarts: dict[int, bool] = {}
        for day in house.days():
            begin, end = house.span(day)
            self._day_of += [day.isoformat()] * (end - begin)
            if draw.random() > 0.04:
                self._restarts[begin + draw.choice((2, 4, 7, 11))] = True
        self._day_of.append(self._day_of[-1])
        self._base: dict[str, float] = {}
        self._last: dict[str, tuple[int, float]] = {}
        self._absurd_until = 0
        self._next = sorted(self._restarts)

    def see(self, at: int, new: Mapping[str, Document]) -> None:
        """What the gateway answered at a minute."""
        document = new.get(paths.READINGS)
        if document is None or not isinstance(document.body, list):
            return
        production, grid = document.body[:2]
        assert isinstance(production, dict)
        assert isinstance(grid, dict)
        made, into, out = (
            float(str(v)) for v in (production["actEnergyDlvd"], grid["actEnergyDlvd"], grid["actEnergyRcvd"])
        )
        watts = float(str(production["activePower"]))
        if made == 0:
            self._absurd_until = at + 30
        used_w = watts + float(str(grid["activePower"]))
        begins = False
        while self._next and self._next[0] <= at:
            self._next.pop(0)
            begins = True
        for name, counter, power in (("production", made, watts), ("house", made + into - out, used_w)):
            self._enter(name, at, counter, power, begins=begins and made > 0)

    def _enter(self, name: str, at: int, counter: float, power: float, *, begins: bool) -> None:
        day = self.days.setdefault((name, self._day_of[min(max(at - 1, 0), len(self._day_of) - 1)]), _Day())
        day.low, day.high = min(day.low, counter), max(day.high, counter)
        if name in self._last:
            since, before = self._last[name]
            day.area_wh += (before + power) / 2 * (at - since) * MINUTE / 3600
        self._last[name] = (at, power)
        day.today = 6_780_000.0 if at < self._absurd_until else counter - self._base.setdefault(name, counter)
        if begins:
            self._base[name] = counter

    def wh(self, method: str, name: str, day: str) -> float:
        """What that method says of a day."""
        found = self.days.get((name, day), _Day(low=0.0))
        return {"whToday": found.today, "spread": found.high - found.low, "integral": found.area_wh}[method]

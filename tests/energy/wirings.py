"""Wirings of real sites that differ from the usual one: other meters, other phases, other systems on the roof."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

from logger.model import Document, GatewayInfo, Json
from logger.readings import paths
from tests.energy.gateway import GRID, PRODUCTION, Fault, Metered, Reports, meter, reading
from tests.energy.house import FLOWS, MINUTE, House
from tests.energy.year import Plan
from tests.readings.site import document

_PHASES: Final = (1, 2, 3)


@dataclass
class ThreePhaseHouse(House):
    """A house on three phases, with its solar system on L1 alone, and what a meter makes of it that nets each second.

    A stove on L2 switches on and off within the minute for half an hour a day: it is on for a part of each minute.
    """

    load_parts: tuple[float, float, float] = (0.3, 0.45, 0.25)
    stove_w: float = 1500.0
    flows: ClassVar[tuple[str, ...]] = (
        *FLOWS, "import_balanced", "export_balanced",
        *(f"{side}_{n}" for n in _PHASES for side in ("import", "export")),
    )  # fmt: skip

    def play(self) -> None:
        """Let the sun and the loads flow through the three phases."""
        House.play(self)
        draw, made = random.Random(self.seed), self.watts
        for at in range(self.minutes):
            hour = at / 60 % 24
            on = draw.uniform(0.3, 0.9) if 18 <= hour < 18.5 else 0.0
            steady = made["load"][at]
            made["load"][at] += on * self.stove_w
            made["import"][at] = made["export"][at] = 0.0
            for part, stove in ((on, self.stove_w), (1 - on, 0.0)):
                phases = [steady * share for share in self.load_parts]
                phases[0] -= made["production"][at]
                phases[1] += stove
                for number, watts in zip(_PHASES, phases, strict=True):
                    side = "import" if watts > 0 else "export"
                    made[side][at] += part * abs(watts)
                    made[f"{side}_{number}"][at] += part * abs(watts)
                net = sum(phases)
                made["import_balanced" if net > 0 else "export_balanced"][at] += part * abs(net)


@dataclass
class ThreePhase(Metered):
    """A gateway whose net CTs measure three phases; one exports while the others import."""

    def meters(self) -> list[Json]:
        """`/ivp/meters`."""
        return [meter(PRODUCTION, "production"), meter(GRID, "net-consumption", phases=3)]

    def rows(self, at: int, watts: Mapping[str, float], values: Mapping[str, float]) -> list[dict[str, Json]]:
        """Each meter's readings, the net CT's with its three phases."""
        rows = Metered.rows(self, at, watts, values)
        minute, now, wh = max(at - 1, 0), self.house.watts, self.house.wh
        rows[1]["channels"] = [
            {
                "eid": GRID + number, "voltage": 231.0,
                "activePower": now[f"import_{number}"][minute] - now[f"export_{number}"][minute],
                "actEnergyDlvd": 1e6 * number + wh[f"import_{number}"][at],
                "actEnergyRcvd": 2e6 * number + wh[f"export_{number}"][at],
            }
            for number in _PHASES
        ]  # fmt: skip
        return rows


@dataclass
class NetOnly(Metered):
    """A gateway with a CT at the grid alone; the inverters, which report every 15 minutes, tell the production."""

    def __post_init__(self) -> None:
        Metered.__post_init__(self)
        self.reports = Reports(self.house, self.panels, every_s=900)

    def meters(self) -> list[Json]:
        """`/ivp/meters`."""
        return [meter(PRODUCTION, "production", "disabled"), meter(GRID, "net-consumption")]

    def rows(self, at: int, watts: Mapping[str, float], values: Mapping[str, float]) -> list[dict[str, Json]]:
        """Each meter's readings; nothing runs through the production CT."""
        return [reading(PRODUCTION, -2.794, 0.0, 0.0), Metered.rows(self, at, watts, values)[1]]


@dataclass
class SecondSystem(Metered):
    """A gateway that measures one of two solar systems; the other feeds in behind the net CT."""

    own: float = 0.4

    def day_wh(self, flow: str, day: date) -> float:
        """What flowed on a local day; of the production the measured part."""
        return self.house.day_wh(flow, day) * (self.own if flow == "production" else 1.0)

    def produced_w(self, at: int) -> float:
        """What the production CT measures at minute `at`."""
        return Metered.produced_w(self, at) * self.own

    def counter(self, flow: str, at: int) -> float:
        """The gateway's lifetime figure at minute `at`."""
        if flow != "production":
            return Metered.counter(self, flow, at)
        return round(self.bases[flow] + self.house.wh[flow][at] * self.own, 3)


@dataclass
class Legacy(Metered):
    """A metered gateway of firmware 4.2: no device data; its CT block does not say what it measures."""

    info: GatewayInfo = GatewayInfo("122233344477", "D4.2.33", "800-00555-r03", True, False, 0.0)

    def documents(self, at: int, fault: Fault | None, devices: bool) -> dict[str, Document]:
        """The new answers of a minute."""
        found = Metered.documents(self, at, fault, devices=False)
        came = self.house.start + at * MINUTE + 1.0
        if devices and (fault is None or fault.kind != "no inverters"):
            found[paths.V1_INVERTERS] = document(paths.V1_INVERTERS, self.reports.v1_list(at), came)
        if at % 15 == 0:
            ct: Json = {
                "type": "eim", "activeCount": 1, "readingTime": int(came) - 1, "wNow": self.produced_w(at),
                "whLifetime": self.counter("production", at),
            }  # fmt: skip
            inverters: Json = {"type": "inverters", "activeCount": len(self.panels), "wNow": 0, "whLifetime": 0}
            found[paths.BLOCKS] = document(paths.BLOCKS, {"production": [inverters, ct]}, came)
        return found


def restart_each_night(plant: Metered, seed: int) -> Plan:
    """The gateway starts anew each night at some minute around midnight; so does the recorder on every second one."""
    draw, plan = random.Random(seed), Plan()
    for number, day in enumerate([*plant.house.days()][:-1]):
        begin = plant.house.span(day)[1] + draw.randrange(-45, 45)
        answers = begin + draw.randrange(2, 6)
        right = answers + draw.randrange(1, 4)
        if number % 2:
            plan.restarts.add(begin)
        plan.deaf.update(range(begin, answers))
        plan.faults |= dict.fromkeys(range(answers, right), Fault("zeros"))
        plan.faults[right] = Fault("lifetime as power")
    return plan

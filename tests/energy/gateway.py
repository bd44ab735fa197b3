"""What a gateway in front of the house answers at each minute: built as parsed documents, cheaply, with its faults.

`Metered` has CTs for production, grid and storage, and inverters in `device_data`; `Standard` has none: its lifetime
is the inverters block's, which counts modulo 2³² joules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Protocol

from logger.model import Document, GatewayInfo, Json
from logger.readings import paths
from tests.energy.house import MINUTE, House
from tests.readings.site import document

WRAP_WH: Final = 2**32 / 3600
REPORT_S: Final = 300
PRODUCTION, GRID, STORAGE = 704643328, 704643584, 704643840
_BATTERY = "122100009999"


@dataclass(frozen=True)
class Fault:
    """What is wrong with the documents of one minute; `amount` in Wh or W where it says how much."""

    kind: str
    amount: float = 0.0


@dataclass
class Panel:
    """One inverter: its part of the production in the morning and in the afternoon, and when it does less or nothing.

    `shaded` and `silent` are spans of minutes; a shaded panel gives `keeps` of what it should.
    """

    serial: str
    morning: float
    afternoon: float
    group: str = ""
    shaded: tuple[int, int] = (0, 0)
    silent: tuple[int, int] = (0, 0)
    keeps: float = 0.6

    def part(self, at: int, noon: bool) -> float:
        """Its part of the production of the five minutes before that minute."""
        if self.silent[0] <= at < self.silent[1]:
            return 0.0
        part = self.afternoon if noon else self.morning
        return part * self.keeps if self.shaded[0] <= at < self.shaded[1] else part


class Plant(Protocol):
    """A gateway with its house."""

    house: House
    info: GatewayInfo

    @property
    def standing(self) -> Mapping[str, Document]:
        """The answers that never change."""
        ...

    def documents(self, at: int, fault: Fault | None, devices: bool) -> dict[str, Document]:
        """The new answers at minute `at`; `devices`: inverters are asked too."""
        ...

    def day_wh(self, flow: str, day: date) -> float:
        """The truth of what this gateway can know: what flowed on a local day."""
        ...


@dataclass
class Metered:
    """A gateway with CTs. `bases` are the counters at the start.

    After each of the house's dark spans the grid's CT is a new one and begins at 0.
    """

    house: House
    panels: Sequence[Panel] = ()
    bases: Mapping[str, float] = field(
        default_factory=lambda: {
            "production": 12_345_678.25,
            "import": 4_332_097.75,
            "export": 6_543_210.5,
            "charged": 2_345_678.0,
            "discharged": 2_109_875.5,
        }
    )
    storage_meter: bool = True
    info: GatewayInfo = GatewayInfo("122233344455", "D8.2.4286", "800-00654-r08", True, True, 0.0)

    def __post_init__(self) -> None:
        battery: Json = {"serial_num": _BATTERY, "communicating": True, "encharge_capacity": 10_000}
        batteries: list[Json] = [battery] if self.house.battery is not None else []
        kinds: list[Json] = [{"type": "ENCHARGE", "devices": batteries}]
        self.standing = {
            paths.METERS: Document(paths.METERS, self.meters(), self.house.start - 1.0, 0.1),
            paths.ENSEMBLE: Document(paths.ENSEMBLE, kinds, self.house.start - 1.0, 0.1),
            paths.INVENTORY: Document(paths.INVENTORY, inventory(self.panels), self.house.start - 1.0, 0.1),
        }
        self.reports = Reports(self.house, self.panels)

    @property
    def has_storage_meter(self) -> bool:
        """Whether the battery has a CT of its own."""
        return self.house.battery is not None and self.storage_meter

    def meters(self) -> list[Json]:
        """`/ivp/meters`."""
        storage = [meter(STORAGE, "storage")] if self.has_storage_meter else []
        return [meter(PRODUCTION, "production"), meter(GRID, "net-consumption"), *storage]

    def rows(self, at: int, watts: Mapping[str, float], values: Mapping[str, float]) -> list[dict[str, Json]]:
        """`/ivp/meters/readings` at minute `at`, made of powers and counters by flow."""
        net, battery = watts["import"] - watts["export"], watts["discharged"] - watts["charged"]
        rows = [
            reading(PRODUCTION, watts["production"], values["production"], 118.25),
            reading(GRID, net, values["import"], values["export"]),
        ]
        if self.has_storage_meter:
            rows.append(reading(STORAGE, battery, values["discharged"], values["charged"]))
        return rows

    def day_wh(self, flow: str, day: date) -> float:
        """The truth of what this gateway can know: what flowed on a local day."""
        return self.house.day_wh(flow, day)

    def produced_w(self, at: int) -> float:
        """What the production CT measures at minute `at`."""
        return self.house.watts["production"][max(at - 1, 0)]

    def counter(self, flow: str, at: int) -> float:
        """The gateway's lifetime figure at minute `at`."""
        wh = self.bases[flow] + self.house.wh[flow][at]
        if flow in ("import", "export"):
            for begin, _ in self.house.dark:
                if begin < at:
                    wh = self.house.wh[flow][at] - self.house.wh[flow][begin]
        return round(wh, 3)

    def documents(self, at: int, fault: Fault | None, devices: bool) -> dict[str, Document]:
        """The new answers of a minute."""
        came = self.house.start + at * MINUTE + 1.0
        kind = fault.kind if fault else ""
        found: dict[str, Document] = {}
        if kind != "late":
            found[paths.READINGS] = document(paths.READINGS, self._readings(at, fault), came)
        if not self.storage_meter and self.house.battery is not None:
            now = min(at, self.house.minutes - 1)
            milliwatts = (self.house.watts["discharged"][now] - self.house.watts["charged"][now]) * 1000
            power: Json = {"devices:": [{"serial_num": _BATTERY, "real_power_mw": round(milliwatts), "soc": 50}]}
            found[paths.ENSEMBLE_POWER] = document(paths.ENSEMBLE_POWER, power, came)
        if devices and self.panels and kind != "no inverters":
            found[paths.DEVICE_DATA] = document(paths.DEVICE_DATA, self.reports.device_data(at), came)
        return found

    def _readings(self, at: int, fault: Fault | None) -> Json:
        kind, amount = (fault.kind, fault.amount) if fault else ("", 0.0)
        before = max(at - 1, 0)
        watts = {flow: series[before] for flow, series in self.house.watts.items()}
        watts["production"] = self.produced_w(at)
        values = {flow: self.counter(flow, at) for flow in self.bases}
        if kind == "zeros":
            values, watts = dict.fromkeys(values, 0.0), dict.fromkeys(watts, 0.0)
        elif kind in ("spike", "jitter"):
            values = {flow: round(wh + amount, 3) for flow, wh in values.items()}
        elif kind == "production low":
            values["production"] += amount
        rows = self.rows(at, watts, values)
        if kind == "lifetime as power":
            for row in rows:
                row["activePower"] = row["channels"][0]["activePower"] = row["actEnergyDlvd"]  # type: ignore[index,call-overload]
        return list(rows)


@dataclass
class Standard:
    """A gateway without CTs whose only lifetime is that of the inverters block, modulo 2³² joules."""

    house: House
    panels: Sequence[Panel] = ()
    base_wh: float = 900_000.0
    info: GatewayInfo = GatewayInfo("122233344466", "D7.6.175", "800-00656-r06", False, True, 0.0)

    def __post_init__(self) -> None:
        self.standing = {
            path: Document(path, [], self.house.start - 1.0, 0.1)
            for path in (paths.METERS, paths.READINGS, paths.ENSEMBLE)
        }
        self.reports = Reports(self.house, self.panels)

    def day_wh(self, flow: str, day: date) -> float:
        """The truth: what flowed on a local day."""
        return self.house.day_wh(flow, day)

    def documents(self, at: int, fault: Fault | None, devices: bool) -> dict[str, Document]:
        """The new answers of a minute."""
        came = self.house.start + at * MINUTE + 1.0
        kind, amount = (fault.kind, fault.amount) if fault else ("", 0.0)
        found: dict[str, Document] = {}
        if kind != "late":
            wh = round((self.base_wh + self.house.wh["production"][at]) % WRAP_WH, 3)
            watts: float = round(self.house.watts["production"][max(at - 1, 0)])
            if kind == "zeros":
                wh, watts = 0.0, 0.0
            elif kind in ("spike", "jitter"):
                wh = round(wh + amount, 3)
            elif kind == "lifetime as power":
                watts = wh
            block: Json = {"type": "inverters", "activeCount": len(self.panels), "wNow": watts, "whLifetime": wh}
            found[paths.BLOCKS] = document(paths.BLOCKS, {"production": [block]}, came)
        if devices and kind != "no inverters":
            found[paths.V1_INVERTERS] = document(paths.V1_INVERTERS, self.reports.v1_list(at), came)
        return found


class Reports:
    """The inverters' reports: one each `every_s` at a minute of its own, none while it is dark."""

    def __init__(self, house: House, panels: Sequence[Panel], every_s: int = REPORT_S) -> None:
        self.house, self.panels, self.every_s = house, panels, every_s
        self.wh = [0.0] * len(panels)
        self.last: list[tuple[int, int]] = [(0, 0)] * len(panels)
        self.days: dict[tuple[str, str], float] = {}
        self._done = 0
        self._day_of: list[str] = []
        for day in house.days():
            begin, end = house.span(day)
            self._day_of += [day.isoformat()] * (end - begin)
        self._begin = {day.isoformat(): house.span(day)[0] for day in house.days()}

    def play(self, until: int) -> None:
        """Let every inverter report up to that minute; outages of the recorder do not stop the sun."""
        sums = self.house.wh["production"]
        every = self.every_s // MINUTE
        while self._done < until:
            self._done += 1
            at = self._done
            if at < every:
                continue
            made = sums[at] - sums[at - every]
            if made <= 0:
                continue
            for number in range(at % every, len(self.panels), every):
                panel = self.panels[number]
                day = self._day_of[at - 1]
                wh = made * panel.part(at, at - self._begin[day] > 13 * 60)
                if wh <= 0:
                    continue
                self.wh[number] += wh
                self.last[number] = (self.house.start + at * MINUTE, round(wh * 3600 / self.every_s))
                key = (day, panel.serial)
                self.days[key] = self.days.get(key, 0.0) + wh

    def device_data(self, at: int) -> Json:
        """`/ivp/pdm/device_data` at a minute."""
        self.play(at)
        found: dict[str, Json] = {"deviceCount": len(self.panels), "deviceDataLimit": 50}
        for number, panel in enumerate(self.panels):
            end, watts = self.last[number]
            channel: Json = {
                "watts": {"now": watts, "max": 400},
                "wattHours": self._days_of(at, panel.serial),
                "lastReading": {"endDate": end, "duration": self.every_s} if end else {},
                "lifetime": {"joulesProduced": round((1e6 + self.wh[number]) * 3600)},
            }
            found[str(1000 + number)] = {"devName": "pcu", "sn": panel.serial, "active": True, "channels": [channel]}
        return found

    def _days_of(self, at: int, serial: str) -> Json:
        """The energies of today, yesterday and the seven days before today, as the gateway counts them."""
        today = date.fromisoformat(self._day_of[min(at, self.house.minutes - 1)])
        days = [self.days.get(((today - timedelta(days=back)).isoformat(), serial), 0.0) for back in range(8)]
        return {"today": round(days[0]), "yesterday": round(days[1]), "week": round(sum(days[1:]))}

    def v1_list(self, at: int) -> Json:
        """`/api/v1/production/inverters` at a minute."""
        self.play(at)
        return [
            {
                "serialNumber": panel.serial,
                "lastReportDate": self.last[number][0],
                "devType": 1,
                "lastReportWatts": self.last[number][1],
                "maxReportWatts": 400,
            }
            for number, panel in enumerate(self.panels)
        ]


def meter(eid: int, kind: str, state: str = "enabled", phases: int = 1) -> Json:
    """A line of `/ivp/meters`."""
    return {"eid": eid, "state": state, "measurementType": kind, "phaseMode": "single", "phaseCount": phases}


def inventory(panels: Sequence[Panel]) -> Json:
    """`/inventory.json`: the inverters, and no AC Battery."""
    devices: list[Json] = [{"serial_num": panel.serial, "admin_state": 1} for panel in panels]
    return [{"type": "PCU", "devices": devices}, {"type": "ACB", "devices": []}]


def reading(eid: int, watts: float, delivered: float, received: float) -> dict[str, Json]:
    """A row of `/ivp/meters/readings`, of one phase."""
    values: dict[str, Json] = {
        "actEnergyDlvd": delivered,
        "actEnergyRcvd": received,
        "activePower": round(watts, 3),
        "voltage": 231.0,
        "freq": 50.0,
    }
    return {"eid": eid, **values, "channels": [{"eid": eid + 1, **values}]}

"""Play minutes of a hand-made site: a function gives the documents of each minute, the recorder's tick reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from logger.daemon.tick import TickResult
from logger.model import GatewayInfo, Snapshot, Value
from logger.readings import paths
from logger.readings.site_warnings import find_warnings
from logger.site import Site
from tests.readings.site import (
    BOTH,
    CONSUMPTION,
    INFO,
    NOW,
    PRODUCTION,
    TOTALS,
    Bodies,
    Body,
    Recorder,
    document,
    inverter,
    meter,
    reading,
    totals,
)

NO_BATTERIES: Bodies = {
    paths.INVENTORY: [{"type": "PCU", "devices": []}, {"type": "ACB", "devices": []}],
    paths.ENSEMBLE: [],
}


@dataclass
class Played:
    """What was read in each minute, by which recorder."""

    recorder: Recorder
    minutes: list[TickResult] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Value]:
        """The totals of the last minute."""
        return totals(self.minutes[-1])

    def series(self, name: str) -> list[Value | None]:
        """One of the totals, minute by minute; None where it is absent."""
        return [totals(minute).get(name) for minute in self.minutes]

    @property
    def warnings(self) -> str:
        """What the owner is told at the end, in one text."""
        last = self.minutes[-1]
        told = {**find_warnings(last.snapshot, last.duplicates), **last.warnings}
        return "\n".join(warning.message for warning in told.values())

    @property
    def absences(self) -> dict[str, str]:
        """Why values are absent at the end, by name."""
        return {name: each.reason for name, each in self.minutes[-1].state.readings.absences.lasting.items()}

    def fields(self, measurement: str, **tags: str) -> list[Mapping[str, Value]]:
        """The fields of each point of a measurement in the last minute."""
        return [
            point.fields
            for point in self.minutes[-1].readings
            if point.measurement == measurement and tags.items() <= point.tags.items()
        ]

    @property
    def day(self) -> Mapping[str, Value]:
        """The last row of the site's day."""
        rows = [row.reading for minute in self.minutes for row in minute.daily]
        return next(row.fields for row in reversed(rows) if row.measurement == "envoy_day")


def play(
    answer: Callable[[int], Bodies],
    minutes: int = 31,
    *,
    start: int = NOW,
    step_s: int = 60,
    skew_s: Callable[[int], float] = lambda at: 0.0,
    firmware: Callable[[int], str] = lambda at: INFO.firmware,
    recorder: Recorder | None = None,
    unknown: Iterable[str] = (),
) -> Played:
    """Read what the gateway answers each `step_s` from `start` on; devices are read every five minutes."""
    played, since = Played(recorder or Recorder(Site(zone="UTC"))), float("-inf")
    for at in range(start, start + 60 * minutes, step_s):
        documents = {path: document(path, body, at + 1.0) for path, body in answer(at).items()}
        info = GatewayInfo(INFO.serial, firmware(at), INFO.part_number, True, True, skew_s(at))
        absent = paths.PATHS - documents.keys() - set(unknown)
        snapshot = Snapshot(info, at, documents, {"totals": since, "devices": since}, absent)
        played.minutes.append(played.recorder.read(snapshot, BOTH if at % 300 == 0 else TOTALS))
        since = at + 2.0
    return played


def roof(at: int, watts: float = 200, *, count: int = 10, age: int = 60) -> Body:
    """The list of inverters, with reports some seconds apart and `age` seconds old."""
    return [inverter(f"1220000000{n:02d}", at - age - 10 * n, watts) for n in range(count)]


def metered(
    at: int,
    produced_w: float = 2000.0,
    grid_w: float = -1500.0,
    *,
    kind: str = "net-consumption",
    stamp: int | None = None,
) -> Bodies:
    """A site with two CTs whose counters rise with their powers, as far as CTs count in that direction."""
    hours = (at - NOW) / 3600
    rows = [
        reading(PRODUCTION, produced_w, 5e6 + max(0.0, produced_w) * hours, 1e3 + max(0.0, -produced_w) * hours),
        reading(CONSUMPTION, grid_w, 3e6 + max(0.0, grid_w) * hours, 1e6 + max(0.0, -grid_w) * hours),
    ]
    return {
        paths.METERS: [meter(PRODUCTION, "production"), meter(CONSUMPTION, kind)],
        paths.READINGS: [{**row, "timestamp": at if stamp is None else stamp} for row in rows],
        paths.V1_INVERTERS: roof(at),
        **NO_BATTERIES,
    }


def unmetered(at: int, watts: float = 2000.0, *, today: float = 4000.0, lifetime: float = 4_999_900.0) -> Bodies:
    """A site without CTs: the totals of the inverters, their sum and their list."""
    return {
        paths.METERS: [],
        paths.READINGS: [],
        paths.V1: {"wattsNow": watts, "wattHoursToday": today, "wattHoursSevenDays": 80_000,
                   "wattHoursLifetime": lifetime},
        paths.BLOCKS: {"production": [{"type": "inverters", "activeCount": 10, "readingTime": at - 60, "wNow": 2000,
                                       "whLifetime": 4_999_900}]},
        paths.V1_INVERTERS: roof(at),
        **NO_BATTERIES,
    }  # fmt: skip

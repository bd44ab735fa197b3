"""A metered site whose counters a test sets poll by poll, and what the recorder wrote of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from logger.daemon.gateway_state import GatewayState, dump_state, load_state
from logger.daemon.tick import TickResult, run_tick
from logger.model import DayRow, Event, Role, Snapshot, Value
from logger.readings import paths
from logger.site import Site
from tests.readings.site import CONSUMPTION, INFO, NOW, PRODUCTION, STORAGE, TOTALS, Body, document, meter, reading

MINUTE = 60


@dataclass
class Counted:
    """Polls once a minute from `tick` on. `written`: the fields of `envoy_totals` by time, later lines merged."""

    site: Site = Site(zone="UTC")
    tick: int = NOW // MINUTE * MINUTE
    state: GatewayState = field(default_factory=GatewayState)
    written: dict[int, dict[str, Value]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    rows: dict[str, DayRow] = field(default_factory=dict)
    firmware: str = INFO.firmware
    definitive: dict[str, int] = field(default_factory=dict)
    since: float = 0.0

    def poll(
        self,
        bodies: Mapping[str, Body],
        *,
        absent: Sequence[str] = (),
        unknown: Sequence[str] = (),
        after: int = MINUTE,
    ) -> dict[str, Value]:
        """One tick in which these documents came; every other path surely has none, but for the `unknown`."""
        self.tick += after
        documents = {path: document(path, body, self.tick + 1.0) for path, body in bodies.items()}
        for path in (*bodies, *absent):
            self.definitive[path] = self.definitive.get(path, 0) + 1
        nowhere = paths.PATHS - bodies.keys() - set(unknown)
        info = replace(INFO, firmware=self.firmware)
        since: dict[Role, float] = {"totals": self.since}
        definitive = {**dict.fromkeys(unknown, 0), **self.definitive}
        return self.enter(
            run_tick(Snapshot(info, self.tick, documents, since, nowhere, definitive), TOTALS, self.state, self.site)
        )

    def enter(self, found: TickResult) -> dict[str, Value]:
        self.since = self.tick + 2.0
        self.state = found.state
        for point in found.readings:
            if point.measurement == "envoy_totals":
                self.written.setdefault(point.time, {}).update(point.fields)
        self.events += found.events
        for row in found.daily:
            if row.reading.measurement == "envoy_day":
                self.rows[row.day] = row
        return self.written.get(self.tick, {})

    def run(self, name: str, values: Sequence[float], **meters: float) -> list[Any]:
        """One poll a value of one counter; what was written of its lifetime at each, as known at the end."""
        start = self.tick
        for value in values:
            self.poll(metered(**{**meters, name: value}))  # type: ignore[arg-type]
        lifetime = {"imported": "grid_import", "exported": "grid_export"}.get(name, name)
        ticks = range(start + MINUTE, self.tick + 1, MINUTE)
        return [self.written.get(tick, {}).get(f"{lifetime}_lifetime_wh") for tick in ticks]

    def restart(self) -> None:
        """A new process: the books come from their text."""
        self.state = load_state(dump_state(self.state), self.state.readings.reports)
        self.since = 0.0

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


def metered(
    production: float = 5e6,
    imported: float = 3e6,
    exported: float = 1e6,
    *,
    watts: float = 1200.0,
    net_w: float = -500.0,
    storage: tuple[float, float, float] | None = None,
) -> dict[str, Body]:
    """The two documents of a site with production and net CTs; `storage`: power, discharged, charged."""
    meters = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "net-consumption")]
    readings = [reading(PRODUCTION, watts, production, 10.0), reading(CONSUMPTION, net_w, imported, exported)]
    if storage is not None:
        meters.append(meter(STORAGE, "storage"))
        readings.append(reading(STORAGE, *storage))
    return {paths.METERS: meters, paths.READINGS: readings, paths.ENSEMBLE: [], paths.INVENTORY: NO_BATTERY}


NO_BATTERY: Body = [{"type": "PCU", "devices": []}, {"type": "ACB", "devices": []}]


def standard(lifetime: float, *, watts: float = 1000.0) -> dict[str, Body]:
    """A site without CTs that has nothing but the inverters' block."""
    block = {"type": "inverters", "activeCount": 8, "readingTime": NOW, "wNow": watts, "whLifetime": lifetime}
    return {paths.METERS: [], paths.BLOCKS: {"production": [block], "storage": []}}

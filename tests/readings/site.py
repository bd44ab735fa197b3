"""A small gateway written by hand, document by document, and one tick of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from logger.answer import Answer
from logger.daemon.gateway_state import GatewayState
from logger.daemon.tick import TickResult, run_tick
from logger.gateway.documents import number_skeleton
from logger.model import Document, GatewayInfo, Json, Reading, Report, Role, Snapshot, Value
from logger.readings import paths
from logger.readings.layout import NONE, Layout
from logger.readings.rows import View
from logger.site import Site

NOW = 1_750_000_200
BOTH: frozenset[Role] = frozenset({"totals", "devices"})
TOTALS: frozenset[Role] = frozenset({"totals"})
INFO = GatewayInfo("122233344455", "D8.2.4286", "800-00654-r08", True, True, 0.0)
PRODUCTION, CONSUMPTION, STORAGE = 704643328, 704643584, 704643840
Body: TypeAlias = Any
"""A document or a part of one; Any, so that tests can take it apart."""
Bodies: TypeAlias = Mapping[str, Body]


def meter(eid: int, kind: str, *, state: str = "enabled", phases: Json = 1, mode: str = "single") -> Body:
    return {"eid": eid, "state": state, "measurementType": kind, "phaseMode": mode, "phaseCount": phases}


def reading(eid: int, watts: float, delivered: float = 5e6, received: float = 1e6) -> Body:
    return {
        "eid": eid,
        "activePower": watts,
        "actEnergyDlvd": delivered,
        "actEnergyRcvd": received,
        "voltage": 230.0,
        "current": 4.0,
        "freq": 50.0,
        "pwrFactor": 1.0,
        "channels": [
            {"eid": 1, "activePower": watts, "voltage": 230.0},
            {"eid": 2, "activePower": 0.5, "voltage": 2.0},
            {"eid": 3, "activePower": -77.0, "voltage": 230.0},
        ],
    }


def inverter(serial: str, at: int = NOW - 60, watts: float = 200, kind: Json = 1) -> Body:
    return {
        "serialNumber": serial,
        "lastReportDate": at,
        "devType": kind,
        "lastReportWatts": watts,
        "maxReportWatts": 300,
    }


def detailed(serial: str, at: int = NOW - 60, watts: float = 201, name: str = "pcu") -> Body:
    return {
        "devName": name,
        "sn": serial,
        "active": True,
        "modGone": False,
        "channels": [
            {
                "watts": {"now": watts, "max": 301},
                "wattHours": {"today": 1000, "yesterday": 900, "week": 6000},
                "lastReading": {"endDate": at, "duration": 300, "channelTemp": 30, "dcVoltageINmV": 32100},
                "lifetime": {"joulesProduced": 3_600_000_000},
            }
        ],
    }


def device_data(*devices: Body, count: Json = None) -> Body:
    head: dict[str, Json] = {"deviceCount": len(devices) if count is None else count, "deviceDataLimit": 50}
    return {**head, **{str(1000 + n): device for n, device in enumerate(devices)}}


def inventory(*inverters: Json, batteries: Iterable[Json] = ()) -> Body:
    return [{"type": "PCU", "devices": list(inverters)}, {"type": "ACB", "devices": list(batteries)}]


def listed(serial: str, *, admin: Json = 2, **keys: Json) -> Body:
    flags: dict[str, Json] = {"producing": True, "communicating": True, "provisioned": True, "operating": True}
    return {
        "serial_num": serial,
        "admin_state": admin,
        "device_status": ["envoy.global.ok"],
        **({} if admin == 3 else flags),
        **keys,
    }


def battery(serial: str, **keys: Json) -> Body:
    return {
        "serial_num": serial,
        "last_rpt_date": NOW - 100,
        "device_status": ["envoy.global.ok", "prop.done"],
        "communicating": True,
        "percentFull": 10,
        "temperature": 21,
        "maxCellTemp": 22,
        "encharge_capacity": 5000,
        **keys,
    }


def ensemble(*batteries: Json) -> Body:
    return [{"type": "ENCHARGE", "devices": list(batteries)}]


def power(*batteries: tuple[str, float], key: str = "devices:") -> Body:
    return {key: [{"serial_num": s, "real_power_mw": mw, "apparent_power_mva": mw, "soc": 54} for s, mw in batteries]}


METERED: Bodies = {
    paths.METERS: [meter(PRODUCTION, "production"), meter(CONSUMPTION, "net-consumption")],
    paths.READINGS: [reading(PRODUCTION, 2000.0, 5e6, 10.0), reading(CONSUMPTION, -500.0, 3e6, 1e6)],
    paths.V1: {"wattsNow": 1990, "wattHoursToday": 4000, "wattHoursSevenDays": 80000, "wattHoursLifetime": 4_999_900},
    paths.V1_INVERTERS: [inverter("122000000001"), inverter("122000000002")],
}
STANDARD: Bodies = {
    paths.METERS: [],
    paths.READINGS: [],
    paths.V1: {"wattsNow": 1990, "wattHoursToday": 4000, "wattHoursSevenDays": 80000, "wattHoursLifetime": 4_999_900},
    paths.V1_INVERTERS: [inverter("122000000001"), inverter("122000000002")],
}


def document(path: str, body: Body, received_at: float) -> Document:
    """A document as the client makes it, with the skeleton by which its keys need no second look."""
    answer = Answer(200, {}, json.dumps(body).encode(), 0.1)
    return Document(path, body, received_at, answer.took_s, number_skeleton(answer))


def snapshot(
    bodies: Bodies,
    *,
    tick: int = NOW,
    received: Mapping[str, float] | None = None,
    since: Mapping[Role, float] | None = None,
    unknown: Iterable[str] = (),
    skew_s: float = 0.0,
) -> Snapshot:
    """Every path has had its word, but the `unknown` ones; documents came 5 s after the tick unless `received`."""
    came = received or {}
    documents = {path: document(path, body, came.get(path, tick + 5.0)) for path, body in bodies.items()}
    info = GatewayInfo(INFO.serial, INFO.firmware, INFO.part_number, True, True, skew_s)
    return Snapshot(info, tick, documents, since or {}, paths.PATHS - documents.keys() - set(unknown))


def view(bodies: Bodies, *, unknown: Iterable[str] = ()) -> View:
    return View(snapshot(bodies, unknown=unknown), "totals")


@dataclass
class Recorder:
    """Runs one tick after the other and keeps the state."""

    site: Site = Site(zone="UTC")
    state: GatewayState = field(default_factory=GatewayState)
    layout: Layout = NONE

    def read(self, snap: Snapshot, roles: frozenset[Role] = BOTH) -> TickResult:
        found = run_tick(snap, roles, self.state, self.site, self.layout)
        self.state = found.state
        return found

    def totals(self, snap: Snapshot, roles: frozenset[Role] = BOTH) -> dict[str, Value]:
        return totals(self.read(snap, roles))


def totals(found: TickResult) -> dict[str, Value]:
    """The fields of the one `envoy_totals` point; empty if there is none."""
    return next((dict(p.fields) for p in found.readings if p.measurement == "envoy_totals"), {})


def points(found: TickResult, measurement: str) -> dict[str, Reading]:
    """Points by the tag that names them: serial, meter, or meter and phase."""
    named = [p for p in found.readings if p.measurement == measurement]
    result = {"/".join(v for k, v in p.tags.items() if k in ("serial", "meter", "phase")): p for p in named}
    assert len(result) == len(named), "two points of one series"
    return result


def once(bodies: Bodies, *, unknown: Iterable[str] = (), skew_s: float = 0.0) -> TickResult:
    """One tick with empty books."""
    return Recorder().read(snapshot(bodies, unknown=unknown, skew_s=skew_s))


def report(serial: str, second: int) -> Report:
    return Report(serial, second, second, "v1 list")

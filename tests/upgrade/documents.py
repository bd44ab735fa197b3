"""A site whose counters are functions of time alone, so that two versions of the recorder can record it in turn.

Imports nothing of the product: the version that made the stored folder read the same file.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

SERIAL = "122233344455"
ZONE = "Europe/Madrid"
BEGIN = int(datetime(2026, 6, 8, 6, 0, tzinfo=ZoneInfo(ZONE)).timestamp())
"""Recording begins in the morning of the first day."""
CT_REPLACED = int(datetime(2026, 6, 17, 14, 51, tzinfo=ZoneInfo(ZONE)).timestamp())
"""From then on another CT counts the export, from 3 Wh on."""
STEP_S = 300
INVERTERS = [f"48220000000{number}" for number in range(4)]
PEAK_W = 3000.0
IMPORT_W, EXPORT_W, BATTERY_W = 250.0, 120.0, 300.0
INFO = (
    f"<?xml version='1.0' encoding='UTF-8'?><envoy_info><time>%d</time><device><sn>{SERIAL}</sn>"
    "<pn>800-00654-r08</pn><software>D8.2.4286</software><euaid>4c8675</euaid><seqnum>0</seqnum><apiver>1</apiver>"
    "<imeter>true</imeter></device><web-tokens>true</web-tokens></envoy_info>"
)


def info(now: float) -> bytes:
    """`/info` at unix time `now`."""
    return (INFO % int(now)).encode()


def produced_w(now: float) -> float:
    """A half sine from six to eighteen o'clock."""
    local = datetime.fromtimestamp(now, ZoneInfo(ZONE))
    hour = local.hour + local.minute / 60 + local.second / 3600
    return max(0.0, PEAK_W * math.sin(math.pi * (hour - 6) / 12))


def produced_wh(now: float) -> float:
    """The lifetime production: the integral of the power since the midnight before it begins."""
    midnight = BEGIN - 6 * 3600
    days, rest_s = divmod(now - midnight, 86400)
    lit_h = min(12.0, max(0.0, rest_s / 3600 - 6))
    whole_day = 2 * PEAK_W * 12 / math.pi
    return 5e6 + days * whole_day + PEAK_W * 12 / math.pi * (1 - math.cos(math.pi * lit_h / 12))


def imported_wh(now: float) -> float:
    """The lifetime import, at a constant power."""
    return 3e6 + IMPORT_W * (now - BEGIN) / 3600


def exported_wh(now: float) -> float:
    """The lifetime export, at a constant power; that of the new CT once it is there."""
    since, base = (CT_REPLACED, 3.0) if now >= CT_REPLACED else (BEGIN, 1e6)
    return base + EXPORT_W * (now - since) / 3600


def documents(now: float) -> dict[str, Any]:
    """What the gateway answers at unix time `now`, by path; there is nothing else."""
    meters = [_meter(704643328, "production"), _meter(704643584, "net-consumption")]
    readings = [
        _reading(704643328, produced_w(now), produced_wh(now), 10.0),
        _reading(704643584, IMPORT_W - EXPORT_W, imported_wh(now), exported_wh(now)),
    ]
    report = int(now) // STEP_S * STEP_S - 7
    inverters = [
        {
            "serialNumber": serial,
            "lastReportDate": report,
            "devType": 1,
            "lastReportWatts": round(produced_w(report) / 4),
        }
        for serial in INVERTERS
    ]
    listed = [
        {"serial_num": serial, "admin_state": 2, "device_status": ["envoy.global.ok"], "producing": True,
         "communicating": True, "provisioned": True, "operating": True, "last_rpt_date": str(report)}
        for serial in INVERTERS
    ]  # fmt: skip
    battery = {"serial_num": "492000000001", "percentFull": 50, "communicating": True, "encharge_capacity": 5000}
    return {
        "/ivp/meters": meters,
        "/ivp/meters/readings": readings,
        "/api/v1/production/inverters": inverters,
        "/inventory.json?deleted=1": [{"type": "PCU", "devices": listed}, {"type": "ACB", "devices": []}],
        "/ivp/ensemble/inventory": [{"type": "ENCHARGE", "devices": [battery]}],
        "/ivp/ensemble/power": {
            "devices:": [{"serial_num": "492000000001", "real_power_mw": BATTERY_W * 1000, "soc": 50}]
        },
        "/home.json": {"timezone": ZONE},
    }


def _meter(eid: int, kind: str) -> dict[str, Any]:
    return {
        "eid": eid, "state": "enabled", "measurementType": kind, "phaseMode": "three", "phaseCount": 1,
        "meteringStatus": "normal", "statusFlags": [],
    }  # fmt: skip


def _reading(eid: int, watts: float, delivered: float, received: float) -> dict[str, Any]:
    figures = {
        "activePower": round(watts, 3), "actEnergyDlvd": round(delivered, 3), "actEnergyRcvd": round(received, 3),
        "voltage": 230.0,
    }  # fmt: skip
    return {"eid": eid, "current": 4.0, "freq": 50.0, "pwrFactor": 1.0, **figures,
            "channels": [{"eid": eid + 1, **figures}, {}, {}]}  # fmt: skip

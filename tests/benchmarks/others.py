"""Other programs that read the same gateway, in an environment of their own, which has nothing of the recorder.

`others.py pyenphase SETTINGS` calls pyenphase's update at each tick, and stores nothing.
`others.py plain SETTINGS` is what an owner writes in an evening: requests, influxdb-client's Point, one write a tick.
Each prints the number of its ticks so far.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any


def pace(settings: dict[str, Any]) -> Iterator[float]:
    """The seconds to wait before each tick; says how many there were."""
    began, count = time.monotonic(), 0
    while True:
        yield max(0.0, began + (count + 1) * settings["every_s"] - time.monotonic())
        count += 1
        print(count, flush=True)


async def run_pyenphase(settings: dict[str, Any]) -> None:
    from pyenphase import Envoy

    envoy = Envoy(settings["host"])
    await envoy.setup()
    await envoy.authenticate(token=settings["token"])
    await envoy.update()
    for wait_s in pace(settings):
        await asyncio.sleep(wait_s)
        await envoy.update()


def run_plain(settings: dict[str, Any]) -> None:
    import requests
    import urllib3
    from influxdb_client import Point, WritePrecision

    urllib3.disable_warnings()
    gateway, database = requests.Session(), requests.Session()
    gateway.verify, gateway.trust_env, database.trust_env = False, False, False
    gateway.headers["authorization"] = f"Bearer {settings['token']}"

    def ask(path: str) -> Any:
        return gateway.get(f"https://{settings['host']}{path}", timeout=10).json()

    for wait_s in pace(settings):
        time.sleep(wait_s)
        now, points = int(time.time()), []
        for row in ask("/ivp/meters/readings"):
            point = Point("meter").tag("eid", str(row["eid"])).time(now, WritePrecision.S)
            for name in ("activePower", "actEnergyDlvd", "actEnergyRcvd", "voltage", "current", "freq"):
                point.field(name, float(row[name]))
            points.append(point)
        for row in ask("/api/v1/production/inverters"):
            point = Point("inverter").tag("serial", row["serialNumber"]).field("watts", row["lastReportWatts"])
            points.append(point.time(row["lastReportDate"], WritePrecision.S))
        for device in ask("/ivp/ensemble/inventory"):
            for each in device.get("devices", ()):
                point = Point("battery").tag("serial", each["serial_num"]).field("soc", each.get("percentFull"))
                points.append(point.time(now, WritePrecision.S))
        lines = "\n".join(point.to_line_protocol() for point in points)
        database.post(settings["write_url"], data=lines.encode(), timeout=10).raise_for_status()


if __name__ == "__main__":
    chosen = json.loads(sys.argv[2])
    if sys.argv[1] == "pyenphase":
        asyncio.run(run_pyenphase(chosen))
    else:
        run_plain(chosen)

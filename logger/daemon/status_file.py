"""Write and read `status.json`, which shows the recorder's state to people, `health` and `status`.

The file holds no secrets.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from logger import __version__
from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.counter_status import describe_energy
from logger.daemon.progress import Progress
from logger.daemon.recorder import Recorder
from logger.daemon.shipper import Shipper
from logger.model import Json
from logger.places import STATUS_FILE
from logger.settings.environment import read_hostname
from logger.store.figures import StoreFigures

RENEWED_WITHIN_S: Final = 90.0
"""The longest time in seconds between two writes of the status."""
_SPARE_S: Final = 30.0
_OWN_ADDRESS: Final = re.compile(r"http://(127\.[\d.]+|\[::1\]):(?P<port>\d+)/")
"""Pattern of the addresses that only this machine can reach.

If other machines can reach the page, the page's address has the name `localhost`, and does not match.
"""


def describe(recorder: Recorder, waiting: StoreFigures, clock: Clock) -> dict[str, Json]:
    """Describe the recorder's current state as JSON. Times in unix seconds.

    The keys of the first gateway are at the top level. The other gateways are listed in `further_gateways`.
    """
    described = [_describe_gateway(each, clock) for each in recorder.collectors]
    shipper, progress = recorder.shipper, recorder.progress
    return {
        "version": __version__,
        "pid": os.getpid(),
        "written_at": round(clock.time(), 3),
        "alive_until": round(clock.time() + _find_end(progress) + _SPARE_S, 3),
        "health": describe_health(recorder),
        **(described[0] if described else {}),
        "store": {
            "rows": waiting.rows,
            "lines": waiting.lines,
            "bytes": waiting.bytes,
            "oldest_tick": waiting.oldest_tick,
            "roles": {
                role: {
                    "rows": state.rows,
                    "lines": state.lines,
                    "oldest_tick": state.oldest_tick,
                    "delivered": state.delivered_lines,
                    "dropped": state.dropped_lines,
                }
                for role, state in waiting.roles.items()
            },
            "stored": waiting.lines_stored,
            "delivered": waiting.lines_delivered,
            "refused": waiting.refused,
            "dropped": waiting.lines_dropped,
            "missed_ticks": waiting.ticks_missed,
            "disk_bytes": waiting.disk_bytes,
        },
        "influxdb": None if shipper is None else _delivery(shipper, waiting),
        "outlets": dict(recorder.outlets),
        "troubles": dict(recorder.changes.troubles),
        **({"further_gateways": [*described[1:]]} if described[1:] else {}),
        **({"sites": {each.site: dict(each.last) for each in recorder.sites}} if recorder.sites else {}),
    }


def _find_end(progress: Progress) -> float:
    """Return the seconds for which a status is valid; 0 if a loop has missed its deadline.

    A status is valid until the next deadline of a loop, or until the next status is due, whichever is later.
    """
    return max(progress.deadline_s, RENEWED_WITHIN_S) if progress.is_alive else 0.0


def _describe_gateway(collector: Collector, clock: Clock) -> dict[str, Json]:
    """Describe one gateway: identity, polls, requests, values, energy state, endpoints."""
    info, done, poller = collector.poller.info, collector.collected, collector.poller
    sent, contention = poller.requests.count_last_hour(clock.time()), poller.requests.contention
    return {
        "address": collector.address,
        "serial": collector.serial or collector.expected_serial,
        "site": collector.site.name,
        "second_entry": collector.is_second_entry,
        "started_at": round(done.started_at, 3),
        "gateway": None
        if info is None
        else {
            "serial": info.serial,
            "firmware": info.firmware,
            "part_number": info.part_number,
            "clock_skew_s": round(info.clock_skew_s, 1),
            "reachable": poller.requests.reachable,
            "token_expires_at": collector.gateway.token_expires_at,
            "token_user": collector.gateway.token_user,
        },
        "polls": {
            "ticks": done.ticks,
            "missed": done.missed,
            "last_tick": done.last_tick,
            "last_poll_s": round(done.last_poll_s, 3),
        },
        "requests": {
            "last_hour": {"fast": sent["fast"], "slow": sent["slow"]},
            "planned": poller.plan_per_hour(),
            "one_lane": contention.one_lane,
            "slow_gateway": contention.slow_gateway,
        },
        "values": dict(done.values),
        "missing": {
            name: {"since": absence.since, "reason": absence.reason}
            for name, absence in collector.state.readings.absences.lasting.items()
        },
        "books": describe_energy(collector.state.energy, collector.state.readings.sources),
        "endpoints": {
            path: {
                "requests": state.requests,
                "failures": state.failures,
                "latency_s": state.latency_s,
                "absent": state.is_absent,
                "trouble": state.reason,
            }
            for path, state in sorted(poller.states.items())
            if state.requests
        },
    }


def describe_health(recorder: Recorder) -> dict[str, Json]:
    """Describe the health of the recorder as JSON.

    `live`: all loops meet their deadlines. `ready`: a poll of each gateway was stored since the start and, if
    InfluxDB is set, a batch was delivered since the start.
    """
    reasons: list[Json] = []
    for each in recorder.collectors:
        if not each.collected.ticks and not each.is_second_entry:
            of = f" of {each.address}" if len(recorder.collectors) > 1 else ""
            reasons.append(f"no poll{of} was stored since the start")
    if recorder.shipper is not None and recorder.shipper.shipped.last_delivery is None:
        reasons.append("no reading was delivered since the start")
    return {"live": recorder.progress.is_alive, "ready": not reasons, "reasons": reasons}


def _delivery(shipper: Shipper, waiting: StoreFigures) -> dict[str, Json]:
    """Describe the delivery since the start. Before the first delivery, take `last_delivery` from the store."""
    done = shipper.shipped
    return {
        "batches": done.batches,
        "refused": done.refused,
        "outside_retention": done.outside_retention,
        "last_delivery": done.last_delivery or waiting.last_delivery,
        "waiting_for": done.waiting_for,
    }


def write(folder: Path, status: Mapping[str, Json]) -> None:
    """Replace `status.json` in one step. All users may read the new file. Ignore write errors."""
    data, part = _format(status).encode(), f"{folder}/.{STATUS_FILE}.part"
    with contextlib.suppress(OSError):
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, 0o644)
            is_whole = os.write(descriptor, data) == len(data)
        finally:
            os.close(descriptor)
        if is_whole:
            os.replace(part, f"{folder}/{STATUS_FILE}")


def _format(status: Mapping[str, Json]) -> str:
    """Write the status as JSON, with one line for each of its parts."""
    return "{\n" + ",\n".join(f' "{name}": {json.dumps(part)}' for name, part in status.items()) + "\n}\n"


def read(folder: Path) -> dict[str, Json] | None:
    """Return the content of `status.json`; None if the file is missing or unreadable."""
    try:
        status: Json = json.loads((folder / STATUS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return status if isinstance(status, dict) else None


def list_gateways(status: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return the description of each gateway in a status. The first gateway's description is the status itself."""
    further = status.get("further_gateways")
    return [
        dict(status),
        *(part for part in (further if isinstance(further, list) else []) if isinstance(part, dict)),
    ]


def serial_in(gateway: Mapping[str, Json]) -> str:
    """Return the serial in the description of a gateway; empty while the serial is unknown."""
    return str(gateway.get("serial") or "")


def describe_outlet(address: str) -> str:
    """Return the text for the address of an outlet, such as the page.

    If only this machine can reach the outlet, the text says how to reach the outlet from another machine.
    """
    if not (own := _OWN_ADDRESS.match(address)):
        return address
    tunnel = f"ssh -L {own['port']}:localhost:{own['port']} {read_hostname()}"
    return f"{address} on this machine; on another machine first run: {tunnel}"

"""An InfluxDB looked at without writing: which one it is, whether it is well, and whether one may read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from logger.clock import Clock
from logger.errors import InfluxError, InfluxMissingError, InfluxRefusedError
from logger.influx.dialects import Dialect, Target, authorisation, basic, recognise
from logger.log import masked
from logger.wire import Answer, Wire

_TIMEOUT_S: Final = 10.0
_LIMIT: Final = 1024 * 1024
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Server:
    """What answers: `version` as it says it, `trouble` what its own health check complains of, or empty.

    `fresh`: an InfluxDB 2 that nobody has set up. `skew_s`: its clock minus ours, None where it does not tell.
    """

    dialect: Dialect
    version: str
    trouble: str
    fresh: bool
    skew_s: float | None
    took_s: float


async def look(target: Target, clock: Clock) -> Server:
    """Ask who is there and how it is. Raises WireError, or InfluxError if it is no InfluxDB."""
    wire = Wire(target.url, clock, use_proxy=True, max_bytes=_LIMIT)
    try:
        setup = await wire.request("GET", "/api/v2/setup", timeout_s=_TIMEOUT_S)
        headers = authorisation(target, "Bearer")
        ping = await wire.request("GET", "/ping", timeout_s=_TIMEOUT_S, headers=headers, auth=basic(target))
        health = await wire.request("GET", "/health", timeout_s=_TIMEOUT_S, headers=headers, auth=basic(target))
        for answer in (setup, ping):
            if answer.status in (408, 425, 429) or answer.status >= 500:
                raise InfluxError(
                    f"{wire.host} is not ready: it answered {answer.status}",
                    "see InfluxDB's own log; wait if it starts.",
                )
        dialect = recognise(target, wire.host, setup, ping) if target.api == "auto" else target.api
    finally:
        await wire.aclose()
    told = health.fields
    version = ping.headers.get("x-influxdb-version", "") or str(told.get("version") or "")
    sick = health.status >= 500 or told.get("status") == "fail"
    return Server(
        dialect=dialect,
        version=masked(version)[:40],
        trouble=masked(str(told.get("message") or f"/health answered {health.status}"))[:_SHOWN] if sick else "",
        fresh=dialect == "2" and setup.fields.get("allowed") is True,
        skew_s=_skew(ping, clock.time()),
        took_s=ping.took_s,
    )


async def may_read(target: Target, token: str, dialect: Dialect, bucket: str, clock: Clock) -> None:
    """Read nothing from `bucket` with that token (2.x, 3.x). Raises WireError, or InfluxError saying why not.

    3.x is written from its documentation.
    """
    wire = Wire(target.url, clock, use_proxy=True, max_bytes=_LIMIT)
    try:
        if dialect == "3":
            answer = await wire.request(
                "GET",
                "/api/v3/query_sql",
                timeout_s=_TIMEOUT_S,
                params={"db": bucket, "q": "SELECT 1"},
                headers={"authorization": f"Bearer {token}"},
            )
        else:
            flux = f"from(bucket: {json.dumps(bucket)}) |> range(start: -1s)"
            answer = await wire.request(
                "POST",
                "/api/v2/query",
                timeout_s=_TIMEOUT_S,
                params={"org": target.org},
                headers={"authorization": f"Token {token}", "accept": "application/csv"},
                json={"query": flux, "type": "flux"},
            )
    finally:
        await wire.aclose()
    if answer.status == 200:
        return
    said = f"{wire.host} answered {answer.status}: {' '.join(masked(answer.text[:4096]).split())[:_SHOWN]}"
    if answer.status in (401, 403):
        raise InfluxRefusedError(said, "give INFLUXDB_READ_TOKEN a token that may read this bucket.")
    if answer.status == 404:
        raise InfluxMissingError(
            f"{said} (so it also answers a token that may not read)",
            "envoy-logger setup makes the bucket and a token that may read it.",
        )
    raise InfluxError(said, "see InfluxDB's own log.")


def _skew(answer: Answer, now: float) -> float | None:
    """By the Date header, which is a second coarse."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp() - now
    except (ValueError, OverflowError):
        return None

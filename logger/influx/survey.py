"""Who answers at an InfluxDB's address: its generation, its version, and whether it waits for a first user."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from logger.clock import Clock
from logger.influx.dialects import Dialect, Target
from logger.influx.write import PROBE_TIMEOUT_S, Writer
from logger.model import Json
from logger.wire import Answer, Wire


@dataclass(frozen=True, slots=True)
class Survey:
    """What a server says of itself without credentials.

    `version` is empty where it does not say. `fresh`: it was never set up and waits for its first user. `open`: it
    takes everybody (1.x without authentication).
    """

    dialect: Dialect
    version: str = ""
    fresh: bool = False
    open: bool = False

    @property
    def name(self) -> str:
        """The server for people."""
        return f"InfluxDB {self.version or self.dialect}"


async def survey(target: Target, clock: Clock) -> Survey:
    """Look at the server at `target.url`. Raises WireError without an answer, InfluxError if it is no InfluxDB."""
    writer = Writer(target, clock)
    try:
        dialect = await writer.dialect()
    finally:
        await writer.aclose()
    wire = Wire(target.url, clock, use_proxy=True)
    try:
        ping = await wire.request("GET", "/ping", timeout_s=PROBE_TIMEOUT_S)
        version = ping.headers.get("x-influxdb-version", "").removeprefix("v").partition("~")[0]
        found = Survey(dialect, version if version[:1].isdigit() else "")
        if dialect == "2":
            setup = await wire.request("GET", "/api/v2/setup", timeout_s=PROBE_TIMEOUT_S)
            return replace(found, fresh=setup.status == 200 and _object(setup).get("allowed") is True)
        if dialect == "1":
            asked = await wire.request("GET", "/query", params={"q": "SHOW DATABASES"}, timeout_s=PROBE_TIMEOUT_S)
            no_user = asked.status == 403 and "create admin user first" in asked.text
            return replace(found, fresh=no_user, open=asked.status == 200)
        return found
    finally:
        await wire.aclose()


def _object(answer: Answer) -> dict[str, Json]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

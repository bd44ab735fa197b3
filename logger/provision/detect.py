"""What has to be known of a server before it is set up: its generation, who it waits for, whom it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from logger.clock import Clock
from logger.influx.dialects import Dialect, Target
from logger.provision.inspect_server import look
from logger.wire import Wire

_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Survey:
    """What a server says of itself without credentials.

    `version` is empty where it does not say. `fresh`: it was never set up and waits for its first user. `open`: it
    takes everybody (1.x without authentication, VictoriaMetrics).
    """

    dialect: Dialect
    version: str = ""
    fresh: bool = False
    open: bool = False

    @property
    def name(self) -> str:
        """The server for people."""
        return (
            "A server that takes InfluxDB's writes" if self.is_other else f"InfluxDB {self.version or self.dialect}"
        )

    @property
    def is_other(self) -> bool:
        """True of one that only speaks like an InfluxDB 2, such as VictoriaMetrics: nothing can be made there."""
        return self.dialect == "2" and self.open


async def survey(target: Target, clock: Clock) -> Survey:
    """Look at the server at `target.url`. Raises WireError without an answer, InfluxError if it is no InfluxDB."""
    server = await look(replace(target, token="", username="", password=""), clock)
    version = server.version.removeprefix("v").partition("~")[0]
    nameless = server.dialect == "2" and not server.version  # even a self-built InfluxDB 2 says `dev`
    found = Survey(server.dialect, version if version[:1].isdigit() else "", server.fresh, nameless)
    if server.dialect != "1":
        return found
    wire = Wire(target.url, clock, use_proxy=True)
    try:
        asked = await wire.request("GET", "/query", params={"q": "SHOW DATABASES"}, timeout_s=_TIMEOUT_S)
    finally:
        await wire.aclose()
    no_user = asked.status == 403 and "create admin user first" in asked.text
    return replace(found, fresh=no_user, open=asked.status == 200)

"""Reads recorded data from InfluxDB, for commands only. The recorder never reads InfluxDB.

A database that cannot be read is never treated as empty. A write-only token, a missing bucket and a user without
rights are separate errors.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from logger.clock import Clock
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.model import Role, Value


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the database. `time` in unix seconds."""

    time: int
    tags: Mapping[str, str]
    fields: Mapping[str, Value]


class History(Protocol):
    """Reads points from one database.

    Every method raises InfluxError or a subclass if data cannot be read, and WireError if no answer arrives.
    """

    async def read_points(
        self, role: Role, measurement: str, gateway: str, since: int, until: int, fields: Sequence[str] = ()
    ) -> list[Point]:
        """Return a gateway's points in order of time, from `since` up to but not including `until`.

        `fields`: the fields to read; if it is empty, all fields are read.
        """
        ...

    async def list_gateways(self, role: Role, measurement: str) -> list[str]:
        """Return the serials of the gateways that have points of a measurement."""
        ...

    async def find_span(self, role: Role, measurement: str, gateway: str, until: int) -> tuple[int, int] | None:
        """Return the times of a gateway's first and last point before `until`; None without points."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


@asynccontextmanager
async def open_history(target: Target, clock: Clock) -> AsyncIterator[History]:
    """Open a database for reading within this context, in the dialect of the settings or in the detected dialect.

    `target` holds the credentials for reading. Every bucket is read once as a test. Raises InfluxRefusedError or
    InfluxMissingError if a bucket cannot be read, and InfluxError if the server cannot be read.
    """
    history = await _connect(target, clock)
    try:
        for role in dict.fromkeys(target.buckets):
            await history.find_span(role, "envoy_totals", "", 1)
        yield history
    finally:
        await history.aclose()


async def _connect(target: Target, clock: Clock) -> History:
    writer = Writer(target, clock)
    try:
        dialect = await writer.dialect()
    finally:
        await writer.aclose()
    match dialect:
        case "1" | "3":
            from logger.backfill.influxql_history import InfluxqlHistory

            return InfluxqlHistory(target, clock, has_users=dialect == "1")
        case "2":
            from logger.backfill.flux_history import FluxHistory  # influxdb-client takes long to import

            return FluxHistory(target, clock)

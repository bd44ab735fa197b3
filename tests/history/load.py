"""Put a generated history into a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from logger.clock import SystemClock
from logger.influx.classify import Done
from logger.influx.line_protocol import encode
from logger.influx.write import Writer
from logger.model import Reading, Role
from tests.databases.server import Server

_AT_ONCE = 2000


def write_lines(server: Server, buckets: dict[Role, str], lines: dict[Role, list[bytes]]) -> None:
    """Write lines by role into buckets that exist."""
    asyncio.run(_write(server, buckets, lines))


def load_readings(
    server: Server, buckets: dict[Role, str], lines: dict[Role, list[bytes]], daily: Sequence[Reading]
) -> None:
    """Write lines by role, and readings of the daily bucket, into buckets that exist."""
    write_lines(server, buckets, {**lines, "daily": [encode([reading]) for reading in daily]})


async def _write(server: Server, buckets: dict[Role, str], found: dict[Role, list[bytes]]) -> None:
    writer = Writer(server.target(buckets), SystemClock())
    try:
        for role, lines in found.items():
            for start in range(0, len(lines), _AT_ONCE):
                done = await writer.write(role, b"".join(lines[start : start + _AT_ONCE]), gzipped=False)
                assert isinstance(done, Done), done
    finally:
        await writer.aclose()

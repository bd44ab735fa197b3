"""Put a generated history into a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from logger.clock import SystemClock
from logger.influx.classify import Done
from logger.influx.line_protocol import encode
from logger.influx.write import Writer
from logger.model import Reading, Role
from tests.databases.server import Server
from tests.history.generator import Generated

_AT_ONCE = 2000


def load(server: Server, found: Iterable[Generated]) -> dict[Role, str]:
    """Write the lines of all sites into fresh buckets; return these by role."""
    buckets = server.fresh_buckets()
    asyncio.run(_write(server, buckets, found))
    return buckets


def write_lines(server: Server, buckets: dict[Role, str], lines: dict[Role, list[bytes]]) -> None:
    """Write lines by role into buckets that exist."""
    asyncio.run(_write(server, buckets, [Generated(lines=lines)]))


def load_readings(
    server: Server, buckets: dict[Role, str], lines: dict[Role, list[bytes]], daily: Sequence[Reading]
) -> None:
    """Write lines by role, and readings of the daily bucket, into buckets that exist."""
    write_lines(server, buckets, {**lines, "daily": [encode([reading]) for reading in daily]})


async def _write(server: Server, buckets: dict[Role, str], found: Iterable[Generated]) -> None:
    writer = Writer(server.target(buckets), SystemClock())
    try:
        for site in found:
            for role, lines in site.lines.items():
                for start in range(0, len(lines), _AT_ONCE):
                    done = await writer.write(role, b"".join(lines[start : start + _AT_ONCE]), gzipped=False)
                    assert isinstance(done, Done), done
    finally:
        await writer.aclose()

"""What the simulator's tests share: a moment, and a client that trusts any certificate."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from logger.clock import SystemClock
from logger.simulator.invented_gateway import InventedGateway, invent_gateway
from logger.simulator.server import Simulator
from logger.wire import Wire
from tests.clocks import HandClock

NOON = 1_750_000_000.0 // 86400 * 86400 + 11 * 3600 + 137.0
"""A June day, about noon in Madrid; 2025-06-15."""
NIGHT = NOON + 11.4 * 3600


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@asynccontextmanager
async def wire_to(url: str, *, max_bytes: int = 1 << 20) -> AsyncIterator[Wire]:
    wire = Wire(url, SystemClock(), tls=unverified(), max_bytes=max_bytes)
    try:
        yield wire
    finally:
        await wire.aclose()


@asynccontextmanager
async def running(
    model: InventedGateway | None = None, clock: HandClock | None = None
) -> AsyncIterator[tuple[Simulator, Wire]]:
    """A simulator of that gateway (8-battery unless given) and a client of it."""
    async with (
        Simulator(model or invent_gateway("8-battery"), clock or HandClock(NOON)) as simulator,
        wire_to(simulator.url) as wire,
    ):
        yield simulator, wire


def document(model: InventedGateway, path: str, now: float) -> Any:
    """The JSON at a path, which must be there."""
    reply = model.answer(path, now)
    assert (reply.status, reply.content_type) == (200, "application/json"), path
    return json.loads(reply.body)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}

"""Runs a stand-in gateway until cancelled, for the `simulate` command and the demo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from logger.clock import Clock
from logger.simulator.server import Simulator
from logger.simulator.site_model import Plant


async def serve(plant: Plant, clock: Clock, *, port: int = 0, ready: Callable[[Simulator], None]) -> None:
    """Serve `plant` on 127.0.0.1; `ready` is called once it listens."""
    async with Simulator(plant, clock, port=port) as simulator:
        ready(simulator)
        await asyncio.Event().wait()

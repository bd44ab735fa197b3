"""The stand-in gateway as tests see it: everything that they use of it is imported from here."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from logger.simulator.background import BackgroundSimulator
from logger.simulator.enphase_cloud import Mode
from logger.simulator.faults import Fault
from logger.simulator.generated import generated
from logger.simulator.household import Site as Household
from logger.simulator.server import Served, Simulator
from logger.simulator.site_model import Reply

T = TypeVar("T")

__all__ = [
    "BackgroundSimulator",
    "Fault",
    "Household",
    "Mode",
    "Reply",
    "Served",
    "Simulator",
    "await_on",
    "generated",
]


def await_on(site: BackgroundSimulator, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the stand-in's own loop and wait for its result."""
    return asyncio.run_coroutine_threadsafe(work, site._loop).result(20)

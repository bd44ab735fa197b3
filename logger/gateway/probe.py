"""Who answers at an address: serial, firmware and certificate, by `/info` alone. Nothing secret is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from logger.clock import Clock
from logger.errors import BrokenError, TimedOutError, UnreachableError, WireError
from logger.gateway.access import Access
from logger.gateway.connect import ask_info, meet
from logger.gateway.pins import Pin
from logger.model import GatewayInfo
from logger.wire import Wire


@dataclass(frozen=True, slots=True)
class Met:
    """A gateway that answered. `pin`: the certificate that it showed, None over plain http (before firmware 7)."""

    address: str
    info: GatewayInfo
    pin: Pin | None


async def greet(address: str, clock: Clock) -> Met:
    """Ask whoever is at `address` who it is, over https and then over http. Raises WireError or GatewayError."""
    access = Access(address, Path())
    failure: WireError | None = None
    for base in access.candidates:
        try:
            if base.startswith("https:"):
                pin, info = await meet(base, access, clock)
                return Met(address, info, pin)
            wire = Wire(base, clock)
            try:
                return Met(address, await ask_info(wire, access, clock, failure), None)
            finally:
                await wire.aclose()
        except (UnreachableError, BrokenError, TimedOutError) as error:
            failure = failure or error
    raise failure or UnreachableError(f"{access.host} cannot be reached", "check the address.")

"""Finds out which gateway answers at an address. Requests only `/info`, and sends nothing secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from logger.clock import Clock
from logger.errors import (
    BrokenError,
    CertificateError,
    SerialDiffersError,
    TimedOutError,
    UnreachableError,
    WireError,
)
from logger.gateway import pins, tls
from logger.gateway.access import Access
from logger.gateway.documents import INFO_LIMIT, read_info
from logger.gateway.endpoints import INFO
from logger.gateway.pins import Pin
from logger.model import GatewayInfo
from logger.retry import POLL, attempt
from logger.wire import Wire

T = TypeVar("T")
HEADERS: Final = {"accept": "application/json"}


@dataclass(frozen=True, slots=True)
class FoundGateway:
    """A gateway that answered. `pin`: its certificate; None over plain http (before firmware 7)."""

    address: str
    info: GatewayInfo
    pin: Pin | None


async def probe_gateway(address: str, clock: Clock) -> FoundGateway:
    """Request `/info` at `address`. Raises WireError or GatewayError.

    If the address has no scheme, https is tried first. If https fails, http is tried.
    """
    access = Access(address, Path())

    async def probe(base: str, failure: WireError | None) -> FoundGateway:
        if base.startswith("https:"):
            pin, info = await probe_certificate(base, access, clock)
            return FoundGateway(address, info, pin)
        async with aclosing(Wire(base, clock)) as wire:
            return FoundGateway(address, await ask_info(wire, access, clock, failure), None)

    return await try_each(access.candidates, probe)


async def probe_certificate(base: str, access: Access, clock: Clock) -> tuple[Pin, GatewayInfo]:
    """Request `/info` at the base URL, and accept any certificate.

    Return the certificate's pin and the content of `/info`. Raises WireError or GatewayError.
    """
    seen = tls.Seen()
    async with aclosing(Wire(base, clock, tls=tls.check_each_handshake(seen), max_bytes=INFO_LIMIT)) as wire:
        info = await ask_info(wire, access, clock)
    if len(seen.certificates) != 1:
        raise CertificateError(
            f"{access.host} shows changing certificates", "check whether two devices share this address."
        )
    (certificate,) = seen.certificates
    return pins.learn(certificate, info.serial, access.host, clock.time()), info


async def ask_info(wire: Wire, access: Access, clock: Clock, instead: WireError | None = None) -> GatewayInfo:
    """Request `/info` and compare the serial with ENPHASE_SERIAL.

    `instead`: the error to raise if the answer is a redirect. Raises SerialDiffersError if the serials differ.
    """

    async def ask() -> GatewayInfo:
        answer = await wire.request("GET", INFO.path, timeout_s=INFO.timeout_s, headers=HEADERS)
        if instead is not None and 300 <= answer.status < 400:
            raise instead
        return read_info(answer, wire.host, clock.time())

    info = await attempt(POLL, clock, ask)
    if access.expected_serial and info.serial != access.expected_serial:
        raise SerialDiffersError(
            f"the gateway at {wire.host} is {info.serial}, but ENPHASE_SERIAL is {access.expected_serial}",
            "correct ENPHASE_SERIAL or ENPHASE_GATEWAY.",
        )
    return info


async def try_each(bases: Iterable[str], connect: Callable[[str, WireError | None], Awaitable[T]]) -> T:
    """Call `connect(base URL, first failure or None)` for each base URL, until a gateway answers.

    Raises the first failure if no gateway answers.
    """
    failure: WireError | None = None
    for base in bases:
        try:
            return await connect(base, failure)
        except (UnreachableError, BrokenError, TimedOutError) as error:
            failure = failure or error
    assert failure is not None  # noqa: S101  there is at least one base URL
    raise failure

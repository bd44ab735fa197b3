"""Checks the connection to the gateway in steps: name, port, certificate, firmware, sign-in, every document.

Without a sign-in, nothing is written into the state folder. The certificate is checked by the recorder's own rules,
with a copy of the pin in a temporary folder.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from logger.clock import Clock, format_span
from logger.daemon.one_poll import Poll
from logger.doctor.check_result import CheckResult, Report, fail, good, note, skip
from logger.doctor.document_checks import DOCUMENTS, check_documents
from logger.doctor.sign_in_checks import SIGN_IN, check_sign_in, refuse_token
from logger.errors import (
    BrokenError,
    CertificateError,
    EnvoyLoggerError,
    GatewayError,
    NameUnknownError,
    StateError,
    UnreachableError,
)
from logger.gateway import pins
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.pins import Pin
from logger.model import GatewayInfo

NAME, PORT, CERTIFICATE, FIRMWARE = "gateway name", "gateway port", "certificate", "firmware"
_STEPS: Final = (NAME, PORT, CERTIFICATE, FIRMWARE, SIGN_IN, DOCUMENTS)
_CONNECT_S: Final = 5.0
_FIND: Final = "set ENPHASE_GATEWAY to the address that `envoy-logger discover` shows"
_ENDS_SOON_S: Final = 90 * 86400.0


class _Steps:
    """Reports steps that depend on each other. After a bad step each later step is reported as not checked."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._left = list(_STEPS)

    def report(self, result: CheckResult) -> bool:
        """Report one result. Return False if no further step can be taken."""
        if result.name in self._left:
            del self._left[: self._left.index(result.name) + 1]
        self._report(result)
        if result.state != "bad" or result.name not in _STEPS:
            return True
        for name in self._left:
            self._report(skip(name, f"not checked, because of the fault of the {result.name}"))
        return False


async def check_gateway(
    access: Access, clock: Clock, report: Report, *, sign_in: bool
) -> tuple[GatewayInfo | None, Poll | None]:
    """Check every step up to the first bad step.

    Return the content of the gateway's `/info`, and its documents if they could be requested. `sign_in`: allow a
    sign-in at Enphase.
    """
    if not access.address:
        report(skip("gateway", "there is no address to check: see the settings"))
        return None, None
    steps = _Steps(report)
    if not steps.report(await _check_name(access, clock)) or not steps.report(await _check_port(access, clock)):
        return None, None
    found = None
    with tempfile.TemporaryDirectory(prefix="envoy-logger-doctor-") as folder:
        aside = replace(access, state_dir=Path(folder), username="", password="", token="")
        info = await _check_identity(access, aside, clock, steps)
        if info is not None:
            found = await _check_answers(access, aside, info, clock, steps, sign_in=sign_in)
    return info, found


async def _check_name(access: Access, clock: Clock) -> CheckResult:
    """Resolve the gateway's name. An IP address needs no check."""
    host, port = _places_of(access)[0]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return good(NAME, f"{host} is an IP address")
    try:
        async with clock.timeout(_CONNECT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (TimeoutError, OSError, UnicodeError):
        error = NameUnknownError(f"the name {host} does not resolve")
        return fail(NAME, error, f"{_FIND}; names that end in .local do not resolve in containers.")
    return good(NAME, f"{host} resolves to {', '.join(sorted({str(item[4][0]) for item in found}))}")


async def _check_port(access: Access, clock: Clock) -> CheckResult:
    """Find the first port of the gateway's address that accepts a connection."""
    reasons = []
    for host, port in _places_of(access):
        started = clock.monotonic()
        try:
            async with clock.timeout(_CONNECT_S):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            reasons.append(f"{port} does not answer")
        except ConnectionRefusedError:
            reasons.append(f"{port} refuses the connection")
        except OSError as failure:
            reasons.append(f"{port}: {failure.strerror or failure}")
        else:
            writer.transport.abort()
            return good(PORT, f"{port} accepts connections", clock.monotonic() - started)
    error = UnreachableError(f"no connection to {access.host}: port {', port '.join(reasons)}")
    return fail(PORT, error, f"check that the gateway is on and in the same network, or {_FIND}.")


def _places_of(access: Access) -> list[tuple[str, int]]:
    """Return each host and port at which the gateway may answer."""
    parts = [urlsplit(base) for base in access.candidates]
    places = [(part.hostname or "", part.port or (443 if part.scheme == "https" else 80)) for part in parts]
    return list(dict.fromkeys(places))


async def _check_identity(access: Access, aside: Access, clock: Clock, steps: _Steps) -> GatewayInfo | None:
    """Request the gateway's `/info`, without sending a secret. Report the certificate and the firmware.

    `aside`: `access` without credentials, and with a temporary state folder.
    """
    pin, gateway = None, Gateway(aside, clock)
    try:
        pin = pins.load(access.state_dir, access.expected_serial, access.host)
        if pin is not None:
            pins.save(aside.state_dir, pin)
        info = await gateway.identify()
    except EnvoyLoggerError as error:
        if steps.report(_judge_refused_certificate(access, pin, error)):
            steps.report(fail(FIRMWARE, error))
        return None
    finally:
        await gateway.aclose()
    met = pins.load(aside.state_dir, info.serial, access.host)
    steps.report(_judge_certificate(access, pin, met, clock.time()))
    part = info.part_number or "unknown"
    steps.report(good(FIRMWARE, f"{info.firmware}, serial {info.serial}, part number {part}"))
    return info


def _judge_refused_certificate(access: Access, pin: Pin | None, error: EnvoyLoggerError) -> CheckResult:
    """Derive the certificate's result from the error of the first request. The error may have another cause."""
    if isinstance(error, BrokenError) and "TLS handshake" in error.message:
        return fail(
            CERTIFICATE, error, "write ENPHASE_GATEWAY without https://, or with the port that accepts https."
        )
    if isinstance(error, CertificateError) and access.tls == "verify":
        cure = (
            "set LOGGER_TLS_CA_FILE to the authority of the certificate; "
            "set LOGGER_TLS=pin if the gateway made the certificate itself."
        )
        return fail(CERTIFICATE, error, cure)
    if isinstance(error, CertificateError | StateError):
        return fail(CERTIFICATE, error)
    if pin is not None and isinstance(error, GatewayError):  # the gateway answered, so its certificate was accepted
        return good(CERTIFICATE, f"the pinned certificate, {pin.describe()}")
    return skip(CERTIFICATE, "not known, because the gateway gave no usable answer")


def _judge_certificate(access: Access, pin: Pin | None, met: Pin | None, now: float) -> CheckResult:
    """Compare the certificate that the gateway showed (`met`) with the recorder's `pin`; either may be None."""
    if access.tls == "off":
        return note(
            CERTIFICATE,
            "LOGGER_TLS=off: the certificate is not checked, so any device can answer as the gateway",
            "remove LOGGER_TLS.",
        )
    if access.tls == "verify":
        return good(CERTIFICATE, f"verified by {access.ca_file or 'the authorities of this system'}")
    if met is None:
        return good(CERTIFICATE, "none: plain http, as usual before firmware 7")
    if pin is None:
        return note(CERTIFICATE, f"not pinned yet: {met.describe()}", "envoy-logger accept-certificate")
    if pin.fingerprint != met.fingerprint:
        text = f"renewed: before {pin.describe()}, now {met.describe()}"
        return note(CERTIFICATE, f"{text}; the recorder accepts the new certificate at its next poll")
    if not 0 < met.not_after - now < _ENDS_SOON_S:
        ended = ", ended and still trusted" if met.not_after and met.not_after <= now else ""
        return good(CERTIFICATE, f"the pinned certificate, {met.describe()}{ended}")
    text = f"the pinned certificate ends in {format_span(met.not_after - now)}: {met.describe()}"
    if access.tls == "pin-strict":
        return note(
            CERTIFICATE, text, "run envoy-logger accept-certificate after the gateway has renewed its certificate."
        )
    return note(CERTIFICATE, f"{text}; the gateway renews it, and the recorder accepts the new certificate")


async def _check_answers(
    access: Access, aside: Access, info: GatewayInfo, clock: Clock, steps: _Steps, *, sign_in: bool
) -> Poll | None:
    """Check the sign-in, then request every document with the token.

    Return the answers; None if the gateway requires a token and there is none. `aside`: `access` without
    credentials, and with a temporary state folder.
    """
    signed_in, token = await check_sign_in(access, info, clock, sign_in=sign_in)
    if token is None and signed_in.state in ("bad", "note"):
        if steps.report(signed_in):
            steps.report(skip(DOCUMENTS, "not requested without a token"))
        return None
    gateway = Gateway(replace(aside, token="" if token is None else token.text), clock)
    try:
        return await check_documents(gateway, info, signed_in, refuse_token(access, token), clock, steps.report)
    finally:
        await gateway.aclose()

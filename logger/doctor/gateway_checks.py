"""The way to the gateway, step by step: name → port → certificate → who it is → sign-in → every document.

Nothing is written into the state folder and nobody is signed in: the kept token is used as it is. Certificates are
judged as the recorder judges them, with a copy of its pin in a folder that is thrown away.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from logger.clock import Clock, format_span
from logger.doctor.check_result import Check, bad, failed, good, left_out, note
from logger.doctor.sign_in_checks import signed_in
from logger.errors import (
    AbsentError,
    BrokenError,
    CertificateError,
    CredentialsError,
    EnvoyLoggerError,
    GatewayError,
    NameUnknownError,
    NotAllowedError,
    StateError,
    TokenError,
    UnreachableError,
)
from logger.gateway import pins, tokens
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import Endpoint, plan
from logger.gateway.pins import Pin
from logger.gateway.tokens import Token
from logger.model import GatewayInfo
from logger.readings import paths

NAME, PORT, CERTIFICATE, FIRMWARE, SIGN_IN, DOCUMENTS = (
    "gateway name", "gateway port", "certificate", "firmware", "sign-in", "documents",
)  # fmt: skip
_STEPS: Final = (NAME, PORT, CERTIFICATE, FIRMWARE, SIGN_IN, DOCUMENTS)
_CONNECT_S: Final = 5.0
_FIND: Final = "set ENPHASE_GATEWAY to the address that `envoy-logger discover` shows"
_ENDS_SOON_S: Final = 90 * 86400.0


@dataclass(slots=True)
class Met:
    """What the way to the gateway brought for the looks after it."""

    info: GatewayInfo | None = None


async def gateway_checks(access: Access, clock: Clock, met: Met, *, sign_in: bool) -> AsyncIterator[Check]:
    """Every step up to the first that does not go; the others are left out. `sign_in`: one may be made."""
    if not access.address:
        yield left_out("gateway", "there is no address to ask: see the settings")
        return
    steps = list(_STEPS)
    async for check in _steps(access, clock, met, sign_in=sign_in):
        if check.name in steps:
            del steps[: steps.index(check.name) + 1]
        yield check
        if check.state == "bad" and check.name in _STEPS:
            for step in steps:
                yield left_out(step, f"not looked at, because of the {check.name}")
            return


async def _steps(access: Access, clock: Clock, met: Met, *, sign_in: bool) -> AsyncIterator[Check]:
    yield await _name(access, clock)
    yield await _port(access, clock)
    with tempfile.TemporaryDirectory(prefix="envoy-logger-doctor-") as folder:
        aside = replace(access, state_dir=Path(folder), username="", password="", token="")
        try:
            before = pins.load(access.state_dir, access.expected_serial, access.host)
            if before is not None:
                pins.save(aside.state_dir, before)
        except StateError as error:
            yield failed(CERTIFICATE, error)
            return
        stranger = Gateway(aside, clock)
        try:
            try:
                met.info = info = await stranger.identify()
            except EnvoyLoggerError as error:
                for check in _not_met(access, before, error):
                    yield check
                return
            after = pins.load(aside.state_dir, info.serial, access.host)
            yield _certificate(access, before, after, clock.time())
            yield good(
                FIRMWARE, f"{info.firmware}, serial {info.serial}, part number {info.part_number or 'not told'}"
            )
        finally:
            await stranger.aclose()
        check, token = await signed_in(access, info, clock, sign_in=sign_in)
        if token is None and check.state in ("bad", "note"):
            yield check
            if check.state == "note":
                yield left_out(DOCUMENTS, "not asked without a token")
            return
        asking = Gateway(replace(aside, token="" if token is None else token.text), clock)
        try:
            async for each in _documents(asking, info, check, _refusal(access, token)):
                yield each
        finally:
            await asking.aclose()


async def _name(access: Access, clock: Clock) -> Check:
    host, port = _places(access)[0]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return good(NAME, f"{host} is an address")
    try:
        async with clock.timeout(_CONNECT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (TimeoutError, OSError, UnicodeError):
        return failed(
            NAME,
            NameUnknownError(f"the name {host} does not resolve"),
            f"{_FIND}; names that end in .local do not resolve in containers.",
        )
    return good(NAME, f"{host} is {', '.join(sorted({str(item[4][0]) for item in found}))}")


async def _port(access: Access, clock: Clock) -> Check:
    """The first port of the address that takes a connection."""
    said = []
    for host, port in _places(access):
        started = time.perf_counter()
        try:
            async with clock.timeout(_CONNECT_S):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            said.append(f"{port} gives no answer")
        except ConnectionRefusedError:
            said.append(f"{port} refuses the connection")
        except OSError as error:
            said.append(f"{port}: {error.strerror or error}")
        else:
            writer.transport.abort()
            return good(PORT, f"{port} takes connections", time.perf_counter() - started)
    return failed(
        PORT,
        UnreachableError(f"nobody is there at {access.host}: port {', port '.join(said)}"),
        f"check that the gateway is on and in the same network, or {_FIND}.",
    )


def _places(access: Access) -> list[tuple[str, int]]:
    found = []
    for base in access.candidates:
        parts = urlsplit(base)
        found.append((parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)))
    return list(dict.fromkeys(found))


def _not_met(access: Access, pin: Pin | None, error: EnvoyLoggerError) -> list[Check]:
    """A first contact that failed: because of the certificate, or of who answered."""
    if isinstance(error, BrokenError) and "TLS handshake" in error.message:
        return [
            failed(CERTIFICATE, error, "write ENPHASE_GATEWAY without https://, or with the port that speaks it.")
        ]
    if isinstance(error, CertificateError) and access.tls == "verify":
        cure = "set LOGGER_TLS_CA_FILE to its authority, or LOGGER_TLS=pin: a gateway's own certificate has none."
        return [failed(CERTIFICATE, error, cure)]
    if isinstance(error, CertificateError | StateError):
        return [failed(CERTIFICATE, error)]
    if pin is not None and isinstance(error, GatewayError):  # it answered, so it was let through
        return [good(CERTIFICATE, f"the pinned one, {pin.describe()}"), failed(FIRMWARE, error)]
    return [left_out(CERTIFICATE, "not known, since nobody said who they are"), failed(FIRMWARE, error)]


def _certificate(access: Access, before: Pin | None, after: Pin | None, now: float) -> Check:
    """How the certificate that was just met stands."""
    if access.tls == "off":
        return note(CERTIFICATE, "LOGGER_TLS=off: nobody checks it, anybody can answer", "remove LOGGER_TLS.")
    if access.tls == "verify":
        return good(CERTIFICATE, f"verified by {access.ca_file or 'the authorities of this system'}")
    if after is None:
        return good(CERTIFICATE, "none: plain http, as firmware before 7 has it")
    if before is None:
        return note(CERTIFICATE, f"not pinned yet: {after.describe()}", "envoy-logger accept-certificate")
    if before.fingerprint != after.fingerprint:
        return note(
            CERTIFICATE,
            f"renewed: before {before.describe()}, now {after.describe()}",
            "nothing: the recorder accepts it at its next poll.",
        )
    if not 0 < after.not_after - now < _ENDS_SOON_S:
        ended = ", ended and still trusted" if after.not_after and after.not_after <= now else ""
        return good(CERTIFICATE, f"the pinned one, {after.describe()}{ended}")
    by_hand = access.tls == "pin-strict"
    return note(
        CERTIFICATE,
        f"the pinned one ends in {format_span(after.not_after - now)}: {after.describe()}",
        "envoy-logger accept-certificate, once the gateway has renewed it"
        if by_hand
        else "nothing: the gateway renews it, and the recorder accepts that.",
    )


async def _documents(gateway: Gateway, info: GatewayInfo, signed: Check, refused: Check) -> AsyncIterator[Check]:
    """Each document with its latency. The first answer also tells whether the gateway takes the sign-in."""
    told = False
    for endpoint in plan(info):
        if endpoint.path not in paths.PATHS and endpoint.path != paths.HOME:
            continue
        try:
            check = await _document(gateway, endpoint)
        except CredentialsError as error:
            by_gateway = isinstance(error, TokenError) and "ENPHASE_TOKEN" in error.message
            yield refused if by_gateway else failed(SIGN_IN, error)
            return
        if not told:
            yield signed
            told = True
        yield check
        if "refuses the connection" in check.text:
            return


def _refusal(access: Access, token: Token | None) -> Check:
    """What is said where the gateway takes the token no more."""
    kept = token is not None and token.text != access.token.strip()
    what = f"the gateway refuses the {'kept' if kept else 'pasted'} token, though it is not expired"
    if access.has_account:
        return bad(
            SIGN_IN, what, "nothing: the recorder fetches another one at its next poll (or envoy-logger once).", 77
        )
    return bad(SIGN_IN, what, tokens.PASTE, 77)


async def _document(gateway: Gateway, endpoint: Endpoint) -> Check:
    """One document. Raises CredentialsError where no other could be had either."""
    path = endpoint.path
    try:
        document = await gateway.fetch(endpoint)
    except AbsentError:
        return left_out(path, "this gateway has none")
    except NotAllowedError as error:
        if endpoint.before_7 == "digest" and gateway.auth_kind == "digest":
            return bad(path, error.message, error.hint, 77)
        return left_out(path, "not for the role of this token")
    except CredentialsError:
        raise
    except EnvoyLoggerError as error:
        return failed(path, error)
    return good(path, "answers", document.took_s)

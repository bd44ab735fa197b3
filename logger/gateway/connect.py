"""Connects to a gateway: finds the scheme, checks the certificate, reads serial and firmware.

Until a certificate is pinned or verified, only `/info` is requested, which needs no token. If a pin is stored for an
address, this address is requested only over https.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Final

from logger import log
from logger.answer import Answer
from logger.clock import Clock
from logger.digest import Digest
from logger.errors import CertificateError, WireError
from logger.gateway import tls
from logger.gateway.access import Access
from logger.gateway.documents import ANSWER_LIMIT
from logger.gateway.endpoints import Endpoint
from logger.gateway.gateway_events import GatewayEvents
from logger.gateway.pins import Pin
from logger.gateway.probe import HEADERS, ask_info, try_each
from logger.gateway.tokens import Token
from logger.gateway.trust import Trust
from logger.model import GatewayInfo
from logger.wire import Wire

RECHECK_S: Final = 50.0
"""Seconds between two checks of a refused certificate.

The value is just below a minute, so that every poll can check. If a person accepts a new pin in the meantime, this
pin is checked immediately.
"""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection to a gateway, and the content of the gateway's `/info`.

    Over https the certificate is checked, so secrets may be sent.
    """

    wire: Wire
    info: GatewayInfo

    async def get(self, endpoint: Endpoint, *, token: Token | None = None, digest: Digest | None = None) -> Answer:
        """Request one endpoint once, with the given token or digest. Raises WireError if no answer arrives."""
        bearer = {} if token is None else {"authorization": f"Bearer {token.text}"}
        return await self.wire.request(
            "GET", endpoint.path, timeout_s=endpoint.timeout_s, headers=HEADERS | bearer, auth=digest
        )


class Connector:
    """Connects to one gateway, and checks its certificate as LOGGER_TLS requires."""

    def __init__(self, access: Access, clock: Clock, events: GatewayEvents) -> None:
        self.trust = Trust(access, clock, events)
        self._access, self._clock, self._events = access, clock, events
        self._refused: CertificateError | None = None
        self._refused_at = 0.0
        self._refused_under: Pin | None = None

    async def connect(self) -> Connection:
        """Find the scheme, check the certificate, request `/info`. Raises WireError, GatewayError or StateError."""
        pin = self.trust.load() if self._access.tls in ("pin", "pin-strict") else None
        is_recent = self._clock.monotonic() - self._refused_at < RECHECK_S and pin == self._refused_under
        if self._refused is not None and is_recent:
            raise CertificateError(self._refused.message, self._refused.hint)
        try:
            connection = await try_each(self._list_bases(), self._connect_to)
        except CertificateError as error:
            self._refused, self._refused_at, self._refused_under = error, self._clock.monotonic(), pin
            raise
        self._refused = None
        return connection

    def _list_bases(self) -> tuple[str, ...]:
        bases = self._access.candidates
        if len(bases) > 1 and (self._access.tls == "verify" or self.trust.load() is not None):
            return bases[:1]
        return bases

    async def _connect_to(self, base: str, failure: WireError | None) -> Connection:
        if base.startswith("https:"):
            return await self._connect_by_tls(base)
        connection = await self._open(base, None, failure)
        if failure is not None and connection.info.needs_token:
            await connection.wire.aclose()
            raise failure  # https exists but fails: send no token over http
        return connection

    async def _connect_by_tls(self, base: str) -> Connection:
        """Connect over https, and check the certificate as LOGGER_TLS requires.

        `base`: the gateway's https URL without a path. Raises CertificateError if the certificate is not accepted.
        """
        mode, host = self._access.tls, self._access.host
        if mode == "verify":
            return await self._open(base, tls.verifying(self._access.ca_file))
        if mode == "off":
            text = "LOGGER_TLS=off: the gateway's certificate is not checked, so any device can answer as the gateway"
            if self._events.warn_once("tls_off", text):
                log.get("gateway").warning(text)
            return await self._open(base, tls.trust_anybody())
        pin = self.trust.load() or await self.trust.pin_first(base)
        try:
            connection = await self._open(base, tls.trust_pin(pin, host))
        except CertificateError:
            successor = await self.trust.pin_successor(base, pin)
            if successor is None:
                raise
            pin = successor
            connection = await self._open(base, tls.trust_pin(pin, host))
        self.trust.confirm(pin)
        return connection

    async def _open(self, base: str, context: ssl.SSLContext | None, instead: WireError | None = None) -> Connection:
        wire = Wire(base, self._clock, tls=context, max_bytes=ANSWER_LIMIT)
        try:
            return Connection(wire, await ask_info(wire, self._access, self._clock, instead))
        except BaseException:
            await wire.aclose()
            raise

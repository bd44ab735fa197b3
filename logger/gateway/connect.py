"""First contact and every later one: which scheme answers, who it is, and whether its certificate may be trusted.

Until a certificate is pinned or verified only `/info` is asked, which needs no token. Where a pin is kept for an
address there is no way back to plain http.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
from dataclasses import dataclass, replace
from typing import Final, Literal

from logger import log
from logger.clock import Clock
from logger.errors import (
    BrokenError,
    BusyError,
    CertificateError,
    GatewayError,
    SerialDiffersError,
    StateError,
    TimedOutError,
    UnreachableError,
    WireError,
)
from logger.gateway import pins, tls
from logger.gateway.access import Access
from logger.gateway.auth import Tell
from logger.gateway.documents import ANSWER_LIMIT, INFO_LIMIT, not_a_gateway, read_info
from logger.gateway.endpoints import INFO
from logger.gateway.pins import Pin
from logger.model import GatewayInfo
from logger.retry import POLL, attempt
from logger.wire import Wire

HEADERS: Final = {"accept": "application/json"}
RECHECK_S: Final = 50.0
"""A refused certificate is looked at again once a minute, a little less, so that no tick just misses it; at once
where another one was accepted meanwhile."""
_WARN_S: Final = 90 * 86400.0


@dataclass(frozen=True, slots=True)
class Reached:
    """A wire over which secrets may go (if it is https), and who answers at its other end."""

    wire: Wire
    info: GatewayInfo


class Contact:
    """Reaches one gateway, in the way its TLS mode says."""

    def __init__(self, access: Access, clock: Clock, tell: Tell) -> None:
        self._access, self._clock, self._tell = access, clock, tell
        self._refused: CertificateError | None = None
        self._refused_at = 0.0
        self._refused_under: Pin | None = None
        self._trusted: Pin | None = None
        self._said_off = False

    async def reach(self) -> Reached:
        """Find the scheme, check the certificate, ask `/info`. Raises WireError, GatewayError or StateError."""
        pin = self._pin() if self._access.tls in ("pin", "pin-strict") else None
        rests = self._clock.monotonic() - self._refused_at < RECHECK_S and pin == self._refused_under
        if self._refused is not None and rests:
            raise CertificateError(self._refused.message, self._refused.hint)
        try:
            reached = await self._first_that_answers()
        except CertificateError as error:
            self._refused, self._refused_at, self._refused_under = error, self._clock.monotonic(), pin
            raise
        self._refused = None
        return reached

    async def _first_that_answers(self) -> Reached:
        failure: WireError | None = None
        for base in self._candidates():
            try:
                reached = await (self._secure(base) if base.startswith("https:") else self._plain(base, failure))
            except (UnreachableError, BrokenError, TimedOutError) as error:
                failure = failure or error
            else:
                if failure is not None and reached.info.needs_token:
                    await reached.wire.aclose()
                    break  # it has https and that fails: no token may go the other way
                return reached
        if failure is None:
            raise UnreachableError(f"{self._access.host} cannot be reached", "check ENPHASE_GATEWAY.")
        raise failure

    def _candidates(self) -> tuple[str, ...]:
        bases = self._access.candidates
        if len(bases) > 1 and (self._access.tls == "verify" or self._pin() is not None):
            return bases[:1]
        return bases

    def _pin(self) -> Pin | None:
        return pins.load(self._access.state_dir, self._access.expected_serial, self._access.host)

    async def _plain(self, base: str, failure: WireError | None) -> Reached:
        """Over http: gateways before version 7."""
        wire = Wire(base, self._clock, max_bytes=ANSWER_LIMIT)
        try:
            return Reached(wire, await ask_info(wire, self._access, self._clock, failure))
        except BaseException:
            await wire.aclose()
            raise

    async def _secure(self, base: str) -> Reached:
        """Over https, in the way the settings say."""
        mode = self._access.tls
        if mode == "verify":
            return await self._over(self._wire(base, tls.verifying(self._access.ca_file)))
        if mode == "off":
            if not self._said_off:
                self._said_off = True
                text = "LOGGER_TLS=off: nobody checks the gateway's certificate; anybody can answer"
                self._say("tls_off", text, "warning")
            return await self._over(self._wire(base, tls.unchecked()))
        pin = self._pin() or await self._first_pin(base)
        try:
            reached = await self._over(self._pinned(base, pin))
        except CertificateError:
            successor = await self._successor(base, pin)
            if successor is None:
                raise
            pin = successor
            reached = await self._over(self._pinned(base, pin))
        self._settled(pin)
        return reached

    async def _first_pin(self, base: str) -> Pin:
        """The pin where none is kept for this address: the gateway's by its serial, else what it shows now."""
        new, info = await meet(base, self._access, self._clock)
        known = pins.load(self._access.state_dir, info.serial, self._access.host)
        if known is not None:
            return known
        pins.save(self._access.state_dir, new)
        self._say(
            "certificate_pinned", f"the certificate of gateway {new.serial} is pinned from now on: {new.describe()}"
        )
        return new

    def _wire(self, base: str, context: ssl.SSLContext) -> Wire:
        return Wire(base, self._clock, tls=context, max_bytes=ANSWER_LIMIT)

    def _pinned(self, base: str, pin: Pin) -> Wire:
        return self._wire(base, tls.pinned(pin, self._access.host))

    async def _over(self, wire: Wire) -> Reached:
        try:
            return Reached(wire, await ask_info(wire, self._access, self._clock))
        except BaseException:
            await wire.aclose()
            raise

    async def _successor(self, base: str, old: Pin) -> Pin | None:
        """The pin of the gateway's next certificate, where `pin` accepts it by itself; kept and told."""
        if self._access.tls != "pin" or not pins.may_rotate(old, self._access.host, self._clock.time()):
            return None
        try:
            new, _ = await meet(base, self._access, self._clock)
        except GatewayError:
            return None  # what answers there is not this gateway
        if new.serial != old.serial:
            return None
        pins.save(self._access.state_dir, new)
        self._changed(old, new, "accepted near the old one's end")
        self._trusted = new
        return new

    def _settled(self, pin: Pin) -> None:
        """After a contact under the pin: tell who accepted it, and follow the gateway to a new address."""
        old = self._trusted
        if old is not None and old.fingerprint != pin.fingerprint:
            self._changed(old, pin, "accepted by a person")
        if pin.address != self._access.host:
            pin = replace(pin, address=self._access.host)
            self._keep(pin)
        self._trusted = pin
        self.watch()

    def watch(self) -> None:
        """Say once, 90 days ahead, that the trusted certificate ends; a long connection has no other occasion."""
        pin = self._trusted
        if pin is None or pin.warned or not pin.not_after:
            return
        left_s = pin.not_after - self._clock.time()
        if left_s > _WARN_S:
            return
        ends = "ends soon" if left_s > 0 else "has ended, and is still trusted"
        by_hand = "; after that run `envoy-logger accept-certificate`" if self._access.tls == "pin-strict" else ""
        self._say(
            "certificate_ends_soon",
            f"the certificate of gateway {pin.serial} {ends}: {pin.describe()}. The gateway renews it by itself"
            + by_hand,
            "warning",
        )
        self._trusted = replace(pin, warned=True)
        self._keep(self._trusted)

    def _keep(self, pin: Pin) -> None:
        """Note what is known of a pin that is still the kept one; no poll fails if the disk does not let us."""
        with contextlib.suppress(StateError):
            kept = pins.load(self._access.state_dir, pin.serial, pin.address)
            if kept is not None and kept.fingerprint == pin.fingerprint:
                pins.save(self._access.state_dir, pin)

    def _changed(self, old: Pin, new: Pin, why: str) -> None:
        self._say(
            "certificate_changed",
            f"gateway {new.serial} has a new certificate, {why}: before {old.describe()}, now {new.describe()}",
            "warning",
        )

    def _say(self, kind: str, text: str, severity: Literal["info", "warning"] = "info") -> None:
        log.get("gateway").log(logging.WARNING if severity == "warning" else logging.INFO, text)
        self._tell(kind, text, severity)


async def meet(base: str, access: Access, clock: Clock) -> tuple[Pin, GatewayInfo]:
    """The certificate of whoever answers, and who it says it is. Nothing secret is sent."""
    seen = tls.Seen()
    wire = Wire(base, clock, tls=tls.checked(seen), max_bytes=INFO_LIMIT)
    try:
        info = await ask_info(wire, access, clock)
    finally:
        await wire.aclose()
    if len(seen.certificates) != 1:
        raise CertificateError(
            f"{access.host} shows changing certificates", "check whether two devices share this address."
        )
    (certificate,) = seen.certificates
    return pins.learn(certificate, info.serial, access.host, clock.time()), info


async def ask_info(wire: Wire, access: Access, clock: Clock, instead: WireError | None = None) -> GatewayInfo:
    """`/info`, and whether it is the gateway that the settings name. `instead`: raised if this one only redirects."""

    async def once() -> GatewayInfo:
        answer = await wire.request("GET", INFO.path, timeout_s=INFO.timeout_s, headers=HEADERS)
        if answer.status >= 500 or answer.status in (408, 429):
            raise BusyError(
                f"{wire.host}/info answered {answer.status}: the gateway starts up or is overloaded",
                "restart the gateway if this lasts.",
            )
        if 300 <= answer.status < 400:
            raise instead or not_a_gateway(wire.host, f"a redirect ({answer.status}), which is not followed", "")
        if answer.status != 200:
            raise not_a_gateway(wire.host, f"status {answer.status}", answer.text)
        return read_info(answer, wire.host, clock.time())

    info = await attempt(POLL, clock, once)
    if access.expected_serial and info.serial != access.expected_serial:
        raise SerialDiffersError(
            f"the gateway at {wire.host} is {info.serial}, but ENPHASE_SERIAL says {access.expected_serial}",
            "correct ENPHASE_SERIAL or ENPHASE_GATEWAY.",
        )
    return info


async def accept_certificate(access: Access, clock: Clock, fingerprint: str = "") -> tuple[Pin | None, Pin]:
    """Pin the certificate that the gateway has now, whatever was pinned before → (old, new).

    `fingerprint`, where given, is the only one that is accepted. A running recorder takes the new pin up at its next
    poll. Raises CertificateError, WireError, GatewayError or StateError.
    """
    base = access.candidates[0]
    if not base.startswith("https:"):
        raise CertificateError(
            f"{access.host} is reached over plain http, where there is no certificate",
            "write the address as https://.",
        )
    new, _ = await meet(base, access, clock)
    if fingerprint and pins.plain(fingerprint) != new.fingerprint:
        raise CertificateError(
            f"{access.host} shows another certificate than the one to accept: {new.describe()}. Nothing was changed",
            "compare it with the one that the gateway's own page shows in a browser.",
        )
    old = None
    with contextlib.suppress(StateError):  # a damaged pin is what this command replaces
        old = pins.load(access.state_dir, new.serial, access.host) or pins.load(access.state_dir, "", access.host)
    if old is not None:  # the newest of an address counts, also where the clock was set back
        new = replace(new, first_seen=max(new.first_seen, old.first_seen + 1))
    pins.save(access.state_dir, new)
    return old, new

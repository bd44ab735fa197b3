"""Pins a gateway's certificate, follows its renewal, and allows a person to accept another certificate."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from typing import Final

from logger import log
from logger.clock import Clock
from logger.errors import CertificateError, GatewayError, StateError
from logger.gateway import pins
from logger.gateway.access import Access
from logger.gateway.gateway_events import GatewayEventKind, GatewayEvents
from logger.gateway.pins import Pin
from logger.gateway.probe import probe_certificate
from logger.model import Severity

_WARN_S: Final = 90 * 86400.0


class Trust:
    """Updates the stored pin of one gateway. Each change of the certificate is logged and recorded as an event."""

    def __init__(self, access: Access, clock: Clock, events: GatewayEvents) -> None:
        self._access, self._clock, self._events = access, clock, events
        self._trusted: Pin | None = None

    def load(self) -> Pin | None:
        """Load the pin of this address; None without a pin. Raises StateError if the file cannot be read."""
        return pins.load(self._access.state_dir, self._access.expected_serial, self._access.host)

    async def pin_first(self, base: str) -> Pin:
        """Pin the gateway's certificate.

        If the gateway already has a pin at another address, keep that pin.
        """
        new, info = await probe_certificate(base, self._access, self._clock)
        known = pins.load(self._access.state_dir, info.serial, self._access.host)
        if known is not None:
            return known
        pins.save(self._access.state_dir, new)
        text = f"the certificate of gateway {new.serial} is pinned from now on: {new.describe()}"
        self._record("certificate_pinned", text, "info")
        return new

    async def pin_successor(self, base: str, old: Pin) -> Pin | None:
        """Pin the gateway's renewed certificate in place of the pin `old`, and return the new pin.

        Return None if mode `pin` does not accept the certificate without a person.
        """
        if self._access.tls != "pin" or not pins.may_rotate(old, self._access.host, self._clock.time()):
            return None
        try:
            new, _ = await probe_certificate(base, self._access, self._clock)
        except GatewayError:
            return None  # another device answers
        if new.serial != old.serial:
            return None
        pins.save(self._access.state_dir, new)
        self._record_change(old, new, "accepted because the old certificate is near its end")
        self._trusted = new
        return new

    def confirm(self, pin: Pin) -> None:
        """Record that the gateway was reached with this pin.

        If the gateway has a new address, store it. If a person changed the pin, log the change.
        """
        old = self._trusted
        if old is not None and old.fingerprint != pin.fingerprint:
            self._record_change(old, pin, "accepted by an envoy-logger command")
        if pin.address != self._access.host:
            pin = replace(pin, address=self._access.host)
            self._keep(pin)
        self._trusted = pin
        self.warn_of_end()

    def warn_of_end(self) -> None:
        """Warn once that the certificate ends within 90 days.

        Called often, because a connection lasts for months.
        """
        pin = self._trusted
        if pin is None or pin.warned or not pin.not_after or pin.not_after - self._clock.time() > _WARN_S:
            return
        ends = "ends soon" if pin.not_after > self._clock.time() else "has ended, and is still trusted"
        by_hand = "; after that run `envoy-logger accept-certificate`" if self._access.tls == "pin-strict" else ""
        self._record(
            "certificate_ends_soon",
            f"the certificate of gateway {pin.serial} {ends}: {pin.describe()}. The gateway renews it by itself"
            + by_hand,
        )
        self._trusted = replace(pin, warned=True)
        self._keep(self._trusted)

    def _keep(self, pin: Pin) -> None:
        """Save changes to the stored pin, unless another pin has replaced it.

        A write error does not fail the poll.
        """
        with contextlib.suppress(StateError):
            kept = pins.load(self._access.state_dir, pin.serial, pin.address)
            if kept is not None and kept.fingerprint == pin.fingerprint:
                pins.save(self._access.state_dir, pin)

    def _record_change(self, old: Pin, new: Pin, reason: str) -> None:
        text = f"gateway {new.serial} has a new certificate, {reason}: before {old.describe()}, now {new.describe()}"
        self._record("certificate_changed", text)

    def _record(self, kind: GatewayEventKind, text: str, severity: Severity = "warning") -> None:
        log.get("gateway").log(logging.WARNING if severity == "warning" else logging.INFO, text)
        self._events.record(kind, text, severity)


async def accept_certificate(access: Access, clock: Clock, fingerprint: str = "") -> tuple[Pin | None, Pin]:
    """Pin the certificate that the gateway shows now.

    Return the old pin (None without an old pin) and the new pin. `fingerprint`: if given, only a certificate with
    this fingerprint is accepted. A running recorder reads the new pin at its next poll. Raises CertificateError,
    WireError, GatewayError or StateError.
    """
    base = access.candidates[0]
    if not base.startswith("https:"):
        raise CertificateError(
            f"{access.host} is reached over plain http, where there is no certificate",
            "write ENPHASE_GATEWAY with https:// from firmware 7 on; older firmware has no certificate to accept.",
        )
    new, _ = await probe_certificate(base, access, clock)
    if fingerprint and pins.plain(fingerprint) != new.fingerprint:
        raise CertificateError(
            f"{access.host} shows a certificate other than the given one: {new.describe()}. Nothing was changed",
            "compare this certificate with the one that a browser shows for the gateway's own page.",
        )
    old = None
    with contextlib.suppress(StateError):  # a damaged pin may be replaced
        old = pins.load(access.state_dir, new.serial, access.host) or pins.load(access.state_dir, "", access.host)
    if old is not None:  # the newest pin counts, even after the clock was set back
        new = replace(new, first_seen=max(new.first_seen, old.first_seen + 1))
    pins.save(access.state_dir, new)
    return old, new

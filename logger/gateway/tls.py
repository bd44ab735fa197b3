"""Whom to trust on https, decided inside the handshake: an impostor sees the handshake and not a byte more.

The check sits in `SSLContext.sslobject_class`, which the asynchronous client uses. An expired certificate passes
where it is the pinned one: a gateway that cannot renew it is still the same gateway.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from logger.clock import format_day
from logger.errors import CertificateError, StateError
from logger.gateway.pins import Pin, end_of, fingerprint_of, format_fingerprint

_CIPHERS: Final = "DEFAULT@SECLEVEL=1"
"""Older gateways sign with short keys; who they are is proved by the pin, not by a chain."""


class Seen:
    """Collects the certificates of a first contact, at which nothing secret is sent."""

    def __init__(self) -> None:
        self.certificates: set[bytes] = set()

    def __call__(self, certificate: bytes) -> None:
        """Remember one; any is accepted."""
        self.certificates.add(certificate)


def trust_anybody() -> ssl.SSLContext:
    """A context that trusts anybody; alone it is what `off` means."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    return context


def check_each_handshake(check: Callable[[bytes], None]) -> ssl.SSLContext:
    """A context that hands the other side's certificate (DER) to `check` at the end of each handshake.

    What `check` raises fails the handshake, before anything of the request is sent.
    """

    class Checked(ssl.SSLObject):
        """The handshake of this context."""

        def do_handshake(self) -> None:
            super().do_handshake()
            check(self.getpeercert(binary_form=True) or b"")

    context = trust_anybody()
    context.sslobject_class = Checked
    return context


def trust_pin(pin: Pin, host: str) -> ssl.SSLContext:
    """A context in which only the pinned certificate passes."""

    def check(certificate: bytes) -> None:
        if fingerprint_of(certificate) != pin.fingerprint:
            raise CertificateError(
                f"the certificate of {host} is not the pinned one: pinned {pin.describe()}, first seen "
                f"{format_day(pin.first_seen)}; now {format_fingerprint(fingerprint_of(certificate))} "
                f"(ends {format_day(end_of(certificate))}). Nothing was sent",
                "envoy-logger accept-certificate, if the gateway was replaced or reset; else somebody else answers.",
            )

    return check_each_handshake(check)


def verifying(ca_file: str) -> ssl.SSLContext:
    """A context that verifies chain and name, against `ca_file` or the system's authorities. Raises StateError."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise StateError(
            f"the CA file {ca_file} cannot be used: {error}", "set LOGGER_TLS_CA_FILE to a file in PEM form."
        ) from error

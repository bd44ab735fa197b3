"""Checks the gateway's certificate inside the TLS handshake, before any request is sent.

The check is installed as `SSLContext.sslobject_class`, which the asynchronous client uses. A pinned certificate
passes even if it has expired: a gateway that cannot renew its certificate is still the same gateway.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from logger.clock import format_day
from logger.errors import CertificateError, StateError
from logger.gateway.pins import Pin, end_of, fingerprint_of, format_fingerprint

_CIPHERS: Final = "DEFAULT@SECLEVEL=1"
"""Accepts short keys, which older gateways use. The pin proves the gateway's identity, so the key may be short."""


class Seen:
    """Collects the certificates that a probe receives. A probe sends nothing secret."""

    def __init__(self) -> None:
        self.certificates: set[bytes] = set()

    def __call__(self, certificate: bytes) -> None:
        """Store a certificate. Every certificate is accepted."""
        self.certificates.add(certificate)


def trust_anybody() -> ssl.SSLContext:
    """Make a context that accepts every certificate, for LOGGER_TLS=off."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    return context


def check_each_handshake(check: Callable[[bytes], None]) -> ssl.SSLContext:
    """Make a context that passes the server's certificate (DER) to `check` at the end of each handshake.

    If `check` raises, the handshake fails and no part of the request is sent.
    """

    class Checked(ssl.SSLObject):
        """A TLS connection that calls `check` after its handshake."""

        def do_handshake(self) -> None:
            super().do_handshake()
            try:
                check(self.getpeercert(binary_form=True) or b"")
            except CertificateError as error:  # asyncio would log an error other than SSLError
                raise ssl.SSLError("the certificate is refused") from error

    context = trust_anybody()
    context.sslobject_class = Checked
    return context


def trust_pin(pin: Pin, host: str) -> ssl.SSLContext:
    """Make a context that accepts only the pinned certificate. Any other certificate raises CertificateError."""

    def check(certificate: bytes) -> None:
        if fingerprint_of(certificate) != pin.fingerprint:
            raise CertificateError(
                f"the certificate of {host} is not the pinned one: pinned {pin.describe()}, first seen "
                f"{format_day(pin.first_seen)}; now {format_fingerprint(fingerprint_of(certificate))} "
                f"(ends {format_day(end_of(certificate))}). Nothing was sent",
                "run envoy-logger accept-certificate if you replaced or reset the gateway, or if the pinned "
                "certificate ends soon or has ended; else find out which device answers.",
            )

    return check_each_handshake(check)


def verifying(ca_file: str) -> ssl.SSLContext:
    """Make a context that verifies chain and name of a certificate against `ca_file` or the system's CAs.

    Raises StateError if `ca_file` cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise StateError(
            f"the CA file {ca_file} cannot be used: {error}", "set LOGGER_TLS_CA_FILE to a file in PEM form."
        ) from error

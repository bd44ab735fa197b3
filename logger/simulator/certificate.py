"""Make a self-signed certificate, as gateways have: valid for about a year, with a name other than the host name."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Certificate:
    """A private key and its certificate in PEM form, and the SHA-256 of the certificate in hexadecimal."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    fingerprint: str

    def context(self) -> ssl.SSLContext:
        """Return an SSL context for a server with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Load this certificate into a server's SSL context, for all later connections."""
        with tempfile.NamedTemporaryFile() as file:  # ssl reads keys only from files
            file.write(self.key_pem + self.certificate_pem)
            file.flush()
            context.load_cert_chain(Path(file.name))


def make_certificate(serial: str, *, now: float, days: float = 365, age_days: float = 1) -> Certificate:
    """Make a key and a certificate, valid from `age_days` before to `days` after `now` (unix seconds)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"envoy {serial}")])
    at = datetime.fromtimestamp(now, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=age_days))
        .not_valid_after(at + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest(),
    )

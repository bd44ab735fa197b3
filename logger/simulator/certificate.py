"""Makes a self-signed certificate like a gateway's own: with a name that does not match, for about a year."""

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
    """Hold key and certificate in PEM form, and the SHA-256 of the certificate in hex."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    fingerprint: str

    def context(self) -> ssl.SSLContext:
        """Make an SSL context for a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Load this certificate into a server's SSL context. Every later connection shows it."""
        with tempfile.NamedTemporaryFile() as file:  # ssl reads keys from files alone
            file.write(self.key_pem + self.certificate_pem)
            file.flush()
            context.load_cert_chain(Path(file.name))


def make_certificate(serial: str, *, now: float, days: float = 365, age_days: float = 1) -> Certificate:
    """Make a key and a certificate, valid from `age_days` before `now` (unix seconds) until `days` after it."""
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

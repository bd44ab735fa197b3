"""The end of a certificate, read without a library, is the one that a library reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from logger.gateway.certificate_end import read_end
from logger.simulator.certificate import make_certificate

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(end: datetime, number: int = 5, name: str = "gateway", *, version_1: bool = False) -> bytes:
    named = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(KEY.public_key())
        .serial_number(number)
        .not_valid_before(end - timedelta(days=400))
        .not_valid_after(end)
        .sign(KEY, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    return built.replace(b"\xa0\x03\x02\x01\x02", b"", 1) if version_1 else built


@given(
    st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001  given a zone below
    st.integers(1, 2**150),
    st.text("abcäöü ", min_size=1, max_size=60),
)
def test_the_end_is_the_one_that_a_library_reads(end: datetime, number: int, name: str) -> None:
    end = end.replace(microsecond=0, tzinfo=UTC)
    der = certificate(end, number, name)
    assert x509.load_der_x509_certificate(der).not_valid_after_utc == end
    assert read_end(der) == end.timestamp()


def test_the_gateways_own_certificate_is_read() -> None:
    made = make_certificate("122233344455", now=1_782_000_000, days=30)
    der = x509.load_pem_x509_certificate(made.certificate_pem).public_bytes(serialization.Encoding.DER)
    assert read_end(der) == x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp()


@given(st.binary(max_size=80))
def test_what_is_no_certificate_has_no_end(noise: bytes) -> None:
    assert read_end(noise) == 0.0


@pytest.mark.parametrize("cut", [1, 2, 10, 60, 100])
def test_a_certificate_that_is_cut_has_no_end(cut: int) -> None:
    assert read_end(certificate(datetime(2030, 1, 1, tzinfo=UTC))[:cut]) == 0.0

"""The certificate that was learned at the first contact: one small file a gateway, named by its serial."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from logger.clock import format_day
from logger.errors import StateError
from logger.files import describe_write_error, write_atomically

_ROTATION_S: Final = 120 * 86400.0
"""A gateway replaces its certificate about once a year, now and then two months early."""
_NAME: Final = re.compile(r"pin-[0-9A-Za-z]+\.json")


@dataclass(frozen=True, slots=True)
class Pin:
    """A gateway's certificate: SHA-256 in hex, its end and when it was first seen (unix seconds), and where.

    `warned`: that it ends soon was said.
    """

    serial: str
    fingerprint: str
    not_after: float
    address: str
    first_seen: float
    warned: bool = False

    def describe(self) -> str:
        """Fingerprint and end, for people."""
        return f"{format_fingerprint(self.fingerprint)} (ends {format_day(self.not_after)})"


_STORED: Final = TypeAdapter(Pin)


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER form, in hex."""
    return sha256(certificate).hexdigest()


def format_fingerprint(fingerprint: str) -> str:
    """A fingerprint as people compare it: AB:CD:…"""
    return ":".join(fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2)).upper()


def plain(fingerprint: str) -> str:
    """A fingerprint as it is kept, from any way in which people write it."""
    return re.sub(r"[\s:]", "", fingerprint).lower()


def end_of(certificate: bytes) -> float:
    """When a certificate in DER form ends, in unix seconds; 0.0 if it cannot be parsed."""
    from cryptography import x509  # only for a new certificate: it takes long to import

    try:
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except ValueError:
        return 0.0


def learn(certificate: bytes, serial: str, address: str, now: float) -> Pin:
    """The pin of a certificate that was just seen."""
    return Pin(serial, fingerprint_of(certificate), end_of(certificate), address, now)


def may_rotate(old: Pin, address: str, now: float) -> bool:
    """True where a new certificate is no surprise: near the old one's end, and at the same address."""
    return abs(now - old.not_after) <= _ROTATION_S and old.address == address


def load(state_dir: Path, serial: str, address: str) -> Pin | None:
    """The pin of this gateway: by its serial where that is known, else the newest of this address.

    Raises StateError for a pin file that cannot be read: going on without it would trust anybody.
    """
    if serial:
        return _read(_path(state_dir, serial))
    try:
        paths = [state_dir / name for name in sorted(os.listdir(state_dir)) if _NAME.fullmatch(name)]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(
            f"the state folder {state_dir} cannot be read: {error.strerror}",
            "set LOGGER_STATE_DIR to a folder."
            if isinstance(error, NotADirectoryError)
            else "run it as the recorder's user, or as root.",
        ) from error
    pins = [pin for path in paths if (pin := _read(path)) is not None and pin.address == address]
    return max(pins, key=lambda pin: pin.first_seen, default=None)


def save(state_dir: Path, pin: Pin) -> None:
    """Keep a pin; readable by its owner alone. Raises StateError."""
    path = _path(state_dir, pin.serial)
    try:
        write_atomically(path, _STORED.dump_json(pin, indent=1) + b"\n")
    except OSError as error:
        raise describe_write_error(path, error) from error


def _path(state_dir: Path, serial: str) -> Path:
    return state_dir / f"pin-{serial}.json"


def _read(path: Path) -> Pin | None:
    try:
        pin = _STORED.validate_json(path.read_bytes())
        if len(bytes.fromhex(pin.fingerprint)) != 32:
            raise ValueError("no SHA-256")
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise StateError(
            f"the certificate pin {path} cannot be read: {error.strerror}",
            "run it as the recorder's user, or as root.",
        ) from error
    except (OSError, ValueError) as error:
        raise StateError(
            f"the certificate pin {path} cannot be read: {type(error).__name__}",
            "remove the file and run `envoy-logger accept-certificate`.",
        ) from error
    return pin

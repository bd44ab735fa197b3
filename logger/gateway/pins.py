"""Stores the pinned certificate of each gateway in a small file that is named by the gateway's serial."""

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
"""A new certificate is expected in this many seconds before and after the end of the pinned certificate.

A gateway replaces its certificate about once a year, sometimes two months early.
"""
_NAME: Final = re.compile(r"pin-[0-9A-Za-z]+\.json")


@dataclass(frozen=True, slots=True)
class Pin:
    """A gateway's certificate: its SHA-256 in hex, its end, the time of its first use, and the gateway's address.

    Times in unix seconds. `warned`: a warning that the certificate ends soon was logged.
    """

    serial: str
    fingerprint: str
    not_after: float
    address: str
    first_seen: float
    warned: bool = False

    def describe(self) -> str:
        """Return fingerprint and end date of the certificate as text for people."""
        return f"{format_fingerprint(self.fingerprint)} (ends {format_day(self.not_after)})"


_STORED: Final = TypeAdapter(Pin)


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in DER form, in hex."""
    return sha256(certificate).hexdigest()


def format_fingerprint(fingerprint: str) -> str:
    """Format a fingerprint as browsers show it: AB:CD:…"""
    return ":".join(fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2)).upper()


def plain(fingerprint: str) -> str:
    """Return a fingerprint as lower-case hex, without spaces and colons."""
    return re.sub(r"[\s:]", "", fingerprint).lower()


def end_of(certificate: bytes) -> float:
    """Return the end of a certificate in DER form, in unix seconds; 0.0 if the certificate cannot be parsed."""
    from cryptography import x509  # slow to import, and needed only for a new certificate

    try:
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except (ValueError, x509.InvalidVersion):
        return 0.0


def learn(certificate: bytes, serial: str, address: str, now: float) -> Pin:
    """Make the pin of a certificate that was received for the first time at `now` (unix seconds)."""
    return Pin(serial, fingerprint_of(certificate), end_of(certificate), address, now)


def may_rotate(old: Pin, address: str, now: float) -> bool:
    """Return True if a new certificate is expected in place of the certificate of the pin `old`.

    The certificate of `old` must be near its end, and the gateway's address must be unchanged.
    """
    return abs(now - old.not_after) <= _ROTATION_S and old.address == address


def load(state_dir: Path, serial: str, address: str) -> Pin | None:
    """Load a gateway's pin by its serial; without a serial, load the newest pin of the address.

    Return None if there is no pin. Raises StateError if a pin file cannot be read, because without the pin any device
    would be trusted.
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
            else "run the command as the recorder's user, or as root.",
        ) from error
    pins = [pin for path in paths if (pin := _read(path)) is not None and pin.address == address]
    return max(pins, key=lambda pin: pin.first_seen, default=None)


def save(state_dir: Path, pin: Pin) -> None:
    """Save a pin in a file that only its owner can read. Raises StateError if the file cannot be written."""
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
            "run the command as the recorder's user, or as root.",
        ) from error
    except (OSError, ValueError) as error:
        raise StateError(
            f"the certificate pin {path} cannot be read: {type(error).__name__}",
            "remove the file and run `envoy-logger accept-certificate`.",
        ) from error
    return pin

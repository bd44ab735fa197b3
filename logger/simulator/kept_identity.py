"""Store the identity of a stand-in gateway in a folder: certificate, ports, token key, beginning of its history."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from logger.errors import StateError
from logger.simulator.certificate import Certificate, make_certificate

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey
_FILE: Final = "stand-in.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """The lasting identity of a stand-in gateway: it is the same at each start.

    `epoch`: the beginning of the history, in unix seconds. Port 0 means any port.
    """

    certificate: Certificate
    token_key: PrivateKey = field(repr=False)
    epoch: float
    port: int = 0
    cloud_port: int = 0

    def keep(self, folder: Path, *, port: int, cloud_port: int) -> None:
        """Write the identity, with the ports in use, into a file in `folder` that only the file's owner may read.

        Raises StateError if the file cannot be written.
        """
        kept = replace(self, port=port, cloud_port=cloud_port)
        values = {
            "certificate": kept.certificate.certificate_pem.decode(),
            "key": kept.certificate.key_pem.decode(),
            "token_key": _write_key(kept.token_key),
            "epoch": kept.epoch,
            "port": kept.port,
            "cloud_port": kept.cloud_port,
        }
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = folder / f".{_FILE}.part"
            part.touch(mode=0o600)
            part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
            os.replace(part, folder / _FILE)
        except OSError as error:
            raise StateError(f"{folder} cannot be written: {error.strerror}", "name another folder.") from error


def find_identity(folder: Path, serial: str, *, now: float, epoch: float) -> Identity:
    """Return the identity that is stored in `folder`, or a new identity of the gateway `serial`.

    Raises StateError if the stored identity cannot be read.
    """
    path = folder / _FILE
    if not path.exists():
        return Identity(make_certificate(serial, now=now), ec.generate_private_key(ec.SECP256R1()), epoch)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        shown = x509.load_pem_x509_certificate(kept["certificate"].encode())
        fingerprint = sha256(shown.public_bytes(serialization.Encoding.DER)).hexdigest()
        certificate = Certificate(kept["certificate"].encode(), kept["key"].encode(), fingerprint)
        key = serialization.load_pem_private_key(kept["token_key"].encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the token key")
        return Identity(certificate, key, float(kept["epoch"]), int(kept["port"]), int(kept["cloud_port"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"the stand-in gateway's identity cannot be read from {path}: {error}", f"rm {path}"
        ) from error


def _write_key(key: PrivateKey) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()

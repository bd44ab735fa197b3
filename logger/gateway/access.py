"""Holds the address and the credentials of one gateway, and lists the base URLs to try."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

TlsMode = Literal["pin", "pin-strict", "verify", "off"]
LOGIN_URL: Final = "https://enlighten.enphaseenergy.com/login/login.json"
TOKEN_URL: Final = "https://entrez.enphaseenergy.com/tokens"  # noqa: S105  an address


@dataclass(frozen=True, slots=True)
class Access:
    """The address, credentials and TLS mode of one gateway.

    `address`: host, host:port or URL. `username`, `password`: the Enphase account. `local_username`,
    `local_password`: the user for firmware before 7; the default password is the last six characters of the serial.
    An empty text means that the value is not set. `fixed`: True if the token and the password cannot change before a
    restart. `sharing`: the number of gateways in the settings that sign in with this account. `pasted_as`: the name
    of the setting with the token.
    """

    address: str
    state_dir: Path
    expected_serial: str = ""
    token: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    local_username: str = "envoy"
    local_password: str = field(default="", repr=False)
    login_url: str = LOGIN_URL
    token_url: str = TOKEN_URL
    tls: TlsMode = "pin"
    ca_file: str = ""
    fixed: bool = False
    sharing: int = 1
    pasted_as: str = "ENPHASE_TOKEN"

    @property
    def has_account(self) -> bool:
        """Return True if an Enphase account is set, so that a token can be fetched."""
        return bool(self.username and self.password)

    @property
    def host(self) -> str:
        """Return host or host:port in lower case. Certificate pins are stored under this name."""
        return _parts(self.address)[1].lower()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Return the base URLs in the order in which to try them.

        If the address has a scheme, only this scheme is tried; otherwise https and then http.
        """
        scheme, place = _parts(self.address)
        return (f"{scheme}://{place}",) if scheme else (f"https://{place}", f"http://{place}")


def _parts(address: str) -> tuple[str, str]:
    split = urlsplit(address if "://" in address else f"//{address}")
    return split.scheme, split.netloc.rpartition("@")[2]

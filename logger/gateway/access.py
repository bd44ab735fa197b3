"""What one needs to reach a gateway, as plain frozen values, and the addresses that can be tried."""

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
    """How to reach one gateway and sign in.

    `address` is host, host:port or URL. `username` and `password` are the account's at Enphase, the local ones
    are for firmware before 7 (password default: the last six characters of the serial). Empty means not given.
    `fixed`: token and password came from where a running process cannot read them again.
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

    @property
    def has_account(self) -> bool:
        """True if a token can be fetched at Enphase."""
        return bool(self.username and self.password)

    @property
    def host(self) -> str:
        """host or host:port, as written; a pin belongs to it."""
        return _parts(self.address)[1].lower()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Base URLs to try in order: the one that is written out, else https and then http."""
        scheme, place = _parts(self.address)
        return (f"{scheme}://{place}",) if scheme else (f"https://{place}", f"http://{place}")


def _parts(address: str) -> tuple[str, str]:
    split = urlsplit(address if "://" in address else f"//{address}")
    return split.scheme, split.netloc.rpartition("@")[2]

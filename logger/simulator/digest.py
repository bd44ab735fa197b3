"""HTTP Digest as old gateways ask for it (MD5, qop auth)."""

from __future__ import annotations

import hashlib
import re
import secrets

REALM = "enphaseenergy.com"


class DigestGuard:
    """Checks Authorization headers against one user."""

    def __init__(self, username: str, password: str) -> None:
        self._ha1 = _md5(f"{username}:{REALM}:{password}")
        self._username = username
        self._nonces: set[str] = set()

    def challenge(self) -> str:
        """The WWW-Authenticate header of a refusal."""
        nonce = secrets.token_hex(16)
        self._nonces.add(nonce)
        return f'Digest realm="{REALM}", qop="auth", nonce="{nonce}", algorithm=MD5'

    def admits(self, method: str, path: str, header: str) -> bool:
        """Whether the header answers one of our challenges rightly."""
        values = {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', header)}
        if values.get("nonce") not in self._nonces or values.get("username") != self._username:
            return False
        ha2 = _md5(f"{method}:{path}")
        wanted = _md5(
            ":".join(
                [
                    self._ha1,
                    values["nonce"],
                    values.get("nc", ""),
                    values.get("cnonce", ""),
                    values.get("qop", ""),
                    ha2,
                ]
            )
        )
        return values.get("uri") == path and secrets.compare_digest(values.get("response", ""), wanted)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  the protocol's own

"""HTTP Digest as old gateways ask for it (MD5, qop auth)."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from logger.simulator.connections import Request

REALM: Final = "enphaseenergy.com"


class DigestGuard:
    """Gives challenges and checks what comes back; a nonce counts upwards, so nothing can be played twice."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def challenge(self) -> str:
        """The WWW-Authenticate header of a refusal."""
        nonce = secrets.token_hex(16)
        self._counts[nonce] = 0
        return f'Digest realm="{REALM}", qop="auth", nonce="{nonce}", algorithm=MD5'

    def admits(self, request: Request, username: str, password: str) -> bool:
        """Whether the request answers one of the challenges with that user and password."""
        header = request.headers.get("authorization", "")
        given = {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', header)}
        nonce, count = given.get("nonce", ""), given.get("nc", "")
        if (given.get("username"), given.get("uri"), given.get("qop")) != (username, request.path, "auth"):
            return False
        if nonce not in self._counts or not re.fullmatch("[0-9a-f]{8}", count):
            return False
        ours, asked = _md5(f"{username}:{REALM}:{password}"), _md5(f"{request.method}:{request.path}")
        wanted = _md5(":".join((ours, nonce, count, given.get("cnonce", ""), "auth", asked)))
        if not secrets.compare_digest(wanted, given.get("response", "")) or int(count, 16) <= self._counts[nonce]:
            return False
        self._counts[nonce] = int(count, 16)
        return True


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  the protocol's own

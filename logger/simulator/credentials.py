"""What a gateway lets people in by: signed tokens as from Enphase, and HTTP Digest before firmware 7."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from logger.simulator.connections import Request

OWNER_S: Final = 31_536_000
INSTALLER_S: Final = 43_200
REALM: Final = "enphaseenergy.com"


@dataclass(slots=True)
class TokenMaker:
    """Signs tokens (ES256, the gateway's serial as audience) and knows which of its own are still good."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False
    )
    revoked: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list, repr=False)
    """Every token so far, oldest first."""

    def make(
        self,
        serial: str,
        now: float,
        *,
        lifetime_s: float = OWNER_S,
        user: str = "owner",
        username: str = "owner@example.org",
    ) -> str:
        """Sign a token for the gateway `serial`, valid from `now` (unix seconds) for `lifetime_s`."""
        claims = {
            "aud": serial,
            "iss": "Entrez",
            "enphaseUser": user,
            "iat": int(now),
            "exp": int(now + lifetime_s),
            "jti": uuid.uuid4().hex,
            "username": username,
        }
        self.made.append(jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": "stand-in"}))
        return self.made[-1]

    def is_good(self, token: str, serial: str, now: float) -> bool:
        """Whether the gateway `serial` takes it: signature, audience, dates, not revoked."""
        try:
            claims = jwt.decode(
                token,
                self.key.public_key(),
                algorithms=["ES256"],
                audience=serial,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return False
        return claims["iat"] - 300 <= now < claims["exp"] and token not in self.revoked

    def revoke_all(self) -> None:
        """Revoke every token made so far."""
        self.revoked.update(self.made)


class DigestGuard:
    """Gives Digest challenges (MD5, qop auth) and checks responses; a nonce counts up, so none is played twice."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def challenge(self) -> str:
        """Make the WWW-Authenticate header of a refusal."""
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

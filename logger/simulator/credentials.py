"""Make and check the credentials of gateways: signed tokens, and HTTP Digest before firmware 7."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from logger.simulator.connections import Request

OWNER_S: Final = 31_536_000
INSTALLER_S: Final = 43_200
REALM: Final = "enphaseenergy.com"
Verdict: TypeAlias = Literal["good", "stale", "wrong"]


@dataclass(slots=True)
class TokenMaker:
    """Sign tokens (ES256, with the gateway's serial as audience), and check whether a token is valid."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False
    )
    revoked: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list, repr=False)
    """All tokens that were made, oldest first."""

    def make(
        self,
        serial: str,
        now: float,
        *,
        lifetime_s: float = OWNER_S,
        user: str = "owner",
        username: str = "owner@example.org",
    ) -> str:
        """Sign a token for the gateway `serial`, valid from `now` (unix seconds) for `lifetime_s`.

        `user`: the kind of user, owner or installer. `username`: the e-mail address of the account.
        """
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
        """Return True if the gateway `serial` accepts the token, by signature, audience, dates and revocation."""
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


@dataclass(slots=True)
class DigestGuard:
    """Make Digest challenges (MD5), and check responses.

    `has_qop`: challenges have `qop="auth"` (RFC 2617), and the count of a nonce must rise with each request, so a
    response is valid only once. Otherwise they have no `qop` (RFC 2069). `nonce_uses`: the number of requests after
    which a nonce is stale. `names_next`: each successful answer gives the next nonce and makes the old nonce invalid.
    """

    has_qop: bool = True
    nonce_uses: int | None = None
    names_next: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    """Nonce → the number of requests that were signed with this nonce."""

    def challenge(self, *, is_stale: bool = False) -> str:
        """Return the WWW-Authenticate header of a refusal. `is_stale`: only the nonce was too old."""
        parts = [f'realm="{REALM}"', *(['qop="auth"'] if self.has_qop else []), f'nonce="{self._new_nonce()}"']
        return "Digest " + ", ".join([*parts, "algorithm=MD5", *(["stale=true"] if is_stale else [])])

    def check(self, request: Request, username: str, password: str) -> Verdict:
        """Check whether this user and password made a request's Digest signature: good, stale or wrong."""
        header = request.headers.get("authorization", "")
        given = {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', header)}
        nonce, count = given.get("nonce", ""), given.get("nc", "00000001")
        if (given.get("username"), given.get("uri")) != (username, request.path):
            return "wrong"
        if (given.get("qop") == "auth") is not self.has_qop or not re.fullmatch("[0-9a-f]{8}", count):
            return "wrong"
        ours, asked = _md5(f"{username}:{REALM}:{password}"), _md5(f"{request.method}:{request.path}")
        between = (nonce, count, given.get("cnonce", ""), "auth") if self.has_qop else (nonce,)
        if not secrets.compare_digest(_md5(":".join((ours, *between, asked))), given.get("response", "")):
            return "wrong"
        uses = self.counts.get(nonce)
        if uses is None or uses == (self.nonce_uses or -1):
            return "stale"
        if self.has_qop and int(count, 16) <= uses:
            return "wrong"
        self.counts[nonce] = int(count, 16) if self.has_qop else uses + 1
        return "good"

    def make_info(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Return the headers of a successful answer. They name the next nonce if `names_next` is True."""
        if not self.names_next:
            return ()
        used = re.search(r'nonce="([^"]*)"', request.headers.get("authorization", ""))
        if used:
            self.counts.pop(used[1], None)
        return (("authentication-info", f'nextnonce="{self._new_nonce()}"'),)

    def _new_nonce(self) -> str:
        nonce = secrets.token_hex(16)
        self.counts[nonce] = 0
        return nonce


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  Digest requires MD5

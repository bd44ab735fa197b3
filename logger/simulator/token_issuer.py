"""Tokens like the real ones: ES256, with the gateway's serial as audience, checked by signature."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

OWNER_S = 31_536_000
INSTALLER_S = 43_200


@dataclass(slots=True)
class TokenMaker:
    """Signs tokens and knows which of its own are still good."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False
    )
    revoked: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list, repr=False)

    def make(
        self,
        serial: str,
        now: float,
        *,
        lifetime_s: float = OWNER_S,
        user: str = "owner",
        username: str = "owner@example.org",
    ) -> str:
        """A signed token for the gateway `serial`, valid from `now` (unix seconds) for `lifetime_s`."""
        identity = uuid.uuid4().hex
        self.made.append(identity)
        return jwt.encode(
            {
                "aud": serial,
                "iss": "Entrez",
                "enphaseUser": user,
                "iat": int(now),
                "exp": int(now + lifetime_s),
                "jti": identity,
                "username": username,
            },
            self.key,
            algorithm="ES256",
            headers={"kid": "stand-in"},
        )

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
        return claims["iat"] - 300 <= now < claims["exp"] and claims["jti"] not in self.revoked

    def revoke_all(self) -> None:
        """No token made so far is good any more."""
        self.revoked.update(self.made)

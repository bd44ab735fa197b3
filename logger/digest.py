"""Sign requests with HTTP Digest (RFC 2617 and 7616), which gateways before firmware 7 need.

Pure, except for random nonces.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

_HASHES: Final[dict[str, Callable[[bytes], str]]] = {
    "md5": lambda text: hashlib.md5(text).hexdigest(),  # noqa: S324  the protocol's own
    "sha-256": lambda text: hashlib.sha256(text).hexdigest(),
}
_CHALLENGE: Final = re.compile(r"(?:^|,)\s*digest\b\s*(.*)", re.I | re.S)
_PARAMETER: Final = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_TEXT: Final = re.compile(r"[\x20-\x7e]{0,512}")


@dataclass(frozen=True, slots=True)
class Digest:
    """User and password for HTTP Digest, for gateways before firmware 7."""

    username: str
    password: str = field(repr=False)


@dataclass(slots=True)
class Challenge:
    """A server's challenge. `uses`: the number of requests that were signed with the challenge's nonce.

    `is_stale`: the server refused the last signature only because the nonce was too old.
    """

    realm: str
    nonce: str
    opaque: str | None = None
    algorithm: str = ""
    has_qop: bool = False
    is_stale: bool = False
    uses: int = 0

    def sign(self, digest: Digest, method: str, uri: str) -> str:
        """Return the Authorization header of the next request. `uri`: the path and query of the request."""
        self.uses += 1
        hash_of = _HASHES[self.algorithm.lower().removesuffix("-sess") or "md5"]
        count, own_nonce = f"{self.uses:08x}", secrets.token_hex(8)

        def combine(*parts: str) -> str:
            return hash_of(":".join(parts).encode())

        secret = combine(digest.username, self.realm, digest.password)
        if self.algorithm.lower().endswith("-sess"):
            secret = combine(secret, self.nonce, own_nonce)
        asked = combine(method, uri)
        used = (self.nonce, count, own_nonce, "auth") if self.has_qop else (self.nonce,)
        parts = {
            "username": _quote(digest.username),
            "realm": _quote(self.realm),
            "nonce": _quote(self.nonce),
            "uri": f'"{uri}"',
            "response": f'"{combine(secret, *used, asked)}"',
        }
        if self.opaque is not None:
            parts["opaque"] = _quote(self.opaque)
        if self.algorithm:
            parts["algorithm"] = self.algorithm
        if self.has_qop:
            parts |= {"qop": "auth", "nc": count, "cnonce": f'"{own_nonce}"'}
        return "Digest " + ", ".join(f"{name}={value}" for name, value in parts.items())

    def follow(self, info: str) -> None:
        """Use the next nonce of an Authentication-Info header, if the header has a next nonce."""
        following = _parse(info).get("nextnonce", "")
        if following and _TEXT.fullmatch(following):
            self.nonce, self.uses = following, 0


def read_challenge(headers: Sequence[str]) -> Challenge | None:
    """Read the first Digest challenge of an answer's WWW-Authenticate headers; None without a Digest challenge.

    Raises ValueError if the challenge lacks the realm or the nonce, has characters that cannot be sent back, or needs
    an algorithm or a quality of protection (`qop`) that is not supported.
    """
    found = next((match for header in headers if (match := _CHALLENGE.search(header))), None)
    if found is None:
        return None
    given = _parse(found[1])
    protections = [word.strip().lower() for word in given.get("qop", "").split(",") if word.strip()]
    algorithm = given.get("algorithm", "")
    is_known = (algorithm.lower().removesuffix("-sess") or "md5") in _HASHES
    is_printable = all(_TEXT.fullmatch(given.get(name, "")) for name in ("realm", "nonce", "opaque"))
    is_complete = bool(given.get("nonce")) and "realm" in given
    if not (is_known and is_printable and is_complete) or (protections and "auth" not in protections):
        raise ValueError("a challenge that is no valid HTTP Digest")
    return Challenge(
        given["realm"],
        given["nonce"],
        given.get("opaque"),
        algorithm,
        has_qop=bool(protections),
        is_stale=given.get("stale", "").lower() == "true",
    )


def _parse(text: str) -> dict[str, str]:
    """Parse `name=value` pairs.

    If a name occurs several times, use its first pair. Return names in lower case, and values without quotes.
    """
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(text):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or bare)
    return found


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

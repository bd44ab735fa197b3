"""Reads and checks a gateway's token, and stores it in one file (0600) named by the gateway's serial.

The gateway checks the signature. Only the token's claims are read here: gateway, start, end and kind of user. The
text of a token is never shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from logger import log
from logger.clock import format_day, format_minute
from logger.errors import StateError, TokenError
from logger.files import describe_write_error, write_atomically
from logger.lean_imports import hide_modules

with hide_modules("cryptography", of="jwt"):  # jwt imports it for signatures, which are not checked here
    import jwt

_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_EARLY_S: Final = 30 * 86400.0
PASTE: Final = (
    "sign in at https://entrez.enphaseenergy.com, make a token for this gateway and set ENPHASE_TOKEN_FILE, "
    "or set ENPHASE_USERNAME and ENPHASE_PASSWORD_FILE."
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token for this gateway.

    Times in unix seconds. `issued_at` is 0.0 if the token does not contain the time of its issue.
    """

    text: str = field(repr=False)
    expires_at: float
    issued_at: float
    user: str

    @property
    def renew_at(self) -> float:
        """Return the time at which to fetch the next token, in unix seconds.

        A token that is valid for at least 360 days is renewed 30 days before it expires. A token that is valid for a
        shorter time is renewed when a twelfth of this time is left, such as 1 h of 12 h. If a token does not contain
        the time of its issue, an installer's token counts as valid for 12 h, and any other token for a year.
        """
        life = self.expires_at - self.issued_at if self.issued_at else (43200.0 if self.user == "installer" else 0.0)
        return self.expires_at - (min(_EARLY_S, life / 12) if life > 0 else _EARLY_S)


def read_token(text: str, serial: str, now: float, origin: str) -> Token:
    """Read and check the token in `text` for gateway `serial` at `now`. Raises TokenError that names `origin`."""
    text = text.strip()
    if not _FORM.fullmatch(text):
        raise TokenError(f"{origin} is not a token: a token is three parts separated by dots", PASTE)
    log.protect_passing(text)
    try:
        claims = jwt.decode(text, options={"verify_signature": False, "verify_exp": False, "verify_aud": False})
    except jwt.InvalidTokenError as error:
        raise TokenError(f"{origin} is not a token: it cannot be decoded ({type(error).__name__})", PASTE) from error
    audience = _list_audience(claims.get("aud"))
    expires, issued, user = (claims.get(name) for name in ("exp", "iat", "enphaseUser"))
    if not audience:
        text = f"{origin} names no gateway (it has no audience): it is a token for another service of Enphase"
        raise TokenError(text, PASTE)
    if serial not in audience:
        raise TokenError(f"{origin} is for gateway {_plain(audience[0])}, but this gateway is {serial}", PASTE)
    if isinstance(expires, bool) or not isinstance(expires, (int, float)) or not 0 < expires < 1e11:
        raise TokenError(f"{origin} contains no time until which it is valid", PASTE)
    if expires <= now:
        raise TokenError(f"{origin} expired on {format_minute(expires)}", PASTE)
    if isinstance(issued, bool) or not isinstance(issued, (int, float)) or not 0 < issued < expires:
        issued = 0.0
    return Token(text, float(expires), float(issued), _plain(user))


def load(state_dir: Path, serial: str, now: float) -> Token | None:
    """Load the stored token; None if it is missing, expired or damaged.

    Raises StateError if the file cannot be read.
    """
    path = _path(state_dir, serial)
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path} cannot be read: {type(error).__name__}",
            "remove the file, or make the recorder's user its owner.",
        ) from error
    try:
        return read_token(text, serial, now, "the stored token")
    except TokenError:
        return None  # expired or damaged; the next token replaces it


def save(state_dir: Path, serial: str, token: Token) -> None:
    """Save a token in a file that only its owner can read. Raises StateError if the file cannot be written."""
    path = _path(state_dir, serial)
    try:
        write_atomically(path, token.text.encode("ascii") + b"\n")
    except OSError as error:
        raise describe_write_error(path, error) from error


def format_end(token: Token) -> str:
    """Format a token's end for people: with hour and minute for an installer's token, otherwise only the day."""
    return format_minute(token.expires_at) if token.user == "installer" else format_day(token.expires_at)


def _path(state_dir: Path, serial: str) -> Path:
    return state_dir / f"token-{serial}"


def _list_audience(claim: object) -> list[str]:
    """Return the serials for which a token is valid. The claim `aud` is one text or a list of texts."""
    return [text for text in (claim if isinstance(claim, list) else [claim]) if isinstance(text, str) and text]


def _plain(claim: object) -> str:
    """Return a claim as messages show it: a short and plain claim unchanged, any other claim as a question mark."""
    return claim if isinstance(claim, str) and re.fullmatch(r"[\w-]{1,24}", claim) else "?"

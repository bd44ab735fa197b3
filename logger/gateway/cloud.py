"""Sign-in at Enphase: account → session → the gateway's token. One attempt, answered by a token or a Refusal.

When and how often this may be done is not decided here (`signin`). Two ways to the token are known and tried in
turn, because Enphase moves them without notice. Certificates are verified against the system's authorities.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from logger import log
from logger.clock import Clock, format_span
from logger.errors import (
    CertificateError,
    CredentialsError,
    NameUnknownError,
    SettingsError,
    SignInBlockedError,
    SignInRefusedError,
    TokenError,
    UnreachableError,
    WireError,
)
from logger.gateway.access import Access
from logger.gateway.tokens import Token, read_token
from logger.wire import Answer, Wire

_TIMEOUT_S: Final = 30.0
_LIMIT: Final = 1024 * 1024
_PASTE: Final = (
    "make a token by hand: sign in at https://entrez.enphaseenergy.com, choose the gateway, set ENPHASE_TOKEN_FILE."
)
_SESSION_COOKIE: Final = "_enlighten_4_session"

Kind = Literal["refused", "blocked", "mfa", "sessions", "throttled", "down", "no-token", "unsent"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no token. `unsent`: nothing of the credentials left this machine. `wait_s`: Retry-After."""

    kind: Kind
    error: CredentialsError
    wait_s: float = 0.0


async def fetch_token(access: Access, serial: str, clock: Clock) -> Token | Refusal:
    """Sign in with the account's user and password and fetch the token of gateway `serial`."""
    wires: dict[str, Wire] = {}

    def wire_to(url: str) -> tuple[Wire, str]:
        origin, path = _split(url)
        if origin not in wires:
            wires[origin] = Wire(origin, clock, use_proxy=True, max_bytes=_LIMIT)
        return wires[origin], path

    try:
        for url in (access.login_url, access.token_url):
            if not _protected(url):
                return Refusal("unsent", _unencrypted(url))
            try:
                wire_to(url)
            except SettingsError as error:
                (problem,) = error.problems
                return Refusal("unsent", SignInBlockedError(f"{problem.setting} {problem.message}", problem.fix))
        return await _fetch(access, serial, clock, wire_to)
    finally:
        for wire in wires.values():
            await wire.aclose()


async def _fetch(
    access: Access, serial: str, clock: Clock, wire_to: Callable[[str], tuple[Wire, str]]
) -> Token | Refusal:
    wire, path = wire_to(access.login_url)
    try:
        answer = await wire.request(
            "POST",
            path,
            timeout_s=_TIMEOUT_S,
            headers={"accept": "application/json"},
            form={"user[email]": access.username, "user[password]": access.password},
        )
    except WireError as error:
        return _unanswered(error)
    session = read_login(answer, wire.host, otp=wire.cookie("login_otp_nonce") is not None)
    if isinstance(session, Refusal):
        return session
    log.protect_passing(session)

    refusals = []
    for way in (_by_post, _by_session):
        try:
            answer, text = await way(access, serial, session, wire_to)
        except WireError as error:
            refusals.append(replace(_unanswered(error), kind="down"))  # the password is sent already
            continue
        place = urlsplit(access.token_url if way is _by_post else access.login_url).hostname or "Enphase"
        found = read_answer(answer, text, serial, clock.time(), place)
        if isinstance(found, Token):
            return found
        refusals.append(found)
    throttled = [refusal for refusal in refusals if refusal.kind == "throttled"]
    return (throttled or refusals)[0]


async def _by_post(
    access: Access, serial: str, session: str, wire_to: Callable[[str], tuple[Wire, str]]
) -> tuple[Answer, str]:
    """The first way: the answer's body is the token."""
    wire, path = wire_to(access.token_url)
    answer = await wire.request(
        "POST",
        path,
        timeout_s=_TIMEOUT_S,
        headers={"accept": "*/*"},
        json={"session_id": session, "serial_num": serial, "username": access.username},
    )
    return answer, answer.text.strip().strip('"')


async def _by_session(
    access: Access, serial: str, session: str, wire_to: Callable[[str], tuple[Wire, str]]
) -> tuple[Answer, str]:
    """The second way: JSON with the token, for the session's cookie."""
    wire, _ = wire_to(access.login_url)
    own = {} if wire.cookie(_SESSION_COOKIE) else {"cookie": f"{_SESSION_COOKIE}={session}"}
    answer = await wire.request(
        "GET",
        "/entrez-auth-token",
        timeout_s=_TIMEOUT_S,
        params={"serial_num": serial},
        headers={"accept": "application/json", **own},
    )
    body = answer.fields
    token = body.get("token")
    return answer, token if isinstance(token, str) else ""


def read_login(answer: Answer, host: str, *, otp: bool) -> str | Refusal:
    """The session that a login's answer gives, or why there is none. `otp`: a one-time-password cookie came."""
    body = answer.fields
    session, message = body.get("session_id"), str(body.get("message") or "").lower()
    if answer.status == 401 or (answer.status == 200 and "invalid" in message):
        return Refusal(
            "refused",
            SignInRefusedError(
                f"{host} refuses the sign-in: wrong e-mail or password",
                "check ENPHASE_USERNAME and ENPHASE_PASSWORD_FILE by signing in with them in a browser; "
                "no further attempt is made for 24 hours or until they change.",
            ),
        )
    if answer.status != 200:
        return _by_status(answer, host)
    if isinstance(session, str) and session and len(session) <= 512 and session.isascii() and session.isprintable():
        return session
    if "session" in message:
        return Refusal(
            "sessions",
            SignInBlockedError(
                f"{host} says that this account has too many active sessions",
                f"wait some hours, or {_PASTE}",
            ),
        )
    if body.get("isBlocked") is True and not otp:
        return Refusal(
            "blocked",
            SignInBlockedError(
                f"{host} says that this account is blocked",
                f"sign in with a browser and do what it asks; then change the password here too. Otherwise {_PASTE}",
            ),
        )
    if otp or body.get("success") is True:
        return Refusal(
            "mfa",
            SignInBlockedError(
                f"{host} asks for a second factor (MFA): this account cannot sign in without a person",
                _PASTE,
            ),
        )
    return Refusal(
        "down",
        SignInBlockedError(
            f"{host} answered the sign-in with a web page or without a session",
            f"wait: the sign-in is tried again later; if this lasts, {_PASTE}",
        ),
    )


def read_answer(answer: Answer, text: str, serial: str, now: float, host: str) -> Token | Refusal:
    """The token that one of the two ways gave, or why there is none."""
    if answer.status in (403, 406, 429) or answer.status >= 500:
        return _by_status(answer, host)
    try:
        if answer.status == 200:
            return read_token(text, serial, now, f"what {host} gave")
        why = f"status {answer.status}"
    except TokenError as error:
        why = error.message
    return Refusal(
        "no-token",
        SignInRefusedError(
            f"{host} gave no token for gateway {serial}: {why}",
            f"check that this gateway belongs to the account. Otherwise {_PASTE}",
        ),
    )


def _by_status(answer: Answer, host: str) -> Refusal:
    asked = answer.headers.get("retry-after", "").strip()
    wait_s = min(int(asked), 86400) if re.fullmatch(r"[0-9]{1,9}", asked) else 0
    throttled = answer.status in (403, 406, 429)
    what = "does not accept sign-ins now" if throttled else "has trouble"
    return Refusal(
        "throttled" if throttled else "down",
        SignInBlockedError(
            f"{host} {what}: it answered {answer.status}"
            + (f" and asks to wait {format_span(wait_s)}" if wait_s else ""),
            f"wait: the sign-in is tried again later; if this lasts, {_PASTE}",
        ),
        float(wait_s),
    )


def _unanswered(error: WireError) -> Refusal:
    """A request that brought no answer; where no connection came about, nothing was sent."""
    unsent = isinstance(error, (NameUnknownError, UnreachableError, CertificateError))
    return Refusal(
        "unsent" if unsent else "down",
        SignInBlockedError(
            f"Enphase cannot be reached for a sign-in: {error.message}",
            f"check this machine's way to the internet and its DNS; it is tried again. Otherwise {_PASTE}",
        ),
    )


def _protected(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _unencrypted(url: str) -> SignInBlockedError:
    host = urlsplit(url).hostname
    return SignInBlockedError(
        f"the sign-in at {host} would send the password unencrypted",
        "write ENPHASE_LOGIN_URL and ENPHASE_TOKEN_URL with https://; http:// is for this machine alone.",
    )


def _split(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", path or "/"

"""Signs in at Enphase, and fetches the gateway's token with the session.

Each attempt returns a Token or a Refusal. `cool_down` decides when an attempt may be made. Two addresses for tokens
are tried in turn, because Enphase moves them without notice. Certificates are verified against the system's
authorities.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from logger import log
from logger.answer import Answer
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
from logger.wire import Wire

_TIMEOUT_S: Final = 30.0
_LIMIT: Final = 1024 * 1024
_SESSION_COOKIE: Final = "_enlighten_4_session"
_PASTE: Final = (
    "make a token by hand: sign in at https://entrez.enphaseenergy.com, choose the gateway, set ENPHASE_TOKEN_FILE."
)
_WAIT: Final = f"wait: the sign-in is tried again later; if this lasts, {_PASTE}"

Kind: TypeAlias = Literal["refused", "blocked", "mfa", "sessions", "throttled", "down", "no-token", "unsent"]

_LOGIN_REFUSALS: Final[Mapping[Kind, tuple[type[CredentialsError], str, str]]] = {
    "refused": (
        SignInRefusedError,
        "refuses the sign-in: wrong e-mail or password",
        "check ENPHASE_USERNAME and ENPHASE_PASSWORD_FILE by signing in with them in a browser; "
        "no further attempt is made for 24 hours or until these settings change.",
    ),
    "sessions": (
        SignInBlockedError,
        "reports too many active sessions of this account",
        f"wait some hours, or {_PASTE}",
    ),
    "blocked": (
        SignInBlockedError,
        "reports that this account is blocked",
        f"follow the instructions after a sign-in in a browser; then set the new password here. Otherwise {_PASTE}",
    ),
    "mfa": (
        SignInBlockedError,
        "requires a second factor (MFA): this account cannot sign in without a person",
        _PASTE,
    ),
    "down": (SignInBlockedError, "answered the sign-in with a web page or without a session", _WAIT),
}
"""For a login answer without a session: kind → the error's class, its text after the host, its hint."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why a sign-in returned no token.

    Kind `unsent`: no credentials left this machine. `wait_s`: the seconds of the answer's Retry-After header, 0
    without this header.
    """

    kind: Kind
    error: CredentialsError
    wait_s: float = 0.0


async def fetch_token(access: Access, serial: str, clock: Clock) -> Token | Refusal:
    """Sign in with the account's user and password and fetch the token of gateway `serial`."""
    unprotected = next((url for url in (access.login_url, access.token_url) if not _is_protected(url)), None)
    if unprotected is not None:
        return Refusal("unsent", _explain_unencrypted(unprotected))
    async with AsyncExitStack() as stack:
        wires: dict[str, Wire] = {}
        try:
            for origin in dict.fromkeys(_split(url)[0] for url in (access.login_url, access.token_url)):
                wire = Wire(origin, clock, use_proxy=True, max_bytes=_LIMIT)
                wires[origin] = await stack.enter_async_context(aclosing(wire))
        except SettingsError as error:
            (problem,) = error.problems
            return Refusal("unsent", SignInBlockedError(f"{problem.setting} {problem.message}", problem.fix))
        return await _Account(access, serial, clock, wires).fetch_token()


@dataclass(frozen=True, slots=True)
class _Account:
    """Makes one sign-in.

    `wires`: the connection to each server, by its origin. A connection stores the cookies of its server.
    """

    access: Access
    serial: str
    clock: Clock
    wires: Mapping[str, Wire]

    async def fetch_token(self) -> Token | Refusal:
        wire, path = self._wire_to(self.access.login_url)
        form = {"user[email]": self.access.username, "user[password]": self.access.password}
        try:
            answer = await wire.request(
                "POST", path, timeout_s=_TIMEOUT_S, headers={"accept": "application/json"}, form=form
            )
        except WireError as error:
            return _refuse_unanswered(error)
        session = read_login(answer, wire.host, otp=wire.cookie("login_otp_nonce") is not None)
        if isinstance(session, Refusal):
            return session
        log.protect_passing(session)
        refusals = []
        for way, url in ((self._post, self.access.token_url), (self._get, self.access.login_url)):
            try:
                answer, text = await way(session)
            except WireError as error:
                refusals.append(replace(_refuse_unanswered(error), kind="down"))  # the password is sent already
                continue
            found = read_token_answer(
                answer, text, self.serial, self.clock.time(), urlsplit(url).hostname or "Enphase"
            )
            if isinstance(found, Token):
                return found
            refusals.append(found)
        return next((refusal for refusal in refusals if refusal.kind == "throttled"), refusals[0])

    async def _post(self, session: str) -> tuple[Answer, str]:
        """Request the token from the token server. Return the answer, and the token: the body of the answer."""
        wire, path = self._wire_to(self.access.token_url)
        body = {"session_id": session, "serial_num": self.serial, "username": self.access.username}
        answer = await wire.request("POST", path, timeout_s=_TIMEOUT_S, headers={"accept": "*/*"}, json=body)
        return answer, answer.text.strip().strip('"')

    async def _get(self, session: str) -> tuple[Answer, str]:
        """Request the token from the login server, with the session's cookie.

        Return the answer, and the token in its JSON; the token is empty if the JSON has none.
        """
        wire, _ = self._wire_to(self.access.login_url)
        own = {} if wire.cookie(_SESSION_COOKIE) else {"cookie": f"{_SESSION_COOKIE}={session}"}
        answer = await wire.request(
            "GET",
            "/entrez-auth-token",
            timeout_s=_TIMEOUT_S,
            params={"serial_num": self.serial},
            headers={"accept": "application/json", **own},
        )
        token = answer.fields.get("token")
        return answer, token if isinstance(token, str) else ""

    def _wire_to(self, url: str) -> tuple[Wire, str]:
        origin, path = _split(url)
        return self.wires[origin], path


def read_login(answer: Answer, host: str, *, otp: bool) -> str | Refusal:
    """Return the session in the answer to a login, or a Refusal. `otp`: the server set a one-time-password cookie."""
    body = answer.fields
    session, message = body.get("session_id"), str(body.get("message") or "").lower()
    kind: Kind = "down"
    if answer.status == 401 or (answer.status == 200 and "invalid" in message):
        kind = "refused"
    elif answer.status != 200:
        return _refuse_by_status(answer, host)
    elif isinstance(session, str) and session and len(session) <= 512 and session.isascii() and session.isprintable():
        return session
    elif "session" in message:
        kind = "sessions"
    elif body.get("isBlocked") is True and not otp:
        kind = "blocked"
    elif otp or body.get("success") is True:
        kind = "mfa"
    error, words, hint = _LOGIN_REFUSALS[kind]
    return Refusal(kind, error(f"{host} {words}", hint))


def read_token_answer(answer: Answer, text: str, serial: str, now: float, host: str) -> Token | Refusal:
    """Return the token in an answer's `text`, or a Refusal. `now`: the time in unix seconds."""
    if answer.status in (403, 406, 429) or answer.status >= 500:
        return _refuse_by_status(answer, host)
    try:
        if answer.status == 200:
            return read_token(text, serial, now, f"the token from {host}")
        reason = f"status {answer.status}"
    except TokenError as error:
        reason = error.message
    return Refusal(
        "no-token",
        SignInRefusedError(
            f"{host} gave no token for gateway {serial}: {reason}",
            f"check that this gateway belongs to the account. Otherwise {_PASTE}",
        ),
    )


def _refuse_by_status(answer: Answer, host: str) -> Refusal:
    asked = answer.headers.get("retry-after", "").strip()
    wait_s = min(int(asked), 86400) if re.fullmatch(r"[0-9]{1,9}", asked) else 0
    is_throttled = answer.status in (403, 406, 429)
    trouble = "does not accept sign-ins now" if is_throttled else "has trouble"
    wish = f" and asks to wait {format_span(wait_s)}" if wait_s else ""
    error = SignInBlockedError(f"{host} {trouble}: it answered {answer.status}{wish}", _WAIT)
    return Refusal("throttled" if is_throttled else "down", error, float(wait_s))


def _refuse_unanswered(error: WireError) -> Refusal:
    """Return the Refusal for a request without an answer. Its kind is `unsent` if no connection was made."""
    is_unsent = isinstance(error, (NameUnknownError, UnreachableError, CertificateError))
    return Refusal(
        "unsent" if is_unsent else "down",
        SignInBlockedError(
            f"Enphase cannot be reached for a sign-in: {error.message}",
            f"check this machine's internet connection and its DNS; the sign-in is tried again. Otherwise {_PASTE}",
        ),
    )


def _is_protected(url: str) -> bool:
    """Return True if requests to this URL are encrypted or stay on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _explain_unencrypted(url: str) -> SignInBlockedError:
    return SignInBlockedError(
        f"the sign-in at {urlsplit(url).hostname} would send the password unencrypted",
        "write ENPHASE_LOGIN_URL and ENPHASE_TOKEN_URL with https://; http:// is only for servers on this machine.",
    )


def _split(url: str) -> tuple[str, str]:
    """Split a URL into origin and path with query."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", path or "/"

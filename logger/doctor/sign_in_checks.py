"""Checks the sign-in at this gateway, and whether it will continue to work. Signs in only if allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from logger.clock import Clock, format_span
from logger.doctor.check_result import CheckResult, bad, fail, good, note
from logger.errors import CredentialsError, EnvoyLoggerError, StateError
from logger.gateway import tokens
from logger.gateway.access import Access
from logger.gateway.auth import Auth
from logger.gateway.endpoints import auth_kind
from logger.gateway.gateway_events import GatewayEvents
from logger.gateway.sign_in import check_allowed
from logger.gateway.tokens import Token
from logger.model import GatewayInfo

SIGN_IN: Final = "sign-in"


async def check_sign_in(
    access: Access, info: GatewayInfo, clock: Clock, *, sign_in: bool
) -> tuple[CheckResult, Token | None]:
    """Check the sign-in. Return the result, and the token that the recorder would use now; None without a token."""
    kind = auth_kind(info)
    if kind == "open":
        return good(SIGN_IN, "none needed"), None
    if kind == "digest":
        return good(SIGN_IN, f"user {access.local_username or 'envoy'}, for the paths that need a sign-in"), None
    try:
        token = await _find_token(access if sign_in else replace(access, username="", password=""), info, clock)
    except EnvoyLoggerError as error:
        return _explain_no_token(access, info, error, clock.time(), tried=sign_in), None
    return _judge_token(access, info, token, clock.time()), token


async def _find_token(access: Access, info: GatewayInfo, clock: Clock) -> Token:
    auth = Auth(access, clock, info.serial, GatewayEvents(clock))
    try:
        return await auth.current()
    finally:
        await auth.aclose()


def _is_pasted(access: Access, token: Token | None) -> bool:
    return token is None or token.text == access.token.strip()


def _judge_token(access: Access, info: GatewayInfo, token: Token, now: float) -> CheckResult:
    """Check how long the token is valid, and whether the recorder can fetch the next token."""
    origin = "pasted" if _is_pasted(access, token) else "stored"
    text = f"{origin} token of role {token.user}, {format_span(token.expires_at - now)} left"
    if now < token.renew_at:
        if token.user == "installer":
            cure = "use the owner's account, whose tokens last a year: set ENPHASE_USERNAME, or ENPHASE_TOKEN_FILE."
            return note(SIGN_IN, f"{text}: an installer's token lasts 12 hours", cure)
        return good(SIGN_IN, text)
    if not access.has_account:
        return note(SIGN_IN, f"{text}, and no account is set to renew the token", tokens.PASTE)
    try:
        check_allowed(access, info.serial, now)
    except CredentialsError as error:
        return note(SIGN_IN, f"{text}; the token cannot be renewed: {error.message}", error.hint)
    return good(SIGN_IN, f"{text}, about to be renewed")


def _explain_no_token(
    access: Access, info: GatewayInfo, error: EnvoyLoggerError, now: float, *, tried: bool
) -> CheckResult:
    """Make the result for a missing token: why no token could be fetched, or that the recorder will sign in.

    `error`: the reason for the missing token. `tried`: whether this check tried to sign in.
    """
    if tried or not access.has_account or isinstance(error, StateError):
        return fail(SIGN_IN, error)
    try:
        check_allowed(access, info.serial, now)
    except EnvoyLoggerError as reason:
        return fail(SIGN_IN, reason)
    text = "no token is stored yet; the recorder signs in at its next poll"
    return note(SIGN_IN, text, "envoy-logger doctor --sign-in")


def refuse_token(access: Access, token: Token | None) -> CheckResult:
    """Make the result for a token that the gateway refuses, although the token has not expired."""
    origin = "pasted" if _is_pasted(access, token) else "stored"
    text = f"the gateway refuses the {origin} token, although the token has not expired"
    if access.has_account:
        cure = "wait: the recorder gets another token at its next poll; if no recorder runs, run envoy-logger once."
        return bad(SIGN_IN, text, cure, 77)
    return bad(SIGN_IN, text, tokens.PASTE, 77)

"""How one signs in at this gateway, and whether that will go on working; no sign-in is made unless asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from logger.clock import Clock, format_span
from logger.doctor.check_result import Check, failed, good, note
from logger.errors import CredentialsError, EnvoyLoggerError, StateError
from logger.gateway import sign_in, tokens
from logger.gateway.access import Access
from logger.gateway.auth import Auth
from logger.gateway.endpoints import auth_kind
from logger.gateway.tokens import Token
from logger.model import GatewayInfo

NAME: Final = "sign-in"


async def signed_in(access: Access, info: GatewayInfo, clock: Clock, *, sign_in: bool) -> tuple[Check, Token | None]:
    """The token that the recorder would use now, and what is to be said of it; None where there is none."""
    kind = auth_kind(info)
    if kind != "token":
        who = f"user {access.local_username or 'envoy'}, for the list of inverters alone"
        return good(NAME, "none needed" if kind == "open" else who), None
    here = access if sign_in else replace(access, username="", password="")
    try:
        auth = Auth(here, clock, info.serial, _untold)
        try:
            token = await auth.current()
        finally:
            await auth.aclose()
    except EnvoyLoggerError as error:
        return _without(access, info, error, clock.time(), tried=sign_in), None
    return _with(access, info, token, clock.time()), token


def _untold(kind: str, text: str, severity: Literal["info", "warning", "error"]) -> None:
    """Events are the recorder's."""


def _with(access: Access, info: GatewayInfo, token: Token, now: float) -> Check:
    """How long the token lasts, and whether the next one will come by itself."""
    pasted = token.text == access.token.strip()
    where = "pasted" if pasted else "kept"
    text = f"{where} token of role {token.user}, {format_span(token.expires_at - now)} left"
    if now < token.renew_at:
        if token.user == "installer":
            cure = "set ENPHASE_USERNAME to the owner's account: its tokens last a year."
            return note(NAME, f"{text}: an installer's token lasts 12 hours", cure)
        return good(NAME, text)
    if not access.has_account:
        return note(NAME, f"{text}, and no account to renew it", tokens.PASTE)
    try:
        _allowed(access, info.serial, now)
    except CredentialsError as error:
        return note(NAME, f"{text}; its renewal does not come: {error.message}", error.hint)
    return good(NAME, f"{text}, about to be renewed")


def _without(access: Access, info: GatewayInfo, error: EnvoyLoggerError, now: float, *, tried: bool) -> Check:
    """Why there is no token: what forbids a sign-in, or that none was made yet."""
    if tried or not access.has_account or isinstance(error, StateError):
        return failed(NAME, error)
    try:
        _allowed(access, info.serial, now)
    except EnvoyLoggerError as why:
        return failed(NAME, why)
    return note(
        NAME, "no token is kept yet; the recorder signs in at its first poll", "envoy-logger doctor --sign-in"
    )


def _allowed(access: Access, serial: str, now: float) -> None:
    """Raises what a sign-in would be refused with before it is made."""
    state = sign_in.sane(sign_in.load(access.state_dir), now)
    state = sign_in.with_credentials(state, access.username, access.password, now)
    sign_in.check(state, serial, now)

"""The sign-in's part of `init`: account, pasted token, local user or nothing, as the gateway's generation needs."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Final

import click

from logger.clock import Clock, format_day
from logger.commands.init.draft import Draft
from logger.commands.init.find_gateway import GatewayAnswers
from logger.commands.init.terminal import Terminal
from logger.daemon.config import access_of
from logger.errors import AbsentError, NotAllowedError
from logger.gateway import tokens
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import ENDPOINTS, FIRST_API, Endpoint, auth_kind
from logger.gateway.probe import FoundGateway
from logger.store.folder import prepare

_ACCOUNT, _TOKEN, _LATER = range(3)
_WHERE: Final = "https://entrez.enphaseenergy.com"


def sign_in(terminal: Terminal, draft: Draft, given: GatewayAnswers, met: FoundGateway, clock: Clock) -> None:
    """Account, pasted token, local user or nothing, as the generation needs; tried at once."""
    kind = auth_kind(met.info)
    if kind == "open":
        return
    terminal.heading("Signing in")
    if not given.sign_in:
        terminal.note("left out; `envoy-logger init --account E-MAIL` or --token-file does it later")
        return
    prepare(draft.state_dir)
    access = replace(
        access_of(draft.before),
        address=met.address,
        expected_serial=met.info.serial,
        state_dir=draft.state_dir,
        fixed=False,
    )
    if kind == "digest":
        _local(terminal, draft, given, access, clock)
    else:
        _with_token(terminal, draft, given, access, clock)


def _local(terminal: Terminal, draft: Draft, given: GatewayAnswers, access: Access, clock: Clock) -> None:
    """Firmware before 7: totals are open; the list of inverters wants a user, mostly the one it came with."""
    access = replace(
        access,
        local_username=given.local_user or access.local_username,
        local_password=given.local_password or access.local_password,
    )

    while True:
        try:
            asyncio.run(_fetch(access, _path("/api/v1/production/inverters"), clock))
            break
        except NotAllowedError:
            terminal.bad(f"the gateway refuses user {access.local_username} for the list of inverters")
            if not terminal.asks or not terminal.confirm("Try another user", default=True):
                terminal.note("totals need no user; --local-user and --local-password-file give another one later")
                return
        access = replace(
            access,
            local_username=terminal.text("User (firmware 3.18: installer)", default="envoy", option="--local-user"),
            local_password=terminal.secret("Its password", option="--local-password-file"),
        )
    terminal.good(f"user {access.local_username} may read the list of inverters; totals need no user")
    draft.put("ENPHASE_LOCAL_USERNAME", access.local_username, "envoy")
    if access.local_password:
        draft.put_secret("ENPHASE_LOCAL_PASSWORD", access.local_password)


def _with_token(terminal: Terminal, draft: Draft, given: GatewayAnswers, access: Access, clock: Clock) -> None:
    """Firmware 7 and later: by the account, which also renews, or by a token that a person copied."""
    account, password, token = given.account, given.password, given.token
    if not account and password:
        account = access.username
    if not (account or token):
        if not terminal.asks:
            if access.has_account or access.token:
                _try(terminal, access, clock)
            else:
                terminal.note("this gateway wants a token: --account with --password-file, or --token-file")
            return
        click.echo(f"   This gateway wants a token, which Enphase makes ({_WHERE}).")

    def attempt() -> None:
        nonlocal account, password, token
        way = _TOKEN if token else _ACCOUNT if account else _way(terminal)
        if way == _LATER:
            terminal.note("left out: nothing is read until there is a token")
            return
        if way == _TOKEN:
            text = (token or terminal.secret("The token (it is not shown)", option="--token-file")).strip()
            token = None
            tokens.read_token(text, access.expected_serial, clock.time(), "this token")
            _try(terminal, replace(access, token=text, username="", password=""), clock)
            draft.put_secret("ENPHASE_TOKEN", text)
            return
        email = account or terminal.text("Your Enphase account's e-mail", default=access.username, option="--account")
        secret = password or terminal.secret("Its password", option="--password-file")
        account, password = "", None
        draft.judge(ENPHASE_USERNAME=email)
        _try(terminal, replace(access, token="", username=email, password=secret), clock)
        draft.put("ENPHASE_USERNAME", email)
        draft.put_secret("ENPHASE_PASSWORD", secret)
        draft.drop("ENPHASE_TOKEN")

    terminal.again(attempt)


def _way(terminal: Terminal) -> int:
    choices = (
        "with my Enphase account: the token is fetched now and renewed by itself",
        f"with a token that I copied from {_WHERE.partition('://')[2]} (works with two-factor accounts)",
        "later",
    )
    return terminal.choose("How", choices, option="--account with --password-file, or --token-file")


def _try(terminal: Terminal, access: Access, clock: Clock) -> None:
    """Sign in with the existing lock and cool-downs, and let the gateway itself say whether it takes the token."""
    kept = tokens.load(access.state_dir, access.expected_serial, clock.time())
    expires, user = asyncio.run(_fetch(access, _path("/api/v1/production"), clock))
    until = "" if expires is None else f", good until {format_day(expires)}"
    terminal.good(f"the gateway takes the token: role {user or '?'}{until}")
    if kept is not None and access.has_account:
        terminal.note("the token of an earlier sign-in is still good; the password was not tried now")
    if user == "installer":
        terminal.note("an installer's tokens last 12 hours; it is renewed each time an hour before")


async def _fetch(access: Access, endpoint: Endpoint, clock: Clock) -> tuple[float | None, str | None]:
    """Ask one path → until when the token lasts and its role, if one was used."""
    gateway = Gateway(access, clock)
    try:
        with contextlib.suppress(AbsentError):  # let in, and told that there is no such document
            await gateway.fetch(endpoint)
        return gateway.token_expires_at, gateway.token_user
    finally:
        await gateway.aclose()


def _path(path: str) -> Endpoint:
    return next(endpoint for endpoint in ENDPOINTS if endpoint.path == path and endpoint.since <= FIRST_API)

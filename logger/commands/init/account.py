"""The sign-in section of `init`: asks for an account, a token or a local user, depending on the firmware."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import replace
from typing import Final

import click

from logger.clock import Clock, format_day
from logger.commands.init.answers import Answers
from logger.commands.init.draft import Draft
from logger.commands.init.terminal import Terminal
from logger.daemon.config import access_of
from logger.errors import AbsentError, NotAllowedError
from logger.gateway import tokens
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import ENDPOINTS, auth_kind
from logger.gateway.probe import FoundGateway
from logger.store.folder import prepare

_ACCOUNT, _TOKEN, _LATER = range(3)
_WHERE: Final = "https://entrez.enphaseenergy.com"
_MAY_WANT_A_USER: Final = {
    "/api/v1/production/inverters": "the list of inverters",
    "/ivp/meters": "the list of meters",
}
_E_MAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_CREDENTIALS: Final = ("ENPHASE_USERNAME", "ENPHASE_PASSWORD", "ENPHASE_TOKEN")
_CHOICES: Final = (
    "with my Enphase account: the token is fetched now and renewed by itself",
    f"with a token that I copied from {_WHERE.partition('://')[2]} (works with two-factor accounts)",
    "later",
)


def set_up_sign_in(
    terminal: Terminal, draft: Draft, answers: Answers, gateway: FoundGateway, clock: Clock
) -> Access | None:
    """Ask for the credentials that this gateway's firmware needs, and test these credentials.

    Return the access data of the gateway with these credentials; None if the user leaves the sign-in out.
    """
    kind = auth_kind(gateway.info)
    access = replace(
        access_of(draft.before),
        address=gateway.address,
        expected_serial=gateway.info.serial,
        state_dir=draft.state_dir,
        fixed=False,
    )
    if kind == "open":
        return access
    terminal.start_section("Signing in")
    if answers.no_sign_in:
        terminal.show_note("left out; sign in later by `envoy-logger init --account E-MAIL` or --token-file")
        return None
    prepare(draft.state_dir)
    if kind == "digest":
        return _set_up_local_user(terminal, draft, answers, access, clock)
    if answers.add and access.has_account and not (answers.account or answers.token):
        question = f"Does it belong to the account {access.username}, as the others"
        if not terminal.asks or terminal.confirm(question, default=True):
            _try_token(terminal, access, clock)
            return access
    given = replace(answers, account=answers.account or (access.username if answers.password else ""))
    if given.account or given.token or terminal.asks:
        if not (given.account or given.token):
            click.echo(f"   This gateway needs a token, which Enphase makes ({_WHERE}).")
        return terminal.retry(
            lambda first: _set_up_token(terminal, draft, given if first else Answers(), access, clock),
            later="Leave signing in for later, and keep the other answers",
        )
    if access.has_account or access.token:
        _try_token(terminal, access, clock)
        draft.adopt(*_CREDENTIALS)
        return access
    terminal.show_note("this gateway needs a token: give --account with --password-file, or --token-file")
    return None


def _set_up_local_user(terminal: Terminal, draft: Draft, answers: Answers, access: Access, clock: Clock) -> Access:
    """Ask for the local user of a gateway before firmware 7.

    Test the paths that may need this user.
    """
    user, password = answers.local_user or access.local_username, answers.local_password or access.local_password
    while True:
        access = replace(access, local_username=user, local_password=password)
        refused = _find_refused(access, clock)
        if not refused:
            break
        terminal.show_bad(f"the gateway refuses {refused} to user {user}")
        if not terminal.asks or not terminal.confirm("Try another user", default=True):
            terminal.show_note(
                "documents that need no user are still read; --local-user and --local-password-file set another user"
            )
            return access
        user = terminal.ask("User (firmware 3.18: installer)", default="envoy", option="--local-user")
        password = terminal.ask_secret("Its password", option="--local-password-file")
    terminal.show_good(f"user {user} may read all documents that need a user")
    draft.put("ENPHASE_LOCAL_USERNAME", user, "envoy")
    if password:
        draft.put_secret("ENPHASE_LOCAL_PASSWORD", password)
    return access


def _find_refused(access: Access, clock: Clock) -> str:
    """Return the name of a document that this local user may not read, but another user may.

    Return an empty text if there is no such document.
    """
    for path, name in _MAY_WANT_A_USER.items():
        try:
            asyncio.run(_fetch(access, path, clock))
        except NotAllowedError as error:
            if error.hint:  # another user may read it
                return name
    return ""


def explain_no_e_mail(text: str) -> str:
    """Return the reason why a text is no e-mail address; empty if it can be an e-mail address."""
    return "" if _E_MAIL.fullmatch(text) else "that is no e-mail address, such as me@example.org"


def _set_up_token(terminal: Terminal, draft: Draft, answers: Answers, access: Access, clock: Clock) -> Access | None:
    """Sign in with an account, or use a token that a person copied. Only with an account can the token be renewed."""
    way = _TOKEN if answers.token else _ACCOUNT if answers.account else None
    if way is None:
        way = terminal.choose("How", _CHOICES, option="--account with --password-file, or --token-file")
    if way == _LATER:
        terminal.show_note("left out: without a token no document is read")
        return None
    if way == _TOKEN:
        token = answers.token or terminal.ask_secret("The token (it is not shown)", option="--token-file")
        token = token.strip()
        tokens.read_token(token, access.expected_serial, clock.time(), "this token")
        access = replace(access, token=token, username="", password="")
        _try_token(terminal, access, clock)
        draft.put_secret("ENPHASE_TOKEN", token)
        return access
    account = answers.account or terminal.ask(
        "Your Enphase account's e-mail", default=access.username, option="--account", explain_wrong=explain_no_e_mail
    )
    password = answers.password or terminal.ask_secret("Its password", option="--password-file")
    draft.require_good(ENPHASE_USERNAME=account)
    access = replace(access, token="", username=account, password=password)
    _try_token(terminal, access, clock)
    draft.put("ENPHASE_USERNAME", account)
    draft.put_secret("ENPHASE_PASSWORD", password)
    draft.drop("ENPHASE_TOKEN")
    return access


def _try_token(terminal: Terminal, access: Access, clock: Clock) -> None:
    """Get a token, and test whether the gateway accepts the token.

    A sign-in obeys the account's lock and cool-down, which all processes share.
    """
    kept = tokens.load(access.state_dir, access.expected_serial, clock.time())
    expires, user = asyncio.run(_fetch(access, "/api/v1/production", clock))
    until = "" if expires is None else f", good until {format_day(expires)}"
    terminal.show_good(f"the gateway takes the token: role {user or '?'}{until}")
    if kept is not None and access.has_account:
        terminal.show_note("the token of an earlier sign-in is still good; the password was not tried now")
    if user == "installer":
        terminal.show_note("an installer's token lasts 12 hours, and is renewed an hour before its end")


async def _fetch(access: Access, path: str, clock: Clock) -> tuple[float | None, str | None]:
    """Request one path. Return the end of the token in unix seconds, and the token's user (owner or installer).

    Both are None without a token.
    """
    endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.path == path)
    gateway = Gateway(access, clock)
    try:
        with contextlib.suppress(AbsentError):  # the sign-in worked; only the document is missing
            await gateway.fetch(endpoint)
        return gateway.token_expires_at, gateway.token_user
    finally:
        await gateway.aclose()

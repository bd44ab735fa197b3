"""The gateway's part of `init`: find it, look at its certificate, sign in as its generation needs."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace

import click

from logger.clock import Clock
from logger.commands.init_draft import Draft
from logger.commands.init_terminal import Terminal
from logger.errors import AbsentError, CertificateError, NotAllowedError, SerialDiffersError
from logger.gateway import pins, tokens
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.discovery import search
from logger.gateway.endpoints import ENDPOINTS, FIRST_API, Endpoint, auth_kind
from logger.gateway.greeting import Met, greet
from logger.gateway.words import day
from logger.service.wiring import access_of
from logger.store.folder import prepare, refuse_demo

_LISTEN_S = 3.0
_ACCOUNT, _TOKEN, _LATER = range(3)
_WHERE = "https://entrez.enphaseenergy.com"


@dataclass(frozen=True, slots=True)
class GatewayAnswers:
    """What was given as options; None and empty mean not given."""

    gateway: str = ""
    serial: str = ""
    fingerprint: str = ""
    search: bool = True
    account: str = ""
    password: str | None = None
    token: str | None = None
    local_user: str = ""
    local_password: str | None = None
    sign_in: bool = True

    @property
    def about_gateway(self) -> bool:
        """Whether one of them is about which gateway it is."""
        return bool(self.gateway or self.serial or self.fingerprint)

    @property
    def about_sign_in(self) -> bool:
        """Whether one of them is about signing in."""
        given = (self.account, self.password, self.token, self.local_user, self.local_password)
        return any(given) or not self.sign_in


def find(terminal: Terminal, draft: Draft, given: GatewayAnswers, clock: Clock) -> Met:
    """Which gateway: named, found, or typed in. Its address and serial go into the draft."""
    terminal.heading("Your gateway")
    known = draft.before.enphase.gateway
    address = given.gateway
    if not address and not terminal.asks:
        address = known
        if not address:
            raise terminal.lacking("--gateway ADDRESS")
    met: list[Met] = []

    def look() -> None:
        nonlocal address
        place = address or _choose(terminal, given, known, clock, met)
        address = ""
        found = next((one for one in met if one.address == place), None) or asyncio.run(greet(place, clock))
        if given.serial and found.info.serial != given.serial:
            raise SerialDiffersError(
                f"the gateway at {place} is {found.info.serial}, not {given.serial}", "check --gateway and --serial."
            )
        met[:] = [found]

    terminal.again(look)
    found = met[0]
    firmware = f"firmware {found.info.firmware}"
    terminal.good(f"gateway {found.info.serial} at {found.address}, {firmware}, {_way_in(found)}")
    draft.put("ENPHASE_GATEWAY", found.address)
    draft.put("ENPHASE_SERIAL", found.info.serial)
    return found


def _way_in(met: Met) -> str:
    return {"token": "wants a token", "digest": "no token needed", "open": "asks for no sign-in"}[auth_kind(met.info)]


def _choose(terminal: Terminal, given: GatewayAnswers, known: str, clock: Clock, met: list[Met]) -> str:
    """An address from what is found on the network, or typed in."""
    found: list[Met] = []
    if given.search:
        click.echo("   Looking for gateways on this network …")
        result = asyncio.run(search(clock, listen_s=_LISTEN_S))
        found = list(result.met)
        met[:] = found
        for number, one in enumerate(found, 1):
            mark = click.style(str(number), bold=True)
            click.echo(f"     {mark}  {one.address:<21} serial {one.info.serial}  firmware {one.info.firmware}")
        if not found:
            more = "" if result.by_mdns else " (without mDNS: pip install 'envoy-logger[discovery]')"
            terminal.note(f"none announces itself{more}; your router's list of devices shows its address")
    question = "Which one, or another address" if found else "The gateway's address"
    default = known or (found[0].address if len(found) == 1 else None)
    answer = terminal.text(question, default=default, option="--gateway ADDRESS")
    if answer.isdigit() and 1 <= int(answer) <= len(found):
        return found[int(answer) - 1].address
    return answer


def trust(terminal: Terminal, draft: Draft, given: GatewayAnswers, met: Met) -> None:
    """Show the certificate's fingerprint and pin it once a person, or the given fingerprint, says yes."""
    if met.pin is None or draft.before.recorder.tls in ("verify", "off"):
        return
    terminal.heading("Its certificate")
    prepare(draft.state_dir)
    refuse_demo(draft.state_dir)
    new, old = met.pin, pins.load(draft.state_dir, met.info.serial, met.pin.address)
    if old is not None and old.fingerprint == new.fingerprint:
        terminal.good(f"the pinned one: {new.describe()}")
        return
    if given.fingerprint:
        if pins.plain(given.fingerprint) != new.fingerprint:
            raise CertificateError(
                f"{met.address} shows another certificate than the one that was given: {new.describe()}",
                "check the address; somebody else may answer there.",
            )
    else:
        shown = pins.spaced(new.fingerprint)
        click.echo(f"     SHA-256  {shown[:47]}\n              {shown[48:]}")
        terminal.note(new.describe().partition(" (")[2].rstrip(")") + "; nobody vouches for it but this first look")
        if old is not None:
            terminal.bad(f"another one was pinned: {old.describe()}")
        question = "Trust it from now on" if old is None else "Was the gateway replaced, and is this its new one"
        if old is not None and not terminal.asks:  # --yes accepts a first certificate and never another one
            raise terminal.lacking("--fingerprint")
        if not terminal.confirm(question, default=old is None, option="--fingerprint, or --yes"):
            raise CertificateError(
                "the certificate was not accepted; no secret was sent", "compare it at the gateway."
            )
    pins.save(draft.state_dir, new)
    terminal.good("pinned: from now on every handshake is checked against it, before a token is sent")


def sign_in(terminal: Terminal, draft: Draft, given: GatewayAnswers, met: Met, clock: Clock) -> None:
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
    until = "" if expires is None else f", good until {day(expires)}"
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

"""The gateway's part of `init`: find it, look at its certificate and pin it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import click

from logger.clock import Clock
from logger.commands.discover import MDNS_COMES_BY
from logger.commands.init.draft import Draft
from logger.commands.init.terminal import Terminal
from logger.errors import CertificateError, SerialDiffersError
from logger.gateway import pins
from logger.gateway.discovery import LISTEN_S, search
from logger.gateway.endpoints import auth_kind
from logger.gateway.probe import FoundGateway, probe_gateway
from logger.store.folder import prepare, refuse_demo


@dataclass(frozen=True, slots=True)
class GatewayAnswers:
    """What was given as options; None and empty mean not given."""

    gateway: str = ""
    serial: str = ""
    fingerprint: str = ""
    search: bool = True
    interfaces: tuple[str, ...] = ()
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


def find(terminal: Terminal, draft: Draft, given: GatewayAnswers, clock: Clock) -> FoundGateway:
    """Which gateway: named, found, or typed in. Its address and serial go into the draft."""
    terminal.heading("Your gateway")
    known = draft.before.enphase.gateway
    address = given.gateway
    if not address and not terminal.asks:
        address = known
        if not address:
            raise terminal.lacking("--gateway ADDRESS")
    met: list[FoundGateway] = []

    def look() -> None:
        nonlocal address
        place = address or _choose(terminal, given, known, clock, met)
        address = ""
        draft.judge(ENPHASE_GATEWAY=place, ENPHASE_SERIAL=given.serial)
        found = next((one for one in met if one.address == place), None) or asyncio.run(probe_gateway(place, clock))
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


def _way_in(met: FoundGateway) -> str:
    return {"token": "wants a token", "digest": "no token needed", "open": "asks for no sign-in"}[auth_kind(met.info)]


def _choose(terminal: Terminal, given: GatewayAnswers, known: str, clock: Clock, met: list[FoundGateway]) -> str:
    """An address from what is found on the network, or typed in."""
    found: list[FoundGateway] = []
    if given.search:
        click.echo("   Looking for gateways on this network …")
        result = asyncio.run(search(clock, listen_s=LISTEN_S, interfaces=given.interfaces))
        found = list(result.met)
        met[:] = found
        for number, one in enumerate(found, 1):
            mark = click.style(str(number), bold=True)
            click.echo(f"     {mark}  {one.address:<21} serial {one.info.serial}  firmware {one.info.firmware}")
        if not found:
            terminal.note("none announces itself; your router's list of devices shows its address")
            if not result.by_mdns:
                terminal.note(f"mDNS was not asked; {MDNS_COMES_BY} makes it possible")
    question = "Which one, or another address" if found else "The gateway's address"
    default = known or (found[0].address if len(found) == 1 else None)
    answer = terminal.text(question, default=default, option="--gateway ADDRESS")
    if answer.isdigit() and 1 <= int(answer) <= len(found):
        return found[int(answer) - 1].address
    return answer


def trust(terminal: Terminal, draft: Draft, given: GatewayAnswers, met: FoundGateway) -> None:
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

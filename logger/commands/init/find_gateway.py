"""The gateway section of `init`: finds the gateway, and shows and pins its certificate."""

from __future__ import annotations

import asyncio

import click

from logger.clock import Clock
from logger.commands.init.answers import Answers
from logger.commands.init.draft import Draft
from logger.commands.init.terminal import Terminal, missing_answer
from logger.errors import CertificateError, SerialDiffersError
from logger.gateway import pins
from logger.gateway.discovery import LISTEN_S, search
from logger.gateway.endpoints import auth_kind
from logger.gateway.pins import Pin
from logger.gateway.probe import FoundGateway, probe_gateway
from logger.store.folder import prepare, refuse_demo

_WAYS_IN = {"token": "wants a token", "digest": "no token needed", "open": "asks for no sign-in"}


def find_gateway(terminal: Terminal, draft: Draft, answers: Answers, clock: Clock) -> FoundGateway:
    """Find the gateway by option, search or typed address. Put its address and serial into the draft."""
    terminal.start_section("Your gateway")
    address = answers.gateway or ("" if terminal.asks else draft.before.enphase.gateway)
    if not address and not terminal.asks:
        raise missing_answer("--gateway ADDRESS")

    def attempt(is_first: bool) -> FoundGateway:
        chosen = (address if is_first else "") or _choose(terminal, draft, answers, clock)
        place = chosen if isinstance(chosen, str) else chosen.address
        draft.require_good(ENPHASE_GATEWAY=place, ENPHASE_SERIAL=answers.serial)
        found = asyncio.run(probe_gateway(chosen, clock)) if isinstance(chosen, str) else chosen
        if answers.serial and found.info.serial != answers.serial:
            text = f"the gateway at {place} is {found.info.serial}, not {answers.serial}"
            raise SerialDiffersError(text, "check --gateway and --serial.")
        return found

    found = terminal.retry(attempt)
    assert found is not None  # noqa: S101  without `later`, retry returns a gateway or raises an error
    info = found.info
    way_in = _WAYS_IN[auth_kind(info)]
    terminal.show_good(f"gateway {info.serial} at {found.address}, firmware {info.firmware}, {way_in}")
    draft.put("ENPHASE_GATEWAY", found.address)
    draft.put("ENPHASE_SERIAL", info.serial)
    return found


def _choose(terminal: Terminal, draft: Draft, answers: Answers, clock: Clock) -> FoundGateway | str:
    """Ask for one of the gateways found on the network, or for an address."""
    found = () if answers.no_search else _search(terminal, answers, clock)
    question = "Which one, or another address" if found else "The gateway's address"
    default = draft.before.enphase.gateway or (found[0].address if len(found) == 1 else None)
    answer = terminal.ask(question, default=default, option="--gateway ADDRESS")
    if answer.isdigit() and 1 <= int(answer) <= len(found):
        return found[int(answer) - 1]
    return next((gateway for gateway in found if gateway.address == answer), answer)


def _search(terminal: Terminal, answers: Answers, clock: Clock) -> tuple[FoundGateway, ...]:
    """Search the network for gateways, and print the found gateways with numbers."""
    click.echo("   Looking for gateways on this network …")
    result = asyncio.run(search(clock, listen_s=LISTEN_S, interfaces=answers.interfaces))
    for number, one in enumerate(result.gateways, 1):
        bold = click.style(str(number), bold=True)
        click.echo(f"     {bold}  {one.address:<21} serial {one.info.serial}  firmware {one.info.firmware}")
    if not result.gateways:
        terminal.show_note("none announces itself; your router's list of devices shows its address")
    return tuple(result.gateways)


def pin_certificate(terminal: Terminal, draft: Draft, answers: Answers, gateway: FoundGateway) -> None:
    """Pin the gateway's certificate. Raises CertificateError if neither a person nor --fingerprint confirms it."""
    if gateway.pin is None or draft.before.recorder.tls in ("verify", "off"):
        return
    terminal.start_section("Its certificate")
    prepare(draft.state_dir)
    refuse_demo(draft.state_dir)
    new, old = gateway.pin, pins.load(draft.state_dir, gateway.info.serial, gateway.pin.address)
    if old is not None and old.fingerprint == new.fingerprint:
        terminal.show_good(f"the pinned certificate: {new.describe()}")
        return
    if not answers.fingerprint:
        _confirm_certificate(terminal, new, old)
    elif pins.plain(answers.fingerprint) != new.fingerprint:
        raise CertificateError(
            f"{gateway.address} shows another certificate than --fingerprint requires: {new.describe()}",
            "check the address, because another device may answer there.",
        )
    pins.save(draft.state_dir, new)
    terminal.show_good("pinned: from now on every handshake is checked against it, before a token is sent")


def _confirm_certificate(terminal: Terminal, new: Pin, old: Pin | None) -> None:
    """Show the new certificate beside the pinned one. Raises CertificateError if the person does not accept it."""
    shown = pins.format_fingerprint(new.fingerprint)
    click.echo(f"     SHA-256  {shown[:47]}\n              {shown[48:]}")
    terminal.show_note(
        new.describe().partition(" (")[2].rstrip(")")
        + "; no authority confirms it. A browser shows the same on the gateway's own page"
    )
    question = "Trust it from now on"
    if old is not None:
        terminal.show_bad(f"another one was pinned: {old.describe()}")
        if not terminal.asks:  # --yes accepts only the first certificate of a gateway
            raise missing_answer("--fingerprint")
        question = "Was the gateway replaced, and is this its new one"
    if not terminal.confirm(question, default=old is None, option="--fingerprint, or --yes"):
        raise CertificateError(
            "the certificate was not accepted; no secret was sent",
            "compare its fingerprint with the one that the gateway's own page shows in a browser.",
        )

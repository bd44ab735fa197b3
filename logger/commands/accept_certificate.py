"""`accept-certificate`: pin the certificate that the gateway shows now."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from logger.clock import SystemClock
from logger.commands.ui.chosen import choose_gateway, gateway_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin
from logger.daemon.config import access_of
from logger.gateway.trust import accept_certificate
from logger.store.folder import prepare


@click.command("accept-certificate")
@env_file_option
@gateway_option
@click.option(
    "--fingerprint", default="", metavar="SHA256", help="Accept only the certificate with this fingerprint."
)
def command(env_file: Path, serial: str, fingerprint: str) -> None:
    """Pin the certificate that the gateway shows now. A running recorder continues at its next poll."""
    configured = choose_gateway(begin(env_file, require=["ENPHASE_GATEWAY"]), serial)
    prepare(configured.state_dir)
    old, new = asyncio.run(accept_certificate(access_of(configured), SystemClock(), fingerprint))
    if old is not None and old.fingerprint == new.fingerprint:
        click.echo(f"The gateway shows the pinned certificate: {new.describe()}")
        return
    click.echo(f"before: {old.describe() if old else 'none'}\nnow:    {new.describe()}")

"""`discover`: list the gateways on this network."""

from __future__ import annotations

import asyncio
import json

import click

from logger.clock import SystemClock
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import interface_option
from logger.errors import GatewayError
from logger.gateway.discovery import LISTEN_S, Search, search
from logger.gateway.pins import format_fingerprint
from logger.gateway.probe import FoundGateway
from logger.settings.value_types import check_gateway_address


class NothingFoundError(GatewayError):
    """No gateway answered on this network."""


def _check_addresses(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            check_gateway_address(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} {error}") from error
    return values


@click.command("discover", short_help="List the gateways on this network.")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS…]", callback=_check_addresses)
@click.option(
    "--seconds", type=click.FloatRange(0.2, 60), default=LISTEN_S, show_default=True, help="Seconds to listen."
)
@interface_option("Listen only on the interface with this address.")
@json_option
def command(addresses: tuple[str, ...], seconds: float, interfaces: tuple[str, ...], as_json: bool) -> None:
    """List the gateways on this network, each with its serial and firmware. Exit code 69 if no gateway answers.

    Asks the network by mDNS for gateways. Requests `/info`, without a sign-in, from envoy.local, from each ADDRESS
    and from each device that answers the question. The recorder itself does not search for gateways, but uses the
    address in the settings.
    """
    found = asyncio.run(search(SystemClock(), listen_s=seconds, interfaces=interfaces, addresses=addresses))
    if as_json:
        click.echo(json.dumps([_describe(gateway) for gateway in found.gateways], indent=1))
    else:
        for line in _write_table(found):
            click.echo(line)
    for silent in found.silent:
        click.echo(silent.reason, err=True)
    if not found.gateways:
        raise NothingFoundError(
            "no gateway was found on this network",
            "find the gateway's address in your router's list of devices; run envoy-logger discover ADDRESS.",
        )


def _write_table(found: Search) -> list[str]:
    """Write the gateways as a table, one line for each gateway."""
    if not found.gateways:
        return []
    rows = [("ADDRESS", "SERIAL", "FIRMWARE", "SIGN-IN")]
    for gateway in found.gateways:
        sign_in = "account or token" if gateway.info.needs_token else "local user"
        rows.append((gateway.address, gateway.info.serial, gateway.info.firmware, sign_in))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _describe(gateway: FoundGateway) -> dict[str, str | bool | None]:
    return {
        "address": gateway.address,
        "serial": gateway.info.serial,
        "firmware": gateway.info.firmware,
        "part_number": gateway.info.part_number,
        "needs_token": gateway.info.needs_token,
        "certificate_sha256": format_fingerprint(gateway.pin.fingerprint) if gateway.pin else None,
    }

"""Choose the gateways that a command is about: all gateways of the settings, or the one that `--gateway` names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import click

from logger.clock import SystemClock
from logger.commands.ui.options import MisuseError
from logger.daemon.config import access_of
from logger.errors import EnvoyLoggerError
from logger.gateway import pins
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.settings.load import Settings
from logger.store.folder import prepare

_HELP: Final = "Serial number of the gateway, if there are several."
gateway_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--gateway", "serial", default="", metavar="SERIAL", help=_HELP
)


def choose_gateways(configured: Settings, serial: str) -> tuple[Settings, ...]:
    """Return the settings of every gateway, or only of the gateway `serial` if it is given.

    Raises MisuseError if there is no gateway with this serial.
    """
    if not serial:
        return configured.gateways
    known = {find_serial(each): each for each in configured.gateways}
    if serial not in known and "" in known:
        known = {find_serial(each) or _ask_serial(access_of(each)): each for each in configured.gateways}
    if serial not in known:
        raise MisuseError(f"there is no gateway {serial}", f"name one of {_list(configured)}.")
    return (known[serial],)


def choose_gateway(configured: Settings, serial: str) -> Settings:
    """Return the settings of the only gateway, or of the gateway `serial` if it is given.

    Raises MisuseError if there is no gateway with this serial, or if there are several and `serial` is empty.
    """
    found = choose_gateways(configured, serial)
    if len(found) != 1:
        raise MisuseError(f"there are several gateways: {_list(configured)}", "give --gateway SERIAL.")
    return found[0]


def find_serial(settings: Settings) -> str:
    """Return the serial of a gateway from its settings or its pinned certificate; empty if neither has a serial."""
    access = access_of(settings)
    if access.expected_serial or not access.address:
        return access.expected_serial
    try:
        pin = pins.load(access.state_dir, "", access.host)
    except EnvoyLoggerError:
        return ""
    return pin.serial if pin is not None else ""


def find_settings(configured: Settings, serial: str) -> Settings:
    """Return the settings of a gateway. For a gateway that the settings do not list, return all settings."""
    return next((each for each in configured.gateways if find_serial(each) == serial), configured)


def check_recorded(serial: str, known: Collection[str]) -> None:
    """Raise MisuseError if gateways are recorded, but not the gateway with this serial."""
    if known and serial not in known:
        raise make_unrecorded_error(serial, sorted(known))


def make_unrecorded_error(serial: str, known: Iterable[str]) -> MisuseError:
    """Make the error for a gateway that is not recorded. `known`: the serials of the recorded gateways."""
    return MisuseError(f"no gateway {serial} is recorded", f"name one of {', '.join(known) or 'none yet'}.")


def _list(configured: Settings) -> str:
    return ", ".join(find_serial(each) or each.enphase.gateway for each in configured.gateways) or "none"


def _ask_serial(access: Access) -> str:
    """Request the serial of a gateway from the gateway; empty if the gateway does not answer."""

    async def ask() -> str:
        prepare(access.state_dir)
        gateway = Gateway(access, SystemClock())
        try:
            return (await gateway.identify()).serial
        except EnvoyLoggerError:
            return ""
        finally:
            await gateway.aclose()

    return asyncio.run(ask())

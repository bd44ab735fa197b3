"""Use the gateway's time zone for the site, in `init`. Ask a person if settings or machine have another zone."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from logger.clock import Clock
from logger.commands.init.draft import Draft
from logger.commands.init.terminal import Terminal
from logger.daemon.site_zone import zone_of
from logger.errors import EnvoyLoggerError
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import ENDPOINTS
from logger.readings import paths
from logger.settings.environment import find_system_zone
from logger.settings.value_types import is_zone

_NO_ZONE: Final = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/GMT", "GMT"})
"""The time zones of a machine on which no zone was set."""


def set_up_zone(terminal: Terminal, draft: Draft, access: Access | None, clock: Clock) -> None:
    """Use the gateway's time zone for the site.

    Ask a person if the gateway reports no time zone, or if the present settings or this machine have another time
    zone.
    """
    if draft.values.get("LOGGER_TIMEZONE"):
        return
    terminal.start_section("Time zone")
    of_gateway = asyncio.run(_fetch_zone(access, clock)) if access is not None else ""
    known = draft.before.recorder.timezone or of_gateway
    of_machine = find_system_zone()
    if of_gateway and known == of_gateway and (of_machine in _NO_ZONE or _are_alike(of_gateway, of_machine, clock)):
        terminal.show_good(
            f"days begin at midnight in {of_gateway}, as the gateway is set (--timezone names another)"
        )
        draft.put("LOGGER_TIMEZONE", of_gateway)
        return
    if of_gateway:
        terminal.show_note(f"the gateway is set to {of_gateway}, and this machine to {of_machine}")
    else:
        terminal.show_note("the gateway does not report its time zone now; the default is this machine's time zone")
    zone = terminal.ask(
        "Days begin at midnight in this time zone",
        default=known or of_machine,
        option="--timezone",
        explain_wrong=lambda answer: "" if is_zone(answer) else "that is no time zone, such as Europe/Paris",
    )
    if terminal.asks or known:  # not asked: the gateway may report its zone later
        draft.put("LOGGER_TIMEZONE", zone)


def _are_alike(one: str, other: str, clock: Clock) -> bool:
    """Return True if two time zones have the same offset in every month of this year."""
    year = datetime.fromtimestamp(clock.time(), ZoneInfo(one)).year
    noons = [datetime(year, month, 15, 12, tzinfo=ZoneInfo(one)) for month in range(1, 13)]
    return all(noon.utcoffset() == noon.astimezone(ZoneInfo(other)).utcoffset() for noon in noons)


async def _fetch_zone(access: Access, clock: Clock) -> str:
    """Request the gateway's time zone from the gateway; empty if the gateway reports no time zone."""
    endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.path == paths.HOME)
    gateway = Gateway(access, clock)
    try:
        return zone_of((await gateway.fetch(endpoint)).body)
    except EnvoyLoggerError:
        return ""
    finally:
        await gateway.aclose()

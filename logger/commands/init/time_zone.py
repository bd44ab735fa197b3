"""`init`'s time zone section: shows the zone that the gateway is set to, and asks whether the site is there."""

from __future__ import annotations

import asyncio

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


def set_up_zone(terminal: Terminal, draft: Draft, access: Access | None, clock: Clock) -> None:
    """Ask in which time zone days begin; the gateway's is the default, else this machine's."""
    if draft.values.get("LOGGER_TIMEZONE"):
        return
    terminal.start_section("Time zone")
    of_gateway = asyncio.run(_fetch_zone(access, clock)) if access is not None else ""
    known = draft.before.recorder.timezone or of_gateway
    if of_gateway:
        terminal.show_good(f"the gateway is set to {of_gateway}")
    else:
        terminal.show_note("the gateway does not tell now where it is; the default is this machine's")
    zone = terminal.ask(
        "Days begin at midnight in this time zone",
        default=known or find_system_zone(),
        option="--timezone",
        explain_wrong=lambda answer: "" if is_zone(answer) else "that is no time zone, such as Europe/Paris",
    )
    if terminal.asks or known:  # unasked, a machine's zone is no answer: the gateway may tell it later
        draft.put("LOGGER_TIMEZONE", zone)


async def _fetch_zone(access: Access, clock: Clock) -> str:
    """Ask the gateway for its time zone; empty if it does not tell."""
    endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.path == paths.HOME)
    gateway = Gateway(access, clock)
    try:
        return zone_of((await gateway.fetch(endpoint)).body)
    except EnvoyLoggerError:
        return ""
    finally:
        await gateway.aclose()

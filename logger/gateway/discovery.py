"""Finds gateways on the local network by their mDNS announcements and by the usual name, envoy.local.

Only interactive commands search for gateways. The recorder does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logger.clock import Clock
from logger.errors import EnvoyLoggerError
from logger.gateway.probe import FoundGateway, probe_gateway

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

SERVICE: Final = "_enphase-envoy._tcp.local."
USUAL_NAME: Final = "envoy.local"
_ANSWER_S: Final = 15.0
_RESOLVE_MS: Final = 3000
LISTEN_S: Final = 5.0
"""Seconds to listen for mDNS answers.

Questions are sent after 0.1, 1.1 and 3.1 s, because Wi-Fi may lose multicast packets. A device may send its answer
half a second late (RFC 6762, section 6).
"""


@dataclass(frozen=True, slots=True)
class Silent:
    """An address at which no gateway answered. `reason`: the error and its hint, in two lines."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Search:
    """The result of a search for gateways. `gateways` has one entry for each serial."""

    gateways: tuple[FoundGateway, ...]
    silent: tuple[Silent, ...]


async def search(
    clock: Clock, *, listen_s: float, interfaces: Iterable[str] = (), addresses: Iterable[str] = ()
) -> Search:
    """Listen for `listen_s` seconds, and find out which gateway answers at each address that was found.

    `interfaces`: the addresses of this machine to listen on, empty for all. `addresses` and envoy.local are
    requested, too. If no gateway answers at envoy.local, this name is reported only if `addresses` contains it.
    """
    named = list(dict.fromkeys(addresses))
    async with asyncio.TaskGroup() as tasks:  # request the known addresses while listening
        asked = {address: tasks.create_task(_ask(address, clock)) for address in (*named, USUAL_NAME)}
        heard = await _listen_for_announcements(listen_s, tuple(interfaces))
        asked |= {address: tasks.create_task(_ask(address, clock)) for address in heard if address not in asked}
    answers = [asked[address].result() for address in dict.fromkeys([*named, *heard, USUAL_NAME])]
    gateways: dict[str, FoundGateway] = {}
    for answer in answers:
        if isinstance(answer, FoundGateway):
            gateways.setdefault(answer.info.serial, answer)
    silent = tuple(a for a in answers if isinstance(a, Silent) and (a.address in named or a.address != USUAL_NAME))
    return Search(tuple(gateways.values()), silent)


async def _ask(address: str, clock: Clock) -> FoundGateway | Silent:
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await probe_gateway(address, clock)
    except TimeoutError:
        hint = "check the address; restart the device if the address is right."
        return Silent(address, f"{address} gave no answer in {_ANSWER_S:g} s\nTry: {hint}")
    except EnvoyLoggerError as error:
        return Silent(address, str(error))


async def _listen_for_announcements(listen_s: float, interfaces: tuple[str, ...]) -> list[str]:
    """Return the addresses that announce the service, in the order of the announcements.

    The question requests multicast answers. Unicast answers, the default for a first question, would arrive at
    another program that shares port 5353 on this machine, such as avahi.
    """
    from zeroconf import DNSQuestionType, InterfaceChoice, IPVersion
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

    found: dict[str, AsyncServiceInfo] = {}

    def hear(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        found.setdefault(name, AsyncServiceInfo(SERVICE, name))

    try:
        mdns = AsyncZeroconf(interfaces=list(interfaces) or InterfaceChoice.Default, ip_version=IPVersion.V4Only)
    except OSError:  # the network has no multicast
        return []
    ask = DNSQuestionType.QM
    try:
        browser = AsyncServiceBrowser(mdns.zeroconf, SERVICE, handlers=[hear], question_type=ask)
        await asyncio.sleep(listen_s)
        await browser.async_cancel()
        services = list(found.values())
        await asyncio.gather(*(service.async_request(mdns.zeroconf, _RESOLVE_MS, ask) for service in services))
        return [
            address if service.port in (None, 80, 443) else f"{address}:{service.port}"
            for service in services
            for address in service.parsed_addresses(IPVersion.V4Only)
        ]
    finally:
        await mdns.async_close()

"""Finds gateways on the local network: what announces itself by mDNS, and what answers to the usual name.

For a person at a terminal alone; the daemon never searches. mDNS needs the optional library zeroconf.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logger.clock import Clock
from logger.errors import EnvoyLoggerError
from logger.gateway.probe import Met, greet

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

SERVICE: Final = "_enphase-envoy._tcp.local."
USUAL_NAME: Final = "envoy.local"
_ANSWER_S: Final = 15.0
_RESOLVE_MS: Final = 3000


@dataclass(frozen=True, slots=True)
class Silent:
    """An address that was found or named, and at which no gateway said who it is; `why` in two lines."""

    address: str
    why: str


@dataclass(frozen=True, slots=True)
class Search:
    """What a search gave: each gateway once, by its serial. `by_mdns` is False where zeroconf is not installed."""

    met: tuple[Met, ...]
    silent: tuple[Silent, ...]
    by_mdns: bool


async def search(
    clock: Clock, *, listen_s: float, interfaces: Iterable[str] = (), addresses: Iterable[str] = ()
) -> Search:
    """Listen for `listen_s` seconds, on these interfaces' addresses or on all, and ask everybody found.

    `addresses` are asked too, and so is the usual name; that it does not answer is no news.
    """
    named = list(dict.fromkeys(addresses))
    heard = await _announced(listen_s, tuple(interfaces))
    asked = list(dict.fromkeys([*named, *(heard or ()), USUAL_NAME]))
    answers = await asyncio.gather(*(_ask(address, clock) for address in asked))
    met: dict[str, Met] = {}
    for answer in answers:
        if isinstance(answer, Met):
            met.setdefault(answer.info.serial, answer)
    silent = tuple(a for a in answers if isinstance(a, Silent) and (a.address in named or a.address != USUAL_NAME))
    return Search(tuple(met.values()), silent, heard is not None)


async def _ask(address: str, clock: Clock) -> Met | Silent:
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await greet(address, clock)
    except TimeoutError:
        return Silent(address, f"{address} gave no answer in {_ANSWER_S:g} s\nTry: restart that device.")
    except EnvoyLoggerError as error:
        return Silent(address, str(error))


async def _announced(listen_s: float, interfaces: tuple[str, ...]) -> list[str] | None:
    """The addresses of everybody who announces the service, in the order heard; None without zeroconf."""
    try:
        from zeroconf import InterfaceChoice, IPVersion
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf
    except ImportError:
        return None
    names: list[str] = []

    def heard(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if name not in names:
            names.append(name)

    try:
        mdns = AsyncZeroconf(interfaces=list(interfaces) or InterfaceChoice.Default, ip_version=IPVersion.V4Only)
    except OSError:  # a network without multicast
        return []
    try:
        browser = AsyncServiceBrowser(mdns.zeroconf, SERVICE, handlers=[heard])
        await asyncio.sleep(listen_s)
        await browser.async_cancel()
        found = []
        for name in names:
            info = AsyncServiceInfo(SERVICE, name)
            if await info.async_request(mdns.zeroconf, _RESOLVE_MS):
                port = "" if info.port in (None, 80, 443) else f":{info.port}"
                found += [f"{address}{port}" for address in info.parsed_addresses(IPVersion.V4Only)]
        return found
    finally:
        await mdns.async_close()

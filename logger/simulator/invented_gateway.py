"""Invent a gateway: the document of each path on each generation, and who may read this document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from logger.simulator import (
    ensemble_documents,
    gateway_documents,
    inverter_documents,
    meter_documents,
    production_documents,
    web_pages,
)
from logger.simulator.generations import GENERATIONS, Generation
from logger.simulator.household import Household
from logger.simulator.moment import Moment
from logger.simulator.site_facts import Phases
from logger.simulator.site_model import Access, Reply
from logger.simulator.wirings import wire

Maker: TypeAlias = Callable[[Moment], object]
HISTORY_S: Final = 30 * 86400
"""The age in seconds of an invented site when its simulator starts."""

_ANY: Final[Mapping[str, Maker]] = MappingProxyType({
    "/api/v1/production": production_documents.v1,
    "/api/v1/production/inverters": inverter_documents.reports,
    "/ivp/meters": meter_documents.meters,
    "/ivp/meters/readings": meter_documents.readings,
    "/inventory.json": inverter_documents.inventory,
    "/inventory": inverter_documents.inventory,
    "/home.json": gateway_documents.home,
    "/home": gateway_documents.home,
    "/admin/lib/tariff": gateway_documents.tariff,
})  # fmt: skip
"""Path → the function that makes its document, on firmware from 4 on."""
_ONLY_7: Final[Mapping[str, Maker]] = MappingProxyType({
    "/ivp/meters/reports": meter_documents.reports,
    "/ivp/ensemble/inventory": ensemble_documents.inventory,
    "/ivp/ensemble/power": ensemble_documents.power,
    "/ivp/ensemble/secctrl": ensemble_documents.secctrl,
    "/ivp/ensemble/status": ensemble_documents.status,
    "/ivp/ensemble/relay": ensemble_documents.relay,
    "/ivp/ensemble/dry_contacts": ensemble_documents.contacts,
    "/ivp/ensemble/generator": ensemble_documents.generator,
    "/ivp/ss/dry_contact_settings": ensemble_documents.contact_settings,
    "/ivp/ss/gen_config": lambda _moment: {},
    "/ivp/ss/gen_schedule": lambda _moment: {},
    "/ivp/ss/pel_settings": lambda _moment: {"PEL": False},
    "/ivp/sc/pvlimit": lambda _moment: {"enable": False, "pv_limit_pct": 100},
    "/ivp/livedata/status": gateway_documents.livedata,
    "/ivp/pdm/energy": production_documents.energy,
    "/ivp/pdm/device_data": inverter_documents.details,
})  # fmt: skip
_ONLY_3: Final[Mapping[str, Maker]] = MappingProxyType({
    "/api/v1/production": production_documents.v1, "/api/v1/production/inverters": inverter_documents.reports,
})  # fmt: skip
_INSTALLER: Final = ("/ivp/peb/", "/ivp/mod/", "/installer/", "/ivp/tpm/")
_DETAILS: Final = ("/ivp/pdm/energy", "/ivp/pdm/device_data")


@dataclass(slots=True)
class InventedGateway:
    """Answer as a gateway of one generation at a site.

    Generation and site may be replaced at any time, as by a firmware update or by new meters at a real gateway.
    """

    generation: Generation
    site: Household

    @property
    def serial(self) -> str:
        """Return the gateway's serial."""
        return self.site.serial

    @property
    def needs_token(self) -> bool:
        """Return True from firmware 7 on."""
        return self.generation.needs_token

    def access(self, path: str) -> Access:
        """Return which sign-in a path needs: none, Digest or a token."""
        if path.startswith("/info"):
            return "open"
        if self.needs_token:
            return "token"
        version, bare = self.generation.version, path.partition("?")[0]
        wants_digest = bare == "/api/v1/production/inverters" or (bare == "/production" and version >= (4,))
        return "digest" if version >= (3, 9) and (wants_digest or bare.startswith(_INSTALLER)) else "open"

    def answer(self, path: str, now: float) -> Reply:
        """Return the answer to a request of `path`.

        A path for installers is answered with status 401. An unknown path is answered as this firmware answers it.
        """
        bare, _, query = path.partition("?")
        moment = Moment(self.site, self.generation, now)
        version = self.generation.version
        if bare in ("/info", "/info.xml", "/info.json"):
            return gateway_documents.info(moment)
        if bare in ("/production", "/production.json") and version >= (4,):
            return _json(production_documents.blocks(moment, details="details=1" in query.split("&")))
        if bare == "/production":
            return production_documents.page(moment)
        if self.needs_token and (bare.startswith(_INSTALLER) or (bare in _DETAILS and not self.generation.details)):
            return web_pages.UNAUTHORIZED
        maker = self._makers().get(bare)
        if maker is not None:
            return _json(maker(moment))
        if self.needs_token:
            return web_pages.NOT_FOUND
        return web_pages.LOST if version < (4,) and bare.endswith(".json") else web_pages.NOT_FOUND_JSON

    def _makers(self) -> Mapping[str, Maker]:
        version = self.generation.version
        if version >= (7,):
            return {**_ANY, **_ONLY_7}
        return _ANY if version >= (4,) else _ONLY_3 if version >= (3, 9) else {}


def invent_gateway(
    generation: str,
    site: Household | None = None,
    *,
    inverters: int = 12,
    phases: Phases = 1,
    zone: str = "Europe/Madrid",
    serial: str | None = None,
    epoch: float | None = None,
    wiring: str = "usual",
) -> InventedGateway:
    """Invent a gateway for `site`, or for a new site if `site` is None.

    `generation`: a key of GENERATIONS. `wiring`: the name of a wiring in WIRINGS, which changes the site's meters.
    For a generation without batteries the gateway's `site` is a copy of `site` without batteries.
    """
    row = GENERATIONS[generation]
    if site is None:
        site = Household(inverters=inverters, phases=phases, zone=zone)
        site = replace(site, serial=serial or site.serial, epoch=site.epoch if epoch is None else epoch)
    site = wire(site, wiring)
    return InventedGateway(row, site if row.battery else replace(site, battery=None))


def _json(document: object) -> Reply:
    return Reply(200, "application/json", json.dumps(document).encode())

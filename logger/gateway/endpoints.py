"""The endpoint table: every document that a gateway is asked for, how often, in which lane, and how one signs in.

Data, no code that decides what a document means. Whether a gateway really has a path is found out by asking;
only what a whole generation cannot have (no token firmware, no such program yet) is left out beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from logger.model import GatewayInfo, Role

Lane = Literal["fast", "slow"]
Form = Literal["json", "html", "xml"]
AuthKind = Literal["open", "digest", "token"]

FIRST_TOKEN: Final = (7,)
"""From this firmware on every path but `/info` wants a token."""
FIRST_API: Final = (3, 9)
"""Before this firmware there is `/info` and one HTML page."""
_FAST_S: Final = 10.0
_SLOW_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of a gateway.

    `lane`: fast paths are native on the gateway, slow ones share one process that takes 1 to 60 s an answer.
    `every`: the totals tick, the devices tick, or seconds; `relaxed_s`: seconds where the gateway answers slowly.
    `role`: whose tick consumes it.
    `before_7`: how it is asked on firmware before 7. `since`, `until`: firmware that can have it (until: not
    any more). `also`: other names of the same document, asked only where a gateway does not know the first. `why`:
    what it is asked for.
    """

    path: str
    lane: Lane
    every: Literal["totals", "devices"] | int
    role: Role
    why: str
    timeout_s: float = _FAST_S
    relaxed_s: int = 0
    form: Form = "json"
    before_7: Literal["open", "digest"] = "open"
    since: tuple[int, ...] = (7,)
    until: tuple[int, ...] | None = None
    also: tuple[str, ...] = ()


INFO: Final = Endpoint(
    "/info", "fast", 900, "totals", "serial, firmware, clock; asked first and without a token", form="xml", since=(0,)
)
"""Asked by `Gateway.identify` alone, so it is in no plan."""

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    INFO,
    Endpoint(
        "/ivp/meters/readings", "fast", "totals", "totals", "live power and counters of every CT meter", since=(4,)
    ),
    Endpoint("/ivp/ensemble/power", "fast", "totals", "totals", "power and charge of each IQ battery", since=(5,)),
    Endpoint("/ivp/ensemble/secctrl", "fast", "totals", "totals", "charge of the whole battery, reserve", since=(5,)),
    Endpoint(
        "/api/v1/production", "fast", "totals", "totals", "production without CTs; old and small", since=FIRST_API
    ),
    Endpoint(
        "/production",
        "fast",
        "totals",
        "totals",
        "the only totals of the oldest gateways, as a web page",
        form="html",
        since=(0,),
        until=FIRST_API,
    ),
    Endpoint("/ivp/pdm/energy", "fast", "totals", "totals", "energy in 15-minute steps; installers only before 8.2"),
    Endpoint(
        "/ivp/meters",
        "fast",
        900,
        "totals",
        "which meters there are, what they measure, phases",
        relaxed_s=3600,
        since=(4,),
    ),
    Endpoint(
        "/api/v1/production/inverters",
        "fast",
        "devices",
        "devices",
        "last report of every inverter",
        before_7="digest",
        since=FIRST_API,
    ),
    Endpoint(
        "/ivp/ensemble/inventory", "fast", "devices", "devices", "batteries, controller, collar, combiner", since=(5,)
    ),
    Endpoint("/ivp/pdm/device_data", "fast", "devices", "devices", "details of the first 50 devices", since=(8,)),
    Endpoint("/ivp/ensemble/dry_contacts", "fast", "devices", "totals", "state of each dry contact"),
    Endpoint("/ivp/ensemble/generator", "fast", "devices", "totals", "state of a generator"),
    Endpoint(
        "/ivp/ensemble/status",
        "fast",
        3600,
        "devices",
        "ratings and phases of the batteries",
        relaxed_s=14400,
        since=(5,),
    ),
    Endpoint("/ivp/ss/gen_config", "fast", 900, "totals", "whether a generator is configured", relaxed_s=3600),
    Endpoint("/ivp/ss/dry_contact_settings", "fast", 900, "totals", "names of the dry contacts", relaxed_s=3600),
    Endpoint(
        "/inventory.json?deleted=1",
        "slow",
        300,
        "devices",
        "flags of every inverter: producing, communicating",
        timeout_s=_SLOW_S,
        relaxed_s=900,
        since=(4,),
        also=("/inventory.json", "/inventory"),
    ),
    Endpoint(
        "/home.json",
        "slow",
        900,
        "totals",
        "time zone, network, last report to Enphase",
        timeout_s=_SLOW_S,
        relaxed_s=3600,
        since=(4,),
        also=("/home",),
    ),
    Endpoint(
        "/production.json?details=1",
        "slow",
        900,
        "totals",
        "inverters' and AC batteries' blocks, seven-day seeds",
        timeout_s=_SLOW_S,
        relaxed_s=3600,
        since=(4,),
        also=("/production.json",),
    ),
)
"""Every endpoint, in the order in which they are asked."""


def auth_kind(info: GatewayInfo) -> AuthKind:
    """How one signs in at this gateway."""
    if info.needs_token:
        return "token"
    return "open" if info.version < FIRST_API else "digest"


def plan(info: GatewayInfo) -> tuple[Endpoint, ...]:
    """What this gateway is asked at all: by sign-in and coarse firmware; a missing path is found out by asking."""
    version = max(info.version, FIRST_TOKEN) if info.needs_token else info.version
    return tuple(
        endpoint
        for endpoint in ENDPOINTS
        if endpoint is not INFO and endpoint.since <= version and (endpoint.until is None or version < endpoint.until)
    )

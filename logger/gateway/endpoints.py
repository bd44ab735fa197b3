"""Lists every endpoint that the recorder requests from a gateway, with the endpoint's interval and lane.

Requests show whether a gateway has a path. Only paths that a whole firmware generation lacks are left out in advance.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Final, Literal

from logger.model import GatewayInfo

Lane = Literal["fast", "slow"]
Form = Literal["json", "html", "xml"]
AuthKind = Literal["open", "digest", "token"]

FIRST_TOKEN: Final = (7,)
"""From this firmware on, every path except `/info` needs a token.

Before this firmware, a path may require HTTP Digest.
"""
FIRST_API: Final = (3, 9)
"""Before this firmware, a gateway has only `/info` and one HTML page."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of a gateway.

    `purpose`: the use of the document. `every`: the role at whose ticks the path is requested, or the seconds
    between requests. `relaxed_s`: seconds between requests while the gateway answers slowly. `lane`: fast paths
    answer immediately; slow paths share one process on the gateway, and each answer takes 1 to 60 s. `since`: the
    first firmware with this path. `until`: the first firmware without this path. `also`: other paths of the
    same document, requested only after a 404.
    """

    path: str
    purpose: str
    _: KW_ONLY
    every: Literal["totals", "devices"] | int = "totals"
    lane: Lane = "fast"
    relaxed_s: int = 0
    form: Form = "json"
    since: tuple[int, ...] = FIRST_TOKEN
    until: tuple[int, ...] | None = None
    also: tuple[str, ...] = ()

    @property
    def timeout_s(self) -> float:
        """Return the longest time that an answer may take, in seconds."""
        return 60.0 if self.lane == "slow" else 10.0


INFO: Final = Endpoint(
    "/info", "serial, firmware, clock; requested first, without a token", every=900, form="xml", since=(0,)
)
"""The endpoint that only `Gateway.identify` requests. `plan` leaves it out."""

# fmt: off
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    INFO,
    Endpoint("/ivp/meters/readings", "live power and counters of every CT meter", since=(4,)),
    Endpoint("/ivp/ensemble/power", "power and charge of each IQ battery", since=(5,)),
    Endpoint("/ivp/ensemble/secctrl", "charge of the whole battery, reserve", since=(5,)),
    Endpoint("/api/v1/production", "production, for sites without CTs", since=FIRST_API),
    Endpoint("/production", "the only totals of the oldest gateways, as a web page",
             form="html", since=(0,), until=FIRST_API),
    Endpoint("/ivp/pdm/energy", "energy in 15-minute steps; before 8.2 only for installers"),
    Endpoint("/ivp/meters", "which meters there are, what they measure, phases",
             every=900, relaxed_s=3600, since=(4,)),
    Endpoint("/api/v1/production/inverters", "last report of every inverter",
             every="devices", since=FIRST_API),
    Endpoint("/ivp/ensemble/inventory", "batteries, controller, collar, combiner",
             every="devices", since=(5,)),
    Endpoint("/ivp/pdm/device_data", "details of the first 50 devices",
             every="devices", since=(8,)),
    Endpoint("/ivp/ensemble/dry_contacts", "state of each dry contact", every="devices"),
    Endpoint("/ivp/ensemble/generator", "state of a generator", every="devices"),
    Endpoint("/ivp/ensemble/status", "ratings and phases of the batteries",
             every=3600, relaxed_s=14400, since=(5,)),
    Endpoint("/ivp/ss/gen_config", "whether a generator is configured", every=900, relaxed_s=3600),
    Endpoint("/ivp/ss/dry_contact_settings", "names of the dry contacts", every=900, relaxed_s=3600),
    Endpoint("/inventory.json?deleted=1", "flags of every inverter: producing, communicating",
             every=300, lane="slow", relaxed_s=900, since=(4,),
             also=("/inventory.json", "/inventory")),
    Endpoint("/home.json", "time zone, network, last report to Enphase",
             every=900, lane="slow", relaxed_s=3600, since=(4,), also=("/home",)),
    Endpoint("/production.json?details=1", "blocks of inverters and AC Batteries, seeds of seven days",
             every=900, lane="slow", relaxed_s=3600, since=(4,), also=("/production.json",)),
)
"""Every endpoint, in the order of the requests."""
# fmt: on


def auth_kind(info: GatewayInfo) -> AuthKind:
    """Return the kind of sign-in that this gateway requires: open, digest or token."""
    if info.needs_token:
        return "token"
    return "open" if info.version < FIRST_API else "digest"


def plan(info: GatewayInfo) -> tuple[Endpoint, ...]:
    """Return every endpoint that a gateway with the firmware of `info` can have, except `/info`."""
    version = max(info.version, FIRST_TOKEN) if info.needs_token else info.version
    return tuple(
        endpoint
        for endpoint in ENDPOINTS
        if endpoint is not INFO and endpoint.since <= version and (endpoint.until is None or version < endpoint.until)
    )

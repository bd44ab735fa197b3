"""Lists further paths that describe a gateway. Only `capture` requests these paths, once. No field is read from them.

Requesting these paths changes nothing on the gateway. Four kinds of paths are left out on purpose: paths that run a
check or a scan (`comm_check`, `newscan`), paths whose answer never ends (`/stream/meter`), paths that can also be
written (`/ivp/mod/…/mode/power`), and paths with only names and addresses of the network (`network_display`,
`wireless_display`).
"""

from __future__ import annotations

from typing import Final

from logger.gateway.endpoints import FIRST_API, FIRST_TOKEN, INFO, Endpoint, Lane, plan
from logger.model import GatewayInfo


def _make(lane: Lane, since: tuple[int, ...], *paths: str) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(path, "for a recording", every=86400, lane=lane, since=since) for path in paths)


OPTIONAL: Final[tuple[Endpoint, ...]] = (
    *_make(
        "fast", (7,),
        "/inv", "/ivp/arf/profile", "/ivp/cellular", "/ivp/eh/devs", "/ivp/ensemble/device_status",
        "/ivp/ensemble/profile_status", "/ivp/ensemble/relay", "/ivp/ensemble/submod", "/ivp/firmware_manager/state",
        "/ivp/livedata/status", "/ivp/meters/cts", "/ivp/meters/gridReading", "/ivp/meters/pvReading",
        "/ivp/meters/reports", "/ivp/meters/storage_settings", "/ivp/pdm/production", "/ivp/peb/devstatus",
        "/ivp/peb/reportsettings", "/ivp/sc/pvlimit", "/ivp/sc/sched", "/ivp/sc/status", "/ivp/ss/der_settings",
        "/ivp/ss/dpel", "/ivp/ss/enc_settings", "/ivp/ss/gen_mode", "/ivp/ss/gen_schedule", "/ivp/ss/pcs_settings",
        "/ivp/ss/pel_settings", "/ivp/zb/status",
    ),
    *_make("slow", FIRST_API, "/production.json"),
    *_make("slow", (4,), "/production", "/inventory.json", "/admin/lib/tariff", "/admin/lib/acb_config"),
)  # fmt: skip
"""Endpoints that the recorder does not poll. Older gateways have few of these endpoints."""


def list_endpoints(info: GatewayInfo) -> tuple[Endpoint, ...]:
    """List the endpoints to request for a recording: `/info`, then the fast endpoints, then the slow endpoints."""
    version = max(info.version, FIRST_TOKEN) if info.needs_token else info.version
    planned = plan(info)
    known = {endpoint.path for endpoint in planned}
    more = [endpoint for endpoint in OPTIONAL if endpoint.since <= version and endpoint.path not in known]
    return (INFO, *sorted([*planned, *more], key=lambda endpoint: endpoint.lane))

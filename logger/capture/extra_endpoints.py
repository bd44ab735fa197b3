"""Lists paths that no field is read from, but that tell more about a gateway. Only `capture` asks them, once.

To ask one of these paths changes nothing on the gateway. Four kinds of paths are left out on purpose: those that run
a check or a scan (`comm_check`, `newscan`), those that never end (`/stream/meter`), those that can also be written
(`/ivp/mod/…/mode/power`), and those that have only names and addresses of the network (`network_display`,
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
"""In no plan; older gateways have few of them."""


def list_endpoints(info: GatewayInfo) -> tuple[Endpoint, ...]:
    """List the endpoints to ask for a recording: `/info`, the fast endpoints, then the slow ones."""
    version = max(info.version, FIRST_TOKEN) if info.needs_token else info.version
    planned = plan(info)
    known = {endpoint.path for endpoint in planned}
    more = [endpoint for endpoint in OPTIONAL if endpoint.since <= version and endpoint.path not in known]
    return (INFO, *sorted([*planned, *more], key=lambda endpoint: endpoint.lane))

"""Set up an InfluxDB of any generation for the recorder, for the commands `setup` and `init`."""

from __future__ import annotations

import asyncio

from logger.clock import Clock
from logger.errors import InfluxRefusedError, Problem, SettingsError
from logger.influx.dialects import is_sendable
from logger.provision.detect import Server
from logger.provision.plan import Admin, SetupPlan, SetupResult, Step
from logger.provision.setup_v1 import set_up_v1
from logger.provision.setup_v3 import set_up_v3


async def set_up(url: str, server: Server, admin: Admin, plan: SetupPlan, clock: Clock) -> SetupResult:
    """Create the missing buckets and credentials on the detected `server` at `url`.

    A dry run creates nothing and lists the steps. Raises InfluxError or a subclass, a WireError, or SettingsError if
    a needed setting is missing.
    """
    if server.dialect != "1" and admin.token and not is_sendable(admin.token):
        raise InfluxRefusedError(
            "INFLUXDB_ADMIN_TOKEN holds a space, a line break or a letter that no token has",
            "copy the token alone into INFLUXDB_ADMIN_TOKEN_FILE.",
        )
    match server.dialect:
        case "1":
            return await set_up_v1(url, server, admin, plan, clock)
        case "3":
            return await set_up_v3(url, admin, plan, clock)
    if server.is_other:
        return SetupResult((Step("kept", "buckets and tokens", "this server has no buckets and no tokens"),))
    _require_settings_of_v2(server, admin, plan)
    from logger.provision.setup_v2 import set_up_v2  # influxdb-client takes long to import

    return await asyncio.to_thread(set_up_v2, url, admin, plan)


def _require_settings_of_v2(server: Server, admin: Admin, plan: SetupPlan) -> None:
    """Raise SettingsError with every missing setting that InfluxDB 2 needs."""
    problems = []
    if not plan.org:
        problems.append(
            Problem("INFLUXDB_ORG", "not set", "InfluxDB 2 needs an organisation", "set INFLUXDB_ORG to its name.")
        )
    if not server.is_fresh and not admin.token and not admin.password:
        problems.append(
            Problem(
                "INFLUXDB_ADMIN_TOKEN",
                "not set",
                "is required to set InfluxDB 2 up",
                "set INFLUXDB_ADMIN_TOKEN_FILE, or give --admin-token-file, "
                "or --admin-user and --admin-password-file.",
            )
        )
    if problems:
        raise SettingsError(tuple(problems))

"""One way to set a database up, whichever generation it is; `setup` and `init` both go through here."""

from __future__ import annotations

import asyncio

from logger.clock import Clock
from logger.errors import Problem, SettingsError
from logger.provision import setup_v1, setup_v3
from logger.provision.detect import Survey
from logger.provision.plan import Admin, Provisioned, Step, Wanted


async def administer(url: str, found: Survey, admin: Admin, wanted: Wanted, clock: Clock) -> Provisioned:
    """Make what is missing on the server that `survey` found.

    Raises InfluxError and its kinds, a WireError, or SettingsError where something is needed that was not given.
    """
    match found.dialect:
        case "1":
            return await setup_v1.setup(url, found, admin, wanted, clock)
        case "3":
            return await setup_v3.setup(url, admin, wanted, clock)
    if found.is_other:
        return Provisioned((Step("kept", "buckets and tokens", "this server knows none: nothing to make"),), {})
    problems = []
    if not wanted.org:
        problems.append(
            Problem("INFLUXDB_ORG", "not set", "InfluxDB 2 needs an organisation", "set INFLUXDB_ORG to its name.")
        )
    if not found.fresh and not admin.token and not admin.password:
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
    from logger.provision.setup_v2 import setup  # influxdb-client takes long to import

    return await asyncio.to_thread(setup, url, admin, wanted)

"""Makes the databases on an InfluxDB 3, by its documentation and source; not run against a real one.

InfluxDB 3 Core has no tokens with fewer rights than an administrator's, and Enterprise makes its own in another way,
so none is made here: the one that is given is the one that writes.
"""

from __future__ import annotations

import json
from typing import Final

from logger.clock import Clock
from logger.errors import InfluxError, InfluxRefusedError, WireError
from logger.influx.dialects import is_sendable
from logger.log import masked
from logger.provision.plan import DAY_S, Admin, Provisioned, Step, Wanted, keeps
from logger.wire import Answer, Wire

_PATH: Final = "/api/v3/configure/database"
_TIMEOUT_S: Final = 20.0


async def setup(url: str, admin: Admin, wanted: Wanted, clock: Clock) -> Provisioned:
    """Make the databases that are missing; with `dry_run` only say it. Raises InfluxError, its kinds, a WireError."""
    if admin.token and not is_sendable(admin.token):
        raise InfluxRefusedError(
            "the administrator's token holds a space, a line break or a letter that no token has",
            "copy it again, the token alone.",
        )
    headers = {"authorization": f"Bearer {admin.token}"} if admin.token else {}
    wire = Wire(url, clock, use_proxy=True)
    try:
        listed = await wire.request("GET", _PATH, params={"format": "json"}, headers=headers, timeout_s=_TIMEOUT_S)
        there = _names(_good(listed, wire.host, "list its databases"), wire.host)
        steps = []
        for name, seconds in wanted.buckets.items():
            if name in there:
                steps.append(Step("exists", f"database {name!r}"))
                continue
            steps.append(Step("made", f"database {name!r}", keeps(seconds or 0)))
            if not wanted.dry_run:
                body = {"db": name} | ({"retention_period": f"{seconds // DAY_S}d"} if seconds else {})
                made = await wire.request("POST", _PATH, json=body, headers=headers, timeout_s=_TIMEOUT_S)
                if made.status != 409:  # made by somebody else in between
                    _good(made, wire.host, f"make the database {name!r}")
    finally:
        await wire.aclose()
    steps.append(Step("kept", "tokens", "InfluxDB 3 Core has administrators' tokens only: none made"))
    return Provisioned(tuple(steps), {})


def _good(answer: Answer, host: str, doing: str) -> Answer:
    if answer.status in (401, 403):
        raise InfluxRefusedError(
            f"InfluxDB at {host} does not {doing}: HTTP {answer.status}",
            "give an administrator's token: INFLUXDB_ADMIN_TOKEN_FILE, or --admin-token-file.",
        )
    if answer.status >= 500:
        raise WireError(f"InfluxDB at {host} is not ready: HTTP {answer.status}", "run it again.")
    if not 200 <= answer.status < 300:
        said = " ".join(masked(answer.text).split())[:200]
        raise InfluxError(f"InfluxDB at {host} does not {doing}: HTTP {answer.status}: {said}", "check INFLUXDB_URL.")
    return answer


def _names(answer: Answer, host: str) -> set[str]:
    """The databases of an answer such as `[{"iox::database": "envoy"}, …]`. Raises InfluxError for any other."""
    try:
        listed = json.loads(answer.body)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise InfluxError(
            f"what answers at {host} lists its databases in a way that no InfluxDB 3 does",
            "check INFLUXDB_URL and INFLUXDB_API: something else may answer at this address.",
        )
    return {str(name) for row in listed for name in row.values()}

"""Makes the databases on an InfluxDB 3.

InfluxDB 3 Core has only administrators' tokens, and Enterprise makes tokens in another way. So no token is made here:
the recorder writes with the given token.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from logger.answer import Answer
from logger.clock import Clock
from logger.errors import InfluxError, InfluxRefusedError, WireError
from logger.influx.classify import is_no_sign_in
from logger.influx.limits import choose_cure, has_limit
from logger.log import mask
from logger.provision.plan import DAY_S, Admin, SetupPlan, SetupResult, Step, describe_retention
from logger.wire import Wire

_PATH: Final = "/api/v3/configure/database"
_TIMEOUT_S: Final = 20.0
_DATABASES: Final = TypeAdapter(list[dict[str, JsonValue]])
"""Type of the answer with the databases, such as `[{"iox::database": "envoy"}, …]`."""


async def set_up_v3(url: str, admin: Admin, plan: SetupPlan, clock: Clock) -> SetupResult:
    """Create the missing databases. A dry run creates none. Raises InfluxError or a subclass, or a WireError."""
    headers = {"authorization": f"Bearer {admin.token}"} if admin.token else {}
    wire = Wire(url, clock, use_proxy=True)
    try:
        listed = await wire.request("GET", _PATH, params={"format": "json"}, headers=headers, timeout_s=_TIMEOUT_S)
        there = _parse_databases(_require_success(listed, wire.host, "list its databases"), wire.host)
        steps = []
        for name, seconds in plan.buckets.items():
            if name in there:
                steps.append(Step("exists", f"database {name!r}"))
                continue
            steps.append(Step("made", f"database {name!r}", describe_retention(seconds)))
            if not plan.dry_run:
                body = {"db": name} | ({"retention_period": f"{seconds // DAY_S}d"} if seconds else {})
                made = await wire.request("POST", _PATH, json=body, headers=headers, timeout_s=_TIMEOUT_S)
                if made.status != 409:  # another client has made the database in the meantime
                    _require_success(made, wire.host, f"make the database {name!r}")
    finally:
        await wire.aclose()
    steps.append(
        Step(
            "kept",
            "tokens",
            "InfluxDB 3 Core has administrators' tokens only: the recorder writes with an administrator's token",
        )
    )
    return SetupResult(tuple(steps))


def _require_success(answer: Answer, host: str, doing: str) -> Answer:
    if answer.status in (401, 403) or is_no_sign_in(answer.text):
        raise InfluxRefusedError(
            f"InfluxDB at {host} does not {doing}: HTTP {answer.status}",
            "give an administrator's token: INFLUXDB_ADMIN_TOKEN_FILE, or --admin-token-file.",
        )
    if answer.status >= 500:
        raise WireError(f"InfluxDB at {host} is not ready: HTTP {answer.status}", "run the command again.")
    if not 200 <= answer.status < 300:
        reason = " ".join(mask(answer.text).split())[:200]
        hint = choose_cure(answer.text, is_cloud=False) if has_limit(answer.text) else "check INFLUXDB_URL."
        raise InfluxError(f"InfluxDB at {host} does not {doing}: HTTP {answer.status}: {reason}", hint)
    return answer


def _parse_databases(answer: Answer, host: str) -> set[str]:
    """Return the names of the databases. Raises InfluxError if the answer is not a list of databases."""
    try:
        return {str(row.get("iox::database", "")) for row in _DATABASES.validate_json(answer.body)}
    except ValidationError as error:
        raise InfluxError(
            f"the server at {host} does not list its databases as an InfluxDB 3 does",
            "check INFLUXDB_URL and INFLUXDB_API: this address may belong to another server.",
        ) from error

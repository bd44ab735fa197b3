"""Makes the databases on an InfluxDB 3, and sets the time for which each database keeps data.

InfluxDB 3 Core has only administrators' tokens, and Enterprise makes tokens in another way. So no token is made here:
the recorder writes with the given token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue, TypeAdapter, ValidationError

from logger.answer import Answer
from logger.clock import Clock
from logger.errors import InfluxError, InfluxRefusedError, WireError
from logger.influx.classify import is_no_sign_in
from logger.influx.limits import choose_cure, has_limit
from logger.log import mask
from logger.provision.plan import DAY_S, Admin, SetupPlan, SetupResult, Step, describe_retention, plan_retention
from logger.wire import Wire

_PATH: Final = "/api/v3/configure/database"
_QUERY_PATH: Final = "/api/v3/query_sql"
_RETENTIONS: Final = "SELECT database_name, retention_period_ns FROM system.databases WHERE NOT deleted"
_NS: Final = 1_000_000_000
_TIMEOUT_S: Final = 20.0
_DATABASES: Final = TypeAdapter(list[dict[str, JsonValue]])
"""Type of the answer with the databases, such as `[{"iox::database": "envoy"}, …]`."""


@dataclass(frozen=True, slots=True)
class _Retention:
    """A database, and the number of nanoseconds for which it keeps data; None if it keeps data for ever."""

    database_name: str
    retention_period_ns: int | None = None


_PERIODS: Final = TypeAdapter(list[_Retention])


async def set_up_v3(url: str, admin: Admin, plan: SetupPlan, clock: Clock) -> SetupResult:
    """Create the missing databases, and set the retentions. A dry run changes nothing.

    Raises InfluxError or a subclass, or a WireError.
    """
    setup = _Setup(Wire(url, clock, use_proxy=True), admin, plan)
    try:
        return await setup.run()
    finally:
        await setup.wire.aclose()


class _Setup:
    """One run of the set-up, over one connection."""

    def __init__(self, wire: Wire, admin: Admin, plan: SetupPlan) -> None:
        self.wire = wire
        self._headers = {"authorization": f"Bearer {admin.token}"} if admin.token else {}
        self._plan = plan

    async def run(self) -> SetupResult:
        listed = await self._get(_PATH, {"format": "json"})
        there = _parse_databases(self._require(listed, "list its databases"), self.wire.host)
        retentions = await self._read_retentions() if there & self._plan.buckets.keys() else {}
        steps = []
        for name, asked in self._plan.buckets.items():
            if name not in there:
                steps.append(await self._make(name, asked or 0))
            elif name in retentions:
                steps.append(await self._keep(name, retentions[name], asked))
            else:
                steps.append(_describe_unread(name, asked))
        steps.append(
            Step(
                "kept",
                "tokens",
                "InfluxDB 3 Core has administrators' tokens only: the recorder writes with an administrator's token",
            )
        )
        return SetupResult(tuple(steps))

    async def _make(self, name: str, seconds: int) -> Step:
        if not self._plan.dry_run:
            made = await self._send("POST", name, seconds)
            if made.status != 409:  # another client has made the database in the meantime
                self._require(made, f"make the database {name!r}")
        return Step("made", f"database {name!r}", describe_retention(seconds))

    async def _keep(self, name: str, has: int, asked: int | None) -> Step:
        """Set the retention of an existing database, if the plan asks for another retention.

        `has`: the database's retention in seconds. `asked`: the plan's retention in seconds; None if the plan leaves
        the retention as it is. 0 means without limit. A shorter retention is set only if the plan permits it.
        """
        step, change = plan_retention(f"database {name!r}", has, asked, shorten=self._plan.shorten)
        if change is not None and not self._plan.dry_run:
            changed = await self._send("PUT", name, change)
            self._require(changed, f"change the retention of the database {name!r}")
        return step

    async def _read_retentions(self) -> dict[str, int]:
        """Return the name of each database → the seconds for which it keeps data; 0 is for ever.

        Return an empty mapping if the server does not tell its retentions.
        """
        answer = await self._get(_QUERY_PATH, {"db": "_internal", "q": _RETENTIONS, "format": "json"})
        try:
            rows = _PERIODS.validate_json(answer.body) if answer.status == 200 else []
        except ValidationError:
            return {}
        return {row.database_name: (row.retention_period_ns or 0) // _NS for row in rows}

    async def _get(self, path: str, params: Mapping[str, str]) -> Answer:
        return await self.wire.request("GET", path, params=params, headers=self._headers, timeout_s=_TIMEOUT_S)

    async def _send(self, method: Literal["POST", "PUT"], name: str, seconds: int) -> Answer:
        """Make a database or change its retention. `seconds`: 0 means without limit."""
        body = {"db": name} | ({"retention_period": f"{seconds // DAY_S}d"} if seconds else {})
        return await self.wire.request(method, _PATH, json=body, headers=self._headers, timeout_s=_TIMEOUT_S)

    def _require(self, answer: Answer, doing: str) -> Answer:
        return _require_success(answer, self.wire.host, doing)


def _describe_unread(name: str, asked: int | None) -> Step:
    """Make the step for a database whose retention the server does not tell.

    `asked`: the retention in seconds that the plan asks for; None if the present retention may stay.
    """
    subject = f"database {name!r}"
    if asked is None:
        return Step("exists", subject)
    return Step("kept", subject, "the server does not tell its retention; set it with influxdb3 update database")


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

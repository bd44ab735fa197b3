"""Sets up an InfluxDB 1.x for the recorder: databases, retention policies, and users with the least rights.

A bucket is `database/retention-policy`, or a database with its default policy. On a server without authentication no
user is made. A server with authentication and without a user gets its first administrator.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from logger.clock import Clock
from logger.errors import InfluxError, InfluxRefusedError, WireError
from logger.influx.queries import parse_answer, quote_name, quote_text
from logger.log import mask, protect
from logger.model import Value
from logger.provision.detect import Server
from logger.provision.plan import (
    DAY_S,
    RIGHTS,
    Admin,
    Credential,
    Purpose,
    SetupPlan,
    SetupResult,
    Step,
    describe_retention,
    plan_retention,
)
from logger.wire import Basic, Wire

USERS: Final[Mapping[Purpose, str]] = {
    "write": "envoy_logger",
    "read": "envoy_grafana",
    "backfill": "envoy_backfill",
}
"""Purpose → the first part of a user's name. `setup` makes this user for the purpose.

The second part names the recorder. INFLUXDB_USERNAME replaces the whole name of the user for `write`.
"""
_TIMEOUT_S: Final = 20.0
_FIRST_POLICY: Final = "autogen"
"""Name of the policy that the server makes for a new database."""
_WEEK_S: Final = 7 * DAY_S
_PRIVILEGES: Final[Mapping[Purpose, Literal["READ", "WRITE"]]] = {
    "write": "WRITE",
    "read": "READ",
    "backfill": "READ",
}
_SPAN: Final = re.compile(r"(\d+)(h|m|s)")
_ADMIN_HINT: Final = "name an administrator: --admin-user NAME and --admin-password-file FILE (- reads from stdin)."


async def set_up_v1(url: str, server: Server, admin: Admin, plan: SetupPlan, clock: Clock) -> SetupResult:
    """Create the missing databases, policies and users on the InfluxDB 1.x at `url`.

    A dry run creates nothing and lists the steps. Raises InfluxError or a subclass, or a WireError.
    """
    wire = Wire(url, clock, use_proxy=True)
    try:
        return await _V1Setup(wire, server, admin, plan).run()
    finally:
        await wire.aclose()


class _V1Setup:
    """Runs one set-up of an InfluxDB 1.x and collects its steps."""

    def __init__(self, wire: Wire, server: Server, admin: Admin, plan: SetupPlan) -> None:
        self._wire, self._server, self._admin, self._plan = wire, server, admin, plan
        signs_in = admin.username and not server.is_open and not server.is_fresh
        self._auth = Basic(admin.username, admin.password) if signs_in else None
        self._steps: list[Step] = []
        self._made: dict[str, int] = {}
        """Name of each database that this run made → seconds for which its first policy keeps data."""

    async def run(self) -> SetupResult:
        plan, server = self._plan, self._server
        if server.is_fresh:
            await self._make_first_user()
        elif self._auth is None and not server.is_open:
            raise InfluxRefusedError(f"InfluxDB at {self._wire.host} requires an administrator", _ADMIN_HINT)
        is_blank = server.is_fresh and plan.dry_run  # without a user no database can be listed
        there = set() if is_blank else {str(row[0]) for row in await self._query("SHOW DATABASES")}
        for bucket, seconds in plan.buckets.items():
            await self._make_bucket(bucket, seconds, there)
        if server.is_open:
            detail = "this InfluxDB asks for no credentials (auth-enabled = false): none made"
            self._steps.append(Step("kept", "users", detail))
            return SetupResult(tuple(self._steps))
        users = {} if is_blank else {str(row[0]): row[1] is True for row in await self._query("SHOW USERS")}
        made = {purpose: await self._make_user(purpose, users) for purpose in plan.purposes}
        credentials = {purpose: credential for purpose, credential in made.items() if credential is not None}
        return SetupResult(tuple(self._steps), {} if plan.dry_run else credentials)

    async def _make_first_user(self) -> None:
        """Make an administrator on a server that has authentication but no user."""
        admin = self._admin
        if not (admin.username and admin.password):
            raise InfluxRefusedError(
                f"InfluxDB at {self._wire.host} has no user yet",
                "name its first administrator: --admin-user NAME and --admin-password-file FILE (- for stdin).",
            )
        self._steps.append(Step("made", f"user {admin.username!r}", "the server's first administrator"))
        name, password = quote_name(admin.username), quote_text(admin.password)
        await self._do(f"CREATE USER {name} WITH PASSWORD {password} WITH ALL PRIVILEGES")
        self._auth = Basic(admin.username, admin.password)

    async def _make_bucket(self, bucket: str, seconds: int | None, there: set[str]) -> None:
        """Make the database of a bucket, and its retention policy if the bucket names one.

        `there`: the databases that exist on the server.
        """
        database, _, policy = bucket.partition("/")
        if database not in there and database not in self._made:
            own = 0 if policy else seconds or 0
            self._made[database] = own
            self._steps.append(Step("made", f"database {database!r}", "" if policy else describe_retention(own)))
            await self._do(f"CREATE DATABASE {quote_name(database)}" + (f" WITH DURATION {own}s" if own else ""))
            if not policy:
                return
        elif policy and database not in self._made:
            self._steps.append(Step("exists", f"database {database!r}"))
        await self._keep_for(bucket, database, policy, seconds)

    async def _keep_for(self, bucket: str, database: str, policy: str, seconds: int | None) -> None:
        """Make the retention policy of a bucket, or change the time for which an existing policy keeps data."""
        policies = await self._list_policies(database, policy)
        named = policy or next(iter(policies), _FIRST_POLICY)
        subject = f"retention policy {bucket!r}" if policy else f"database {database!r}"
        where = f"RETENTION POLICY {quote_name(named)} ON {quote_name(database)}"
        if named not in policies:
            self._steps.append(Step("made", subject, describe_retention(seconds)))
            duration = f"{seconds}s" if seconds else "INF"
            await self._do(f"CREATE {where} DURATION {duration} REPLICATION 1")
            return
        shorten = self._plan.shorten or database in self._made  # the policy has no data yet
        step, change = plan_retention(subject, policies[named], seconds, shorten=shorten)
        self._steps.append(step)
        if change is not None:
            shards = " SHARD DURATION 1d" if change and change < _WEEK_S else ""
            await self._do(f"ALTER {where} DURATION {change}s{shards}")

    async def _list_policies(self, database: str, policy: str) -> dict[str, int]:
        """Return the name of one retention policy → the seconds for which this policy keeps data; 0 is for ever.

        The policy is `policy`, or the default policy if `policy` is empty. Return an empty mapping if the database
        has no such policy.
        """
        if database in self._made:  # in a dry run the database does not exist on the server
            return {_FIRST_POLICY: self._made[database]} if policy in ("", _FIRST_POLICY) else {}
        rows = await self._query(f"SHOW RETENTION POLICIES ON {quote_name(database)}")
        chosen = [row for row in rows if (row[0] == policy if policy else row[4] is True)]
        return {str(row[0]): _parse_duration(str(row[1])) for row in chosen}

    async def _make_user(self, purpose: Purpose, users: Mapping[str, bool]) -> Credential | None:
        """Find or make the user for `purpose`, and grant the rights that the user lacks.

        `users`: name → True for administrators. Return the credentials; None if the user exists and the caller does
        not need the password.
        """
        held, own = self._plan.held.get(purpose, ""), f"{USERS[purpose]}_{self._plan.recorder.suffix}"
        named = self._plan.username if purpose == "write" else ""
        name = named or await self._find_held(purpose, users, held) or own
        databases = sorted({bucket.partition("/")[0] for bucket in self._plan.buckets})
        detail = f"may {RIGHTS[purpose]} {', '.join(databases)}"
        if users.get(name):
            raise InfluxRefusedError(
                f"the user {name!r} of InfluxDB at {self._wire.host} is an administrator, who may do everything",
                "choose another INFLUXDB_USERNAME for the recorder.",
            )
        password = ""
        if name not in users:
            password = held or secrets.token_urlsafe(24)
            protect([password])
            self._steps.append(Step("made", f"user {name!r}", detail))
            await self._do(f"CREATE USER {quote_name(name)} WITH PASSWORD {quote_text(password)}")
        elif held and await self._is_known(name, held):
            password = held
        elif purpose in self._plan.unasked:
            pass
        elif name == own:
            password = secrets.token_urlsafe(24)
            protect([password])
            self._steps.append(Step("replaced", f"password of user {name!r}", "the old password is no longer valid"))
            await self._do(f"SET PASSWORD FOR {quote_name(name)} = {quote_text(password)}")
        else:
            raise InfluxRefusedError(
                f"the user {name!r} exists, but has a password other than INFLUXDB_PASSWORD",
                "correct INFLUXDB_PASSWORD_FILE, or choose another INFLUXDB_USERNAME.",
            )
        await self._grant(name, databases, _PRIVILEGES[purpose], detail, is_new=name not in users)
        return Credential(password, name) if password else None

    async def _find_held(self, purpose: Purpose, users: Mapping[str, bool], held: str) -> str:
        """Return the name of the user that an earlier run made for `purpose`; empty without such a user.

        The host name of this machine may have changed since. `users`: the name of each user of the server → True for
        administrators. `held`: the password that the earlier run stored; the user must still have this password.
        """
        for name in users if held else ():
            if name.startswith(USERS[purpose]) and await self._is_known(name, held):
                return name
        return ""

    async def _grant(self, name: str, databases: Sequence[str], right: str, detail: str, *, is_new: bool) -> None:
        rows = [] if is_new else await self._query(f"SHOW GRANTS FOR {quote_name(name)}")
        has = {str(row[0]): str(row[1]) for row in rows}
        missing = [database for database in databases if has.get(database) != right]
        if not is_new:
            further = sorted(f"{what} on {where}" for where, what in has.items() if where not in databases)
            also = f"; also {', '.join(further)}, which is not changed" if further else ""
            self._steps.append(Step("changed" if missing else "exists", f"user {name!r}", detail + also))
        for database in missing:
            await self._do(f"GRANT {right} ON {quote_name(database)} TO {quote_name(name)}")

    async def _is_known(self, username: str, password: str) -> bool:
        """Return whether the server accepts this user with this password, regardless of the user's rights."""
        answer = await self._wire.request(
            "POST", "/query", form={"q": "SHOW DATABASES"}, auth=Basic(username, password), timeout_s=_TIMEOUT_S
        )
        return answer.status != 401

    async def _do(self, statement: str) -> None:
        if not self._plan.dry_run:
            await self._query(statement)

    async def _query(self, statement: str) -> Sequence[Sequence[Value | None]]:
        """Run InfluxQL. Return the rows of the first series.

        The statement is sent in the body, because a URL may be logged. Raises InfluxError or a subclass.
        """
        answer = await self._wire.request(
            "POST", "/query", form={"q": statement}, auth=self._auth, timeout_s=_TIMEOUT_S
        )
        series, error = parse_answer(answer)
        where, doing, reason = self._wire.host, " ".join(statement.split()[:3]), mask(error)[:200]
        if answer.status in (401, 403):
            raise InfluxRefusedError(f"InfluxDB at {where} refuses {doing}: {reason}", _ADMIN_HINT)
        if answer.status >= 500:
            raise WireError(f"InfluxDB at {where} is not ready: HTTP {answer.status}", "run the command again.")
        if error:
            raise InfluxError(
                f"InfluxDB at {where} cannot run {doing}: {reason}",
                "check INFLUXDB_URL and the names of the buckets.",
            )
        return series[0].values if series else []


def _parse_duration(duration: str) -> int:
    """Parse a duration such as `168h0m0s` to seconds; 0 is for ever."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in _SPAN.findall(duration))

"""Sets an InfluxDB 1.x up for the recorder: databases, retention policies, users with the least rights, in InfluxQL.

A bucket is `database/retention-policy`, or a database with its default policy. A server without authentication takes
everybody, so there no user is made. One with authentication and without a user gets its first administrator.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Final, Literal

from logger.clock import Clock
from logger.errors import InfluxError, InfluxRefusedError, WireError
from logger.log import masked, protect
from logger.model import Json
from logger.provision.detect import Survey
from logger.provision.plan import (
    DAY_S,
    WORDS,
    Admin,
    Credential,
    Provisioned,
    Purpose,
    Step,
    Wanted,
    judged,
    keeps,
)
from logger.wire import Basic, Wire

USERS: Final[dict[Purpose, str]] = {"write": "envoy_logger", "read": "envoy_grafana", "backfill": "envoy_backfill"}
"""The users that are ours; another name for `write` can be set."""
_TIMEOUT_S: Final = 20.0
_FIRST_POLICY: Final = "autogen"
"""What the server calls the policy that a new database comes with."""
_WEEK_S: Final = 7 * DAY_S
_PRIVILEGES: Final[dict[Purpose, Literal["READ", "WRITE"]]] = {"write": "WRITE", "read": "READ", "backfill": "READ"}
_SPAN: Final = re.compile(r"(\d+)(h|m|s)")


async def setup(url: str, found: Survey, admin: Admin, wanted: Wanted, clock: Clock) -> Provisioned:
    """Make what is missing on the InfluxDB 1.x at `url`; with `dry_run` only say it.

    Raises InfluxError and its kinds, or a WireError.
    """
    wire = Wire(url, clock, use_proxy=True)
    try:
        return await _Setup(wire, found, admin, wanted).run()
    finally:
        await wire.aclose()


class _Setup:
    """One run: what it made and what was there."""

    def __init__(self, wire: Wire, found: Survey, admin: Admin, wanted: Wanted) -> None:
        self._wire, self._found, self._admin, self._wanted = wire, found, admin, wanted
        self._as = Basic(admin.username, admin.password) if admin.username and not found.open else None
        self._steps: list[Step] = []
        self._made: dict[str, int] = {}

    async def run(self) -> Provisioned:
        wanted = self._wanted
        if self._found.fresh:
            await self._first_user()
        elif self._as is None and not self._found.open:
            raise InfluxRefusedError(
                f"InfluxDB at {self._wire.host} wants a user to administer it",
                "name an administrator: --admin-user NAME and --admin-password-file FILE (- reads from stdin).",
            )
        blank = self._found.fresh and wanted.dry_run  # there is nobody who could be asked what is there
        there = set() if blank else {str(row[0]) for row in await self._rows("SHOW DATABASES")}
        for bucket, seconds in wanted.buckets.items():
            await self._bucket(bucket, seconds, there)
        if self._found.open:
            self._steps.append(
                Step("kept", "users", "this InfluxDB takes everybody (auth-enabled = false): none made")
            )
            return Provisioned(tuple(self._steps), {})
        users = {} if blank else {str(row[0]): row[1] is True for row in await self._rows("SHOW USERS")}
        credentials: dict[Purpose, Credential] = {}
        for purpose in wanted.purposes:
            credential = await self._user(purpose, users)
            if credential is not None:
                credentials[purpose] = credential
        return Provisioned(tuple(self._steps), credentials)

    async def _first_user(self) -> None:
        """On a server that has authentication and nobody who could sign in."""
        admin = self._admin
        if not (admin.username and admin.password):
            raise InfluxRefusedError(
                f"InfluxDB at {self._wire.host} has no user yet",
                "name its first administrator: --admin-user NAME and --admin-password-file FILE (- for stdin).",
            )
        self._steps.append(Step("made", f"user {admin.username!r}", "the server's first administrator"))
        if not self._wanted.dry_run:
            password = _text(admin.password)
            name = _name(admin.username)
            await self._do(f"CREATE USER {name} WITH PASSWORD {password} WITH ALL PRIVILEGES", signed=False)

    async def _bucket(self, bucket: str, seconds: int | None, there: set[str]) -> None:
        """The database, and the retention policy where one is named. `there`: the databases that the server has."""
        database, _, policy = bucket.partition("/")
        if database not in there and database not in self._made:
            own = 0 if policy else seconds or 0
            self._made[database] = own
            self._steps.append(Step("made", f"database {database!r}", "" if policy else keeps(own)))
            await self._do(f"CREATE DATABASE {_name(database)}" + (f" WITH DURATION {own}s" if own else ""))
            if not policy:
                return
        elif policy and database not in self._made:
            self._steps.append(Step("exists", f"database {database!r}"))
        policies = await self._policies(database, policy)
        named = policy or next(iter(policies), _FIRST_POLICY)
        what = f"retention policy {bucket!r}" if policy else f"database {database!r}"
        if named not in policies:
            self._steps.append(Step("made", what, keeps(seconds or 0)))
            duration = f"{seconds}s" if seconds else "INF"
            await self._do(
                f"CREATE RETENTION POLICY {_name(named)} ON {_name(database)} DURATION {duration} REPLICATION 1"
            )
            return
        shorten = self._wanted.shorten or database in self._made  # nothing is in it yet
        step, change = judged(what, policies[named], seconds, shorten=shorten)
        self._steps.append(step)
        if change is not None:
            shards = " SHARD DURATION 1d" if change and change < _WEEK_S else ""
            await self._do(f"ALTER RETENTION POLICY {_name(named)} ON {_name(database)} DURATION {change}s{shards}")

    async def _policies(self, database: str, policy: str) -> dict[str, int]:
        """The named retention policy of a database, or its default one, with the seconds that it keeps."""
        if database in self._made:  # in a dry run the server does not know it
            return {_FIRST_POLICY: self._made[database]} if policy in ("", _FIRST_POLICY) else {}
        rows = await self._rows(f"SHOW RETENTION POLICIES ON {_name(database)}")
        return {
            str(row[0]): _seconds(str(row[1])) for row in rows if (row[0] == policy if policy else row[4] is True)
        }

    async def _user(self, purpose: Purpose, users: dict[str, bool]) -> Credential | None:
        """A user who may do what `purpose` says and no more; None in a dry run."""
        wanted = self._wanted
        own = USERS[purpose]
        name = (wanted.username or own) if purpose == "write" else own
        databases = sorted({bucket.partition("/")[0] for bucket in wanted.buckets})
        detail = f"may {WORDS[purpose]} {', '.join(databases)}"
        held = wanted.held.get(purpose, "")
        if users.get(name):
            raise InfluxRefusedError(
                f"the user {name!r} of InfluxDB at {self._wire.host} is an administrator, who may do everything",
                "choose another INFLUXDB_USERNAME for the recorder.",
            )
        if name not in users:
            password = held or secrets.token_urlsafe(24)
            protect([password])
            self._steps.append(Step("made", f"user {name!r}", detail))
            await self._do(f"CREATE USER {_name(name)} WITH PASSWORD {_text(password)}")
        elif held and await self._takes(name, held):
            password = held
        elif name == own:
            password = secrets.token_urlsafe(24)
            protect([password])
            self._steps.append(Step("replaced", f"password of user {name!r}", "the old one is no longer good"))
            await self._do(f"SET PASSWORD FOR {_name(name)} = {_text(password)}")
        else:
            raise InfluxRefusedError(
                f"the user {name!r} is there, but with another password than INFLUXDB_PASSWORD",
                "correct INFLUXDB_PASSWORD_FILE, or choose another INFLUXDB_USERNAME.",
            )
        await self._grant(name, databases, _PRIVILEGES[purpose], detail, new=name not in users)
        return None if wanted.dry_run else Credential(password, name)

    async def _grant(self, name: str, databases: list[str], right: str, detail: str, *, new: bool) -> None:
        has: dict[str, str] = {}
        if not new:
            has = {str(row[0]): str(row[1]) for row in await self._rows(f"SHOW GRANTS FOR {_name(name)}")}
        missing = [database for database in databases if has.get(database) != right]
        further = sorted(f"{what} on {where}" for where, what in has.items() if where not in databases)
        if not new:
            also = f"; also {', '.join(further)}, which is left" if further else ""
            self._steps.append(Step("changed" if missing else "exists", f"user {name!r}", detail + also))
        for database in missing:
            await self._do(f"GRANT {right} ON {_name(database)} TO {_name(name)}")

    async def _takes(self, username: str, password: str) -> bool:
        """Whether the server knows this user by this password; what he may do is another question."""
        answer = await self._wire.request(
            "POST", "/query", form={"q": "SHOW DATABASES"}, auth=Basic(username, password), timeout_s=_TIMEOUT_S
        )
        return answer.status != 401

    async def _do(self, statement: str, *, signed: bool = True) -> None:
        if not self._wanted.dry_run:
            await self._query(statement, signed=signed)

    async def _rows(self, statement: str) -> list[list[Json]]:
        """The rows of the first series of an answer; none where there is none."""
        for series in await self._query(statement):
            rows = series.get("values")
            return [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
        return []

    async def _query(self, statement: str, *, signed: bool = True) -> list[dict[str, Json]]:
        """InfluxQL → its series. The statement goes in the body: a URL may be logged. Raises InfluxError."""
        answer = await self._wire.request(
            "POST", "/query", form={"q": statement}, auth=self._as if signed else None, timeout_s=_TIMEOUT_S
        )
        doing = " ".join(statement.split()[:3])
        try:
            body = json.loads(answer.body)
        except (ValueError, RecursionError):
            body = {}
        results = body.get("results") if isinstance(body, dict) else None
        result = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
        said = result.get("error") or (body.get("error") if isinstance(body, dict) else None)
        if answer.status in (401, 403):
            raise InfluxRefusedError(
                f"InfluxDB at {self._wire.host} refuses {doing}: {masked(str(said or answer.status))[:200]}",
                "name an administrator: --admin-user NAME and --admin-password-file FILE (- reads from stdin).",
            )
        if answer.status >= 500:
            raise WireError(f"InfluxDB at {self._wire.host} is not ready: HTTP {answer.status}", "run it again.")
        if answer.status != 200 or said or not isinstance(results, list):
            raise InfluxError(
                f"InfluxDB at {self._wire.host} does not do {doing}: {masked(str(said or answer.status))[:200]}",
                "check INFLUXDB_URL and the names of the buckets.",
            )
        series = result.get("series")
        return [one for one in series if isinstance(one, dict)] if isinstance(series, list) else []


def _name(text: str) -> str:
    """An identifier in InfluxQL."""
    return '"' + _escaped(text, '"') + '"'


def _text(text: str) -> str:
    """A string in InfluxQL."""
    return "'" + _escaped(text, "'") + "'"


def _escaped(text: str, quote: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, f"\\{quote}")


def _seconds(duration: str) -> int:
    """`168h0m0s` → seconds; 0 is for ever."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in _SPAN.findall(duration))

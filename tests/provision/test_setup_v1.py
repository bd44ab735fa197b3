"""`setup` on a real InfluxDB 1.x: databases, retention policies, and users who may do one thing each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from logger.clock import SystemClock
from logger.errors import InfluxRefusedError
from logger.influx.classify import Blocked, Done, Outcome
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.model import ROLES, Json, Role
from logger.provision.detect import Server, detect_server
from logger.provision.plan import Admin, Purpose, RecorderName, SetupPlan, SetupResult
from logger.provision.set_up import set_up
from logger.provision.setup_v1 import set_up_v1
from tests.databases.influx1 import Influx1
from tests.databases.server import http, serving
from tests.databases.victoria import Victoria

BUCKETS: dict[Role, str] = {"totals": "envoy", "devices": "envoy/devices", "daily": "envoy_daily"}
BOSS = Admin(username="boss", password="it's a \"long\\ pass' word\" #1")
YEAR = 365 * 86400
HERE = RecorderName("pi", "/var/lib/envoy-logger")
THERE = RecorderName("nas", "/srv/envoy")


def look(server: Influx1) -> Server:
    target = Target(server.url, "auto", "", "", "", "", {})
    return asyncio.run(detect_server(target, SystemClock()))


def run(
    server: Influx1,
    admin: Admin,
    *,
    buckets: Mapping[str, int | None] | None = None,
    username: str = "",
    held: Mapping[Purpose, str] | None = None,
    purposes: tuple[Purpose, ...] = ("write", "read"),
    dry_run: bool = False,
    shorten: bool = False,
    unasked: frozenset[Purpose] = frozenset(),
    recorder: RecorderName = HERE,
) -> SetupResult:
    named = dict.fromkeys(BUCKETS.values()) if buckets is None else buckets
    plan = SetupPlan(
        named, recorder, username=username, purposes=purposes, held=held or {}, dry_run=dry_run, shorten=shorten,
        unasked=unasked,
    )  # fmt: skip
    return asyncio.run(set_up_v1(server.url, look(server), admin, plan, SystemClock()))


def check(server: Influx1, made: SetupResult, purpose: Purpose) -> dict[Role, Outcome]:
    credential = made.credentials[purpose]
    target = Target(server.url, "1", "", "", credential.username, credential.secret, BUCKETS)

    async def ask() -> dict[Role, Outcome]:
        writer = Writer(target, SystemClock())
        try:
            return await writer.check()
        finally:
            await writer.aclose()

    return asyncio.run(ask())


def said(server: Influx1, made: SetupResult, purpose: Purpose, query: str) -> Json:
    credential = made.credentials[purpose]
    answer = http("POST", f"{server.url}/query", params={"q": query}, auth=(credential.username, credential.secret))
    found: Json = answer.json()
    return found


def policies(server: Influx1, database: str) -> dict[str, str]:
    rows = [row for one in server.query(f'SHOW RETENTION POLICIES ON "{database}"') for row in one["values"]]  # type: ignore[index,call-overload,union-attr]
    return {row[0]: row[1] for row in rows}  # type: ignore[index,misc]


@pytest.fixture
def fresh(tmp_path: Path) -> Influx1:
    """An InfluxDB 1.x with authentication and without any user."""
    return Influx1(tmp_path, auth=True, fresh=True)


def test_a_fresh_server_gets_an_administrator_databases_policies_and_users_once(fresh: Influx1) -> None:
    with serving(fresh):
        found = look(fresh)
        assert (found.dialect, found.name, found.is_fresh, found.is_open) == ("1", "InfluxDB 1.6.7", True, False)
        with pytest.raises(InfluxRefusedError, match="has no user yet") as alone:
            run(fresh, Admin())
        assert "--admin-user" in alone.value.hint
        purposes: tuple[Purpose, ...] = ("write", "read", "backfill")
        planned = run(fresh, BOSS, purposes=purposes, dry_run=True)
        assert look(fresh).is_fresh
        made = run(fresh, BOSS, purposes=purposes)
        assert made.subjects("made") == planned.subjects("made")
        assert made.subjects("made") == (
            "user 'boss'", "database 'envoy'", "retention policy 'envoy/devices'", "database 'envoy_daily'",
            *(f"user '{name}_{HERE.suffix}'" for name in ("envoy_logger", "envoy_grafana", "envoy_backfill")),
        )  # fmt: skip
        fresh.username, fresh.password = BOSS.username, BOSS.password
        assert policies(fresh, "envoy") == {"autogen": "0s", "devices": "0s"}
        assert check(fresh, made, "write") == dict.fromkeys(ROLES, Done())
        for purpose in ("read", "backfill"):
            assert all(isinstance(each, Blocked) for each in check(fresh, made, purpose).values())
            assert said(fresh, made, purpose, "SHOW MEASUREMENTS ON envoy") == {"results": [{"statement_id": 0}]}
        held = {purpose: credential.secret for purpose, credential in made.credentials.items()}
        again = run(fresh, BOSS, purposes=purposes, held=held)
        assert again.subjects("made", "changed", "replaced") == ()
        assert {purpose: credential.secret for purpose, credential in again.credentials.items()} == held


def test_the_recorders_user_writes_and_can_neither_read_nor_manage(influx1_auth: Influx1) -> None:
    server, admin = influx1_auth, Admin(username="admin", password="admin-password")
    server.query('CREATE DATABASE "other"')
    made = run(server, admin)
    refusals = (
        "SELECT * FROM envoy..m", "SHOW MEASUREMENTS ON envoy", "SHOW USERS", "CREATE DATABASE mine",
        "SHOW SERIES ON envoy", "DROP DATABASE envoy", "CREATE USER x WITH PASSWORD 'y'", "DROP MEASUREMENT m",
        f"GRANT ALL TO envoy_logger_{HERE.suffix}", "SHOW GRANTS FOR admin",
        'ALTER RETENTION POLICY "autogen" ON "envoy" DURATION 1h',
    )  # fmt: skip
    for query in refusals:
        assert "not authorized" in str(said(server, made, "write", query)), query
    assert "other" not in str(said(server, made, "write", "SHOW DATABASES"))
    credential = made.credentials["write"]
    target = Target(server.url, "1", "", "", credential.username, credential.secret, dict.fromkeys(ROLES, "other"))

    async def elsewhere() -> Outcome:
        writer = Writer(target, SystemClock())
        try:
            return await writer.write("totals", b"m f=1 1\n", gzipped=False)
        finally:
            await writer.aclose()

    outcome = asyncio.run(elsewhere())
    assert isinstance(outcome, Blocked)
    assert outcome.status == 403


def test_a_server_that_takes_everybody_gets_databases_and_no_user(influx1: Influx1) -> None:
    assert look(influx1).is_open
    spans = {"open_one": None, "open_one/long": 2 * YEAR, "open_two": YEAR, "open_three/autogen": YEAR}
    made = run(influx1, Admin(), buckets=spans)
    assert made.credentials == {}
    assert made.subjects("kept") == ("users",)
    assert policies(influx1, "open_one") == {"autogen": "0s", "long": f"{2 * 365 * 24}h0m0s"}
    assert policies(influx1, "open_two") == {"autogen": f"{365 * 24}h0m0s"}
    assert [one for one in influx1.query("SHOW USERS") if isinstance(one, dict) and one.get("values")] == []
    assert policies(influx1, "open_three") == {"autogen": f"{365 * 24}h0m0s"}
    assert run(influx1, Admin(), buckets=spans).subjects("made", "changed") == ()


def test_a_server_that_only_speaks_like_one_needs_nothing(victoria: Victoria) -> None:
    found = asyncio.run(detect_server(Target(victoria.url, "auto", "", "", "", "", {}), SystemClock()))
    assert found.is_other
    made = asyncio.run(set_up(victoria.url, found, Admin(), SetupPlan({"envoy": None}, HERE), SystemClock()))
    assert made.subjects("kept") == ("buckets and tokens",)
    assert made.credentials == {}


def test_retention_is_lengthened_when_asked_and_shortened_only_when_told(influx1: Influx1) -> None:
    run(influx1, Admin(), buckets={"spans": YEAR, "spans/x": YEAR})
    assert run(influx1, Admin(), buckets={"spans": 0}).subjects("changed") == ("database 'spans'",)
    assert run(influx1, Admin(), buckets={"spans/x": 2 * YEAR}).subjects("changed") == ("retention policy 'spans/x'",)
    assert policies(influx1, "spans") == {"autogen": "0s", "x": "17520h0m0s"}
    assert run(influx1, Admin(), buckets={"spans": YEAR}).subjects("kept") == ("database 'spans'", "users")
    assert policies(influx1, "spans")["autogen"] == "0s"
    run(influx1, Admin(), buckets={"spans": 86400}, shorten=True)
    assert policies(influx1, "spans")["autogen"] == "24h0m0s"


def test_a_password_that_is_not_known_is_replaced_for_our_own_user_and_never_for_another(
    influx1_auth: Influx1,
) -> None:
    server, admin = influx1_auth, Admin(username="admin", password="admin-password")
    first = run(server, admin)
    again = run(server, admin)
    assert again.subjects("replaced") == tuple(
        f"password of user '{name}_{HERE.suffix}'" for name in ("envoy_logger", "envoy_grafana")
    )
    assert check(server, again, "write") == dict.fromkeys(ROLES, Done())
    assert all(isinstance(outcome, Blocked) for outcome in check(server, first, "write").values())
    server.query("CREATE USER mine WITH PASSWORD 'known'")
    with pytest.raises(InfluxRefusedError, match="a password other than"):
        run(server, admin, username="mine", held={"write": "guess"})
    made = run(server, admin, username="mine", held={"write": "known"}, purposes=("write",))
    assert made.credentials["write"].username == "mine"
    assert check(server, made, "write") == dict.fromkeys(ROLES, Done())
    with pytest.raises(InfluxRefusedError, match="is an administrator"):
        run(server, admin, username="admin", held={"write": "admin-password"})


def test_a_password_that_nobody_asked_for_stays(influx1_auth: Influx1) -> None:
    server, admin = influx1_auth, Admin(username="admin", password="admin-password")
    first = run(server, admin)
    again = run(server, admin, unasked=frozenset({"read"}))
    assert again.subjects("replaced") == (f"password of user 'envoy_logger_{HERE.suffix}'",)
    assert again.credentials.keys() == {"write"}
    assert "authorization failed" not in str(said(server, first, "read", "SHOW DATABASES"))


@pytest.mark.long
def test_a_second_recorder_gets_users_of_its_own_and_ends_none_of_the_first_one(influx1_auth: Influx1) -> None:
    server, admin = influx1_auth, Admin(username="admin", password="admin-password")
    first = run(server, admin)
    second = run(server, admin, recorder=THERE)
    assert second.subjects("replaced") == ()
    names = {result.credentials[p].username for result in (first, second) for p in ("write", "read")}
    assert names == {f"{name}_{each.suffix}" for name in ("envoy_logger", "envoy_grafana") for each in (HERE, THERE)}
    for made in (first, second, run(server, admin, recorder=THERE)):
        if made is not second:
            assert check(server, made, "write") == dict.fromkeys(ROLES, Done())
    held = {purpose: first.credentials[purpose].secret for purpose in first.credentials}
    moved = run(server, admin, recorder=RecorderName("container-2", "/state"), held=held)
    assert moved.subjects("made", "replaced") == ()
    assert moved.credentials == first.credentials, "what is held is used again under its name"


def test_a_wrong_administrator_is_said_without_the_password(influx1_auth: Influx1) -> None:
    with pytest.raises(InfluxRefusedError, match="authorization failed") as refused:
        run(influx1_auth, Admin(username="admin", password="wrong-secret"))
    assert "--admin-user" in refused.value.hint
    assert "wrong-secret" not in str(refused.value)
    with pytest.raises(InfluxRefusedError, match="requires an administrator"):
        run(influx1_auth, Admin())

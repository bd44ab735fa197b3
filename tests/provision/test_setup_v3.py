"""`setup` on InfluxDB 3: a small server that answers as the source of 3.6.0 has it, and a real one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from logger.clock import SystemClock
from logger.errors import InfluxError, InfluxRefusedError
from logger.influx.classify import Done, Outcome
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.provision.detect import detect_server, list_sign_ins
from logger.provision.plan import Admin, RecorderName, SetupPlan, SetupResult
from logger.provision.setup_v3 import set_up_v3
from tests.databases.influx3 import Influx3
from tests.fake_influx3 import TOKEN, FakeInflux3, influx3

HERE = RecorderName("pi", "/var/lib/envoy-logger")


@pytest.fixture
def core() -> Iterator[FakeInflux3]:
    with influx3() as server:
        yield server


def test_databases_are_made_once_with_their_retention(core: FakeInflux3) -> None:
    found = asyncio.run(detect_server(Target(core.url, "auto", "", "", "", "", {}), SystemClock()))
    assert (found.dialect, found.name, found.is_fresh, found.is_open) == ("3", "InfluxDB 3.6.0", False, False)
    names = {"envoy": None, "envoy_daily": 2 * 365 * 86400}
    planned = asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan(names, HERE, dry_run=True), SystemClock()))
    assert core.databases == {"_internal": ""}
    made = asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan(names, HERE), SystemClock()))
    assert made.subjects("made") == planned.subjects("made") == ("database 'envoy'", "database 'envoy_daily'")
    assert core.databases == {"_internal": "", "envoy": "", "envoy_daily": "730d"}
    again = asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan(names, HERE), SystemClock()))
    assert again.subjects("made") == ()
    assert again.credentials == {}


def test_a_real_server_makes_databases_keeps_two_years_and_names_its_limit(influx3_auth: Influx3) -> None:
    def run(names: dict[str, int | None]) -> SetupResult:
        plan = SetupPlan(names, HERE)
        return asyncio.run(set_up_v3(influx3_auth.url, Admin(influx3_auth.admin_token), plan, SystemClock()))

    names = {"envoy": None, "envoy_devices": None, "envoy_daily": 2 * 365 * 86400}
    assert run(names).subjects("made") == ("database 'envoy'", "database 'envoy_devices'", "database 'envoy_daily'")
    assert run(names).subjects("made") == ()
    assert names.keys() <= influx3_auth.list_databases()

    now = int(time.time())
    writer = Writer(
        influx3_auth.target({"totals": "envoy", "devices": "envoy", "daily": "envoy_daily"}), SystemClock()
    )
    lines = f"m f=1 {now - 3 * 365 * 86400}\nm f=2 {now}\n".encode()
    assert asyncio.run(written(writer, lines)) == [Done(), Done()]
    assert [row.fields for row in influx3_auth.rows("envoy", "m")] == [{"f": 1.0}, {"f": 2.0}]
    assert [row.fields for row in influx3_auth.rows("envoy_daily", "m")] == [{"f": 2.0}]

    with pytest.raises(InfluxError, match="would exceed limit of 5 databases") as told:
        run({f"more_{number}": None for number in range(3)})
    assert "fewer databases" in told.value.hint


def setup_steps(
    core: FakeInflux3 | Influx3, names: dict[str, int | None], *, shorten: bool = False, dry_run: bool = False
) -> list[str]:
    """What `setup` says of the databases."""
    plan = SetupPlan(names, HERE, shorten=shorten, dry_run=dry_run)
    made = asyncio.run(set_up_v3(core.url, Admin(core.admin_token), plan, SystemClock()))
    return [f"{step.action} {step}" for step in made.steps if step.subject != "tokens"]


@pytest.mark.parametrize("server", ["fake", "real"])
def test_the_retention_of_a_database_that_exists_is_changed_and_shortened_only_with_shorten(
    request: pytest.FixtureRequest, server: str
) -> None:
    core = request.getfixturevalue("influx3_auth" if server == "real" else "core")
    day_s, name = 86400, "shortened"
    setup_steps(core, {name: 30 * day_s})
    subject = f"database {name!r}"
    longer = [f"changed {subject}: keeps 90 days, before: keeps 30 days"]
    assert setup_steps(core, {name: 90 * day_s}, dry_run=True) == longer
    assert setup_steps(core, {name: 90 * day_s}) == longer
    assert setup_steps(core, {name: None}) == [f"exists {subject}: keeps 90 days"]
    (kept,) = setup_steps(core, {name: 20 * day_s})
    assert "keeps 90 days" in kept
    assert "--shorten" in kept
    assert setup_steps(core, {name: 20 * day_s}, shorten=True) == [
        f"changed {subject}: keeps 20 days, before: keeps 90 days"
    ]
    assert setup_steps(core, {name: 0}) == [f"changed {subject}: keeps everything, before: keeps 20 days"]
    assert setup_steps(core, {name: 0}) == [f"exists {subject}: keeps everything"]


def test_a_server_that_does_not_tell_its_retentions_is_not_said_to_keep_data_as_asked(core: FakeInflux3) -> None:
    core.tells_retention = False
    core.databases["envoy"] = ""
    assert setup_steps(core, {"envoy": None}) == ["exists database 'envoy'"]
    (kept,) = setup_steps(core, {"envoy": 90 * 86400})
    assert "does not tell its retention" in kept
    core.tells_retention = True
    core.listing = b'[{"iox::database": "envoy", "database_name": "envoy", "retention_period_ns": "soon"}]'
    assert setup_steps(core, {"envoy": 90 * 86400}) == [kept]


async def written(writer: Writer, lines: bytes) -> list[Outcome]:
    try:
        return [await writer.write(role, lines, gzipped=False) for role in ("totals", "daily")]
    finally:
        await writer.aclose()


@pytest.mark.parametrize(("token", "status"), [("wrong-secret", 401), ("two words-secret", 400)])
@pytest.mark.parametrize("server", ["fake", "real"])
def test_a_token_that_is_no_administrators_is_said(
    request: pytest.FixtureRequest, server: str, token: str, status: int
) -> None:
    with ExitStack() as stack:
        real = server == "real"
        core = request.getfixturevalue("influx3_auth") if real else stack.enter_context(influx3(is_guarded=True))
        with pytest.raises(InfluxRefusedError, match=f"HTTP {status}") as refused:
            asyncio.run(set_up_v3(core.url, Admin(token), SetupPlan({"envoy": None}, HERE), SystemClock()))
    assert "words-secret" not in str(refused.value)


def test_a_server_that_takes_no_more_databases_says_so(core: FakeInflux3) -> None:
    core.most = 2
    names = {"envoy": None, "envoy_devices": None, "envoy_daily": None}
    with pytest.raises(InfluxError, match="would exceed limit of 2 databases") as told:
        asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan(names, HERE), SystemClock()))
    assert "fewer databases" in told.value.hint
    assert set(core.databases) == {"_internal", "envoy", "envoy_devices"}


@pytest.mark.parametrize("body", [b"<html>a proxy</html>", b'{"databases": []}', b'["envoy"]', b"[" * 100_000])
def test_an_answer_that_is_no_list_of_databases_is_an_error_for_people(core: FakeInflux3, body: bytes) -> None:
    core.listing = body
    with pytest.raises(InfluxError, match="does not list its databases as an InfluxDB 3 does") as told:
        asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan({"envoy": None}, HERE), SystemClock()))
    assert told.value.hint
    assert core.databases == {"_internal": ""}


def test_a_guarded_server_says_what_it_is_to_the_sign_in_that_it_takes() -> None:
    with influx3(is_guarded=True) as server:
        target = Target(server.url, "auto", "", "", "", "", {})
        with pytest.raises(InfluxRefusedError, match="answers only requests with valid credentials"):
            asyncio.run(detect_server(target, SystemClock()))
        given = list_sign_ins(["", "wrong", "not sendable", TOKEN], [("admin", "")])
        assert [each.token for each in given] == ["wrong", TOKEN]
        found = asyncio.run(detect_server(target, SystemClock(), given))
        assert (found.dialect, found.name, found.is_guarded) == ("3", "InfluxDB 3.6.0", True)

"""`setup` on InfluxDB 3: a small server that answers as the source of 3.6.0 has it. No real one was ever asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from logger.clock import SystemClock
from logger.errors import InfluxError, InfluxRefusedError
from logger.influx.dialects import Target
from logger.provision.detect import detect_server, list_sign_ins
from logger.provision.plan import Admin, RecorderName, SetupPlan
from logger.provision.setup_v3 import set_up_v3
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


@pytest.mark.parametrize(("token", "status"), [("wrong-secret", 401), ("two words-secret", 400)])
def test_a_token_that_is_no_administrators_is_said(token: str, status: int) -> None:
    with influx3(is_guarded=True) as core, pytest.raises(InfluxRefusedError, match=f"HTTP {status}") as refused:
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
        with pytest.raises(InfluxRefusedError, match="answers nobody without valid credentials"):
            asyncio.run(detect_server(target, SystemClock()))
        given = list_sign_ins(["", "wrong", "not sendable", TOKEN], [("admin", "")])
        assert [each.token for each in given] == ["wrong", TOKEN]
        found = asyncio.run(detect_server(target, SystemClock(), given))
        assert (found.dialect, found.name, found.is_guarded) == ("3", "InfluxDB 3.6.0", True)

"""Reading back what was written, on the real servers; and what cannot be read is never taken for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from logger.backfill.history import History, Point, open_history
from logger.clock import SystemClock
from logger.errors import InfluxError, InfluxMissingError, InfluxRefusedError
from logger.influx.classify import Done
from logger.influx.dialects import Target
from logger.influx.line_protocol import encode
from logger.influx.write import Writer
from logger.model import Reading, Role, Value
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.influx3 import Influx3
from tests.databases.server import Server, serving
from tests.databases.victoria import Victoria
from tests.waiting import wait_until

T = TypeVar("T")
NOON = 1_750_000_200
GATEWAY = "122233344455"
FEW_FILES = "--query-file-limit=2"
SITE = 'L\'été, à "la" ferme'


@pytest.fixture(params=["influx1", "real_influx2", "real_influx3"])
def server(request: pytest.FixtureRequest) -> Server:
    """Every generation, real ones."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def reading(time: int, fields: Mapping[str, Value], gateway: str = GATEWAY, site: str = "") -> Reading:
    tags = {"gateway": gateway, **({"site": site} if site else {})}
    return Reading("envoy_totals", tags, fields, time, "totals")


def write(target: Target, role: Role, *readings: Reading) -> None:
    async def go() -> None:
        writer = Writer(target, SystemClock())
        try:
            assert isinstance(await writer.write(role, encode(readings), gzipped=False), Done)
        finally:
            await writer.aclose()

    asyncio.run(go())


def read(target: Target, ask: Callable[[History], Awaitable[T]]) -> T:
    async def go() -> T:
        async with open_history(target, SystemClock()) as history:
            return await ask(history)

    return asyncio.run(go())


def totals(target: Target, since: int = NOON - 86400, until: int = NOON + 86400, *fields: str) -> list[Point]:
    return read(target, lambda h: h.read_points("totals", "envoy_totals", GATEWAY, since, until, fields))


def test_points_come_back_as_they_were_written_with_their_types(server: Server) -> None:
    target = server.target(server.fresh_buckets())
    fields: dict[str, Value] = {
        "production_lifetime_wh": 12_345_678.0,
        "production_power_w": 1234.5,
        "inverters": 12,
        "battery_state": 'said "idle"',
        "relay_closed": True,
    }
    write(target, "totals", reading(NOON, fields, site=SITE), reading(NOON + 60, {"inverters": 12}))
    first, second = totals(target)
    assert first == Point(NOON, {"gateway": GATEWAY, "site": 'L\'été, à "la" ferme'}, fields)
    assert all(type(first.fields[name]) is type(value) for name, value in fields.items())
    assert (second.time, second.tags) == (NOON + 60, {"gateway": GATEWAY})


def test_only_the_span_the_gateway_and_the_fields_that_were_asked_for(server: Server) -> None:
    target = server.target(server.fresh_buckets())
    write(
        target,
        "totals",
        *(reading(NOON + n * 60, {"production_power_w": float(n), "load_power_w": 1.0}) for n in range(4)),
        reading(NOON + 60, {"production_power_w": 9.0}, gateway="999"),
    )
    found = totals(target, NOON + 60, NOON + 180, "production_power_w")
    assert [(p.time, dict(p.fields)) for p in found] == [
        (NOON + 60, {"production_power_w": 1.0}),
        (NOON + 120, {"production_power_w": 2.0}),
    ]
    assert read(target, lambda h: h.list_gateways("totals", "envoy_totals")) == [GATEWAY, "999"]
    assert read(target, lambda h: h.find_span("totals", "envoy_totals", GATEWAY, NOON + 120)) == (NOON, NOON + 60)


def test_a_database_in_which_nothing_was_ever_written_holds_nothing(server: Server) -> None:
    target = server.target(server.fresh_buckets())
    assert totals(target) == []
    assert read(target, lambda h: h.list_gateways("totals", "envoy_totals")) == []
    assert read(target, lambda h: h.find_span("totals", "envoy_totals", GATEWAY, NOON)) is None


def test_a_bucket_that_is_missing_is_not_an_empty_one(server: Server) -> None:
    buckets = server.fresh_buckets()
    with pytest.raises(InfluxMissingError, match="nowhere"):
        totals(server.target({**buckets, "devices": "nowhere"}))


def test_a_retention_policy_is_read_and_a_missing_one_is_named(influx1: Influx1) -> None:
    buckets = influx1.fresh_buckets()
    influx1.create(f"{buckets['totals']}/two years", 0)
    target = influx1.target({**buckets, "totals": f"{buckets['totals']}/two years"})
    write(target, "totals", reading(NOON, {"inverters": 3}))
    assert [p.fields for p in totals(target)] == [{"inverters": 3}]
    with pytest.raises(InfluxMissingError, match="retention policy"):
        totals(influx1.target({**buckets, "totals": f"{buckets['totals']}/other"}))


def test_a_token_that_may_only_write_is_told_apart_from_no_history(real_influx2: Influx2) -> None:
    buckets = real_influx2.fresh_buckets()
    target = real_influx2.target(buckets)
    write(target, "totals", reading(NOON, {"inverters": 3}))
    _, only_writes = real_influx2.new_token(write=tuple(buckets.values()))
    with pytest.raises(InfluxRefusedError, match="may write to the bucket .* but not read it") as caught:
        totals(replace(target, token=only_writes))
    assert "INFLUXDB_READ_TOKEN" in str(caught.value)
    assert only_writes not in str(caught.value)


def test_a_token_that_may_only_read_reads(real_influx2: Influx2) -> None:
    buckets = real_influx2.fresh_buckets()
    target = real_influx2.target(buckets)
    write(target, "totals", reading(NOON, {"inverters": 3}))
    _, only_reads = real_influx2.new_token(read=tuple(buckets.values()))
    assert len(totals(replace(target, token=only_reads))) == 1


def test_a_token_for_one_bucket_does_not_hide_that_the_others_cannot_be_read(real_influx2: Influx2) -> None:
    buckets = real_influx2.fresh_buckets()
    _, partly = real_influx2.new_token(read=(buckets["totals"],))
    with pytest.raises(InfluxError, match=buckets["devices"]):
        totals(replace(real_influx2.target(buckets), token=partly))


def test_a_wrong_token_and_another_organisation_are_named(real_influx2: Influx2) -> None:
    target = real_influx2.target(real_influx2.fresh_buckets())
    with pytest.raises(InfluxRefusedError, match="does not let this token read"):
        totals(replace(target, token="wrong-token"))
    with pytest.raises(InfluxMissingError, match="INFLUXDB_ORG"):
        totals(replace(target, org="nobodys"))


def test_a_wrong_token_of_3_x_is_named(influx3_auth: Influx3) -> None:
    buckets = influx3_auth.fresh_buckets()
    target = replace(influx3_auth.target(buckets), api="3")
    write(target, "totals", reading(NOON, {"inverters": 3}))
    assert len(totals(target)) == 1
    with pytest.raises(InfluxRefusedError, match="does not let this token read") as caught:
        totals(replace(target, token="wrong-token"))
    assert "INFLUXDB_READ_TOKEN_FILE" in str(caught.value)


def test_a_3_x_that_would_have_to_read_too_many_files_is_named_with_the_cure(tmp_path: Path) -> None:
    with serving(
        Influx3(tmp_path, options=("--wal-flush-interval=100ms", "--wal-snapshot-size=1", FEW_FILES))
    ) as server:
        target = server.target(server.fresh_buckets())
        for number in range(12):
            write(target, "totals", reading(NOON + number * 3600, {"inverters": 3}))

        def read_all() -> bool:
            try:
                totals(target)
            except InfluxError as error:
                return "file limit of 2" in error.message and "--query-file-limit" in error.hint
            return False

        wait_until(read_all)  # it writes its files a little later
        assert len(totals(target, NOON, NOON + 3600)) == 1


def test_a_user_of_1_x_who_may_only_write_is_named(influx1_auth: Influx1) -> None:
    buckets = influx1_auth.fresh_buckets()
    influx1_auth.query("CREATE USER writer WITH PASSWORD 'w'")
    for bucket in buckets.values():
        influx1_auth.query(f'GRANT WRITE ON "{bucket}" TO writer')
    target = replace(influx1_auth.target(buckets), username="writer", password="w")
    with pytest.raises(InfluxRefusedError, match="not authorized") as caught:
        totals(target)
    assert "INFLUXDB_USERNAME and INFLUXDB_PASSWORD_FILE" in caught.value.hint
    assert "GRANT" not in caught.value.hint  # a second grant would replace the right to write
    with pytest.raises(InfluxRefusedError):
        totals(replace(target, password="wrong"))


def test_a_token_for_1_x_is_answered_with_the_user_that_1_x_needs(influx1_auth: Influx1) -> None:
    target = replace(influx1_auth.target(influx1_auth.fresh_buckets()), username="", password="", token="of-2-x")
    with pytest.raises(InfluxRefusedError) as caught:
        totals(target)
    assert "remove INFLUXDB_READ_TOKEN" in caught.value.hint
    assert "INFLUXDB_USERNAME and INFLUXDB_PASSWORD_FILE" in caught.value.hint


def test_what_is_no_influxdb_says_so(victoria: Victoria) -> None:
    with pytest.raises(InfluxError, match="does not answer a Flux query"):
        totals(victoria.target(victoria.fresh_buckets()))

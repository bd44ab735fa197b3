"""Writing to real databases and to the fake: what arrives, and what each refusal or outage is called."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import pytest

from logger.clock import SystemClock
from logger.influx.classify import BadLines, Blocked, Done, Outcome, OutsideRetention, TooLarge, Wait
from logger.influx.dialects import Target
from logger.influx.line_protocol import encode
from logger.influx.write import Writer
from logger.model import ROLES, Reading, Role
from tests.databases.fake2 import Fake2
from tests.databases.fake_records import Scripted
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.influx3 import Influx3
from tests.databases.server import Row, Server, serving
from tests.databases.victoria import Victoria
from tests.influx.test_classify import BAD_LINES, BLOCKED, WAIT

T = TypeVar("T")
AT = 1_700_000_040


def using(target: Target, act: Callable[[Writer], Awaitable[T]]) -> T:
    """Run `act` with a Writer and close it."""

    async def run() -> T:
        writer = Writer(target, SystemClock())
        try:
            return await act(writer)
        finally:
            await writer.aclose()

    return asyncio.run(run())


def write(target: Target, text: bytes, *, role: Role = "totals", gzipped: bool = True) -> Outcome:
    body = gzip.compress(text) if gzipped else text
    return using(target, lambda writer: writer.write(role, body, gzipped=gzipped))


def blocked(outcome: Outcome, kind: str) -> Blocked:
    assert isinstance(outcome, Blocked), outcome
    assert outcome.kind == kind, outcome
    assert outcome.hint
    return outcome


def numbers(rows: list[Row]) -> list[tuple[int, Mapping[str, str], Mapping[str, object]]]:
    return [(row.time, row.tags, row.fields) for row in rows]


@pytest.mark.parametrize("gzipped", [True, False])
def test_what_is_written_reads_back_everywhere(any_server: Server, gzipped: bool) -> None:
    buckets = any_server.fresh_buckets()
    reading = Reading(
        "m",
        {"gateway": "12", "panel": "a b,c=d\\e"},
        {"power_w": 5.25, "count": 3, "on": True, "state": 'so "so" \\'},
        AT,
        "totals",
    )
    assert write(any_server.target(buckets), encode([reading]), gzipped=gzipped) == Done()
    [row] = any_server.rows(buckets["totals"], "m")
    assert (row.time, row.tags) == (AT, dict(reading.tags))
    if isinstance(any_server, Victoria):  # it knows floats only
        assert row.fields == {"power_w": 5.25, "count": 3.0, "on": 1.0, "state": 0.0}
    else:
        assert row.fields == dict(reading.fields)
        assert {key: type(value) for key, value in row.fields.items()} == {
            "power_w": float,
            "count": int,
            "on": bool,
            "state": str,
        }


def test_every_tag_that_escaping_is_about_reads_back_from_a_real_server(any_server: Server) -> None:
    buckets = any_server.fresh_buckets()
    values = [a + b + c for a in ' ,="x' for b in ' ,="\\x' for c in 'y,"']
    values = [value for value in values if not re.search(r"\\[ ,=]", value)]
    readings = [
        Reading("m", {"t": value, "k \\x,=": "v"}, {"s": value + "\\", "f": 1.0}, AT + number, "totals")
        for number, value in enumerate(values)
    ]
    assert write(any_server.target(buckets), encode(readings)) == Done()
    rows = any_server.rows(buckets["totals"], "m")
    assert [row.tags for row in rows] == [{"t": value, "k \\x,=": "v"} for value in values]
    if not isinstance(any_server, Victoria):
        assert [row.fields["s"] for row in rows] == [value + "\\" for value in values]


def test_each_role_goes_to_its_own_bucket(influx2: Influx2 | Fake2) -> None:
    buckets = influx2.fresh_buckets()
    for role in ROLES:
        assert write(influx2.target(buckets), f"of_{role} f=1 {AT}\n".encode(), role=role) == Done()
    for role in ROLES:
        for other in ROLES:
            assert len(influx2.rows(buckets[role], f"of_{other}")) == (role == other)


def test_a_named_retention_policy_of_1_is_written_to(influx1: Influx1) -> None:
    buckets = influx1.fresh_buckets()
    policy = {**buckets, "totals": buckets["totals"] + "/kept"}
    influx1.create(policy["totals"])
    assert write(influx1.target(policy), b"m f=1 %d\n" % AT) == Done()
    assert len(influx1.rows(policy["totals"], "m")) == 1
    assert influx1.rows(buckets["totals"], "m") == []


def test_concatenated_members_all_arrive_and_writing_again_changes_nothing(any_server: Server) -> None:
    buckets = any_server.fresh_buckets()
    body = b"".join(
        gzip.compress(b"m,gateway=1 f=%d %d\nm,gateway=2 f=%d %d\n" % (n, AT + n, n, AT + n), 1) for n in range(200)
    )
    target = any_server.target(buckets)

    async def twice(writer: Writer) -> list[Outcome]:
        return [await writer.write("totals", body) for _ in range(2)]

    assert using(target, twice) == [Done(), Done()]
    rows = any_server.rows(buckets["totals"], "m")
    assert [(row.time, row.tags["gateway"], row.fields["f"]) for row in rows] == [
        (AT + n, gateway, float(n)) for n in range(200) for gateway in ("1", "2")
    ]


def test_the_dialect_is_found_out(any_server: Server) -> None:
    expected = {"influx1": "1", "influx2": "2", "fake2": "2", "influx3": "3", "victoria": "2"}[any_server.kind]
    assert using(any_server.target(any_server.fresh_buckets()), lambda writer: writer.dialect()) == expected


def test_the_dialect_is_asked_again_until_it_is_known(fake_influx2: Fake2) -> None:
    target = fake_influx2.target(fake_influx2.fresh_buckets())
    fake_influx2.stop()

    async def down_then_up(writer: Writer) -> tuple[Outcome, Outcome, Outcome]:
        down = await writer.write("totals", b"m f=1 1\n", gzipped=False)
        fake_influx2.start()
        fake_influx2.fake.script(Scripted(status=503), path="/api/v2/setup")
        starting = await writer.write("totals", b"m f=1 1\n", gzipped=False)
        return down, starting, await writer.write("totals", b"m f=1 1\n", gzipped=False)

    down, starting, up = using(target, down_then_up)
    assert isinstance(down, Wait)
    assert "refuses the connection" in down.reason
    assert isinstance(starting, Wait)
    assert "not ready: HTTP 503" in starting.reason
    assert up == Done()


def test_a_known_dialect_is_not_asked_for_again(fake_influx2: Fake2) -> None:
    async def thrice(writer: Writer) -> None:
        for _ in range(3):
            assert await writer.write("totals", b"m f=1 1\n", gzipped=False) == Done()

    using(fake_influx2.target(fake_influx2.fresh_buckets()), thrice)
    assert [one.path for one in fake_influx2.fake.seen].count("/ping") == 1


def test_wrong_credentials_of_2_are_blocked_and_named(influx2: Influx2 | Fake2) -> None:
    found = blocked(write(influx2.target(influx2.fresh_buckets(), token="wrong-token"), b"m f=1 1\n"), "credentials")
    assert found.status == 401
    assert "wrong-token" not in repr(found)
    assert "INFLUXDB_TOKEN" in found.hint
    assert found.exit_code == 77


def test_a_revoked_token_is_blocked_and_a_restored_one_writes_again(influx2: Influx2 | Fake2) -> None:
    buckets = influx2.fresh_buckets()
    token_id, text = influx2.new_token(write=tuple(buckets.values()))
    target = influx2.target(buckets, token=text)
    assert write(target, b"m f=1 1\n") == Done()
    influx2.set_active(token_id, False)
    assert blocked(write(target, b"m f=1 2\n"), "credentials").status == 403
    influx2.set_active(token_id, True)
    assert write(target, b"m f=1 2\n") == Done()


def test_a_token_for_other_buckets_is_blocked(influx2: Influx2 | Fake2) -> None:
    buckets = influx2.fresh_buckets()
    _, text = influx2.new_token(write=(buckets["totals"],), read=(buckets["daily"],))
    outcomes = using(influx2.target(buckets, token=text), lambda writer: writer.check())
    assert outcomes["totals"] == Done()
    assert blocked(outcomes["devices"], "credentials").status == 403
    assert blocked(outcomes["daily"], "credentials").status == 403


def test_wrong_credentials_of_1_are_blocked_and_right_ones_write(influx1_auth: Influx1) -> None:
    buckets = influx1_auth.fresh_buckets()
    assert write(influx1_auth.target(buckets), b"m f=1 1\n") == Done()
    found = blocked(write(influx1_auth.target(buckets, password="wrong-password"), b"m f=1 1\n"), "credentials")
    assert found.status == 401
    assert "wrong-password" not in repr(found)
    influx1_auth.query("CREATE USER reader WITH PASSWORD 'reader-password'")
    influx1_auth.username = "reader"
    found = blocked(write(influx1_auth.target(buckets, password="reader-password"), b"m f=1 1\n"), "credentials")
    assert found.status == 403


def test_a_missing_bucket_or_organisation_is_blocked_and_a_remade_one_taken(influx2: Influx2 | Fake2) -> None:
    buckets = influx2.fresh_buckets()
    target = influx2.target(buckets)
    influx2.drop(buckets["totals"])
    found = blocked(write(target, b"m f=1 1\n"), "missing")
    assert buckets["totals"] in found.reason
    influx2.create(buckets["totals"])
    assert write(target, b"m f=1 1\n") == Done()
    assert "nowhere" in blocked(write(influx2.target(buckets, org="nowhere"), b"m f=1 1\n"), "missing").reason


def test_a_missing_database_or_retention_policy_is_blocked(influx1: Influx1) -> None:
    buckets = influx1.fresh_buckets()
    found = blocked(write(influx1.target({**buckets, "totals": "nowhere"}), b"m f=1 1\n"), "missing")
    assert found.status == 404
    assert "nowhere" in found.reason
    no_policy = {**buckets, "totals": buckets["totals"] + "/none"}
    found = blocked(write(influx1.target(no_policy), b"m f=1 1\n"), "missing")
    assert found.status == 500


def test_an_empty_write_checks_every_bucket_and_stores_nothing(any_server: Server) -> None:
    buckets = any_server.fresh_buckets()
    assert using(any_server.target(buckets), lambda writer: writer.check()) == dict.fromkeys(ROLES, Done())
    if not isinstance(any_server, Victoria):
        any_server.drop(buckets["daily"])
        outcomes = using(any_server.target(buckets), lambda writer: writer.check())
        assert (outcomes["totals"], outcomes["devices"]) == (Done(), Done())
        if isinstance(any_server, Influx3):
            assert outcomes["daily"] == Done()  # it makes the database with its first line
        else:
            blocked(outcomes["daily"], "missing")


@pytest.mark.parametrize("bad", [b"m f= 2\n", b"m f=1i 2\n"], ids=["syntax", "type conflict"])
def test_a_bad_line_is_reported_as_one(influx1: Influx1, influx2: Influx2 | Fake2, bad: bytes) -> None:
    for server in (influx1, influx2):
        target = server.target(server.fresh_buckets())
        assert write(target, b"m f=1 1\n") == Done()
        assert isinstance(write(target, bad + b"other f=1 1\n"), BadLines)


def test_points_older_than_the_bucket_keeps_are_reported_and_the_others_stored(influx2: Influx2 | Fake2) -> None:
    buckets = influx2.fresh_buckets()
    influx2.drop(buckets["totals"])
    influx2.create(buckets["totals"], retention_s=86400)
    now = int(time.time())
    assert isinstance(write(influx2.target(buckets), b"m f=1 10\nm f=2 %d\n" % now), OutsideRetention)
    assert [row.time for row in influx2.rows(buckets["totals"], "m")] == [now]


def test_points_older_than_a_policy_of_1_keeps_are_reported(influx1: Influx1) -> None:
    influx1.create("short_lived", retention_s=86400)
    target = influx1.target(dict.fromkeys(ROLES, "short_lived"))
    assert isinstance(write(target, b"m f=1 10\nm f=2 %d\n" % int(time.time())), OutsideRetention)


def test_a_body_larger_than_the_server_takes_is_too_large(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Influx1(tmp_path_factory.mktemp("small"), max_body_bytes=2000)
    with serving(server):
        target = server.target(server.fresh_buckets())
        lines = b"".join(b"m f=1 %d\n" % n for n in range(1000))
        assert isinstance(write(target, lines, gzipped=False), TooLarge)
        assert write(target, lines[:900], gzipped=False) == Done()


def test_a_server_that_stops_is_waited_for_and_taken_again_after_it_came_back(any_server: Server) -> None:
    buckets = any_server.fresh_buckets()

    async def through_an_outage(writer: Writer) -> list[Outcome]:
        outcomes = [await writer.write("totals", b"m f=1 %d\n" % AT, gzipped=False)]
        any_server.stop()
        outcomes.append(await writer.write("totals", b"m f=2 %d\n" % (AT + 1), gzipped=False))
        any_server.start()
        outcomes.append(await writer.write("totals", b"m f=2 %d\n" % (AT + 1), gzipped=False))
        return outcomes

    before, down, after = using(any_server.target(buckets), through_an_outage)
    assert (before, after) == (Done(), Done())
    assert isinstance(down, Wait)
    assert down.status == 0
    assert numbers(any_server.rows(buckets["totals"], "m")) == [(AT, {}, {"f": 1.0}), (AT + 1, {}, {"f": 2.0})]


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7.0), ("Wed, 21 Oct 2099 07:28:00 GMT", 600.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_retry_after_of_a_busy_server_is_handed_on(fake_influx2: Fake2, retry_after: str, seconds: float) -> None:
    fake_influx2.fake.script(Scripted(status=429, headers={"Retry-After": retry_after}))
    found = write(fake_influx2.target(fake_influx2.fresh_buckets()), b"m f=1 1\n")
    assert isinstance(found, Wait)
    assert found.retry_after_s == seconds


@pytest.mark.parametrize("cut", ["before", "middle"])
def test_a_cut_answer_is_waited_for_even_if_the_write_was_done(fake_influx2: Fake2, cut: str) -> None:
    buckets = fake_influx2.fresh_buckets()
    fake_influx2.fake.script(Scripted(status=200, cut="before" if cut == "before" else "middle", obey=True))
    target = fake_influx2.target(buckets)
    assert isinstance(write(target, b"m f=1 1\n"), Wait)
    assert write(target, b"m f=1 1\n") == Done()
    assert numbers(fake_influx2.rows(buckets["totals"], "m")) == [(1, {}, {"f": 1.0})]


def test_a_slow_server_is_given_up_and_waited_for(fake_influx2: Fake2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logger.influx.write.WRITE_TIMEOUT_S", 0.3)
    fake_influx2.fake.script(Scripted(delay_s=60))
    found = write(fake_influx2.target(fake_influx2.fresh_buckets()), b"m f=1 1\n")
    assert isinstance(found, Wait)
    assert "no complete answer" in found.reason


def test_something_else_at_the_address_is_blocked_and_never_believed() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def portal() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")

    thread = threading.Thread(target=portal, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        target = Target(url, "auto", "", "", "", "", dict.fromkeys(ROLES, "b"))
        assert "does not answer like an InfluxDB" in blocked(write(target, b"m f=1 1\n"), "unknown").reason
        told = Target(url, "2", "", "", "", "", dict.fromkeys(ROLES, "b"))
        assert "not the answer of an InfluxDB" in blocked(write(told, b"m f=1 1\n"), "unknown").reason
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def test_each_status_and_body_through_a_server_means_what_it_says_and_the_next_write_goes_through(
    fake_influx2: Fake2,
) -> None:
    buckets = fake_influx2.fresh_buckets()
    cases: list[tuple[str, int, str, type[object]]] = [(*case[:3], BadLines) for case in BAD_LINES]
    cases += [(case[0], case[1], case[2], Blocked) for case in BLOCKED]
    cases += [(case[0], case[1], case[2], Wait) for case in WAIT]
    cases += [("too large", 413, "Request Entity Too Large", TooLarge)]

    async def run() -> None:
        writer = Writer(fake_influx2.target(buckets), SystemClock())
        for number, (name, status, body, kind) in enumerate(cases):
            fake_influx2.fake.script(Scripted(status, body))
            outcome = await writer.write("totals", b"m f=1.5 %d\n" % number, gzipped=False)
            assert isinstance(outcome, kind), name
            assert await writer.write("totals", b"m f=1.5 %d\n" % number, gzipped=False) == Done(), name
        await writer.aclose()

    asyncio.run(run())
    assert len(fake_influx2.rows(buckets["totals"], "m")) == len(cases) > 40

"""A batch is delivered whole; what can never be taken is found, named and does not hold up the rest."""

from __future__ import annotations

import asyncio
import gzip
import random
import time
from collections.abc import Sequence
from typing import Literal

import pytest

from logger.clock import SystemClock
from logger.influx.classify import Blocked, Done, Outcome, Wait
from logger.influx.deliver import MOST_REQUESTS, Delivery, Search, deliver
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.model import ROLES, Role
from tests.databases.fake2 import Fake2
from tests.databases.fake_records import Scripted
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import Server, serving
from tests.fake_influx3 import influx3
from tests.store.samples import HandClock

AT = 1_700_000_000
CLOCK = SystemClock()


def batch(*lines: str) -> bytes:
    return gzip.compress("".join(line + "\n" for line in lines).encode(), 1)


def ticks(count: int, lines: int = 1, first: int = 0) -> list[bytes]:
    """Batches of good lines, a different time and series each."""
    return [
        batch(*(f"m,serial={line} f={tick}.5 {AT + tick}" for line in range(lines)))
        for tick in range(first, first + count)
    ]


def send(target: Target, batches: Sequence[bytes], search: Search = "none") -> Delivery:
    async def run() -> Delivery:
        writer = Writer(target, CLOCK)
        try:
            return await deliver(writer, "totals", batches, clock=CLOCK, search=search)
        finally:
            await writer.aclose()

    return asyncio.run(run())


def whole(delivery: Delivery, batches: Sequence[bytes]) -> Delivery:
    """The delivery, if it dealt with every batch."""
    assert delivery.outcome == Done()
    assert delivery.done == tuple(range(len(batches)))
    return delivery


def count(server: Server, bucket: str, measurement: str = "m") -> int:
    return len(server.rows(bucket, measurement))


def test_a_good_batch_is_one_request_and_arrives_whole(any_server: Server) -> None:
    buckets = any_server.fresh_buckets()
    batches = ticks(50, lines=4)
    delivery = whole(send(any_server.target(buckets), batches), batches)
    assert (delivery.requests, delivery.refused, delivery.outside_retention) == (1, (), 0)
    assert count(any_server, buckets["totals"]) == 200


def test_an_influxdb_3_that_reads_one_gzip_member_alone_gets_every_line() -> None:
    batches = ticks(50, lines=4)
    with influx3() as server:
        target = Target(server.url, "auto", "", "", "", "", dict.fromkeys(ROLES, "envoy"))
        delivery = whole(send(target, batches), batches)
    assert delivery.requests == 1
    assert sorted(server.lines["envoy"]) == sorted(gzip.decompress(b"".join(batches)).decode().splitlines())


def test_nothing_to_deliver_is_no_request() -> None:
    delivery = send(Target("http://127.0.0.1:9", "2", "", "", "", "", dict.fromkeys(ROLES, "b")), [])
    assert delivery == Delivery(Done(), ())


@pytest.mark.parametrize("bad", ["m f= 17", 'm f="text" 17'], ids=["syntax", "type conflict"])
@pytest.mark.parametrize("server", ["influx1", "real_influx2", "fake_influx2", "real_influx3"])
def test_one_bad_line_among_many_is_named_and_all_others_arrive(
    request: pytest.FixtureRequest, server: str, bad: str
) -> None:
    database: Server = request.getfixturevalue(server)
    buckets = database.fresh_buckets()
    batches = [
        *ticks(60, lines=5),
        batch("m,serial=x f=1.5 16", bad, "m,serial=x f=2.5 18"),
        *ticks(40, lines=5, first=60),
    ]
    delivery = whole(send(database.target(buckets), batches), batches)
    [refused] = delivery.refused
    assert (refused.batch, refused.line) == (60, bad.encode())
    assert refused.status == (422 if "text" in bad and "influx2" in server else 400)
    assert database.refusals["type conflict" if "text" in bad else "syntax"] in refused.reason
    assert count(database, buckets["totals"]) == 502
    assert delivery.requests < 40


def test_several_bad_lines_at_random_places_are_all_named(influx2: Influx2 | Fake2) -> None:
    dice = random.Random(7)
    bad = {dice.randrange(100): f"broken,n={n} f= {n}" for n in range(6)}
    buckets = influx2.fresh_buckets()
    batches = [batch(f"m f=1.5 {AT + n}", *([bad[n]] if n in bad else [])) for n in range(100)]
    delivery = whole(send(influx2.target(buckets), batches), batches)
    assert {one.batch: one.line.decode() for one in delivery.refused} == bad
    assert count(influx2, buckets["totals"]) == 100


def test_old_points_are_counted_and_cost_one_request(influx1: Influx1, influx2: Influx2 | Fake2) -> None:
    for server in (influx1, influx2):
        bucket = f"short_{time.monotonic_ns()}"
        server.create(bucket, retention_s=86400)
        now = int(time.time())
        batches = [*(batch(f"m f=1.5 {n}") for n in range(100)), batch(f"m f=2.5 {now}")]
        delivery = whole(send(server.target(dict.fromkeys(ROLES, bucket)), batches), batches)
        assert (delivery.outside_retention, delivery.requests, delivery.refused) == (1, 1, ())
        assert [row.time for row in server.rows(bucket, "m")] == [now]


def test_a_server_fault_is_not_blamed_on_sound_members(fake_influx2: Fake2) -> None:
    fake_influx2.fake.script(Scripted(status=500, body='{"message":"disk"}', headers={"Retry-After": "9"}), times=5)
    delivery = send(fake_influx2.target(fake_influx2.fresh_buckets()), ticks(5))
    assert isinstance(delivery.outcome, Wait)
    assert delivery.outcome.retry_after_s == 9.0
    assert (delivery.done, delivery.refused, delivery.requests) == ((), (), 1)


def test_a_batch_that_is_too_large_goes_in_pieces(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Influx1(tmp_path_factory.mktemp("small"), max_body_bytes=1000)
    with serving(server):
        buckets = server.fresh_buckets()
        long = random.Random(1).randbytes(900).hex()
        batches = [
            *ticks(30, lines=3),
            batch(*(f"m,serial=s{n} f=1.5 {n}" for n in range(700))),
            batch("m f=1.5 3", f'm s="{long}" 4', "m f=1.5 5"),
        ]
        delivery = whole(send(server.target(buckets), batches), batches)
        assert [(one.batch, one.status, one.line[:5]) for one in delivery.refused] == [(31, 413, b'm s="')]
        assert count(server, buckets["totals"]) == 90 + 700 + 2


def test_an_outage_in_the_middle_of_a_search_keeps_what_is_done_and_only_that(fake_influx2: Fake2) -> None:
    buckets = fake_influx2.fresh_buckets()
    batches = [*ticks(4), batch("m f= 1"), *ticks(4, first=4)]
    for requests in range(1, 20):
        delivery = _with_outage_after(fake_influx2, buckets["totals"], batches, requests)
        assert {one.batch for one in delivery.refused} <= set(delivery.done)
        if isinstance(delivery.outcome, Done):
            break
        assert isinstance(delivery.outcome, Wait)
        assert len(delivery.done) < len(batches)
        stored = {row.time for row in fake_influx2.rows(buckets["totals"], "m")}
        assert all(AT + (n if n < 4 else n - 1) in stored for n in delivery.done if n != 4)
    assert [one.line for one in whole(delivery, batches).refused] == [b"m f= 1"]
    assert count(fake_influx2, buckets["totals"]) == 8


def _with_outage_after(server: Fake2, bucket: str, batches: Sequence[bytes], requests: int) -> Delivery:
    """Deliver, with the server gone after so many writes."""

    class Failing(Writer):
        left = requests

        async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
            self.left -= 1
            if self.left < 0:
                return Wait("gone")
            return await super().write(role, body, gzipped=gzipped)

    async def run() -> Delivery:
        writer = Failing(server.target(dict.fromkeys(ROLES, bucket)), CLOCK)
        try:
            return await deliver(writer, "totals", batches, clock=CLOCK)
        finally:
            await writer.aclose()

    return asyncio.run(run())


def test_a_revoked_token_in_the_middle_blocks_and_keeps_the_rest(influx2: Influx2 | Fake2) -> None:
    buckets = influx2.fresh_buckets()
    token_id, text = influx2.new_token(write=(buckets["totals"],))
    influx2.set_active(token_id, False)
    delivery = send(influx2.target(buckets, token=text), ticks(3))
    assert isinstance(delivery.outcome, Blocked)
    assert delivery.done == ()
    influx2.set_active(token_id, True)
    batches = ticks(3)
    whole(send(influx2.target(buckets, token=text), batches), batches)
    assert count(influx2, buckets["totals"]) == 3


def test_requests_are_bounded_and_the_next_delivery_goes_on(fake_influx2: Fake2) -> None:
    buckets = fake_influx2.fresh_buckets()
    target = fake_influx2.target(buckets)
    left = [batch(f"m,n={n} f= {n}", f"m,n={n} f=1.5 {n}") for n in range(150)]
    named: set[bytes] = set()
    for _ in range(10):
        delivery = send(target, left)
        assert delivery.requests <= MOST_REQUESTS + 4
        named |= {one.line for one in delivery.refused}
        left = [each for number, each in enumerate(left) if number not in delivery.done]
        assert delivery.outcome == Done()
        assert delivery.done
        if not left:
            break
    assert left == []
    assert named == {b"m,n=%d f= %d" % (n, n) for n in range(150)}
    assert count(fake_influx2, buckets["totals"]) == 150


@pytest.mark.parametrize("poison", [(17,), (0, 1, 59), tuple(range(20, 30))])
def test_what_a_well_server_fails_over_does_not_hold_up_the_rest(
    fake_influx2: Fake2, poison: tuple[int, ...]
) -> None:
    buckets = fake_influx2.fresh_buckets()
    batches = ticks(60)
    delivery = _failing_over(fake_influx2, buckets["totals"], batches, {f"tick={n} " for n in poison}, "batches")
    assert isinstance(delivery.outcome, Wait)
    assert delivery.outcome.status == 500
    assert set(range(60)) - set(delivery.done) == set(poison)
    assert count(fake_influx2, buckets["totals"]) == 60 - len(poison)


def test_a_server_that_fails_over_everything_is_not_searched_through(fake_influx2: Fake2) -> None:
    buckets = fake_influx2.fresh_buckets()
    batches = ticks(2000)
    assert _failing_over(fake_influx2, buckets["totals"], batches, {"m,"}, "none").requests == 1
    delivery = _failing_over(fake_influx2, buckets["totals"], batches, {"m,"}, "batches")
    assert delivery.done == ()
    assert delivery.requests < 40


def _failing_over(server: Fake2, bucket: str, batches: Sequence[bytes], texts: set[str], search: Search) -> Delivery:
    """Deliver to a server that answers 500 to every body with one of these texts."""
    batches = [
        gzip.compress(gzip.decompress(m).replace(b" f=", b",tick=%d f=" % n), 1) for n, m in enumerate(batches)
    ]

    class Failing(Writer):
        async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
            lines = gzip.decompress(body).decode()
            if any(text in lines for text in texts):
                return Wait("HTTP 500: internal error", None, 500)
            return await super().write(role, body, gzipped=gzipped)

    async def run() -> Delivery:
        writer = Failing(server.target(dict.fromkeys(ROLES, bucket)), CLOCK)
        try:
            return await deliver(writer, "totals", batches, clock=CLOCK, search=search)
        finally:
            await writer.aclose()

    return asyncio.run(run())


def test_a_long_search_stops_after_some_time_and_the_next_goes_on(fake_influx2: Fake2) -> None:
    buckets = fake_influx2.fresh_buckets()
    target = fake_influx2.target(buckets)
    batches = [batch(f"m,n={n} f= {n}", f"m,n={n} f=1.5 {n}") for n in range(40)]

    class Slow(Writer):
        async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
            hand.now += 5.0
            return await super().write(role, body, gzipped=gzipped)

    hand = HandClock()

    async def run() -> Delivery:
        writer = Slow(target, CLOCK)
        try:
            return await deliver(writer, "totals", batches, clock=hand)
        finally:
            await writer.aclose()

    delivery = asyncio.run(run())
    assert delivery.outcome == Done()
    assert 1 <= len(delivery.done) <= 2
    assert delivery.requests < 20


@pytest.mark.parametrize(("said", "search"), [("500", "none"), ("a vague 500", "lines")])
def test_a_type_conflict_that_is_sent_as_500_is_named_and_all_others_arrive(
    fake_influx2: Fake2, said: Literal["500", "a vague 500"], search: Search
) -> None:
    buckets = fake_influx2.fresh_buckets()
    good = [*ticks(30, lines=7), batch("m,serial=3 f=1.5 1", "n f=1.5 1", 'm,serial=4 f="text" 2', "n f=2.5 2")]
    batches = [*good, batch('m f="a" 3', 'm f="b" 4', 'm f="c" 5', "n g=1.5 5")]
    fake_influx2.fake.conflict_as = said
    try:
        delivery = whole(send(fake_influx2.target(buckets), batches, search), batches)
    finally:
        fake_influx2.fake.conflict_as = "422"
    assert sorted((one.batch, one.status, one.line[-3:]) for one in delivery.refused) == [
        (30, 500, b'" 2'), (31, 500, b'" 3'), (31, 500, b'" 4'), (31, 500, b'" 5'),
    ]  # fmt: skip
    assert (count(fake_influx2, buckets["totals"]), count(fake_influx2, buckets["totals"], "n")) == (211, 3)


def test_a_server_that_fails_over_every_line_refuses_none(fake_influx2: Fake2) -> None:
    buckets = fake_influx2.fresh_buckets()
    delivery = _failing_over(fake_influx2, buckets["totals"], ticks(3, lines=200), {"m,"}, "lines")
    assert isinstance(delivery.outcome, Wait)
    assert (delivery.done, delivery.refused) == ((), ())
    assert delivery.requests < 300

"""Each fault does what it says, where and as long as it should."""

from __future__ import annotations

import asyncio

import pytest

from logger.answer import Answer
from logger.errors import BrokenError, OversizeError, TimedOutError
from logger.simulator.faults import Fault, Faults
from logger.simulator.server import Simulator
from logger.wire import Wire
from tests.clocks import HandClock
from tests.simulator.ask import NOON, bearer, running, wire_to

READINGS = "/ivp/meters/readings"


async def ask(simulator: Simulator, wire: Wire, path: str = READINGS, timeout_s: float = 10) -> Answer:
    return await wire.request("GET", path, timeout_s=timeout_s, headers=bearer(simulator.new_token()))


def one(fault: Fault) -> Answer:
    """The answer under that fault; the one after it, healed, must be well."""

    async def check() -> Answer:
        async with running() as (simulator, wire):
            simulator.faults.set(READINGS, fault)
            answer = await ask(simulator, wire)
            simulator.faults.clear()
            assert (await ask(simulator, wire)).text.startswith("[{")
            return answer

    return asyncio.run(check())


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_status_gives_a_page_with_that_status(status: int) -> None:
    answer = one(Fault("status", status=status))
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html")
    assert str(status) in answer.text


@pytest.mark.parametrize(("kind", "text"), [("html", "<!DOCTYPE html>"), ("empty", ""), ("garbage", '{"broken": [1')])
def test_html_empty_and_garbage_come_with_status_200(kind: str, text: str) -> None:
    answer = one(Fault(kind))  # type: ignore[arg-type]
    assert answer.status == 200
    assert answer.text[: len(text) or 1] == text


def test_redirect_sends_elsewhere() -> None:
    answer = one(Fault("redirect"))
    assert (answer.status, answer.headers["location"]) == (302, "/login.html")


def test_two_lengths_is_a_redirect_that_can_be_read_if_its_body_is_chunked() -> None:
    answer = one(Fault("two lengths"))
    assert (answer.status, answer.headers["location"]) == (301, "https://localhost/home")
    assert {"content-length", "transfer-encoding"} <= answer.headers.keys()


def test_two_lengths_breaks_the_connection_if_its_body_is_not_chunked() -> None:
    with pytest.raises(BrokenError, match="sent an answer that breaks the rules of HTTP"):
        one(Fault("two lengths", is_chunked=False))


async def test_delay_answers_well_but_later_by_the_clock() -> None:
    clock = HandClock(NOON)
    async with running(clock=clock) as (simulator, wire):
        simulator.faults.set(READINGS, Fault("delay", seconds=70))
        answer = await ask(simulator, wire)
        assert clock.now == NOON + 70
        assert f'"timestamp": {int(NOON + 70)}' in answer.text
        assert simulator.journal[0].time == NOON


@pytest.mark.parametrize("kind", ["cut", "reset"])
async def test_cut_and_reset_end_the_connection(kind: str) -> None:
    async with running() as (simulator, wire):
        simulator.faults.set(READINGS, Fault(kind))  # type: ignore[arg-type]
        with pytest.raises(BrokenError):
            await ask(simulator, wire)
        assert simulator.journal[0].status == (0 if kind == "reset" else 200)
        assert simulator.journal[0].body.startswith(b"[{")


async def test_a_cut_body_begins_well_and_stops_half_way() -> None:
    async with running() as (simulator, _):
        simulator.faults.set("/info", Fault("cut"))
        from tests.simulator.ask import unverified

        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.http.port, ssl=unverified())
        writer.write(b"GET /info HTTP/1.1\r\nhost: x\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        whole = simulator.journal[0].body
        assert f"content-length: {len(whole)}".encode() in head.lower()
        assert body == whole[: len(whole) // 2]


async def test_hang_never_answers_but_is_in_the_journal_at_once() -> None:
    async with running() as (simulator, wire):
        simulator.faults.set(READINGS, Fault("hang"))
        with pytest.raises(TimedOutError):
            await ask(simulator, wire, timeout_s=0.3)
        assert [(served.path, served.status) for served in simulator.journal] == [(READINGS, 0)]


async def test_a_hang_with_seconds_ends_the_connection_after_them() -> None:
    clock = HandClock(NOON)
    async with running(clock=clock) as (simulator, wire):
        simulator.faults.set(READINGS, Fault("hang", seconds=90))
        with pytest.raises(BrokenError):
            await ask(simulator, wire)
        assert clock.now == NOON + 90


async def test_drip_sends_the_whole_body_a_byte_at_a_time() -> None:
    clock = HandClock(NOON)
    async with running(clock=clock) as (simulator, wire):
        simulator.faults.set("/info", Fault("drip", seconds=2))
        answer = await ask(simulator, wire, "/info")
        assert answer.body == simulator.journal[0].body
        assert clock.now == NOON + 2 * len(answer.body)


@pytest.mark.parametrize("kind", ["huge", "bomb"])
async def test_huge_and_bomb_are_larger_than_any_client_should_take(kind: str) -> None:
    async with running() as (simulator, _), wire_to(simulator.url, max_bytes=1 << 20) as wire:
        simulator.faults.set(READINGS, Fault(kind))  # type: ignore[arg-type]
        with pytest.raises(OversizeError):
            await ask(simulator, wire)


def test_a_bomb_is_small_on_the_wire_and_unpacks_to_its_size() -> None:
    answer = one(Fault("bomb", size=1 << 19))
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) == pytest.approx(1 << 19, abs=8)


async def test_only_paths_that_begin_so_fail() -> None:
    async with running() as (simulator, wire):
        simulator.faults.set("/ivp/ensemble", Fault("status"))
        paths = ("/ivp/ensemble/power", "/ivp/ensemble/inventory", READINGS, "/info")
        assert [(await ask(simulator, wire, path)).status for path in paths] == [503, 503, 200, 200]


def test_the_longest_prefix_wins_and_a_star_stands_for_every_path() -> None:
    faults = Faults()
    faults.set("*", Fault("status", status=500))
    faults.set("/ivp/meters", Fault("html"))
    faults.set("/ivp/meters/readings", Fault("empty"))
    kinds = [fault.kind for path in ("/info", "/ivp/meters", READINGS) if (fault := faults.take(path, NOON))]
    assert kinds == ["status", "html", "empty"]
    faults.clear("/ivp/meters/readings")
    assert (fault := faults.take(READINGS, NOON)) is not None
    assert fault.kind == "html"
    faults.clear()
    assert faults.take(READINGS, NOON) is None


async def test_a_fault_is_played_as_often_as_asked_and_then_again_after_it_is_set_anew() -> None:
    async with running() as (simulator, wire):
        for _ in range(2):
            simulator.faults.set(READINGS, Fault("status", times=2))
            assert [(await ask(simulator, wire)).status for _ in range(3)] == [503, 503, 200]


async def test_a_fault_lasts_from_its_beginning_until_its_end_by_the_clock() -> None:
    clock = HandClock(NOON)
    async with running(clock=clock) as (simulator, wire):
        simulator.faults.set(READINGS, Fault("status", since=NOON + 60, until=NOON + 180))
        found = []
        for _ in range(4):
            found.append((await ask(simulator, wire)).status)
            clock.now += 60
        assert found == [200, 503, 503, 200]

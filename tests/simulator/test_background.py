"""The stand-in on a thread and in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from urllib.parse import urlsplit

import pytest

from logger.answer import Answer
from logger.clock import FastClock, SystemClock
from logger.errors import UnreachableError
from logger.simulator.faults import Fault
from logger.simulator.household import Household
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.server import Simulator, serve
from tests.clocks import HandClock
from tests.simulator.ask import NOON, bearer, wire_to
from tests.standin import BackgroundSimulator


def ask(url: str, path: str, token: str = "") -> Answer:
    async def get() -> Answer:
        async with wire_to(url) as wire:
            return await wire.request("GET", path, timeout_s=10, headers=bearer(token) if token else {})

    return asyncio.run(get())


def test_it_answers_from_its_own_thread_and_can_be_broken_and_healed() -> None:
    with BackgroundSimulator(invent_gateway("8-battery"), HandClock(NOON)) as background:
        token = background.new_token()
        assert ask(background.url, "/ivp/meters", token).status == 200
        background.fail("/ivp/meters", Fault("status", status=502))
        assert ask(background.url, "/ivp/meters", token).status == 502
        background.heal()
        assert ask(background.url, "/ivp/meters", token).status == 200
        background.call(background.simulator.revoke_tokens)
        assert ask(background.url, "/ivp/meters", token).status == 401
        assert [served.status for served in background.journal] == [200, 502, 200, 401]
        assert background.cloud.sign_ins == 0


def test_it_can_be_switched_off_and_on() -> None:
    with BackgroundSimulator(invent_gateway("8-battery"), HandClock(NOON)) as background:
        background.go_down()
        with pytest.raises(UnreachableError):
            ask(background.url, "/info")
        background.come_up()
        assert ask(background.url, "/info").status == 200


def test_nothing_is_left_when_it_ends_even_while_a_request_hangs() -> None:
    before = threading.active_count()
    with BackgroundSimulator(invent_gateway("8-battery"), HandClock(NOON)) as background:
        background.fail("/info", Fault("hang"))

        async def give_up() -> None:
            async with wire_to(background.url) as wire:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await wire.request("GET", "/info", timeout_s=60)

        asyncio.run(give_up())
        assert len(background.journal) == 1
    assert threading.active_count() == before
    with pytest.raises(UnreachableError):
        ask(background.url, "/info")


@pytest.mark.parametrize("how", ["says nothing and leaves", "leaves in the handshake", "stays in the handshake"])
def test_a_client_that_breaks_off_leaves_no_open_connection_behind(how: str) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        with BackgroundSimulator(invent_gateway("8-battery"), HandClock(NOON)) as background:
            address = urlsplit(background.url)
            client = socket.create_connection((address.hostname, address.port))
            if how != "says nothing and leaves":
                greeting = ssl.MemoryBIO()
                handshake = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), greeting, server_hostname="envoy")
                with pytest.raises(ssl.SSLWantReadError):
                    handshake.do_handshake()
                client.sendall(greeting.read())
            if how != "stays in the handshake":
                client.close()
        gc.collect()
        client.close()
    assert [str(warning.message) for warning in told] == []


def test_its_settings_reach_it_and_its_own_sign_in() -> None:
    with BackgroundSimulator(invent_gateway("8-battery"), HandClock(NOON)) as background:
        settings = background.settings
        assert settings["ENPHASE_GATEWAY"] == background.url
        assert settings["ENPHASE_LOGIN_URL"] == background.cloud.login_url
        assert settings["ENPHASE_TOKEN_URL"] == background.cloud.token_url
        assert (settings["ENPHASE_USERNAME"], settings["ENPHASE_PASSWORD"]) == (
            background.cloud.username, background.cloud.password
        )  # fmt: skip


async def test_serve_says_when_it_is_ready_and_runs_until_it_is_cancelled() -> None:
    ready: asyncio.Future[Simulator] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(Simulator(invent_gateway("8-metered"), SystemClock()), ready.set_result))
    simulator = await ready
    async with wire_to(simulator.url) as wire:
        assert (await wire.request("GET", "/info", timeout_s=10)).status == 200
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with wire_to(simulator.url) as wire:
        with pytest.raises(UnreachableError):
            await wire.request("GET", "/info", timeout_s=10)


_CHILD = """
import asyncio, sys
from logger.clock import FastClock
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.server import Simulator, serve
clock = FastClock(*map(float, sys.argv[1:4]))
def ready(simulator):
    print(simulator.url, simulator.new_token(), flush=True)
asyncio.run(serve(Simulator(invent_gateway("8-battery", epoch=clock.start - 10 * 86400), clock), ready))
"""


def test_a_gateway_in_another_process_shows_the_truth_that_this_process_computes() -> None:
    start = 1_749_990_000.0
    clock = FastClock(time.time(), start, 60.0)
    site = Household(epoch=start - 10 * 86400)
    arguments = [sys.executable, "-c", _CHILD, str(clock.origin), str(clock.start), str(clock.rate)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            url, token = child.stdout.readline().split()
            before = clock.time()
            answer = ask(url, "/ivp/meters/readings", token)
            after = clock.time()
        finally:
            child.terminate()
    shown = float(answer.text.split('"actEnergyDlvd": ')[1].split(",")[0])
    assert site.at(before).total.produced_wh - 0.001 <= shown <= site.at(after).total.produced_wh + 0.001

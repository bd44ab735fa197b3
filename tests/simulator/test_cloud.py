"""The stand-in for Enphase: two ways to a token, every refusal, and a count of the tries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jwt
import pytest

from logger.answer import Answer
from logger.errors import BrokenError
from logger.simulator.enphase_cloud import Cloud, Mode
from logger.simulator.faults import Fault
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.server import Simulator
from logger.wire import Wire
from tests.clocks import HandClock
from tests.simulator.ask import NOON, bearer, wire_to


@asynccontextmanager
async def cloud(mode: Mode = "ok", *, tls: bool = False) -> AsyncIterator[tuple[Simulator, Wire]]:
    async with Simulator(invent_gateway("8-battery"), HandClock(NOON), cloud_tls=tls) as simulator:
        simulator.cloud.mode = mode
        async with wire_to(simulator.cloud.url) as wire:
            yield simulator, wire


async def sign_in(wire: Wire, cloud: Cloud, password: str | None = None) -> Answer:
    form = {"user[email]": cloud.username, "user[password]": password or cloud.password}
    return await wire.request("POST", "/login/login.json", timeout_s=10, form=form)


async def by_post(wire: Wire, cloud: Cloud, session: str, serial: str, username: str | None = None) -> Answer:
    asked = {"session_id": session, "serial_num": serial, "username": username or cloud.username}
    return await wire.request("POST", "/tokens", timeout_s=10, json=asked)


async def by_session(wire: Wire, serial: str) -> Answer:
    return await wire.request("GET", "/entrez-auth-token", timeout_s=10, params={"serial_num": serial})


def session_of(answer: Answer) -> str:
    body = json.loads(answer.body)
    assert body["message"] == "success"
    return str(body["session_id"])


@pytest.mark.parametrize("tls", [False, True])
async def test_an_account_gives_a_token_that_the_gateway_takes(tls: bool) -> None:
    async with cloud(tls=tls) as (simulator, wire):
        assert simulator.cloud.login_url == f"{simulator.cloud.url}/login/login.json"
        assert simulator.cloud.token_url == f"{simulator.cloud.url}/tokens"
        assert simulator.cloud.url.startswith("https://" if tls else "http://")
        session = session_of(await sign_in(wire, simulator.cloud))
        token = (await by_post(wire, simulator.cloud, session, simulator.model.serial)).text
        async with wire_to(simulator.url) as gateway:
            answer = await gateway.request("GET", "/auth/check_jwt", timeout_s=10, headers=bearer(token))
            assert answer.status == 200
        assert (simulator.cloud.sign_ins, simulator.cloud.token_requests) == (1, 1)


async def test_the_second_way_gives_a_token_as_json_for_the_sessions_cookie() -> None:
    async with cloud("no-tokens-path") as (simulator, wire):
        serial = simulator.model.serial
        assert (await by_session(wire, serial)).status == 401
        session = session_of(await sign_in(wire, simulator.cloud))
        assert (await by_post(wire, simulator.cloud, session, serial)).status == 405
        body = json.loads((await by_session(wire, serial)).body)
        claims = jwt.decode(body["token"], options={"verify_signature": False})
        assert claims["aud"] == serial
        assert body["expires_at"] == claims["exp"]
        assert body["generation_time"] == claims["iat"] == int(NOON)


async def test_a_wrong_password_is_refused_and_counted() -> None:
    async with cloud() as (simulator, wire):
        answer = await sign_in(wire, simulator.cloud, "guess")
        assert (answer.status, json.loads(answer.body)) == (401, {"message": "Invalid"})
        assert simulator.cloud.sign_ins == 1


@pytest.mark.parametrize(
    ("mode", "status"),
    [("refused", 401), ("mfa", 200), ("too-many-sessions", 200), ("forbidden", 403), ("throttled", 429),
     ("down", 503), ("html", 200)],
)  # fmt: skip
async def test_each_refusal_at_the_sign_in_has_its_status_and_no_session(mode: Mode, status: int) -> None:
    async with cloud(mode) as (simulator, wire):
        answer = await sign_in(wire, simulator.cloud)
        assert answer.status == status
        assert "session_id" not in answer.text
        assert wire.cookie("_enlighten_4_session") is None
        assert (wire.cookie("login_otp_nonce") is not None) is (mode == "mfa")
        assert ("retry-after" in answer.headers) is (mode == "throttled")
        assert ("sessions" in answer.text) is (mode == "too-many-sessions")
        assert answer.text.startswith("<") is (mode in ("html", "down", "forbidden"))


@pytest.mark.parametrize("mode", ["foreign-token", "expired-token", "installer"])
async def test_tokens_can_be_for_another_gateway_or_expired_or_an_installers(mode: Mode) -> None:
    async with cloud(mode) as (simulator, wire):
        serial = simulator.model.serial
        session = session_of(await sign_in(wire, simulator.cloud))
        token = (await by_post(wire, simulator.cloud, session, serial)).text
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["aud"] != serial) is (mode == "foreign-token")
        assert (claims["exp"] < NOON) is (mode == "expired-token")
        assert claims["enphaseUser"] == ("installer" if mode == "installer" else "owner")
        assert claims["exp"] - claims["iat"] == (43_200 if mode == "installer" else 31_536_000)


@pytest.mark.parametrize(("mode", "serial"), [("no-token", "122000000042"), ("ok", "122300099999")])
async def test_no_token_is_a_text_or_a_page_with_status_200(mode: Mode, serial: str) -> None:
    async with cloud(mode) as (simulator, wire):
        session = session_of(await sign_in(wire, simulator.cloud))
        for answer in (await by_post(wire, simulator.cloud, session, serial), await by_session(wire, serial)):
            assert answer.status == 200
            assert answer.text.count(".") < 2


async def test_an_unknown_session_or_user_gets_no_token() -> None:
    async with cloud() as (simulator, wire):
        serial = simulator.model.serial
        session = session_of(await sign_in(wire, simulator.cloud))
        assert (await by_post(wire, simulator.cloud, "0" * 32, serial)).status == 401
        assert (await by_post(wire, simulator.cloud, session, serial, "other@example.org")).status == 401


async def test_the_cloud_can_fail_on_the_wire_too() -> None:
    async with cloud() as (simulator, wire):
        simulator.cloud.faults.set("/login", Fault("reset", times=1))
        with pytest.raises(BrokenError):
            await sign_in(wire, simulator.cloud)
        assert simulator.cloud.sign_ins == 1  # it was tried, whatever came back
        session_of(await sign_in(wire, simulator.cloud))

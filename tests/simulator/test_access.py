"""Who gets in: tokens by signature, serial and dates; session cookies; digest; and what the journal keeps of it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from logger.answer import Answer
from logger.digest import Digest
from logger.errors import BrokenError, UnreachableError
from logger.simulator.generations import GENERATIONS
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.server import SESSION_S, Simulator
from logger.wire import Wire
from tests.clocks import HandClock
from tests.simulator.ask import NOON, bearer, running, wire_to

V1 = "/api/v1/production"
INVERTERS = "/api/v1/production/inverters"


async def get(wire: Wire, path: str, headers: dict[str, str] | None = None) -> Answer:
    return await wire.request("GET", path, timeout_s=10, headers=headers)


def session_of(answer: Answer) -> str:
    found = re.fullmatch(r"sessionId=(\w+); Secure; HttpOnly; path=/", answer.headers["set-cookie"])
    assert found
    return found[1]


async def test_info_is_open_and_everything_else_wants_a_token() -> None:
    async with running() as (simulator, wire):
        assert simulator.url.startswith("https://127.0.0.1:")
        assert (await get(wire, "/info")).status == 200
        refused = await get(wire, V1)
        assert (refused.status, refused.headers["content-type"]) == (401, "text/html")
        assert "set-cookie" not in refused.headers
        answer = await get(wire, V1, bearer(simulator.new_token()))
        assert answer.status == 200
        assert json.loads(answer.body)["wattsNow"] > 0


def test_a_token_is_like_the_real_ones() -> None:
    simulator = Simulator(invent_gateway("8-battery"), HandClock(NOON))
    token = simulator.new_token()
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == simulator.model.serial
    assert (claims["iss"], claims["enphaseUser"]) == ("Entrez", "owner")
    assert claims["exp"] - claims["iat"] == 365 * 86400
    assert {"jti", "username"} <= claims.keys()


def _tampered(simulator: Simulator) -> str:
    head, claims, signature = simulator.new_token().split(".")
    raw = json.loads(base64.urlsafe_b64decode(claims + "=="))
    raw["exp"] += 1
    changed = base64.urlsafe_b64encode(json.dumps(raw).encode()).decode().rstrip("=")
    return f"{head}.{changed}.{signature}"


def _foreign_key(simulator: Simulator) -> str:
    claims = jwt.decode(simulator.new_token(), options={"verify_signature": False})
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")


def _revoked(simulator: Simulator) -> str:
    token = simulator.new_token()
    simulator.revoke_tokens()
    return token


@pytest.mark.parametrize(
    "make",
    [
        lambda simulator: simulator.new_token(serial="122300099999"),
        lambda simulator: simulator.new_token(lifetime_s=-60),
        lambda simulator: "eyJnot.a.token",
        _tampered,
        _foreign_key,
        _revoked,
    ],
    ids=["foreign serial", "expired", "nonsense", "tampered", "another key", "revoked"],
)
async def test_a_bad_token_is_refused_everywhere_and_gives_no_session(make: Callable[[Simulator], str]) -> None:
    async with running() as (simulator, wire):
        token = make(simulator)
        for path in (V1, "/auth/check_jwt"):
            answer = await get(wire, path, bearer(token))
            assert answer.status == 401
            assert "set-cookie" not in answer.headers
        assert [served.saw_token for served in simulator.journal] == [True, True]


async def test_a_token_ends_when_its_time_is_over_by_the_gateways_own_clock() -> None:
    clock = HandClock(NOON)
    async with running(clock=clock) as (simulator, wire):
        token = bearer(simulator.new_token(lifetime_s=3600))
        assert (await get(wire, "/auth/check_jwt", token)).status == 200
        simulator.skew_s = 7200
        assert (await get(wire, "/auth/check_jwt", token)).status == 401
        simulator.skew_s = -86400
        assert (await get(wire, "/auth/check_jwt", token)).status == 401
        info = await get(wire, "/info")
        assert f"<time>{int(NOON - 86400)}</time>" in info.text


async def test_check_jwt_says_valid_and_gives_a_session_that_is_enough() -> None:
    async with running() as (simulator, wire), wire_to(simulator.url) as other:
        answer = await get(wire, "/auth/check_jwt", bearer(simulator.new_token()))
        assert answer.status == 200
        assert "Valid token." in answer.text
        cookie = {"cookie": f"sessionId={session_of(answer)}"}
        by_cookie = await get(other, V1, cookie)
        assert by_cookie.status == 200
        assert "set-cookie" not in by_cookie.headers
        assert (await get(other, "/auth/check_jwt", cookie)).status == 401  # which wants the token itself
        assert simulator.journal[1].credential == "cookie"


async def test_each_answer_to_a_token_alone_sets_a_new_session() -> None:
    async with running() as (simulator, wire):
        token, sessions = simulator.new_token(), set()
        for _ in range(3):
            sessions.add(session_of(await get(wire, V1, bearer(token))))
            wire.forget_cookies()
        assert len(sessions) == 3
        both = {**bearer(token), "cookie": f"sessionId={sessions.pop()}"}
        assert "set-cookie" not in (await get(wire, V1, both)).headers
        assert [served.credential for served in simulator.journal] == ["bearer"] * 3 + ["both"]


async def test_a_session_idles_out_and_is_prolonged_by_use() -> None:
    clock = HandClock(NOON)
    async with running(clock=clock) as (simulator, wire):
        await get(wire, V1, bearer(simulator.new_token()))  # the client keeps the cookie
        for _ in range(3):
            clock.now += SESSION_S - 1
            assert (await get(wire, V1)).status == 200
        clock.now += SESSION_S
        assert (await get(wire, V1)).status == 401


@pytest.mark.parametrize("end", [Simulator.expire_sessions, Simulator.revoke_tokens])
async def test_sessions_can_be_ended(end: Callable[[Simulator], None]) -> None:
    async with running() as (simulator, wire):
        token = bearer(simulator.new_token())
        assert (await get(wire, V1, token)).status == 200
        end(simulator)
        assert (await get(wire, V1)).status == 401
        wire.forget_cookies()
        again = (await get(wire, V1, token)).status
        assert again == (200 if end is Simulator.expire_sessions else 401)


@pytest.mark.parametrize("generation", ["5-metered", "5-standard", "3"])
async def test_old_gateways_are_plain_http_and_want_digest_for_the_inverters_alone(generation: str) -> None:
    async with running(invent_gateway(generation)) as (simulator, wire):
        assert simulator.url.startswith("http://")
        assert (await get(wire, V1)).status == 200
        refused = await get(wire, INVERTERS)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith('Digest realm="enphaseenergy.com", qop="auth"')
        serial = simulator.model.serial
        for user, password, status in (
            ("envoy", serial[-6:], 200),
            ("envoy", "wrong1", 401),
            ("me", serial[-6:], 401),
        ):
            answer = await wire.request("GET", INVERTERS, timeout_s=10, auth=Digest(user, password))
            assert answer.status == status
        assert {served.credential for served in simulator.journal if served.path == V1} == {"none"}
        assert simulator.journal[-1].credential == "digest"


async def test_the_owner_can_have_changed_the_password_of_an_old_gateway() -> None:
    async with running(invent_gateway("5-metered")) as (simulator, wire):
        simulator.local_password = "own & long"
        first = await wire.request("GET", INVERTERS, timeout_s=10, auth=Digest("envoy", simulator.model.serial[-6:]))
        second = await wire.request("GET", INVERTERS, timeout_s=10, auth=Digest("envoy", "own & long"))
        assert (first.status, second.status) == (401, 200)


async def test_a_digest_cannot_be_played_twice_nor_at_another_path() -> None:
    async with running(invent_gateway("5-metered")) as (simulator, wire):
        await wire.request("GET", INVERTERS, timeout_s=10, auth=Digest("envoy", simulator.model.serial[-6:]))
        sent = next(raw for raw in simulator.http.raw if b"Digest " in raw).decode()
        header = re.search(r"(?i)authorization: (Digest .*)\r\n", sent)
        assert header
        for path in (INVERTERS, "/production"):
            assert (await get(wire, path, {"authorization": header[1]})).status == 401


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_every_generation_answers_info_over_the_scheme_of_its_time(generation: str) -> None:
    async with running(invent_gateway(generation)) as (simulator, wire):
        answer = await get(wire, "/info")
        assert f"<sn>{simulator.model.serial}</sn>" in answer.text
        assert simulator.url.startswith("https") is GENERATIONS[generation].needs_token


async def test_the_journal_has_every_request_in_order_with_what_was_served() -> None:
    clock = HandClock(NOON)
    async with running(clock=clock) as (simulator, wire):
        await get(wire, "/info")
        clock.now += 5
        answer = await get(wire, "/production.json?details=1", bearer(simulator.new_token()))
        first, second = simulator.journal
        assert (first.time, first.path, first.status, first.credential, first.saw_token) == (
            NOON,
            "/info",
            200,
            "none",
            False,
        )
        assert (second.time, second.path, second.status) == (NOON + 5, "/production.json?details=1", 200)
        assert second.saw_token
        assert second.body == answer.body
        assert (simulator.count(), simulator.count("/production")) == (2, 1)
        assert "eyJ" not in repr(simulator.journal)


async def test_a_new_certificate_is_shown_to_later_connections() -> None:
    async with running() as (simulator, wire):

        async def shown() -> str:
            from hashlib import sha256

            from tests.simulator.ask import unverified

            port = simulator.http.port
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=unverified())
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            await writer.wait_closed()
            return sha256(der).hexdigest()

        await get(wire, "/info")
        first = simulator.certificate.fingerprint
        assert await shown() == first
        simulator.new_certificate(days=30)
        assert simulator.certificate.fingerprint != first
        assert await shown() == simulator.certificate.fingerprint
        assert (await get(wire, "/info")).status == 200  # on the connection that was open


async def test_an_impostor_sees_every_byte_that_a_client_sends_it() -> None:
    async with running() as (simulator, wire):
        await get(wire, V1, bearer("eyJsecret"))
        assert b"eyJsecret" in b"".join(simulator.http.raw)


async def test_a_gateway_that_is_down_refuses_and_comes_back_at_the_same_port_without_sessions() -> None:
    async with running() as (simulator, wire):
        await get(wire, V1, bearer(simulator.new_token()))
        url = simulator.url
        await simulator.go_down()
        with pytest.raises((UnreachableError, BrokenError)):
            await get(wire, "/info")
        await simulator.come_up()
        assert simulator.url == url
        assert (await get(wire, "/info")).status == 200
        assert (await get(wire, V1)).status == 401


async def test_slow_paths_wait_for_each_other_and_fast_ones_for_nobody() -> None:
    clock = HandClock(NOON)
    async with (
        Simulator(invent_gateway("8-metered"), clock, slow_s=20) as simulator,
        wire_to(simulator.url) as wire,
    ):
        token = bearer(simulator.new_token())
        await get(wire, V1, token)
        assert clock.now == NOON
        both: list[Awaitable[Answer]] = [
            get(wire, path, token) for path in ("/home.json", "/inventory.json?deleted=1")
        ]
        answers = await asyncio.gather(*both)
        assert [answer.status for answer in answers] == [200, 200]
        assert clock.now == NOON + 40

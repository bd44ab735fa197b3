"""What a gateway answers, and the error or document that becomes of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logger import log
from logger.answer import Answer
from logger.errors import (
    AbsentError,
    BrokenError,
    BusyError,
    EnvoyLoggerError,
    GatewayError,
    NameUnknownError,
    NotAGatewayError,
    NotAllowedError,
    OversizeError,
    SerialDiffersError,
    TimedOutError,
    UnreachableError,
    UnreadableError,
)
from logger.gateway.documents import read_document, read_info
from logger.simulator.connections import Response
from logger.simulator.faults import Fault
from tests.gateway.parts import CUT, HANG, READINGS, RESET, SERIAL, Box, EchoGateway, answer, endpoint, html, site

V1 = "/api/v1/production"
INVERTERS = "/api/v1/production/inverters"


@pytest.mark.parametrize(
    ("reply", "kind", "said", "tries"),
    [
        (html("Please sign in"), UnreadableError, "gave HTML instead of JSON: '<!doctype html>", 2),
        (answer(200, b" \n"), UnreadableError, "answered with an empty body", 2),
        (answer(200, b'[{"eid": 7046'), UnreadableError, "gave something that is not JSON: '[{\"eid\": 7046'", 2),
        (answer(200, b'[{"w": NaN}]'), UnreadableError, "not JSON", 2),
        (answer(200, b'[{"w": 1e999}]'), UnreadableError, "not JSON", 2),
        (answer(200, b"[" * 100 + b"]" * 100), UnreadableError, "not JSON", 2),
        (answer(200, b"[" * 40_000), UnreadableError, "not JSON", 2),
        (answer(200, b"[" + b"0," * 60_000 + b"0]"), UnreadableError, "more values than any gateway has", 2),
        (answer(200, b"null"), UnreadableError, "a bare value", 2),
        (html("gone", 301), UnreadableError, "redirect (301), which is not followed", 2),
        (html("Service Unavailable", 503), BusyError, "answered 503: the gateway starts up", 2),
        (html("Bad Gateway", 502), BusyError, "answered 502", 2),
        (html("not found", 404), AbsentError, "answered 404: this gateway has no such document", 1),
        (html("forbidden", 403), NotAllowedError, "answered 403: the role of this token", 1),
        (html("teapot", 418), GatewayError, "answered 418", 1),
        (RESET, BrokenError, "closed the connection before its answer ended", 2),
        (CUT, BrokenError, "closed the connection before its answer ended", 2),
        (HANG, TimedOutError, "gave no complete answer in 10 s", 1),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_each_bad_answer_is_one_typed_error_with_host_path_and_cure(
    tmp_path: Path, reply: Response | Fault, kind: type[EnvoyLoggerError], said: str, tries: int
) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        here.clock.patience_s = 0.3 if reply == HANG else 10.0
        here.box.script(V1, reply)
        with pytest.raises(kind) as caught:
            await gateway.fetch(endpoint(V1))
        assert type(caught.value) is kind
        assert said in str(caught.value)
        assert f"127.0.0.1:{here.box.http.port}{V1}" in str(caught.value)
        assert here.box.count(V1) == tries
        here.clock.patience_s = 10.0
        await gateway.fetch(endpoint(READINGS))  # the others go on
        assert here.cloud.sign_ins == 1


async def test_a_passing_fault_is_cured_by_the_second_try(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.box.faults.set(READINGS, Fault("status", times=1))
        document = await here.gateway().fetch(endpoint(READINGS))
        assert document.path == READINGS
        assert document.body == [{"path": READINGS}]
        assert document.received_at == here.clock.now


async def test_a_slow_path_is_asked_once_a_poll(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.box.script("/home.json", html("busy", 503))
        with pytest.raises(BusyError):
            await here.gateway().fetch(endpoint("/home.json"))
        assert here.box.count("/home.json") == 1


async def test_a_document_under_an_older_name_is_found_where_the_first_is_not_known(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        inventory = endpoint("/inventory.json?deleted=1")
        for name in (inventory.path, "/inventory.json"):
            here.box.script(name, html("not found", 404))
        document = await here.gateway().fetch(inventory)
        assert document.path == inventory.path, "it is the same document under each of its names"
        assert document.body == [{"path": "/inventory"}]
        here.box.script("/inventory", html("not found", 404))
        with pytest.raises(AbsentError, match="this gateway has no such document"):
            await here.gateway().fetch(inventory)


async def test_an_answer_larger_than_any_gateways_is_refused(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.box.script(READINGS, answer(200, b"[" + b" " * 1_100_000 + b"]"))
        with pytest.raises(OversizeError, match="more than 1024 KiB"):
            await here.gateway().fetch(endpoint(READINGS))


def test_invalid_bytes_are_replaced_and_the_rest_is_read() -> None:
    answer = Answer(200, {}, b'\xef\xbb\xbf{"name": "caf\xe9", "w": 1.5}', 0.1)
    assert read_document(answer, "json", "x") == {"name": "caf�", "w": 1.5}


def test_a_secret_in_an_unreadable_answer_is_not_shown() -> None:
    log.protect(["s3cr3t-pass-word"])
    answer = Answer(200, {}, b"<p>you sent " + b"s3cr3t-pass-word" * 3, 0.1)
    with pytest.raises(UnreadableError) as caught:
        read_document(answer, "json", "x")
    assert "s3cr3t" not in str(caught.value)
    assert "<p>you sent" in str(caught.value)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_whatever_the_bytes_are_they_are_a_document_or_unreadable(body: bytes) -> None:
    try:
        document = read_document(Answer(200, {}, body, 0.0), "json", "x")
    except UnreadableError:
        return
    assert json.loads(json.dumps(document, allow_nan=False)) == document


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f"<envoy_info>{text}</envoy_info>".encode()))
def test_whatever_info_says_it_is_a_gateway_or_named_as_none(body: bytes) -> None:
    with pytest.raises(NotAGatewayError):
        read_info(Answer(200, {}, body, 0.0), "host", 0.0)


# --- who answers --------------------------------------------------------------------------------------------


async def test_another_gateway_than_the_settings_name_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as here:
        with pytest.raises(SerialDiffersError) as caught:
            await here.gateway(expected_serial="999888777666").fetch(endpoint(READINGS))
        assert f"is {SERIAL}, but ENPHASE_SERIAL is 999888777666" in str(caught.value)
        assert "Try: correct ENPHASE_SERIAL or ENPHASE_GATEWAY" in str(caught.value)
        assert list((tmp_path / "state").iterdir()) == []
        assert here.cloud.http.raw == []
        assert b"uthorization" not in here.box.received


@pytest.mark.parametrize(
    "reply",
    [
        html("router"),
        html("no", 404),
        html("no", 401),
        answer(200, b""),
        answer(200, b'{"json": true}'),
        answer(200, b"<envoy_info></envoy_info>"),
        answer(200, b"<envoy_info><device><sn>../../etc</sn><software>D8.1</software></device></envoy_info>"),
        answer(200, b"<!DOCTYPE x [<!ENTITY a 'b'>]><envoy_info><device><sn>&a;</sn></device></envoy_info>"),
        answer(200, b"<envoy_info>" + b" " * 70_000 + b"</envoy_info>"),
    ],
    ids=["html", "404", "401", "empty", "json", "no serial", "a path as serial", "entities", "too large"],
)
async def test_something_else_at_the_address_is_named_and_gets_nothing(tmp_path: Path, reply: Response) -> None:
    async with site(tmp_path) as here:
        here.box.script("/info", reply)
        with pytest.raises(EnvoyLoggerError) as caught:
            await here.gateway().fetch(endpoint(READINGS))
        assert isinstance(caught.value, (NotAGatewayError, OversizeError))
        assert {served.path for served in here.box.journal} == {"/info"}
        assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (html("boot", 503), BusyError, "/info answered 503"),
        (RESET, BrokenError, "closed the connection"),
        (HANG, TimedOutError, "gave no complete answer"),
    ],
)
async def test_a_gateway_that_is_busy_resets_or_hangs_is_named_and_found_again(
    tmp_path: Path, reply: Response | Fault, kind: type[EnvoyLoggerError], said: str
) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        here.clock.patience_s = 0.3 if reply == HANG else 10.0
        for _ in range(2):
            here.box.script("/info", reply)
            with pytest.raises(kind, match=said):
                await gateway.identify()
            here.box.faults.clear()
            here.clock.patience_s = 10.0
            await gateway.fetch(endpoint(READINGS))  # then the same once it was reached
            here.clock.patience_s = 0.3 if reply == HANG else 10.0


async def test_no_such_name_and_nobody_there_are_told_apart(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        with pytest.raises(NameUnknownError, match="name envoy.invalid does not resolve\nTry: use the IP"):
            await here.gateway(address="envoy.invalid").identify()
        port = here.box.http.port
        await here.box.http.stop()
        with pytest.raises(UnreachableError, match=f"127.0.0.1:{port} refuses the connection"):
            await here.gateway().identify()
        await here.box.http.start()


async def test_a_handshake_that_hangs_is_a_time_out(tmp_path: Path) -> None:
    async with site(tmp_path) as here:

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        here.clock.patience_s = 0.2
        port = server.sockets[0].getsockname()[1]
        try:
            with pytest.raises(TimedOutError, match="did not complete a connection in time|gave no complete answer"):
                await here.gateway(address=f"https://127.0.0.1:{port}").identify()  # on a busy machine both are due
        finally:
            server.close()
            await server.wait_closed()


async def test_a_gateway_that_goes_away_and_comes_back_needs_no_new_sign_in(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        await here.box.http.stop()
        for _ in range(2):
            with pytest.raises(UnreachableError):
                await gateway.fetch(endpoint(READINGS))
            with pytest.raises(UnreachableError):
                await gateway.identify()
        here.box.expire_sessions()
        await here.box.http.start()
        await gateway.fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 1


@pytest.mark.parametrize("asked_first", ["a document", "who it is"])
async def test_an_update_from_firmware_5_to_7_is_followed_to_https(tmp_path: Path, asked_first: str) -> None:
    async with site(tmp_path) as here:
        secure = here.box
        await here.swap(Box(here.clock, None, EchoGateway(firmware="D5.0.62")))
        gateway = here.gateway()
        assert (await gateway.identify()).needs_token is False
        kinds = [gateway.auth_kind]
        await gateway.fetch(endpoint(READINGS))
        await here.swap(secure)
        if asked_first == "who it is":
            with pytest.raises(BrokenError):
                await gateway.identify()
        else:
            await gateway.fetch(endpoint(READINGS))
        assert (await gateway.identify()).needs_token is True
        assert [*kinds, gateway.auth_kind] == ["digest", "token"]


# --- firmware before 7 --------------------------------------------------------------------------------------


async def test_an_old_gateway_is_read_over_http_with_digest_only_where_it_is_wanted(tmp_path: Path) -> None:
    async with site(tmp_path, firmware="R4.10.35") as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(V1))
        await gateway.fetch(endpoint(INVERTERS))
        assert gateway.auth_kind == "digest"
        signed = {served.path for served in here.box.journal if "authorization" in served.request.headers}
        assert signed == {INVERTERS}
        assert here.cloud.http.raw == []
        assert gateway.token_expires_at is None


async def test_a_wrong_local_password_costs_the_inverters_and_not_the_totals(tmp_path: Path) -> None:
    async with site(tmp_path, firmware="R4.10.35") as here:
        here.box.local_password = "changed"
        gateway = here.gateway()
        with pytest.raises(NotAllowedError) as caught:
            await gateway.fetch(endpoint(INVERTERS))
        assert "refuses user envoy and the password (401); paths without a password" in str(caught.value)
        assert "ENPHASE_LOCAL_PASSWORD_FILE" in str(caught.value)
        await gateway.fetch(endpoint(V1))
        await here.gateway(local_password="changed").fetch(endpoint(INVERTERS))


async def test_firmware_3_answers_a_missing_document_with_a_page_and_that_means_absent(tmp_path: Path) -> None:
    async with site(tmp_path, firmware="R3.9.36") as here:
        here.box.script(V1, html("page not found"))
        with pytest.raises(AbsentError, match="is a web page: this firmware has no such document"):
            await here.gateway().fetch(endpoint(V1))
        assert here.box.count(V1) == 1


async def test_the_oldest_gateway_gives_its_page_as_text(tmp_path: Path) -> None:
    async with site(tmp_path, firmware="D3.7.0") as here:
        here.box.script("/production", answer(200, b"  <h1>System</h1><td> 6.63 kW</td>"))
        gateway = here.gateway()
        document = await gateway.fetch(endpoint("/production"))
        assert document.body == "<h1>System</h1><td> 6.63 kW</td>"
        assert gateway.auth_kind == "open"

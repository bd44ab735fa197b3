"""Whatever the other side sends, the outcome is an Answer or one typed error; nothing else ever comes out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings

import pytest

from logger.clock import SystemClock
from logger.digest import Digest
from logger.errors import SettingsError, WireError
from logger.gateway.tls import trust_anybody
from logger.proxies import proxy_for
from logger.simulator.certificate import make_certificate
from logger.wire import Basic, Wire

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
CHALLENGES = (
    'Digest realm="a", nonce="b", qop="auth", algorithm=SHA-512-256',
    'Digest realm="a", nonce="b", qop="auth-int"',
    'Digest realm="a", nonce="b", qop',
    "Digest",
    'Digest nonce="b"',
)


def asked(
    answer: bytes, auth: Digest | None = None, *, use_proxy: bool = False, received: list[bytes] | None = None
) -> object:
    """What one request makes of a server that sends these bytes. `received`: gets what the server receives."""

    async def work() -> object:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            (received if received is not None else []).append(await reader.read(4096))
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        wire = Wire(url, SystemClock(), use_proxy=use_proxy)
        try:
            return await wire.request("GET", "/x", timeout_s=5, auth=auth)
        except WireError as error:
            return error
        finally:
            await wire.aclose()
            server.close()

    return asyncio.run(work())


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_a_challenge_that_digest_does_not_know_is_a_typed_error_or_an_answer(challenge: str) -> None:
    head = f"HTTP/1.1 401 no\r\ncontent-length: 0\r\nwww-authenticate: {challenge}\r\n\r\n"
    found = asked(head.encode(), Digest("envoy", "secret"))
    assert isinstance(found, WireError) or getattr(found, "status", 0) == 401


def test_a_users_name_in_a_signature_may_have_any_letters() -> None:
    challenge = b'www-authenticate: Digest realm="a", nonce="b"'
    head = b"HTTP/1.1 401 no\r\ncontent-length: 0\r\nconnection: close\r\n" + challenge + b"\r\n\r\n"
    received: list[bytes] = []
    assert getattr(asked(head, Digest("jürgen", "pässword"), received=received), "status", 0) == 401
    assert 'username="jürgen"'.encode() in received[-1]


@pytest.mark.parametrize(
    "answer",
    [
        b'{"you sent": "Sentinel"}\r\n\r\n',
        b"HTTP/1.1 200 OK\r\nSentinel\r\n\r\n",
        OK[:17] + b"x: \x00Sentinel\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_without_a_word_of_it(answer: bytes) -> None:
    found = asked(answer)
    assert isinstance(found, WireError)
    assert "entinel" not in str(found)


def test_a_redirect_to_nonsense_is_an_answer_or_a_typed_error() -> None:
    found = asked(b"HTTP/1.1 302 x\r\nlocation: mailto:x\r\ncontent-length: 0\r\n\r\n")
    assert isinstance(found, WireError) or getattr(found, "status", 0) == 302


def test_garbage_behind_the_handshake_is_a_typed_error() -> None:
    """A TLS server whose connection turns into other bytes, as a crashing device leaves it."""

    async def work() -> None:
        context = make_certificate("1", now=SystemClock().time()).context()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.get_extra_info("socket")._sock.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
            await asyncio.sleep(0.2)
            writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        wire = Wire(url, SystemClock(), tls=trust_anybody())
        with pytest.raises(WireError):
            await wire.request("GET", "/x", timeout_s=5)
        await wire.aclose()
        server.close()

    asyncio.run(work())


def test_passwords_are_not_in_the_repr_of_what_carries_them() -> None:
    assert "topsecret" not in repr(Basic("u", "topsecret"))


def test_loopback_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY")
    assert getattr(asked(OK, use_proxy=True), "status", 0) == 200


@pytest.mark.parametrize(
    "cookies",
    [
        b"set-cookie: sessionId=\xfe\x80; path=/\r\n",
        b"set-cookie: sessionId=" + b"x" * 5000 + b"; path=/\r\n",
        b"".join(b"set-cookie: c%d=1; path=/\r\n" % n for n in range(17)),
    ],
    ids=["no ASCII", "too long", "too many"],
)
def test_cookies_that_cannot_be_sent_are_forgotten_and_the_next_request_goes_out(cookies: bytes) -> None:
    async def work() -> None:
        heads: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(b"HTTP/1.1 200 OK\r\n" + cookies + b"content-length: 2\r\n\r\n{}")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        wire = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", SystemClock())
        for _ in range(2):
            assert (await wire.request("GET", "/x", timeout_s=5)).status == 200
        assert len(heads) == 2
        assert b"ookie" not in heads[1]
        await wire.aclose()
        server.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("settings", "url", "proxy"),
    [
        ({"HTTP_PROXY": "http://p:1"}, "http://192.0.2.7:8086", "http://p:1"),
        ({"http_proxy": "p:1"}, "http://192.0.2.7:8086", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://192.0.2.7", None),
        ({"ALL_PROXY": "http://p:1"}, "https://192.0.2.7", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "192.0.2.0/24"}, "http://192.0.2.7", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "::1/128,[fe80::]/10,db.home"}, "http://[fe80::7]:8086", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "::1/128,.home"}, "http://db.home:8086", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://192.0.2.7", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost:8086", None),
        ({}, "http://192.0.2.7", None),
    ],
)
def test_the_proxy_is_the_one_that_the_machine_names(
    settings: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch, settings)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize("proxy", ["socks5h://127.0.0.1:9", "foo://bar", "http://u:word@[::1", "http://:1"])
def test_a_proxy_that_cannot_be_used_is_a_wrong_setting_and_no_crash(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch, {"ALL_PROXY": proxy})
    with pytest.raises(SettingsError) as told:
        Wire("http://192.0.2.7:8086", SystemClock(), use_proxy=True)
    assert told.value.exit_code == 78
    assert "ALL_PROXY (environment): is not a proxy" in str(told.value)
    assert "word" not in str(told.value)
    asyncio.run(Wire("http://192.0.2.7:8086", SystemClock()).aclose())  # the gateway's way has none


def test_an_address_that_is_none_is_an_error_for_people() -> None:
    async def work() -> None:
        wire = Wire("https://a:b:c", SystemClock())
        with pytest.raises(WireError) as told:
            await wire.request("GET", "/x", timeout_s=5)
        assert told.value.hint
        await wire.aclose()

    asyncio.run(work())


def without_proxies(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    """The environment with these proxies and no others."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


async def test_a_request_that_is_cut_off_at_any_step_leaves_no_socket_open() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.read()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    left: list[str] = []
    gc.collect()
    gc.freeze()  # the searches below are for what begins here
    for steps in range(25):
        wire = Wire(url, SystemClock())
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            request = asyncio.create_task(wire.request("GET", "/x", timeout_s=5))
            for _ in range(steps):
                await asyncio.sleep(0)
            request.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await request
            del request
            await wire.aclose()
            for _ in range(3):
                await asyncio.sleep(0)
            gc.collect()
        left += [f"after {steps} steps: {each.message}" for each in heard if each.category is ResourceWarning]
    server.close()
    assert left == []

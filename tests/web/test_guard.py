"""What is refused: foreign names (DNS rebinding), writing, bodies, other sites, wrong passwords."""

from __future__ import annotations

import base64
import socket
from pathlib import Path

import pytest

from logger.web.guard import HEADERS, HostNames
from tests.web.stage import Stage, on_stage

OWN = socket.gethostname()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9817",
        "127.0.0.1",
        "localhost:9817",
        "LOCALHOST",
        "envoy.localhost",
        "[::1]:9817",
        "192.168.1.20:80",
        "[fe80::1%25eth0]:9817",
        OWN,
        f"{OWN.partition('.')[0]}.local:9817",
        "sun.example.org",
        "sun.example.org.:443",
    ],
)
def test_a_name_of_this_machine_is_answered(host: str) -> None:
    assert HostNames("sun.example.org, other").has(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "sun.example.org.evil.example",
        "127.0.0.1,evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1 evil",
        "127.0.0.1:port",
        "[::1",
        "0x7f000001",
        "2130706433",
        "xn--lcalhost-n8a",
    ],
)
def test_another_name_is_not(host: str) -> None:
    assert not HostNames("sun.example.org, other").has(host)


def test_a_foreign_name_gets_no_reading_and_is_told_what_to_do(tmp_path: Path) -> None:
    async def play(made: Stage) -> tuple[int, str, int]:
        await made.tick(0)
        refused = await made.ask("/api/v1/now", host="rebound.example:9817")
        return refused.status_code, refused.text, (await made.ask("/healthz", host="rebound.example")).status_code

    status, text, probe = on_stage(tmp_path, play)
    assert (status, probe) == (421, 421)
    assert "LOGGER_HTTP_HOSTS" in text
    assert "production" not in text


def test_a_listed_name_gets_its_answer(tmp_path: Path) -> None:
    status = on_stage(
        tmp_path,
        lambda made: made.ask("/healthz", host="sun.example.org"),
        LOGGER_HTTP_HOSTS="sun.example.org",
    ).status_code
    assert status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_can_be_written(tmp_path: Path, method: str) -> None:
    answer = on_stage(tmp_path, lambda made: made.ask("/api/v1/now", method))
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_request_with_a_body_is_refused(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[int]:
        sizes = [{"content_length": "5"}, {"content_length": "99999999999"}, {"transfer_encoding": "chunked"}]
        return [(await made.ask("/healthz", **headers)).status_code for headers in sizes]

    assert on_stage(tmp_path, play) == [413, 413, 413]


def test_another_site_cannot_ask_but_may_link(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[int]:
        ways = ("no-cors", "cors", "navigate")
        return [
            (await made.ask("/healthz", sec_fetch_site="cross-site", sec_fetch_mode=way)).status_code for way in ways
        ]

    assert on_stage(tmp_path, play) == [403, 403, 200]


def test_every_answer_has_the_security_headers_and_allows_no_other_origin(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[dict[str, str]]:
        answers = [
            await made.ask("/healthz"),
            await made.ask("/api/v1/now", origin="http://evil.example"),
            await made.ask("/nothing"),
            await made.ask("/healthz", "POST"),
            await made.ask("/healthz", host="evil.example"),
        ]
        return [dict(answer.headers) for answer in answers]

    for headers in on_stage(tmp_path, play):
        assert headers.items() >= HEADERS.items()
        assert not [name for name in headers if name.startswith("access-control")]
        assert "server" not in headers


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Bearer open", basic("open"), basic("open sesame ")])
def test_without_the_password_there_is_no_answer(tmp_path: Path, header: str) -> None:
    answer = on_stage(
        tmp_path,
        lambda made: made.ask("/api/v1/now", **({"authorization": header} if header else {})),
        LOGGER_HTTP_PASSWORD="open sesame",
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_the_password_opens_whoever_the_user_is_also_with_letters_beyond_ascii(tmp_path: Path) -> None:
    answer = on_stage(
        tmp_path,
        lambda made: made.ask("/api/v1/now", authorization=basic("öffne: dich")),
        LOGGER_HTTP_PASSWORD="öffne: dich",
    )
    assert answer.status_code == 200


def test_ten_wrong_passwords_make_an_address_wait_for_a_minute(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[int]:
        async def give(password: str) -> int:
            return (await made.ask("/api/v1/now", authorization=basic(password))).status_code

        found = [await give("wrong") for _ in range(11)]
        found.append(await give("right"))
        made.clock.now += 60
        return [*found, await give("right")]

    assert on_stage(tmp_path, play, LOGGER_HTTP_PASSWORD="right") == [401] * 10 + [429, 429, 200]


def test_the_password_is_in_no_answer(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[str]:
        await made.tick(0)
        paths = ("/api/v1/status", "/api/v1/now", "/healthz")
        return [(await made.ask(path, authorization=basic("s3same-open"))).text for path in paths]

    assert "s3same" not in "".join(on_stage(tmp_path, play, LOGGER_HTTP_PASSWORD="s3same-open"))


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/assets/../guard.py", "/api/v1/now/"]
)
def test_a_path_that_is_not_served_is_404(tmp_path: Path, path: str) -> None:
    assert on_stage(tmp_path, lambda made: made.ask(path)).status_code == 404

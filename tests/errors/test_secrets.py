"""No secret leaves: every secret is set, every error is forced, and everything that was written is searched."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.program import program
from tests.databases.fake2 import Fake2
from tests.databases.fake_records import Scripted
from tests.driven import DrivenClock, driving
from tests.endtoend.recorder import DrivenRecorder, environment
from tests.endtoend.sites import MORNING, fast_clock, fast_site
from tests.errors.sentinels import (
    ACCOUNT,
    ADMIN_TOKEN,
    BESIDE_A_TOKEN,
    NAMES,
    PLAIN,
    SOURCES,
    Source,
    as_dotenv,
    as_environment,
    forms,
    leaks,
    nothing_leaked,
)
from tests.standin import BackgroundSimulator, Fault, Reply, invent_gateway


def addresses(site: BackgroundSimulator, **more: str) -> dict[str, str]:
    """Where the stand-in is, without its own password, at the most talkative log level."""
    return {name: value for name, value in site.settings.items() if name != "ENPHASE_PASSWORD"} | {
        "LOGGER_LOG_LEVEL": "debug", **more,
    }  # fmt: skip


@pytest.fixture
def clock() -> Iterator[DrivenClock]:
    with driving(MORNING) as clock:
        yield clock


@pytest.fixture
def driven(clock: DrivenClock) -> Iterator[BackgroundSimulator]:
    with BackgroundSimulator(invent_gateway("8-battery", epoch=clock.start - 86400), clock) as running:
        running.call(lambda: setattr(running.simulator.cloud, "password", ACCOUNT))
        yield running


class Echo:
    """A plant behind a bad proxy: some pages tell every secret, in each notation; the rest is the plant's own."""

    def __init__(self, plant: Any, secrets: Iterable[str]) -> None:
        words = b" ".join(form for secret in secrets for form in sorted(forms(secret)))
        self._plant, self._reply = plant, Reply(200, "text/html", b"<!DOCTYPE html>" + words)

    def answer(self, path: str, now: float) -> Reply:
        if path.startswith(("/ivp/ensemble", "/api")):
            return self._reply
        reply: Reply = self._plant.answer(path, now)
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plant, name)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_the_commands_that_show_settings_show_no_secret(
    site: BackgroundSimulator, tmp_path: Path, source: Source
) -> None:
    site.call(lambda: setattr(site.simulator.cloud, "password", ACCOUNT))
    one_kind = [name for name in NAMES if name != "INFLUXDB_TOKEN"]  # a token and a user exclude each other
    settings = addresses(site) | source(tmp_path) | {"INFLUXDB_USERNAME": "admin"}
    both = program(tmp_path, "check", settings=settings)
    assert both.code == 78
    assert "a token (2.x, 3.x) and a user (1.x) are both set" in both.err
    nothing_leaked(tmp_path, both.out, both.err)
    fitting = {name: value for name, value in settings.items() if not name.startswith("INFLUXDB_TOKEN")}
    if source is as_dotenv:
        lines = (tmp_path / ".env").read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / ".env").write_text("".join(line for line in lines if "INFLUXDB_TOKEN" not in line))
    shown = program(tmp_path, "check", "--show", settings=fitting)
    assert shown.code == 0, shown.err
    for name in one_kind:
        assert re.search(rf"^{name} +\(set\)", shown.out, re.M)
    outputs = [shown.out, shown.err]
    for words in (["devices", "--json"], ["devices"], ["once"], ["once", "--dry-run"], ["status"]):
        done = program(tmp_path, *words, settings=fitting)
        assert done.code in (0, 69), done.err
        outputs += [done.out, done.err]
    assert site.simulator.cloud.sign_ins == 1  # the secret arrived as it was meant: it opened the door
    nothing_leaked(tmp_path, *outputs)


@pytest.mark.parametrize("style", ["text", pytest.param("json", marks=pytest.mark.long)])
def test_a_daemon_through_every_error_writes_no_secret(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path, fake_influx2: Fake2, style: str
) -> None:
    buckets = fake_influx2.fresh_buckets()
    secrets = dict(zip(NAMES, PLAIN, strict=True))
    del secrets["INFLUXDB_PASSWORD"]
    settings = addresses(driven, LOGGER_LOG_FORMAT=style) | secrets | {
        "INFLUXDB_URL": fake_influx2.url, "INFLUXDB_ORG": fake_influx2.org, "INFLUXDB_BUCKET": buckets["totals"],
        "INFLUXDB_BUCKET_DEVICES": buckets["devices"], "INFLUXDB_BUCKET_DAILY": buckets["daily"],
    }  # fmt: skip
    echoed = b" ".join(form for secret in BESIDE_A_TOKEN for form in sorted(forms(secret))).decode()
    errors = [
        Scripted(status, json.dumps({"code": "x", "message": f"you sent {echoed}"}))
        for status in (401, 404, 500, 400)
    ]
    outputs: list[str] = []
    with DrivenRecorder(tmp_path, settings, clock) as recorder:
        for error in errors:
            fake_influx2.fake.forget_scripts()
            fake_influx2.fake.script(error, times=100_000)
            recorder.wait_until(
                lambda status, code=error.status: (
                    f"HTTP {code}" in "\n".join(status["troubles"].values())  # type: ignore[misc]
                    or status["store"]["refused"] > 0
                )
            )
        arguments = Path(f"/proc/{recorder.status()['pid']}/cmdline").read_bytes()
        assert not leaks(arguments, PLAIN)
        echo = Echo(driven.simulator.model, BESIDE_A_TOKEN)
        driven.call(lambda: setattr(driven.simulator, "model", echo))
        recorder.wait_until(lambda status: "HTML" in "\n".join(status["troubles"].values()))
        for fault in (Fault("reset"), Fault("status"), Fault("html")):
            driven.fail("*", fault)
            ticks = recorder.status()["polls"]["missed"] + recorder.status()["polls"]["ticks"]
            recorder.wait_until(
                lambda status, past=ticks: status["polls"]["missed"] + status["polls"]["ticks"] > past + 2  # type: ignore[misc]
            )
        driven.heal()
        driven.call(driven.simulator.revoke_tokens)
        driven.call(lambda: setattr(driven.simulator.cloud, "mode", "html"))
        recorder.wait_until(lambda status: "sign-in" in "\n".join(status["troubles"].values()))
        driven.call(driven.simulator.new_certificate)
        driven.await_on(driven.simulator.http.drop())
        recorder.wait_until(lambda status: "not the pinned one" in "\n".join(status["troubles"].values()))
        for words in (["status"], ["status", "--json"]):
            done = program(tmp_path, *words, settings=settings)
            assert done.code == 69, (
                done.err
            )  # by the machine's clock, which is not the recorder's here, it does not move
            outputs += [done.out, done.err]
        assert recorder.terminate() == 0
    assert any(path.name.startswith("token-") for path in (tmp_path / "state").iterdir())
    assert "********" in recorder.log  # the mask had something to do
    nothing_leaked(tmp_path, recorder.log, *outputs)


@pytest.mark.parametrize("style", ["json", pytest.param("text", marks=pytest.mark.long)])
def test_a_crash_is_shown_whole_but_masked(tmp_path: Path, style: str) -> None:
    clock = fast_clock(240.0)
    numbers = [repr(number) for number in (clock.origin, clock.start, clock.rate)]
    with fast_site(tmp_path, clock) as here:
        here.gateway.call(lambda: setattr(here.gateway.simulator.cloud, "password", ACCOUNT))
        settings = addresses(here.gateway, LOGGER_LOG_FORMAT=style) | dict(zip(NAMES[:2], PLAIN[:2], strict=True))
        done = subprocess.run(
            [sys.executable, "-m", "tests.errors.crashing_run", *numbers], cwd=tmp_path, capture_output=True,
            text=True, env=environment(tmp_path, settings),
        )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "RuntimeError: a defect with " in done.stderr
    assert "a debug line with ********; ********" in done.stderr
    nothing_leaked(tmp_path, done.stdout, done.stderr)


def test_wrong_credentials_are_named_and_not_shown(site: BackgroundSimulator, tmp_path: Path) -> None:
    settings = addresses(site) | as_environment(tmp_path)
    del settings["INFLUXDB_PASSWORD"]
    refused = program(tmp_path, "once", settings=settings)
    assert refused.code == 77
    text = site.simulator.new_token(serial="999999999999")
    alone = settings | {"ENPHASE_USERNAME": "", "ENPHASE_PASSWORD": ""}
    foreign = program(tmp_path, "once", settings=alone | {"ENPHASE_TOKEN": text})
    assert foreign.code == 77
    no_token = "Sentinel no token at all"
    malformed = program(tmp_path, "once", settings=alone | {"ENPHASE_TOKEN": no_token})
    assert malformed.code == 78
    unsendable = program(
        tmp_path, "setup",
        settings={
            "INFLUXDB_URL": "http://127.0.0.1:1", "INFLUXDB_ORG": "home",
            "INFLUXDB_ADMIN_TOKEN": "Sentinel\ntwo lines ü",
        },
    )  # fmt: skip
    assert unsendable.code == 78
    assert "is not a token: it contains a space, a line break or a letter that no token has\nTry: " in unsendable.err
    nothing_leaked(
        tmp_path, *(text for done in (refused, foreign, malformed, unsendable) for text in (done.out, done.err)),
        secrets=(*PLAIN, no_token, text),
    )  # fmt: skip


def test_setup_shows_no_secret_that_a_server_sends_back(tmp_path: Path, fake_influx2: Fake2) -> None:
    echoed = " ".join(form.decode() for form in forms(ADMIN_TOKEN))
    for pad in ("", "x" * 100, "y" * 190):  # wherever the message is cut
        for status in (401, 404, 500):
            fake_influx2.fake.forget_scripts()
            fake_influx2.fake.script(Scripted(status, json.dumps({"message": f"{pad} {echoed}"})), 99, "/api/v2/orgs")
            done = program(tmp_path, "setup", settings={
                "INFLUXDB_URL": fake_influx2.url, "INFLUXDB_ORG": "home", "INFLUXDB_ADMIN_TOKEN": ADMIN_TOKEN,
                "LOGGER_LOG_LEVEL": "debug",
            })  # fmt: skip
            assert done.code in (69, 77)
            nothing_leaked(tmp_path, done.out, done.err)


def test_the_search_itself_finds_every_form() -> None:
    for secret in PLAIN:
        for form in forms(secret):
            assert leaks(b"before " + form + b" after", PLAIN)
    assert leaks(b"x eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOiIxMjIifQ.c2ln", PLAIN)
    assert not leaks(b"nothing of that kind", PLAIN)

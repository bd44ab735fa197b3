"""Every command, with every secret set, where everything goes well and where everybody sends the secrets back."""

from __future__ import annotations

import importlib
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from logger.cli import COMMANDS
from tests.commands.program import Done, program
from tests.commands.short_demo import invent_less
from tests.databases.fake2 import Fake2
from tests.databases.fake_records import Scripted
from tests.endtoend.recorder import environment, influxdb
from tests.errors.sentinels import (
    ACCOUNT,
    ADMIN_TOKEN,
    BESIDE_A_TOKEN,
    INFLUX_TOKEN,
    LOCAL,
    NAMES,
    PLAIN,
    READ_TOKEN,
    as_files,
    forms,
    nothing_leaked,
)
from tests.errors.test_secrets import Echo
from tests.sizes import LONG
from tests.standin import BackgroundSimulator, Fault
from tests.waiting import LONGEST_S

INIT = [
    "init", "--yes", "--no-search", "--account", "owner@example.org", "--password-file", "given/ENPHASE_PASSWORD",
    "--admin-token-file", "given/INFLUXDB_ADMIN_TOKEN", "--env-file", "made/.env", "--state-dir", "state",
]  # fmt: skip
TRIED: dict[str, list[list[str]]] = {
    "init": [INIT],
    "run": [["run"]],
    "once": [["once", "--dry-run"], ["once"]],
    "check": [["check"], ["check", "--show"]],
    "devices": [["devices"], ["devices", "--json"], ["devices", "--layout"]],
    "status": [["status"], ["status", "--json"]],
    "health": [["health"]],
    "version": [["version"]],
    "demo": [["demo", "--seconds", "2"]],
    "simulate": [["simulate"]],
    "capture": [["capture", "captured"]],
    "fields": [["fields"], ["fields", "--explain", "envoy_battery.charge_percent"]],
    "setup": [
        ["setup", "--dry-run"],
        ["setup", "--write-token-file", "given/write", "--read-token-file", "given/read"],
    ],
    "discover": [["discover", "--seconds", "0.2", "--interface", "127.0.0.1"]],
    "doctor": [["doctor"], ["doctor", "--json"], ["doctor", "--sign-in"]],
    "outbox": [["outbox", "list"], ["outbox", "refused"], ["outbox", "retry"], ["outbox", "replay", "--since", "1h"]],
    "export": [["export"], ["export", "--format", "csv"], ["export", "--refused"], ["export", "--output", "out.lp"]],
    "backfill": [
        ["backfill", "--dry-run"],
        ["backfill"],
        ["backfill", "--read-token-file", "given/INFLUXDB_READ_TOKEN"],
    ],
    "query": [["query", "now"], ["query", "days", "--influxdb"]],
    "tariff": [["tariff", "check"], ["tariff", "show"], ["tariff", "propose"]],
    "backup": [["backup", "backup.tar.gz"]],
    "restore": [["restore", "--force", "backup.tar.gz"]],
    "accept-certificate": [["accept-certificate"], ["accept-certificate", "--fingerprint", "AB:CD"]],
}  # fmt: skip
"""Command → how it is tried; a new command has to be added here."""
STAYS = frozenset({"run", "simulate"})
"""These end only when they are told to."""
ALONE = frozenset({"demo", "simulate"})
"""These speak to nobody but to themselves: nobody could send them a secret back."""
PATHS = ("/api/v2/write", "/ping", "/health", "/api/v2/setup", "/api/v2/query", "/api/v2/orgs", "/api/v2/buckets",
         "/api/v2/authorizations", "/write", "/query")  # fmt: skip


def test_every_command_is_tried() -> None:
    assert TRIED.keys() == COMMANDS.keys()
    assert all(words[0] == name for name, tries in TRIED.items() for words in tries)


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    """Every option and argument of every command, those below a command too."""
    for name, module in COMMANDS.items():
        command = importlib.import_module(f"logger.commands.{module}").command
        below = command.commands.values() if isinstance(command, click.Group) else ()
        for each in (command, *below):
            yield from ((name, parameter) for parameter in each.params)


def test_no_secret_is_a_word_of_a_command_line_where_every_process_could_read_it() -> None:
    for name, parameter in parameters():
        words = " ".join([*parameter.opts, parameter.name or ""]).lower()
        if any(word in words for word in ("password", "token", "secret")):
            is_file = any(option.endswith(("-file", "-token-mode")) for option in parameter.opts)
            takes_path = isinstance(parameter.type, click.Path)
            assert is_file or takes_path or getattr(parameter, "is_flag", False), f"{name} {parameter.opts}"


def tried(home: Path, words: list[str], settings: dict[str, str]) -> Done:
    """Run it; what stays is told to end once it has said something."""
    if words[0] not in STAYS:
        return program(home, *words, settings=settings)
    process = subprocess.Popen(
        [sys.executable, "-m", "logger", *words], cwd=home, env=environment(home, settings), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=6)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, err = process.communicate(timeout=LONGEST_S)
    return Done(process.returncode, out, err)


def given_only_to_their_owner(home: Path) -> None:
    """Whatever holds a secret on purpose is for its owner alone."""
    for path in home.rglob("*"):
        if path.is_file() and any(form in path.read_bytes() for secret in PLAIN for form in (secret.encode(),)):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.long
@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize("echoing", [False, True], ids=["all is well", "everybody sends the secrets back"])
def test_no_command_writes_a_secret_anywhere(
    site: BackgroundSimulator, tmp_path: Path, fake_influx2: Fake2, monkeypatch: pytest.MonkeyPatch, *, echoing: bool
) -> None:
    if not LONG:  # two days of the demo's invented past are most of what all these commands cost
        monkeypatch.setattr("logger.commands.demo.invent_history", invent_less)
    buckets = fake_influx2.fresh_buckets()
    files = as_files(tmp_path)
    site.call(lambda: setattr(site.simulator.cloud, "password", ACCOUNT))
    target = {**influxdb(fake_influx2.target(buckets, token=INFLUX_TOKEN)), "LOGGER_LOG_LEVEL": "debug"}
    target.pop("INFLUXDB_TOKEN")
    settings = {name: value for name, value in site.settings.items() if name != "ENPHASE_PASSWORD"} | target | {
        name: value for name, value in files.items() if name != "INFLUXDB_PASSWORD_FILE"
    }  # fmt: skip
    for text in (INFLUX_TOKEN, ADMIN_TOKEN, READ_TOKEN):
        fake_influx2.fake.know(text, fake_influx2.org)
    if echoing:
        words = b" ".join(form for secret in BESIDE_A_TOKEN for form in sorted(forms(secret))).decode()
        body = json.dumps(
            {"code": "invalid", "message": f"\x1b[2J you sent {words}", "error": words, "status": "fail"}
        )
        for path, status in zip(PATHS, (401, 204, 503, 404, 400, 401, 500, 403, 401, 400), strict=True):
            fake_influx2.fake.script(
                Scripted(status, body, {"x-influxdb-version": f"2.{INFLUX_TOKEN}"}), 10_000, path
            )
        site.call(lambda: setattr(site.simulator, "model", Echo(site.simulator.model, BESIDE_A_TOKEN)))
        site.fail("/production.json", Fault("status"))
    outputs: list[str] = []
    codes: dict[str, int] = {}
    for name, tries in TRIED.items():
        for words_of in tries if not (echoing and name in ALONE) else ():
            done = tried(tmp_path, words_of, settings)
            assert "Traceback" not in done.err, (words_of, done.err[-3000:])
            codes[" ".join(words_of[:2])] = done.code
            outputs += [done.out, done.err]
            nothing_leaked(tmp_path, done.out, done.err)
            assert "\x1b[2J" not in done.out + done.err, words_of
        assert name in COMMANDS
    if not echoing:
        well = ("once --dry-run", "once", "check", "doctor", "devices", "setup --dry-run", "export", "outbox list")
        assert {name: codes[name] for name in well} == dict.fromkeys(well, 0)
    given_only_to_their_owner(tmp_path)
    assert NAMES[0] in "".join(outputs)  # the settings were there
    assert LOCAL not in "".join(outputs)

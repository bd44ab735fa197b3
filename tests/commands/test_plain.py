"""The commands that need no gateway: check, version, help, health and status without a daemon, wrong use."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from logger.cli import COMMANDS
from logger.places import START
from logger.settings.definitions import DESCRIPTIONS
from tests.commands.program import program
from tests.endtoend.recorder import environment

GOOD = {"ENPHASE_GATEWAY": "192.0.2.1"}


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=lambda words: "-".join(words) or "itself")
def test_every_command_explains_itself(tmp_path: Path, words: list[str]) -> None:
    done = program(tmp_path, *words, "--help")
    assert done.code == 0, done.err
    assert done.err == ""
    assert done.out.startswith(f"Usage: {' '.join(['envoy-logger', *words])} ")
    assert "..." not in done.out.replace("[ARGS]...", "")  # no sentence is cut
    if not words:
        assert all(f"\n  {name} " in done.out for name in COMMANDS)


@pytest.mark.parametrize(
    "word",
    [
        "version",
        "nonsense",
        pytest.param("--help", marks=pytest.mark.long),
        pytest.param("check", marks=pytest.mark.long),
    ],
)
def test_the_module_and_the_script_are_the_same_program(tmp_path: Path, word: str) -> None:
    script = Path(sysconfig.get_path("scripts")) / "envoy-logger"
    if not script.exists():
        pytest.skip("needs: the package installed into this environment")
    mine = subprocess.run([script, word], cwd=tmp_path, env=environment(tmp_path, {}), capture_output=True, text=True)
    module = program(tmp_path, word)
    assert (mine.returncode, mine.stdout, mine.stderr) == (module.code, module.out, module.err)


def test_the_version_is_one_line(tmp_path: Path) -> None:
    assert program(tmp_path, "version").out == program(tmp_path, "--version").out == "envoy-logger 0.1.0\n"


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["once", "--nonsense"],
        ["check", "surplus"],
        ["check", "--env-file", "no-such-file"],
        ["demo", "--speed", "0"],
        ["demo", "--seconds", "soon"],
        ["simulate", "--generation", "4"],
        ["simulate", "--recording", "no-such-folder"],
        ["setup", "--read-token-mode", "rw"],
        ["discover", "--interface", "eth0"],
        ["discover", "fe80::1"],
        ["discover", "http://gateway/home"],
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_2_and_says_where_help_is(tmp_path: Path, words: list[str]) -> None:
    done = program(tmp_path, *words, settings=GOOD)
    assert done.code == 2
    assert done.out == ""
    assert "Error: " in done.err
    assert "--help" in done.err
    assert "Traceback" not in done.err


# --- check ---------------------------------------------------------------------------------------------------------


def test_check_shows_and_explains_every_setting_also_while_one_is_wrong(tmp_path: Path) -> None:
    done = program(tmp_path, "check", "--show", settings=GOOD | {"LOGGER_TLS": "sentinel"})
    assert done.code == 78
    for item in DESCRIPTIONS:
        assert re.search(rf"^{item.variable} .*\n    {re.escape(item.help)}$", done.out, re.M), item.variable
    assert re.search(r"^LOGGER_TLS +WRONG +environment$", done.out, re.M)
    assert "sentinel" not in done.out + done.err


def test_a_field_is_found_by_its_name_alone(tmp_path: Path) -> None:
    done = program(tmp_path, "fields", "production_power_w")
    assert done.code == 0, done.err
    assert "envoy_totals" in done.out
    assert "production_power_w" in done.out
    several = program(tmp_path, "fields", "--explain", "power_w")
    assert (several.code, "envoy_inverter.power_w" in several.err) == (2, True)


def test_check_says_every_problem_at_once_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ENPHASE_SERIAL=12\nLOGGER_TLS=maybe\n")
    (tmp_path / ".env").chmod(0o600)
    done = program(tmp_path, "check", settings={
        "ENPHASE_GATEWAY": "http://a b", "LOGGER_TOTALS_INTERVAL_S": "3", "LOGGER_TIMEZONE": "Mars/North",
        "INFLUXDB_TOKEN_FILE": str(tmp_path / "absent"), "INFLUX_URL": "http://db.example",
    })  # fmt: skip
    assert done.code == 78
    lines = done.err.splitlines()
    assert lines[0] == "7 settings are wrong:"
    heads, hints = lines[1::2], lines[2::2]
    assert [head.partition(" ")[0] for head in heads] == [
        "ENPHASE_GATEWAY", "ENPHASE_SERIAL", "INFLUXDB_TOKEN", "LOGGER_TOTALS_INTERVAL_S", "LOGGER_TIMEZONE",
        "LOGGER_TLS", "INFLUX_URL",
    ]  # fmt: skip
    assert all(hint.startswith("Try: ") for hint in hints)
    assert len(heads) == len(hints) == 7
    assert "(environment)" in heads[0]
    assert "(.env)" in heads[1]
    assert "must be greater than or equal to 15" in heads[3]
    assert hints[0].startswith("Try: correct ENPHASE_GATEWAY: ")
    assert hints[6].startswith("Try: rename INFLUX_URL to INFLUXDB_URL")


@pytest.mark.parametrize("command", ["check", "run", "once", "devices", "accept-certificate"])
def test_a_missing_gateway_is_said_by_every_command_that_needs_one(tmp_path: Path, command: str) -> None:
    done = program(tmp_path, command)
    assert done.code == 78
    assert done.err == (
        "1 setting is wrong:\n"
        "ENPHASE_GATEWAY (not set): is required by this command\n"
        "Try: set ENPHASE_GATEWAY, for example ENPHASE_GATEWAY=192.168.1.50\n"
    )
    assert not (tmp_path / "state").exists()


def test_check_uses_no_network_and_makes_nothing(tmp_path: Path) -> None:
    """Every socket call is refused to it, and it does not notice."""
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(
        "import sys\n"
        "def refuse(event, args):\n"
        "    if event.startswith('socket.') and event != 'socket.__new__':\n"
        "        sys.stderr.write('NETWORK ' + event)\n"
        "        raise OSError('no network here')\n"
        "sys.addaudithook(refuse)\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    outside = {**environment(home, GOOD | {"INFLUXDB_URL": "http://influx.invalid:8086"}), "PYTHONPATH": str(guard)}
    done = subprocess.run(
        [sys.executable, "-m", "logger", "check"], cwd=home, env=outside, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "The settings are good.\n", "")
    assert list(home.iterdir()) == []
    asking = "import socket; socket.create_connection(('192.0.2.1', 80))"
    refused = subprocess.run([sys.executable, "-c", asking], env=outside, capture_output=True, text=True)
    assert "NETWORK" in refused.stderr  # the guard does see who tries


def test_check_show_lists_every_setting_with_its_origin_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("kept-in-a-file\n")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / ".env").write_text("ENPHASE_TOKEN=kept.in.dotenv\nLOGGER_SITE=cabin\n")
    (tmp_path / ".env").chmod(0o600)
    done = program(tmp_path, "check", "--show", settings=GOOD | {
        "ENPHASE_USERNAME": "me@example.org", "ENPHASE_PASSWORD_FILE": str(tmp_path / "password"),
        "INFLUXDB_PASSWORD": "kept-in-environ", "INFLUXDB_USERNAME": "db", "ENPHASE_USERNME": "x",
    })  # fmt: skip
    assert done.code == 0, done.err
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.out.splitlines()[:-1]}
    assert rows["ENPHASE_GATEWAY"] == ["192.0.2.1", "environment"]
    assert rows["ENPHASE_PASSWORD"] == ["(set)", "environment, ENPHASE_PASSWORD_FILE"]
    assert rows["ENPHASE_TOKEN"] == ["(set)", ".env"]
    assert rows["INFLUXDB_PASSWORD"] == ["(set)", "environment"]
    assert rows["LOGGER_SITE"] == ["cabin", ".env"]
    assert rows["LOGGER_TLS"] == ["pin", "default"]
    assert "ENPHASE_USERNME is not a setting: did you mean ENPHASE_USERNAME?" in done.err
    assert not re.search(r"kept[.-]in", done.out + done.err)


# --- without a daemon ----------------------------------------------------------------------------------------------


def test_status_and_health_say_that_no_daemon_runs(tmp_path: Path) -> None:
    for command, cure in {"status": "envoy-logger run, or start the recorder's container.", "health": START}.items():
        done = program(tmp_path, command)
        assert done.code == 69
        assert done.out == ""
        assert done.err == f"no recorder has written {tmp_path}/state/status.json\nTry: {cure}\n"


def test_status_and_health_tell_a_stopped_daemon_from_one_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    status = tmp_path / "state" / "status.json"
    for written, alive_until, word, code in (
        (-60, 60, "running", 0), (-60, -60, "stopped", 69), (-60, -30, "NOT MOVING", 69),
    ):  # fmt: skip
        now = time.time()
        status.write_text(f'{{"written_at": {now + written}, "alive_until": {now + alive_until}}}')
        done = program(tmp_path, "status")
        assert (done.code, done.out.split("; this status was written 1 minute ago")[0]) == (code, word)
        assert program(tmp_path, "status", "--json").code == code
        assert program(tmp_path, "health").code == code
    status.write_text(f'{{"written_at": {now}, "alive_until": {now}}}')
    assert program(tmp_path, "health").err.startswith("the recorder was stopped ")


def test_sigterm_before_anything_is_begun_ends_in_order(tmp_path: Path) -> None:
    """From the first line of the program on: as a container's first process nobody else would listen."""
    script = "import os, signal, sys; sys.argv[1:] = ['run']; import logger.__main__ as m; "
    script += "sys.modules['logger.cli'] = type(sys)('logger.cli'); "
    script += "sys.modules['logger.cli'].run = lambda: os.kill(os.getpid(), signal.SIGTERM); m.main()"
    done = subprocess.run([sys.executable, "-c", script], env=environment(tmp_path, {}), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_health_imports_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "logger", "health"],
        cwd=tmp_path, env=environment(tmp_path, {}), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 69
    for heavy in ("httpx", "click", "pydantic", "rich", "sqlite3", "asyncio", "cryptography", "influxdb_client"):
        assert f" {heavy}\n" not in done.stderr


def test_health_of_a_daemon_that_stands_still_is_69(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    status = tmp_path / "state" / "status.json"
    status.write_text('{"alive_until": %f}' % (time.time() + 60))
    assert program(tmp_path, "health").code == 0
    status.write_text('{"alive_until": %f}' % (time.time() - 60))
    done = program(tmp_path, "health")
    assert done.code == 69
    assert "the recorder's status expired " in done.err
    assert "\nTry: " in done.err
    for odd in ('{"alive_until":', '{"alive_until": 1, "written_at": "x"}', "[1]", '{"alive_until": {}}'):
        status.write_text(odd)
        done = program(tmp_path, "health")
        assert (done.code, "Traceback" in done.err) == (69, False), odd


# --- the state folder ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "once"])
def test_a_state_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("")
    done = program(tmp_path, command, settings=GOOD | {"LOGGER_STATE_DIR": str(tmp_path / "file")})
    assert done.code == 78
    assert done.said == [
        f"the state folder {tmp_path}/file cannot be used: Not a directory",
        "Try: set LOGGER_STATE_DIR to a folder.",
    ]


def test_health_finds_the_daemon_by_the_state_folder_in_dotenv(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "status.json").write_text(f'{{"alive_until": {time.time() + 60}}}')
    (tmp_path / ".env").write_text(f"LOGGER_STATE_DIR={folder}\n")
    assert program(tmp_path, "health", settings={"LOGGER_STATE_DIR": ""}).code == 0

"""The settings of the installed service are found by every command, unless something nearer has settings."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from logger import places
from logger.cli import COMMANDS, cli
from logger.settings.find_file import find_env_file
from tests.commands.program import program

WITHOUT_SETTINGS = {"init", "health", "version", "demo", "simulate", "discover", "restore"}
"""Commands that read no settings: `init` and `restore` write them."""


@pytest.fixture(name="installed")
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install settings and credentials; commands run in the empty folder `here`."""
    file = tmp_path / "etc" / "envoy-logger.env"
    (file.parent / "credentials").mkdir(parents=True, mode=0o700)
    file.write_text("ENPHASE_GATEWAY=127.0.0.1:9\nENPHASE_USERNAME=me@example.org\n")
    (file.parent / "credentials" / "enphase_password").write_text("correct horse\n")
    for path in (file, file.parent / "credentials" / "enphase_password"):
        path.chmod(0o600)
    monkeypatch.setattr(places, "INSTALLED", file)
    monkeypatch.setattr(places, "SYSTEM_STATE", tmp_path / "state")
    (tmp_path / "here").mkdir()
    return file


def run(installed: Path, *words: str, **settings: str) -> tuple[int, str, str]:
    done = program(installed.parents[1] / "here", *words, settings={"LOGGER_STATE_DIR": "", **settings})
    return done.code, done.out, done.err


def test_every_command_with_settings_has_the_one_option_that_finds_them() -> None:
    context = click.Context(cli)
    for name in set(COMMANDS) - WITHOUT_SETTINGS:
        command = cli.get_command(context, name)
        assert command is not None
        option = next(option for option in command.params if option.name == "env_file")
        assert option.callback is not None, name
        assert str(places.INSTALLED) in str(getattr(option, "help", "")), name


@pytest.mark.parametrize(
    "words",
    [["check"], ["doctor"], ["once", "--dry-run"], ["devices"], ["status"], ["outbox"], ["export"], ["setup"],
     ["backfill"], ["capture", "folder"], ["accept-certificate"], ["fields", "--explain", "envoy_totals.inverters"]],
)  # fmt: skip
def test_it_is_found_and_named_once(installed: Path, words: list[str]) -> None:
    _, _, err = run(installed, *words)
    assert err.count(f"settings: {installed}\n") == 1
    assert "ENPHASE_GATEWAY (not set)" not in err


def test_its_credentials_and_its_state_folder_are_found(installed: Path) -> None:
    code, out, err = run(installed, "check", "--show")
    assert code == 0, err
    password = next(line for line in out.splitlines() if line.startswith("ENPHASE_PASSWORD"))
    assert password.split() == ["ENPHASE_PASSWORD", "(set)", str(installed.parent / "credentials/enphase_password")]
    assert str(installed.parents[1] / "state") in run(installed, "outbox")[2]


def test_the_recorder_is_started_by_systemd_there(installed: Path) -> None:
    assert "Try: sudo systemctl start envoy-logger" in run(installed, "status")[2]


@pytest.mark.parametrize("nearer", ["environment", ".env", "option", "service"])
def test_what_is_nearer_wins(installed: Path, nearer: str) -> None:
    here = installed.parents[1] / "here"
    settings: dict[str, str] = {}
    words = ["check"]
    match nearer:
        case "environment":
            settings["ENPHASE_GATEWAY"] = "192.0.2.1"
        case ".env" | "option":
            path = here / (".env" if nearer == ".env" else "other.env")
            path.write_text("ENPHASE_GATEWAY=192.0.2.1\n")
            path.chmod(0o600)
            words += ["--env-file", "other.env"] if nearer == "option" else []
        case "service":
            settings["CREDENTIALS_DIRECTORY"] = str(here)
    _, _, err = run(installed, *words, **settings)
    assert "settings:" not in err


def test_a_dotenv_of_another_program_is_not_nearer(installed: Path) -> None:
    (installed.parents[1] / "here" / ".env").write_text("COMPOSE_PROJECT_NAME=media\n")
    assert f"settings: {installed}" in run(installed, "check")[2]


def test_without_an_installed_service_it_is_the_dotenv_of_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "INSTALLED", tmp_path / "none.env")
    assert find_env_file({}) == Path(".env")


# --- who may not read them ---------------------------------------------------------------------------------------


def test_who_may_not_read_the_file_is_told_how_and_nothing_false_besides(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, installed, installed.parent / "credentials")
    code, _, err = run(installed, "check")
    assert code == 78
    assert f"{installed} (file): cannot be read: Permission denied\nTry: run the same command with sudo" in err
    assert err.count("Try:") == 1


def test_who_may_not_look_into_the_credentials_is_told_how_and_nothing_false_besides(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed.parent / "credentials"
    refuse(monkeypatch, folder)
    code, _, err = run(installed, "check")
    assert code == 78
    assert f"{folder} (folder): cannot be read: Permission denied\nTry: run the same command with sudo" in err
    assert err.count("Try:") == 1


def test_doctor_says_nothing_of_settings_that_it_could_not_read(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, installed, installed.parent / "credentials")
    code, out, _ = run(installed, "doctor")
    assert code == 78
    assert out.startswith(f"✗ settings          {installed} (file) cannot be read: Permission denied\n")
    assert out.count("✗") == out.count("Try:") == 1
    assert "not set" not in out


def test_status_needs_no_settings(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/run/envoy-logger/status.json` may be read by everybody."""
    state = installed.parents[1] / "state"
    state.mkdir()
    (state / "status.json").write_text('{"written_at": 1, "alive_until": 2}')
    refuse(monkeypatch, installed)
    code, out, err = run(installed, "status")
    assert (code, out.splitlines()[0][:10]) == (69, "NOT MOVING"), err


def refuse(monkeypatch: pytest.MonkeyPatch, *closed: Path) -> None:
    """Let the system refuse these paths, as it does for a user who is not root."""
    looked_at, iterdir = Path.stat, Path.iterdir

    def check(path: Path) -> Path:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return path

    monkeypatch.setattr(Path, "stat", lambda path, **options: looked_at(check(path), **options))
    monkeypatch.setattr(Path, "iterdir", lambda path: iterdir(check(path)))

"""`deploy/compose/setup` with an engine that notes what it is asked: questions, tests before the start, secrets.

That it brings up the real stack was tried with podman; no test does that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "deploy" / "compose" / "setup"
PASSWORD = "pa$$ #w'ord\\"
FOUND = [
    {"address": "192.0.2.5", "serial": "122000000042", "firmware": "D8.2.4286", "part_number": "800",
     "needs_token": True, "certificate_sha256": "AA:BB"},
]  # fmt: skip

ENGINE = """\
#!/bin/sh
# Docker as far as the script needs it: notes each call, and answers.
echo "$*" >> "{log}"
case "$*" in
    "compose version --short") echo {version} ;;
    *" discover "*) cat >/dev/null; cat "{folder}/found.json" ;;
    *" init "*)
        cat > "{folder}/typed"
        printf '1  Signing in\\n   ✓ the gateway takes the token\\n2  InfluxDB\\n   · none\\n'
        exit {refused} ;;
    *"status --json") echo '{{"health": {{"ready": true}}}}' ;;
esac
"""


class Clone:
    """A copy of the compose folder, with an engine of its own."""

    def __init__(self, folder: Path) -> None:
        self.top, self.folder = folder, folder / "deploy" / "compose"
        shutil.copytree(SETUP.parent, self.folder, ignore=shutil.ignore_patterns(".env", "secrets"))
        (folder / "programs").mkdir()
        (folder / "found.json").write_text(json.dumps(FOUND, indent=1))
        self.equip()

    def equip(self, *, version: str = "2.29.1", refused: int = 0) -> None:
        engine = self.top / "programs" / "docker"
        engine.write_text(ENGINE.format(log=self.top / "calls", folder=self.top, version=version, refused=refused))
        engine.chmod(0o755)

    def setup(
        self, *answers: str, options: tuple[str, ...] = (), language: str = "C"
    ) -> subprocess.CompletedProcess[str]:
        """Run the script with these lines typed."""
        environment = {"PATH": f"{self.top / 'programs'}:{os.environ['PATH']}", "TMPDIR": str(self.top)}
        environment["LANG"] = language
        typed = "".join(f"{answer}\n" for answer in answers)
        return subprocess.run(
            [str(self.folder / "setup"), *options], capture_output=True, text=True, input=typed, env=environment
        )

    @property
    def calls(self) -> list[str]:
        return (self.top / "calls").read_text().splitlines()

    @property
    def settings(self) -> dict[str, str]:
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


PODMAN_COMPOSE = """\
#!/bin/sh
# podman-compose as it speaks of what is not there, with a fault where one is asked for.
case "$*" in
    --version) echo "podman-compose version 1.3.0" ;;
    *"status --json") echo '{{"health": {{"ready": true}}}}' ;;
    *" up "* | "up "*)
        echo 'Error: no container with name or ID "envoy-logger_influxdb_1" found: no such container' >&2
        echo 'Error: creating container storage: the container name "grafana_1" is already in use by 0a1b' >&2
        echo 'Error: rootlessport listen tcp 127.0.0.1:3000: bind: address already in use' >&2
        exit {code} ;;
esac
"""


def use_podman(clone: Clone, code: int) -> None:
    """Let Docker be absent, and podman with podman-compose be there."""
    clone.equip()
    programs = clone.top / "programs"
    (programs / "docker").rename(programs / "podman")
    for name, text in (("docker", "#!/bin/sh\nexit 1\n"), ("podman-compose", PODMAN_COMPOSE.format(code=code))):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)


@pytest.mark.parametrize("code", [0, 125])
def test_podmans_talk_of_what_is_not_there_is_no_error_and_a_real_one_stays(clone: Clone, code: int) -> None:
    use_podman(clone, code)
    told = clone.setup(*ANSWERS)
    assert "not there yet, which is well: no container with name" in told.stdout
    assert "    there already, and used: the container grafana_1\n" in told.stdout
    assert "Error: rootlessport listen tcp 127.0.0.1:3000: bind: address already in use" in told.stdout
    assert told.returncode == (69 if code else 0), told.stderr
    assert ("The containers do not start." in told.stderr) is bool(code)


ANSWERS = ("192.0.2.5", "y", "me@example.org", PASSWORD, "n")


def test_five_answers_lead_from_a_clone_to_the_address(clone: Clone) -> None:
    told = clone.setup(*ANSWERS)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "http://localhost:3000/d/envoy-live" in told.stdout
    assert clone.settings["ENPHASE_GATEWAY"] == "192.0.2.5"
    assert clone.settings["ENPHASE_USERNAME"] == "me@example.org"
    assert clone.settings["GRAFANA_BIND"] == "127.0.0.1"
    assert (clone.folder / "secrets/enphase/enphase_password").read_text() == PASSWORD


def test_the_boards_speak_the_machines_language_until_another_one_is_set(clone: Clone) -> None:
    for language in ("en", "de", "fr"):
        (clone.top / "grafana" / "dashboards" / "flux" / language).mkdir(parents=True)
    clone.setup(*ANSWERS, language="de_DE.UTF-8")
    assert clone.settings["BOARDS_LANGUAGE"] == "de"
    settings = clone.folder / ".env"
    settings.write_text(settings.read_text().replace("BOARDS_LANGUAGE=de", "BOARDS_LANGUAGE=fr"))
    clone.setup("192.0.2.5", "y", "me@example.org", PASSWORD, "n", options=("--again",), language="de_DE.UTF-8")
    assert clone.settings["BOARDS_LANGUAGE"] == "fr"


def test_lines_of_the_owner_stay_whatever_is_asked_again(clone: Clone) -> None:
    clone.setup(*ANSWERS)
    settings = clone.folder / ".env"
    kept = {
        "LOGGER_SITE_NAME": "barn", "MQTT_URL": "mqtts://broker:8883", "PAGE_BIND": "0.0.0.0", "TZ": "Asia/Kolkata",
        "ENPHASE_LOGIN_URL": "https://login.example", "ENPHASE_TLS": "verify",
    }  # fmt: skip
    lines = [line for line in settings.read_text().splitlines() if not line.startswith("TZ=")]
    old = ("ENPHASE_SERIAL=122000000001", "ENPHASE_PASSWORD=old", "ENPHASE_TOKEN_FILE=/run/secrets/old")
    settings.write_text(
        "\n".join([*lines, *(f"{name}={value}" for name, value in kept.items()), *old, "# mine"]) + "\n"
    )
    told = clone.setup(*ANSWERS[:4], "y", options=("--again",))
    assert told.returncode == 0, told.stdout + told.stderr
    assert kept.items() <= clone.settings.items()
    assert clone.settings["GRAFANA_BIND"] == "0.0.0.0"
    assert not {"ENPHASE_SERIAL", "ENPHASE_PASSWORD", "ENPHASE_TOKEN_FILE"} & clone.settings.keys(), "asked anew"
    text = settings.read_text()
    assert text.count("# mine") == text.count("# Written by setup") == text.count("TZ=") == 1


def test_a_file_that_lists_the_gateways_is_neither_asked_about_nor_overwritten(clone: Clone) -> None:
    clone.setup(*ANSWERS)
    settings = clone.folder / ".env"
    named = "ENPHASE_GATEWAYS_FILE=/run/secrets/gateways.toml"
    listed = settings.read_text().replace("ENPHASE_GATEWAY=192.0.2.5", named)
    settings.write_text(listed)
    upgrade = clone.setup()
    assert upgrade.returncode == 0, upgrade.stdout + upgrade.stderr
    for option, message in (("--again", "lists your gateways"), ("--demo", "your own gateway")):
        told = clone.setup(*ANSWERS, options=(option,))
        assert told.returncode == 69
        assert message in told.stderr
        assert "Try: " in told.stderr
    assert settings.read_text() == listed


def test_address_and_sign_in_are_tested_before_anything_starts(clone: Clone) -> None:
    told = clone.setup(*ANSWERS)
    order = [
        next(number for number, call in enumerate(clone.calls) if re.search(wanted, call))
        for wanted in (
            r"compose build",
            r" discover 192\.0\.2\.5 ",
            r" init --yes .*--account me@example",
            "compose up",
        )
    ]
    assert order == sorted(order)
    assert (clone.top / "typed").read_text() == PASSWORD + "\n"
    assert "✓ the gateway takes the token" in told.stdout
    assert "none" not in told.stdout  # the test needs no InfluxDB: compose brings one
    assert not any(PASSWORD in call for call in clone.calls)


def test_a_refused_sign_in_is_asked_again_and_starts_nothing(clone: Clone) -> None:
    clone.equip(refused=77)
    told = clone.setup(*ANSWERS[:-1], "me@example.org", "other", "me@example.org", "third")
    assert told.returncode == 69
    assert not any("compose up" in call for call in clone.calls)
    assert not (clone.folder / "secrets/enphase/enphase_password").exists()
    assert clone.settings == {}


def test_a_pasted_token_needs_no_account(clone: Clone) -> None:
    told = clone.setup("192.0.2.5", "y", "", "eyJ.token", "y")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "ENPHASE_USERNAME" not in clone.settings
    assert clone.settings["GRAFANA_BIND"] == "0.0.0.0"
    assert (clone.folder / "secrets/enphase/enphase_token").read_text() == "eyJ.token"
    assert any(" init --yes " in call and "--token-file -" in call for call in clone.calls)


def test_secrets_are_made_once_and_kept_from_other_users(clone: Clone) -> None:
    clone.setup(*ANSWERS)
    folder = clone.folder / "secrets"
    names = ("influxdb_admin_password", "influxdb_admin_token", "grafana_admin_password")
    before = [(folder / name).read_text() for name in names]
    assert all(re.fullmatch(r"[0-9a-f]{48}", secret) for secret in before)
    assert len(set(before)) == 3
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    told = clone.setup()
    assert told.returncode == 0, told.stdout + told.stderr
    assert [(folder / name).read_text() for name in names] == before


def test_a_second_run_upgrades_and_asks_nothing(clone: Clone) -> None:
    clone.setup(*ANSWERS)
    (clone.top / "calls").unlink()
    before = clone.settings
    assert clone.setup().returncode == 0
    assert clone.settings == before
    assert [call for call in clone.calls if "build" in call or "compose up" in call] == [
        "compose build recorder", "compose up -d",
    ]  # fmt: skip


def test_settings_that_were_added_by_hand_stay(clone: Clone) -> None:
    clone.setup(*ANSWERS)
    with (clone.folder / ".env").open("a") as file:
        file.write("LOGGER_SITE=barn\n")
    assert clone.setup("192.0.2.6", *ANSWERS[1:], options=("--again",)).returncode == 0
    assert clone.settings["LOGGER_SITE"] == "barn"
    assert clone.settings["ENPHASE_GATEWAY"] == "192.0.2.6"


def test_the_demo_has_a_project_of_its_own_which_the_real_site_removes(clone: Clone) -> None:
    told = clone.setup(options=("--demo",))
    assert told.returncode == 0, told.stdout + told.stderr
    assert clone.settings["COMPOSE_PROJECT_NAME"] == "envoy-logger-demo"
    assert "compose -p envoy-logger-demo --profile demo up -d influxdb setup grafana demo" in clone.calls
    assert clone.setup(*ANSWERS).returncode == 0
    assert "compose -p envoy-logger-demo --profile demo down -v" in clone.calls
    assert "COMPOSE_PROJECT_NAME" not in clone.settings
    assert clone.setup(options=("--demo",)).returncode == 69


def test_an_older_compose_is_refused_with_what_to_install(clone: Clone) -> None:
    clone.equip(version="2.19.9")
    told = clone.setup(*ANSWERS)
    assert told.returncode == 69
    assert "Try: version 2.20 or newer." in told.stderr


def test_any_posix_shell_runs_it() -> None:
    for shell in filter(None, map(shutil.which, ("sh", "dash", "bash"))):
        subprocess.run([shell, "-n", str(SETUP)], check=True)
    assert r"\|" not in SETUP.read_text(encoding="utf-8")  # macOS has a sed without it
    checker = shutil.which("shellcheck")
    if checker is not None:
        done = subprocess.run([checker, str(SETUP)], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "")

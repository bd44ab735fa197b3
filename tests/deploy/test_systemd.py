"""The unit is accepted by systemd, is closed tightly, and the example settings mean the same to every reader."""

from __future__ import annotations

import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import dotenv
import pytest

from logger.settings.definitions import DESCRIPTIONS, KNOWN_NAMES

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT = FOLDER / "envoy-logger.service"
MOST_EXPOSED = 1.2


@pytest.fixture
def analyze() -> str:
    """systemd's own checker."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs: systemd-analyze (Debian package systemd)")
    return program


def test_systemd_accepts_the_unit_without_a_word(analyze: str, tmp_path: Path) -> None:
    done = _verify(analyze, tmp_path, _installed(tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_check_would_see_a_mistake(analyze: str, tmp_path: Path) -> None:
    done = _verify(analyze, tmp_path, _installed(tmp_path).replace("WatchdogSec=", "WatchDogSec="))
    assert "WatchDogSec" in done.stderr


def test_the_unit_is_closed_tightly(analyze: str) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(UNIT)], capture_output=True, text=True
    )
    found = re.search(r"exposure level for [\w.-]+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found.group(1)) <= MOST_EXPOSED


def test_wrong_settings_do_not_spin_and_outages_never_end_it() -> None:
    values = _values(UNIT.read_text())
    assert values["Restart"] == "always"
    assert values["RestartPreventExitStatus"] == "78"
    assert values["StartLimitIntervalSec"] == "0"
    assert values["Type"] == "notify"
    assert values["ExecStart"] == "/usr/bin/envoy-logger run"


def test_folders_that_an_architecture_lacks_do_not_stop_the_start() -> None:
    """ARM has no /lib64, and a listed path that is missing fails the start unless it is marked so."""
    assert "-/lib64" in _values(UNIT.read_text())["ExecPaths"].split()


def test_the_example_names_only_settings_and_no_secret() -> None:
    text = (FOLDER / "envoy-logger.env").read_text()
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert len(named) >= 5
    assert named <= KNOWN_NAMES
    assert not named & {item.variable for item in DESCRIPTIONS if item.secret}


def test_the_example_reads_the_same_in_dotenv_and_systemd() -> None:
    path = FOLDER / "envoy-logger.env"
    uncommented = re.sub(r"^#(?=[A-Z])", "", path.read_text(), flags=re.MULTILINE)
    by_systemd = dict(line.split("=", 1) for line in uncommented.splitlines() if line and not line.startswith("#"))
    assert by_systemd == dotenv.dotenv_values(stream=StringIO(uncommented), interpolate=False)
    assert not any(character in value for value in by_systemd.values() for character in "\"'\\$ ")


def _installed(folder: Path) -> str:
    """The unit with a program that exists, as on a machine where it is installed."""
    program = folder / "envoy-logger"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return UNIT.read_text().replace("/usr/bin/envoy-logger run", f"{program} run")


def _verify(analyze: str, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    unit = folder / "envoy-logger.service"
    unit.write_text(text)
    return subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True)


def _values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w*=", line))

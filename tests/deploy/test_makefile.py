"""The Makefile's environment: what is missing is said first, and a half-made one is made anew."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PYTHON = """\
#!/bin/sh
# A Python that makes environments like itself; without ensurepip it leaves a half-made one, as the real one does.
echo "$*" >> "{log}"
case "$1 $2" in
    "-c import pip"*) [ -e "$(dirname "$0")/pip" ] && echo yes ;;
    "-c import ensurepip"*) [ -e "{folder}/ensurepip" ] ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && [ -e "{folder}/ensurepip" ] && touch "$3/bin/pip" ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the Makefile, what its rules depend on, and a Python of its own."""
    if shutil.which("make") is None:
        pytest.skip("needs: make")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    os.utime(tmp_path / "Makefile", (0, 0))  # make warns of a file that is newer than the machine's clock
    python = tmp_path / "python"
    python.write_text(PYTHON.format(folder=tmp_path, log=tmp_path / "log"))
    python.chmod(0o755)
    (tmp_path / "ensurepip").touch()
    return tmp_path


def made(folder: Path) -> subprocess.CompletedProcess[str]:
    """Make the environment that the program runs in."""
    environment = {"PATH": os.environ["PATH"]}
    words = ["make", "-s", "-C", str(folder), "PYTHON=./python", ".venv/.run"]
    return subprocess.run(words, capture_output=True, text=True, env=environment)


def environments_made(folder: Path) -> int:
    return (folder / "log").read_text().count("-m venv")


def test_what_to_install_is_said_before_anything_is_made(folder: Path) -> None:
    (folder / "ensurepip").unlink()
    told = made(folder)
    assert told.returncode != 0
    assert "Try: sudo apt-get install -y python3 python3-venv" in told.stdout
    assert not (folder / ".venv").exists()


def test_a_half_made_environment_is_made_anew(folder: Path) -> None:
    (folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(folder / "python", folder / ".venv" / "bin" / "python")
    assert made(folder).returncode == 0
    assert (folder / ".venv" / "bin" / "pip").exists()
    assert environments_made(folder) == 1


def test_an_environment_whose_python_is_gone_is_made_anew(folder: Path) -> None:
    assert made(folder).returncode == 0
    (folder / ".venv" / "bin" / "python").unlink()
    assert made(folder).returncode == 0
    assert environments_made(folder) == 2


def test_a_whole_environment_is_left_alone(folder: Path) -> None:
    assert made(folder).returncode == 0
    assert made(folder).returncode == 0
    assert environments_made(folder) == 1


def test_every_shell_script_is_checked_or_it_is_said_that_none_was(folder: Path) -> None:
    scripts = re.search(r"^SCRIPTS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert scripts is not None
    listed = re.sub(
        r"\$\(addprefix (\S+),([^)]*)\)", lambda m: " ".join(m[1] + name for name in m[2].split()), scripts[1]
    )
    found = [path for place in (".ci", "deploy") for path in (ROOT / place).rglob("*") if path.is_file()]
    assert set(listed.split()) == {
        str(path.relative_to(ROOT)) for path in found if re.match(rb"#!.*\b(ba|da)?sh\b", path.read_bytes()[:60])
    }
    for tool in ("ruff", "mypy"):
        (folder / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        (folder / ".venv" / "bin" / tool).symlink_to("/bin/true")
    words = ["make", "-s", "-C", str(folder), "-o", ".venv/.test", "check"]
    (folder / "make").symlink_to(str(shutil.which("make")))
    done = subprocess.run(
        words, capture_output=True, text=True, env={"PATH": str(folder)}, executable=shutil.which("make")
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "The shell scripts were not checked: shellcheck is not installed.\n"

"""Terminals, pipes and users that are not as usual: no command ends in a traceback because of them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest

from logger import places
from logger.commands.init.draft import Destination
from logger.commands.init.terminal import speak_of_answers
from logger.commands.init.wizard import list_next_steps
from logger.commands.ui.options import parse_moment
from logger.commands.ui.output import fold, wrap
from logger.doctor.check_result import CheckResult
from logger.doctor.machine_checks import check_state_folder
from logger.errors import SignInRefusedError, StateError
from logger.store.folder import claim
from tests.commands.wizard import Person
from tests.endtoend.recorder import environment

FINGERPRINT = ":".join(f"{n:02X}" for n in range(160, 192))


def shell(home: Path, words: str, settings: Mapping[str, str] = {}) -> subprocess.CompletedProcess[bytes]:
    """`envoy-logger WORDS` by a shell, which knows how to close a channel."""
    return subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -m logger {words}"], cwd=home,
        env=environment(home, settings), stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "encoding",
    ["ascii", pytest.param("latin-1", marks=pytest.mark.long), pytest.param("cp437", marks=pytest.mark.long)],
)
def test_a_terminal_that_does_not_know_a_sign_shows_another(tmp_path: Path, encoding: str) -> None:
    done = shell(tmp_path, "discover --help", {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"Usage: envoy-logger discover [OPTIONS] [ADDRESS")
    assert done.stderr == b""


@pytest.mark.parametrize(
    "words",
    ["init <&-", pytest.param("init --account a@b.c --password-file - <&-", marks=pytest.mark.long)],
)
def test_a_closed_standard_input_is_one_that_says_nothing(tmp_path: Path, words: str) -> None:
    done = shell(tmp_path, words)
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Error: " in done.stderr


def test_a_full_disk_behind_the_output_is_said(tmp_path: Path) -> None:
    done = shell(tmp_path, "fields > /dev/full")
    assert done.returncode == 1
    text = b"the disk has no space for the output: No space left on device\nTry: free space on that disk.\n"
    assert done.stderr == text


def test_a_user_without_a_home_has_the_state_where_a_service_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it answers for a user that nobody knows
    assert places.state_dir({}, "") == Path("/var/lib/envoy-logger")
    assert places.runtime_dir({}, "/srv/x") == Path("/srv/x")


def test_a_state_folder_that_only_root_may_look_into_is_the_one_of_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd's DynamicUser makes it: a link that all see, to a folder that they do not."""
    folder = "/var/lib/envoy-logger"
    seen = os.lstat("/")

    def hidden(path: str | Path, *args: object, **kwargs: object) -> os.stat_result:
        if str(path) == folder:
            raise PermissionError(13, "Permission denied", folder)
        return stat(path)

    stat = os.stat
    monkeypatch.setattr("os.stat", hidden)
    monkeypatch.setattr("os.lstat", lambda path: seen if str(path) == folder else stat(path))
    assert places.state_dir({}, "") == Path(folder)
    assert places.runtime_dir({"STATE_DIRECTORY": "/x"}, "") == Path("/x")


def test_a_state_folder_mounted_read_only_is_named_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setattr("logger.files.is_read_only", lambda folder: True)
    monkeypatch.setattr("logger.doctor.machine_checks.is_read_only", lambda folder: True)
    with pytest.raises(StateError, match="Read-only file system") as told:
        claim(tmp_path)
    assert "mount" in told.value.hint
    found: list[CheckResult] = []
    check_state_folder(tmp_path, found.append)
    assert [result.state for result in found] == ["bad"]
    assert "mounted read-only" in found[-1].text
    assert found[-1].cure.startswith("run sudo mount -o remount,rw /")


@pytest.mark.parametrize("indent", [0, 5, 20])
def test_a_fingerprint_fits_into_80_columns_whole(indent: int) -> None:
    text = f"before {FINGERPRINT} (ends 2027-03-01), ended and still trusted, now {FINGERPRINT} (ends 2027-03-01)"
    rows = fold(text, indent).split("\n")
    assert max(map(len, rows)) + indent <= 80
    assert rows.count(FINGERPRINT[:47]) == 2
    assert [row[:47] for row in rows if row.startswith(FINGERPRINT[48:])] == [FINGERPRINT[48:]] * 2
    assert "".join(rows).count("(ends 2027-03-01)") == 2
    assert "ended and still trusted" in "".join(rows)
    assert fold("nothing of that", indent) == "nothing of that"


@pytest.mark.parametrize("columns", [20, 60, 80])
def test_a_terminal_gets_whole_words_below_each_other_and_a_pipe_gets_whole_lines(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    words = "the recorder compares the documents that have this counter, at most a day " * 3
    command = "Try: sudo chown -R envoy-logger: " + "/var/lib/envoy-logger" * 5
    text = f"counters   {words.strip()}\n\n{'':<11}{command}"
    assert wrap(text, 11) == text
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    *lines, empty, last = wrap(text, 11).split("\n")
    assert max(map(len, lines)) <= max(columns, 11 + 24)
    assert [line[:11] for line in lines] == ["counters   ", *[" " * 11] * (len(lines) - 1)]
    assert " ".join(line[11:] for line in lines) == words.strip()
    assert (empty, last) == ("", f"{'':<11}{command}")


def test_who_answers_questions_is_told_of_answers_and_not_of_settings() -> None:
    error = speak_of_answers(
        SignInRefusedError("wrong e-mail", "check ENPHASE_USERNAME and ENPHASE_PASSWORD_FILE, or ENPHASE_TOKEN_FILE.")
    )
    assert error.hint == (
        "check the e-mail (--account) and the password (--password-file), or the token (--token-file)."
    )


def test_what_to_do_next_can_be_typed_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, on_path = tmp_path / "venv's bin" / "envoy-logger", tmp_path / "bin" / "envoy-logger"
    for folder in (inside.parent, on_path.parent):
        folder.mkdir()
    inside.touch(mode=0o755)
    place = Destination(tmp_path / ".env", True, None)
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setattr("sys.argv", [str(inside)])
    assert f"sudo {shlex.quote(str(inside))} doctor" in list_next_steps(place)[2]
    on_path.symlink_to(inside)
    assert "sudo envoy-logger doctor" in list_next_steps(place)[2]
    monkeypatch.setattr("sys.argv", ["/x/logger/__main__.py"])
    assert "sudo envoy-logger doctor" in list_next_steps(place)[2]


def test_a_moment_is_never_before_there_was_anything() -> None:
    zone, now = ZoneInfo("Europe/Berlin"), 1_780_000_000.0
    moments = ("999999w", "0001-01-02", "1969-12-31", "1970-01-01T02:00")
    assert [parse_moment(text, zone, now) for text in moments] == [0, 0, 0, 3600]
    assert parse_moment("0001-01-01", ZoneInfo("Pacific/Kiritimati"), now) == 0
    for odd in ("9999-99-99", "", "soon"):
        with pytest.raises(click.BadParameter, match="is no date"):
            parse_moment(odd, zone, now)


def test_a_secret_for_stdin_that_is_typed_at_a_terminal_is_not_shown(tmp_path: Path) -> None:
    words = ["init", "--yes", "--gateway", "127.0.0.1:1", "--account", "me@example.org", "--password-file", "-"]
    with Person(tmp_path, *words, settings={}) as person:
        person.answer("The secret for --password-file (it is not shown): ", "typed-in-the-open")
        assert person.end() == 69
        assert "typed-in-the-open" not in person.screen

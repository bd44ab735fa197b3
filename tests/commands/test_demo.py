"""`demo`: shows an invented site, says so, reaches no real database, and leaves no process behind."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.commands.program import program
from tests.databases.fake2 import Fake2
from tests.endtoend.points import as_points, stored
from tests.endtoend.recorder import environment
from tests.waiting import LONGEST_S, wait_until

SHORT = "tests.commands.short_demo"
"""The demo without most of its invented past, which costs seconds."""


@contextlib.contextmanager
def demo(
    home: Path, *, module: str, terminal: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A demo in a process group of its own, and the file that takes what it shows."""
    shown = home / "shown"
    command = [sys.executable, "-m", module, "demo", "--state-dir", str(home / "demo")]
    outside = environment(home, {"TERM": "xterm", "COLUMNS": "100", "LINES": "40", **(settings or {})})
    with shown.open("wb") as file:
        if terminal:
            ours, theirs = pty.openpty()
        else:
            ours, theirs = -1, file.fileno()
        process = subprocess.Popen(
            command, cwd=home, env=outside, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, process_group=0
        )
        copier = subprocess.Popen(["cat"], stdin=ours, stdout=file, stderr=subprocess.DEVNULL) if terminal else None
        if terminal:
            os.close(theirs)
            os.close(ours)
        try:
            yield process, shown
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(LONGEST_S)
            if copier is not None:
                copier.wait(LONGEST_S)


def stand_in_of(process: subprocess.Popen[bytes]) -> int:
    """The process id of the demo's stand-in gateway, once it runs."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(wait_until(lambda: listed.read_text().split())[0])


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def without_escapes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def wait_until_shown(shown: Path, pattern: str) -> str:
    def text() -> str:
        return without_escapes(shown.read_text(encoding="utf-8", errors="replace"))

    wait_until(lambda: re.search(pattern, text()), text)
    return text()


def test_a_terminal_shows_invented_data_speed_and_how_to_stop_and_an_interrupt_ends_both_processes(
    tmp_path: Path,
) -> None:
    with demo(tmp_path, module=SHORT, terminal=True) as (process, shown):
        wait_until_shown(shown, r"stored +\d+ points of [2-9]\d* minutes")
        stand_in = stand_in_of(process)
        assert not is_gone(stand_in)
        process.send_signal(signal.SIGINT)
        assert process.wait(LONGEST_S) == 0
        assert is_gone(stand_in)
    text = without_escapes(shown.read_text(encoding="utf-8"))
    assert "INVENTED DATA" in text
    assert "240× faster" in text
    assert "Ctrl-C stops the demo." in text
    assert re.search(r"12 of 12 producing", text)
    assert re.search(r"stored +\d+ points of \d+ minutes", text)
    assert "Traceback" not in text
    assert text.rstrip().endswith(
        f"Stopped. The recorded data is in {tmp_path}/demo; the next demo deletes this data."
    )
    points = as_points(stored(tmp_path / "demo"))
    assert {"envoy_totals", "envoy_inverter", "envoy_battery"} <= {place.measurement for place in points}
    assert max(place.time for place in points) < time.time() - 3600  # begins in the past


def test_it_ends_by_itself_after_the_seconds_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logger.commands.demo.invent_history", lambda *_: None)
    done = program(tmp_path, "demo", "--seconds", "1", "--state-dir", str(tmp_path / "demo"))
    assert done.code == 0, done
    assert done.out.splitlines()[-1].startswith("Stopped.")


@pytest.mark.long
def test_a_pipe_gets_one_line_now_and_then_and_real_settings_are_never_touched_and_ctrl_c_ends_both_processes(
    tmp_path: Path, fake_influx2: Fake2
) -> None:
    buckets = fake_influx2.fresh_buckets()
    fake_influx2.fake.forget_scripts()
    target = {
        "INFLUXDB_URL": fake_influx2.url, "INFLUXDB_TOKEN": fake_influx2.admin_token,
        "INFLUXDB_ORG": fake_influx2.org, "INFLUXDB_BUCKET": buckets["totals"],
    }  # fmt: skip
    real = tmp_path / "real"
    (tmp_path / ".env").write_text(
        "".join(f"{name}={value}\n" for name, value in target.items())
        + f"ENPHASE_GATEWAY=192.0.2.1\nLOGGER_STATE_DIR={real}\n"
    )
    (tmp_path / "token").write_text(fake_influx2.admin_token)
    with demo(
        tmp_path, module="logger",
        settings=target | {"LOGGER_STATE_DIR": str(real), "INFLUXDB_TOKEN_FILE": str(tmp_path / "token"),
                           "CREDENTIALS_DIRECTORY": str(tmp_path)},
    ) as (process, shown):  # fmt: skip
        wait_until_shown(shown, r"rows \d+\n")
        stand_in = stand_in_of(process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to everybody
        assert process.wait(LONGEST_S) == 0
        assert is_gone(stand_in)
    lines = shown.read_text(encoding="utf-8").splitlines()
    assert lines.pop(0) == "Inventing two days …"
    assert lines[0] == "INVENTED DATA, time runs 240× faster. Ctrl-C stops the demo."
    assert lines[-1].startswith("Stopped.")
    assert re.fullmatch(r"Open the page in a browser: http://127\.0\.0\.1:\d+/", lines[1])
    assert len(lines) > 3
    # after ^C a line is empty
    reading = r"\w{3} \d\d:\d\d  sun .*  today (-|[\d.]+ kWh)  inverters .*  rows \d+"  # today needs a few polls
    assert [line for line in lines[2:-1] if line and not re.fullmatch(reading, line)] == []
    assert fake_influx2.fake.seen == []
    assert not real.exists()
    assert stored(tmp_path / "demo")  # it did record meanwhile
    for command in ("run", "once"):
        done = program(tmp_path, command, settings=target | {"LOGGER_STATE_DIR": str(tmp_path / "demo")})
        assert done.code == 78
        assert done.said[-2:] == [
            f"the state folder {tmp_path}/demo belongs to the demo and holds invented data",
            "Try: set LOGGER_STATE_DIR to another folder.",
        ]
    assert fake_influx2.fake.seen == []


def test_a_folder_that_cannot_be_made_is_refused_with_the_option_that_names_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    folder = tmp_path / "file" / "demo"
    done = program(tmp_path, "demo", "--seconds", "2", "--state-dir", str(folder))
    assert done.code == 78
    assert done.said == [f"{folder} cannot be used: Not a directory", "Try: choose another folder with --state-dir."]


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "store.sqlite3").write_bytes(b"precious")
    done = program(tmp_path, "demo", "--seconds", "2", "--state-dir", str(mine))
    assert done.code == 78
    assert done.said == [
        f"{mine} is not empty and is not the demo's",
        "Try: choose another folder with --state-dir.",
    ]
    assert [file.name for file in mine.iterdir()] == ["store.sqlite3"]
    assert (mine / "store.sqlite3").read_bytes() == b"precious"

"""A stand-in that keeps what it is known by: the same certificate, ports, tokens and history at each start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from logger.errors import StateError
from logger.simulator.credentials import TokenMaker
from logger.simulator.kept_identity import find_identity
from tests.endtoend.recorder import environment

SERIAL = "122000000042"
NOW = 1_780_000_000.0


def test_what_is_kept_is_found_again_at_the_next_start(tmp_path: Path) -> None:
    first = find_identity(tmp_path / "state", SERIAL, now=NOW, epoch=NOW - 100)
    first.keep(tmp_path / "state", port=4711, cloud_port=4712)
    token = TokenMaker(first.token_key).make(SERIAL, NOW)
    again = find_identity(tmp_path / "state", SERIAL, now=NOW + 999, epoch=NOW + 899)
    assert again.certificate == first.certificate
    assert (again.epoch, again.port, again.cloud_port) == (NOW - 100, 4711, 4712)
    assert TokenMaker(again.token_key).is_good(token, SERIAL, NOW + 999)
    (file,) = (tmp_path / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"certificate": "x", "key": "y"}'])
def test_a_file_that_is_no_stand_ins_is_said_with_its_cure(tmp_path: Path, text: str) -> None:
    (tmp_path / "stand-in.json").write_text(text)
    with pytest.raises(StateError, match="the stand-in gateway's identity cannot be read from") as caught:
        find_identity(tmp_path, SERIAL, now=NOW, epoch=NOW)
    assert caught.value.hint.startswith("rm ")


def test_the_command_shows_the_same_certificate_and_address_twice(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-m", "logger", "simulate", "--state", "state", "--wiring", "net-ct-only"],
            cwd=tmp_path, env=environment(tmp_path, {}), stdout=subprocess.PIPE, text=True,
        ) as running:  # fmt: skip
            assert running.stdout is not None
            seen.append([running.stdout.readline() for _ in range(5)])
            running.terminate()
    assert seen[0] == seen[1]
    assert seen[0][0].startswith("ENPHASE_GATEWAY=https://127.0.0.1:")

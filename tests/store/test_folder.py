"""The state folder: one owner, readable errors, and the demo kept apart."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from logger.doctor.check_result import CheckResult
from logger.doctor.machine_checks import check_state_folder
from logger.errors import StateError, StoreHeldError
from logger.files import write_atomically
from logger.store.folder import claim, is_demo, is_in_container, mark_demo, name_host, prepare, refuse_demo
from logger.store.store import Store
from tests.store.samples import HandClock, make_store

_HOLD = (
    "import sys; from pathlib import Path; from logger.store.folder import claim\n"
    "claim(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "deep"
    make_store(folder).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreHeldError, match=f"process {holder.pid}") as caught:
            make_store(tmp_path)
        assert caught.value.exit_code == 69
        holder.kill()
    make_store(tmp_path).close()


def test_a_lock_that_is_held_already_can_be_handed_to_the_store_and_outlives_it(tmp_path: Path) -> None:
    with claim(tmp_path) as lock:
        Store.open(tmp_path, max_mb=64, keep_days=1, clock=HandClock(), lock=lock).close()
        with pytest.raises(StoreHeldError, match=f"process {os.getpid()}"):
            claim(tmp_path)
    claim(tmp_path).release()


def test_a_store_that_cannot_be_opened_lets_the_folder_go(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").mkdir()
    with pytest.raises(StateError):
        make_store(tmp_path)
    claim(tmp_path).release()


@contextlib.contextmanager
def _not_root() -> Iterator[str]:
    """Run as a user without privileges, also where the tests run as root; yields its user and group."""
    was_root = os.geteuid() == 0
    if was_root:
        os.setresuid(65534, 65534, 0)
    try:
        yield f"{os.geteuid()}:{os.getegid()}"
    finally:
        if was_root:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_link_to_a_disk_that_is_not_mounted_is_named_with_its_target(tmp_path: Path, below: str) -> None:
    link, target = tmp_path / "state", tmp_path / "disk" / "state"
    link.symlink_to(Path("disk/state"))
    reason, hint = f"{link} is a link to {target}, which does not exist", f"mount the disk of {target}, or make this"
    for use in (claim, prepare):
        with pytest.raises(StateError, match=re.escape(reason)) as told:
            use(link / below)
        assert told.value.hint.startswith(hint)
    found: list[CheckResult] = []
    check_state_folder(link / below, found.append)
    assert [(result.state, result.text) for result in found] == [("bad", reason)]
    assert found[0].cure.startswith(hint)


def test_an_unwritable_folder_is_an_error_that_names_the_command_to_run() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o555)
        with _not_root() as owner:
            with pytest.raises(StateError, match=f"sudo chown -R {owner} {folder}") as caught:
                claim(folder)
            with pytest.raises(StateError, match=f"sudo mkdir -p {folder / 'new'} && sudo chown {owner}"):
                claim(folder / "new")
        assert caught.value.exit_code == 78
    finally:
        folder.rmdir()


def test_a_file_where_the_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="set LOGGER_STATE_DIR to a folder"):
        claim(tmp_path / "file" / "deep")
    with pytest.raises(StateError, match="set LOGGER_STATE_DIR to a folder"):
        claim(tmp_path / "file")


def test_the_demo_and_the_recorder_refuse_each_others_folders(tmp_path: Path) -> None:
    demo, real = tmp_path / "demo", tmp_path / "real"
    mark_demo(demo)
    make_store(demo).close()
    mark_demo(demo)
    make_store(real).close()
    assert (is_demo(demo), is_demo(real)) == (True, False)
    refuse_demo(real)
    with pytest.raises(StateError, match=str(demo)):
        refuse_demo(demo)
    with pytest.raises(StateError, match="not the demo's"):
        mark_demo(real)
    assert not is_demo(real)


def test_a_file_is_replaced_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, b"newer")
    assert list(tmp_path.iterdir()) == [path], "a failure leaves nothing behind"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")
def test_what_root_writes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    store = make_store(tmp_path)
    write_atomically(tmp_path / "token", b"t")
    owners = {path.name: path.stat().st_uid for path in tmp_path.iterdir()}
    store.close()
    assert set(owners.values()) == {12345}, owners


def test_a_folder_in_a_containers_own_file_system_is_told_from_a_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "dockerenv"
    monkeypatch.setattr("os.path.ismount", lambda path: path in (Path("/"), tmp_path / "volume"))
    assert not is_in_container(tmp_path / "own", (mark,)), "no container"
    mark.touch()
    assert is_in_container(tmp_path / "own", (mark,))
    assert not is_in_container(tmp_path / "volume", (mark,))
    assert not is_in_container(tmp_path / "volume" / "folder" / "below", (mark,))


def test_a_command_names_the_containers_host_only_in_a_container(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert name_host("sudo chown x y", [mark]) == "sudo chown x y"
    mark.touch()
    assert name_host("sudo chown x y", [mark]).startswith("sudo chown x y (on the container's host")

"""What `init` writes: whole or not at all, and true words where that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from logger.commands.init.draft import Destination, Draft
from logger.errors import SettingsError, StateError
from logger.settings.envfile import change_env
from logger.settings.load import inspect_settings


def draft(home: Path) -> Draft:
    before, _ = inspect_settings(home / ".env", environ={})
    return Draft(Destination(home / ".env", False, home / "state"), before)


def test_a_secret_that_cannot_be_removed_is_said_and_what_was_written_is_not_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = draft(tmp_path)
    mine.put("ENPHASE_GATEWAY", "192.0.2.1")
    mine.drop("INFLUXDB_TOKEN")
    old = tmp_path / "credentials" / "influxdb_token"

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == old:
            raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StateError) as told:
        mine.write()
    assert "no setting was changed" not in str(told.value)
    assert f"the settings are written, but {old} cannot be removed" in str(told.value)
    assert (tmp_path / ".env").read_text().endswith("ENPHASE_GATEWAY=192.0.2.1\n")


def test_a_folder_in_the_way_is_said_before_anything_is_written(tmp_path: Path) -> None:
    mine = draft(tmp_path)
    (tmp_path / ".env").mkdir()
    mine.put("ENPHASE_GATEWAY", "192.0.2.1")
    mine.put_secret("ENPHASE_LOCAL_PASSWORD", "123456")
    with pytest.raises(StateError, match="no setting was changed"):
        mine.write()
    assert not list(tmp_path.rglob("enphase_local_password"))


@pytest.mark.parametrize(("name", "value"), [
    ("ENPHASE_GATEWAY", "http://192.0.2.1/home"), ("ENPHASE_USERNAME", "a$b@example.org"),
    ("INFLUXDB_URL", "http://user:word@192.0.2.1:8086"), ("INFLUXDB_BUCKET", "a/b/c"), ("INFLUXDB_ORG", "a$b"),
])  # fmt: skip
def test_an_answer_is_judged_before_anything_is_done_with_it_and_not_kept(
    tmp_path: Path, name: str, value: str
) -> None:
    mine = draft(tmp_path)
    with pytest.raises(SettingsError) as told:
        mine.require_good(**{name: value})
    assert name in str(told.value)
    assert mine.values == {}
    mine.require_good(INFLUXDB_URL="http://[::1]:8086/behind/a/proxy", ENPHASE_USERNAME="a@b.c")


def test_a_file_from_windows_is_changed_in_place(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(
        "\ufeffENPHASE_GATEWAY=192.0.2.1\r\nFOREIGN=a\x0bb\r\nLOGGER_SITE=old\r\n".encode()
    )
    mine = draft(tmp_path)
    assert mine.before.enphase.gateway == "192.0.2.1"
    mine.put("LOGGER_SITE", "new")
    mine.put("ENPHASE_GATEWAY", "192.0.2.2")
    mine.write()
    assert (tmp_path / ".env").read_text() == "ENPHASE_GATEWAY=192.0.2.2\nFOREIGN=a\x0bb\nLOGGER_SITE=new\n"
    assert change_env("A=1\r", {"B": "2"}) == "A=1\nB=2\n"


def test_what_the_environment_sets_is_no_contradiction_to_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENPHASE_USERNAME", "me@example.org")
    monkeypatch.setenv("ENPHASE_PASSWORD", "a word of mine")
    before, problems = inspect_settings(tmp_path / ".env")
    assert problems == ()
    mine = Draft(Destination(tmp_path / ".env", False, tmp_path / "state"), before)
    mine.put("ENPHASE_GATEWAY", "192.0.2.1")
    mine.write()
    assert "word" not in (tmp_path / ".env").read_text()


def test_a_full_disk_is_said_with_its_own_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = draft(tmp_path)
    mine.put("ENPHASE_GATEWAY", "192.0.2.1")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StateError, match="no setting was changed") as told:
        mine.write()
    assert told.value.hint == "free some space on that disk."
    assert list(tmp_path.iterdir()) == []

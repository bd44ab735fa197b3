"""The command that `doctor` names for a refused token: whole, and with this installation's own files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from logger import places
from logger.doctor.setup_command import write_setup_command
from logger.settings.load import Settings, inspect_settings


def read(**changes: str) -> Settings:
    return inspect_settings(None, environ={"INFLUXDB_URL": "http://localhost:8086", **changes})[0]


def test_after_an_installation_the_command_names_its_files(tmp_path: Path) -> None:
    kept = tmp_path / "admin_token"
    kept.touch()
    file = "/etc/envoy-logger/credentials/influxdb_token"
    settings = replace(read(), env_file=places.INSTALLED, origins={"INFLUXDB_TOKEN": file})
    command = f"run sudo envoy-logger setup --admin-token-file {kept} --write-token-file {file}"
    assert write_setup_command(settings, "2", kept) == f"{command} && sudo systemctl restart envoy-logger."
    elsewhere = write_setup_command(settings, "2", tmp_path / "none")
    assert "--admin-token-file FILE --write-token-file" in elsewhere
    assert "(FILE: an administrator's token)" in elsewhere


def test_what_the_settings_hold_themselves_is_to_be_written_there(tmp_path: Path) -> None:
    said = write_setup_command(read(INFLUXDB_TOKEN="a-token"), "2", tmp_path / "none")
    assert said.endswith("and write the token that it prints into INFLUXDB_TOKEN.")


def test_compose_makes_it_by_itself(tmp_path: Path) -> None:
    settings = replace(read(), origins={"INFLUXDB_TOKEN": "/tokens/recorder/influxdb_token"})
    assert write_setup_command(settings, "2").startswith("run deploy/compose/setup again")


def test_other_generations_have_no_command(tmp_path: Path) -> None:
    assert [write_setup_command(read(), dialect) for dialect in ("1", "3")] == ["", ""]

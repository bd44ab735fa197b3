"""`init --add`: one more gateway for a recorder; what the recorder has of the first one stays as it is."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from logger.clock import SystemClock
from logger.daemon.config import access_of
from logger.settings.load import load_settings
from tests.commands.program import Done, program
from tests.commands.wizard import Person
from tests.several import Neighbours, neighbours


@pytest.fixture
def three() -> Iterator[Neighbours]:
    """A house, a barn and a shed behind one account."""
    with neighbours(SystemClock(), 3) as found:
        yield found


def set_up_first(home: Path, three: Neighbours, **further: str) -> dict[str, str]:
    """A recorder of the house, with a password in a file of its own → what the environment still sets."""
    (home / "credentials").mkdir(mode=0o700)
    (home / "credentials" / "enphase_password").write_text(three.gateways[0].cloud.password)
    values = {
        "ENPHASE_GATEWAY": three.gateways[0].url,
        "ENPHASE_USERNAME": three.gateways[0].cloud.username,
        "LOGGER_SITE": "farm",
        **further,
    }
    (home / ".env").write_text("# mine\n" + "".join(f"{name}={value}\n" for name, value in values.items()))
    return {name: value for name, value in three.account.items() if name.endswith("_URL")}


def add(home: Path, settings: dict[str, str], address: str, *words: str) -> Done:
    return program(home, "init", "--add", "--yes", "--gateway", address, *words, settings=settings)


def test_a_second_gateway_of_the_same_account_is_added_and_the_first_one_keeps_what_it_has(
    three: Neighbours, tmp_path: Path
) -> None:
    (tmp_path / "roof.csv").write_text("serial,panel\n")
    settings = set_up_first(tmp_path, three, LOGGER_LAYOUT_FILE="roof.csv", LOGGER_KEEP_DAYS="9")
    assert program(tmp_path, "once", settings=settings).code == 0
    kept = {path.name: path.read_bytes() for path in (tmp_path / "state").glob("[pt]*-*")}
    house, barn, shed = three.serials
    done = add(tmp_path, settings, three.gateways[1].url, "--site", "farm")
    assert done.code == 0, done.out + done.err
    assert three.gateways[0].cloud.password not in done.out
    listed = tomllib.loads((tmp_path / "gateways.toml").read_text())["gateway"]
    assert [each["serial"] for each in listed] == [house, barn]
    assert [each["address"] for each in listed] == [each.url for each in three.gateways[:2]]
    assert [each["site"] for each in listed] == ["farm", "farm"]
    assert [each.get("layout_file") for each in listed] == [str(tmp_path / "roof.csv"), None]
    env = (tmp_path / ".env").read_text()
    assert env.startswith("# mine\n")
    assert "LOGGER_KEEP_DAYS=9" in env
    assert "ENPHASE_GATEWAY=" not in env
    assert "LOGGER_SITE" not in env
    assert f"ENPHASE_GATEWAYS_FILE={tmp_path / 'gateways.toml'}" in env
    for name, content in kept.items():
        assert (tmp_path / "state" / name).read_bytes() == content, name
    assert {path.name for path in (tmp_path / "state").glob("[pt]*-*")} > kept.keys()
    assert three.sign_ins == 2
    assert program(tmp_path, "devices", settings=settings).out.count("Gateway ") == 2
    before = (tmp_path / "gateways.toml").read_text()
    assert add(tmp_path, settings, three.gateways[2].url).code == 0
    assert (tmp_path / "gateways.toml").read_text().startswith(before.rstrip("\n"))
    assert program(tmp_path, "devices", settings=settings).out.count("Gateway ") == 3
    assert three.sign_ins == 3
    assert "site" not in tomllib.loads((tmp_path / "gateways.toml").read_text())["gateway"][2]


def test_a_person_is_asked_what_is_the_gateways_own_and_nothing_else(three: Neighbours, tmp_path: Path) -> None:
    settings = set_up_first(tmp_path, three)
    with Person(tmp_path, "init", "--add", "--no-search", settings=settings) as person:
        person.answer("The gateway's address: ", three.gateways[1].url)
        person.answer("Trust it from now on [Y/n]: ", "y")
        person.answer("Does it belong to the account owner@example.org, as the others [Y/n]: ", "y")
        person.wait("the gateway takes the token: role owner")
        person.answer("Name of its site, or nothing: ", "farm")
        assert person.end() == 0, person.screen
        assert "gateways.toml" in person.screen
        assert three.gateways[0].cloud.password not in person.screen
    listed = tomllib.loads((tmp_path / "gateways.toml").read_text())["gateway"]
    assert [each.get("site") for each in listed] == ["farm", "farm"]
    assert three.sign_ins == 1


def test_a_pasted_token_moves_into_a_file_of_its_gateway_and_so_does_that_of_the_added_one(
    three: Neighbours, tmp_path: Path
) -> None:
    tokens = [three.gateways[n].new_token() for n in range(2)]
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "enphase_token").write_text(tokens[0])
    (tmp_path / "added").write_text(tokens[1])
    (tmp_path / ".env").write_text(f"ENPHASE_GATEWAY={three.gateways[0].url}\nENPHASE_SERIAL={three.serials[0]}\n")
    done = add(tmp_path, {}, three.gateways[1].url, "--token-file", "added")
    assert done.code == 0, done.out + done.err
    settings = load_settings(tmp_path / ".env", environ={})
    assert [access_of(each).token for each in settings.gateways] == tokens
    names = {path.name for path in (tmp_path / "credentials").iterdir()}
    assert names == {f"enphase_token_{serial}" for serial in three.serials[:2]}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (tmp_path / "credentials").iterdir())
    assert three.sign_ins == 0


def test_what_cannot_be_added_is_refused_and_changes_nothing(three: Neighbours, tmp_path: Path) -> None:
    done = add(tmp_path, {}, three.gateways[0].url)
    assert done.code == 2
    assert "there is no recorder to add a gateway to" in done.err
    settings = set_up_first(tmp_path, three)
    env = (tmp_path / ".env").read_text()
    known = add(tmp_path, settings, three.gateways[0].url)
    assert known.code == 2, known.err
    assert "is recorded already" in known.err
    outside = add(tmp_path, settings | {"ENPHASE_GATEWAY": three.gateways[0].url}, three.gateways[1].url)
    assert outside.code == 78
    assert "ENPHASE_GATEWAY (environment): is set in the environment, which no file can change" in outside.err
    for words, said in (
        (("--influxdb-url", "http://192.0.2.1:8086"), "--add adds a gateway, and changes neither InfluxDB nor"),
        (("--state-dir", str(tmp_path / "other")), "--add adds a gateway, and changes neither InfluxDB nor"),
        (("--account", "barn"), "--account: that is no e-mail address"),
        (("--root", str(tmp_path)), "--root needs --systemd"),
    ):
        without_effect = add(tmp_path, settings, three.gateways[1].url, *words)
        assert (without_effect.code, said in without_effect.err) == (2, True), without_effect.err
    three.gateways[0].cloud.mode = "refused"
    refused = add(tmp_path, settings, three.gateways[1].url)
    assert refused.code == 77
    assert (tmp_path / ".env").read_text() == env
    assert not (tmp_path / "gateways.toml").exists()


def test_a_list_of_gateways_is_changed_by_add_alone(three: Neighbours, tmp_path: Path) -> None:
    settings = set_up_first(tmp_path, three)
    assert add(tmp_path, settings, three.gateways[1].url).code == 0
    done = program(tmp_path, "init", "--yes", "--gateway", three.gateways[2].url, settings=settings)
    assert done.code == 2
    assert "--add" in done.err
    assert program(tmp_path, "init", "--yes", "--influxdb-url", "none", settings=settings).code == 0
    assert program(tmp_path, "check", settings=settings).code == 0

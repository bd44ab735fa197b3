"""The file of several gateways: each table becomes settings of its own, and every problem is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from logger.daemon.config import access_of, gateways_of, site_of
from logger.errors import Problem
from logger.settings.gateways_file import SETTING, read_gateways
from logger.settings.load import Settings, inspect_settings, load_settings, reread_settings
from logger.settings.value_sources import Inputs
from tests.clocks import HandClock

GOOD = """
[[gateway]]
address = "192.168.1.50"
serial = "122233344455"

[[gateway]]
address = "192.168.1.51"
serial = "122233344466"
username = "barn@example.org"
password_file = "barn-password"
tls = "pin-strict"
site = "barn"
timezone = "Europe/Lisbon"
site_max_w = 9000
layout_file = "barn.csv"
panel_alert_percent = 70
"""
ACCOUNT = {"ENPHASE_USERNAME": "me@example.org", "ENPHASE_PASSWORD": "of-the-house"}


def write(folder: Path, text: str) -> Path:
    path = folder / "gateways.toml"
    path.write_text(text)
    return path


def inspect(folder: Path, text: str, **further: str) -> tuple[Settings, dict[tuple[str, str], Problem]]:
    """Settings and problems, by key and line."""
    path = write(folder, text)
    environ = {"ENPHASE_GATEWAYS_FILE": str(path), "LOGGER_STATE_DIR": str(folder), **further}
    settings, problems = inspect_settings(None, environ=environ, require=["ENPHASE_GATEWAY"])
    return settings, {(p.setting, p.origin.rpartition("line ")[2]): p for p in problems}


def test_what_a_table_does_not_give_comes_from_the_settings(tmp_path: Path) -> None:
    (tmp_path / "barn-password").write_text("of-the-barn\n")
    settings, problems = inspect(tmp_path, GOOD, **ACCOUNT, LOGGER_TIMEZONE="Europe/Madrid")
    assert not problems
    house, barn = (access_of(each) for each in settings.gateways)
    assert (house.address, house.expected_serial) == ("192.168.1.50", "122233344455")
    assert (house.username, house.password, house.tls) == ("me@example.org", "of-the-house", "pin")
    assert (barn.username, barn.password, barn.tls) == ("barn@example.org", "of-the-barn", "pin-strict")
    at_house, at_barn = (site_of(each) for each in settings.gateways)
    assert (at_house.name, at_house.zone, at_house.max_w, at_house.layout_file) == ("", "Europe/Madrid", None, "")
    assert (at_barn.name, at_barn.zone, at_barn.max_w) == ("barn", "Europe/Lisbon", 9000.0)
    assert (at_barn.layout_file, at_barn.panel_alert_percent) == (str(tmp_path / "barn.csv"), 70.0)
    assert settings.all_secrets == {"of-the-house", "of-the-barn"}


def test_one_serial_of_the_settings_is_not_taken_for_every_gateway_of_the_file(tmp_path: Path) -> None:
    text = '[[gateway]]\naddress = "10.0.0.1"\n[[gateway]]\naddress = "10.0.0.2"\n'
    settings, problems = inspect(tmp_path, text, ENPHASE_SERIAL="122233344455", ENPHASE_GATEWAY="10.0.0.9")
    assert not problems
    assert [access_of(each).expected_serial for each in settings.gateways] == ["", ""]
    assert {text.split(" and ", 1)[0] for text in settings.warnings} == {"ENPHASE_GATEWAY", "ENPHASE_SERIAL"}


def test_every_problem_is_named_at_once_with_its_line_and_no_value(tmp_path: Path) -> None:
    text = """
name = "mine"
[[gateway]]
address = "192.168.1.50"
serial = "12"
colour = "red"
password = "hunter2-secret"
[[gateway]]
serial = 122233344455
tls = "maybe"
timezone = "Mars/Base"
[[gateway]]
address = "192.168.1.50/path"
site_max_w = "much"
[[gateway]]
address = "10.0.0.7"
token_file = "missing-token"
[[gateway]]
address = "10.0.0.7"
username = "me@example.org"
"""
    _, problems = inspect(tmp_path, text)
    assert set(problems) == {
        ("name", "2"), ("serial", "5"), ("colour", "6"), ("password", "7"), ("serial", "9"), ("address", "8"),
        ("tls", "10"), ("timezone", "11"), ("address", "13"), ("site_max_w", "14"), ("token_file", "17"),
        ("address", "19"), ("ENPHASE_PASSWORD", "19"),
    }  # fmt: skip
    assert all(problem.fix for problem in problems.values())
    assert "secret" in problems["password", "7"].message
    assert "line 16" in problems["address", "19"].message
    assert not any("hunter2" in str(problem) for problem in problems.values())


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("", "gateways.toml", "lists no gateway"),
        ('[gateway]\naddress = "10.0.0.1"\n', "gateways.toml", "lists no gateway"),
        ('[[gateway]]\naddress = "10.0.0.1\n', "line 2", "is not TOML"),
        ("[[gateway]]\naddress = hunter2\n", "line 2", "is not TOML"),
        (f"x = {'[' * 100_000}", "gateways.toml", "is not TOML"),
    ],
)
def test_a_file_without_a_gateway_is_a_problem(tmp_path: Path, text: str, where: str, words: str) -> None:
    _, problems = inspect(tmp_path, text)
    (problem,) = problems.values()
    assert where in problem.origin
    assert words in problem.message
    assert "hunter2" not in str(problem)


def test_a_missing_file_is_a_problem_and_nothing_else_is_asked_for(tmp_path: Path) -> None:
    environ = {"ENPHASE_GATEWAYS_FILE": str(tmp_path / "none.toml")}
    _, problems = inspect_settings(None, environ=environ, require=["ENPHASE_GATEWAY"])
    assert [problem.setting for problem in problems] == ["ENPHASE_GATEWAYS_FILE"]


def test_a_bare_name_of_a_secret_is_found_where_systemd_passes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = tmp_path / "passed"
    passed.mkdir()
    (passed / "envoy_logger_barn-password").write_text("by-systemd\n")
    path = write(tmp_path, GOOD)
    (tmp_path / ".env").write_text(f"ENPHASE_GATEWAYS_FILE={path}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(passed))
    settings = load_settings(tmp_path / ".env")
    barn = settings.gateways[1]
    assert access_of(barn).password == "by-systemd"
    assert barn.is_fixed("ENPHASE_PASSWORD")


def test_credentials_of_one_gateway_are_read_again_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "barn-password").write_text("first\n")
    path = write(tmp_path, GOOD)
    (tmp_path / ".env").write_text(f"ENPHASE_GATEWAYS_FILE={path}\n")
    clock = HandClock(1_782_043_200)
    settings = load_settings(tmp_path / ".env", environ={})
    _, barn = gateways_of(settings, clock)
    (tmp_path / "barn-password").write_text("second\n")
    clock.now += 60
    assert barn.reread().password == "second"
    path.write_text("[[gateway")
    clock.now += 60
    assert barn.reread().password == "second"
    assert reread_settings(settings) is settings


def test_many_gateways_are_spread_over_the_minute_and_those_of_one_site_stay_together(tmp_path: Path) -> None:
    def list_sites(count: int) -> list[int]:
        tables = [
            f'[[gateway]]\naddress = "10.0.0.{n}"\nserial = "1222333444{n:02}"\nsite = "{"farm" if n < 3 else n}"\n'
            for n in range(count)
        ]
        settings, problems = inspect(tmp_path, "".join(tables))
        assert not problems
        return [config.site.offset_s for config in gateways_of(settings, HandClock(0))]

    assert list_sites(4) == [0, 0, 0, 0]
    offsets = list_sites(40)
    assert len(set(offsets[:3])) == 1
    assert all(0 <= offset < 60 for offset in offsets)
    assert len(set(offsets[3:])) > 20
    assert list_sites(41)[:40] == offsets


def test_each_gateway_is_in_one_shard_and_few_move_when_there_is_one_more(tmp_path: Path) -> None:
    text = "".join(f'[[gateway]]\naddress = "10.0.{n // 100}.{n % 100}"\n' for n in range(300))

    def share(shard: str) -> list[str]:
        settings, problems = inspect(tmp_path, text, LOGGER_SHARD=shard)
        assert not problems
        return [each.enphase.gateway for each in settings.gateways]

    two, three = ([share(f"{n + 1}/{count}") for n in range(count)] for count in (2, 3))
    for shards in (two, three):
        assert sorted(sum(shards, [])) == sorted(f"10.0.{n // 100}.{n % 100}" for n in range(300))
        assert min(map(len, shards)) > 300 / len(shards) * 0.7
    stayed = sum(len(set(before) & set(after)) for before, after in zip(two, three, strict=False))
    assert stayed == 300 - len(three[2]), "a gateway moves to the new shard or not at all"


def test_a_pod_takes_its_number_from_its_name_and_one_site_is_never_split(tmp_path: Path) -> None:
    text = "".join(f'[[gateway]]\naddress = "10.0.0.{n}"\nsite = "farm"\n' for n in range(6))
    names = {"LOGGER_SHARD": "pod/3"}
    shares = [inspect(tmp_path, text, **names, HOSTNAME=f"envoy-logger-{n}")[0].gateways for n in range(3)]
    assert sorted(map(len, shares)) == [0, 0, 6]
    for wrong in ({**names, "HOSTNAME": "laptop"}, {"LOGGER_SHARD": "4/3"}, {"LOGGER_SHARD": "0/3"}):
        _, problems = inspect(tmp_path, text, **wrong)
        assert [setting for setting, _ in problems] == ["LOGGER_SHARD"], wrong


def test_no_secret_is_in_what_the_inputs_and_a_table_show_of_themselves(tmp_path: Path) -> None:
    (tmp_path / "gateways.toml").write_text('[[gateway]]\naddress = "a"\npassword_file = "secret"\n')
    (tmp_path / "secret").write_text("of a file")
    inputs = Inputs({"ENPHASE_PASSWORD": "of the environment"}, dotenv={"ENPHASE_TOKEN": "of the settings file"})
    inputs.origins[SETTING] = "environment"
    (entry,) = read_gateways(tmp_path / "gateways.toml", inputs)
    assert entry.secrets == {"ENPHASE_PASSWORD": "of a file"}
    shown = f"{inputs!r} {entry!r}"
    assert not [text for text in ("of a file", "of the environment", "of the settings file") if text in shown]

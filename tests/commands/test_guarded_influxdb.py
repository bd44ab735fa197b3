"""An InfluxDB 3 with authorisation, which answers 401 to everything without its token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.program import Done, program
from tests.databases.influx3 import Influx3
from tests.fake_influx3 import FakeInflux3, influx3
from tests.standin import BackgroundSimulator


@pytest.fixture(params=["fake", "real"])
def core(request: pytest.FixtureRequest) -> Iterator[Influx3 | FakeInflux3]:
    if request.param == "real":
        yield request.getfixturevalue("influx3_auth")
        return
    with influx3(is_guarded=True) as server:
        yield server


def init(home: Path, core: Influx3 | FakeInflux3, site: BackgroundSimulator, *words: str, stdin: str = "") -> Done:
    place = site.settings["ENPHASE_GATEWAY"].partition("://")[2]
    script = ("init", "--yes", "--gateway", place, "--no-sign-in", "--influxdb-url", core.url, *words)
    return program(home, *script, stdin=stdin)


@pytest.mark.parametrize("option", ["--admin-token-file", "--influxdb-token-file"])
def test_init_recognises_it_with_the_token_that_it_was_given_and_keeps_what_it_found(
    core: Influx3 | FakeInflux3, site: BackgroundSimulator, tmp_path: Path, option: str
) -> None:
    done = init(tmp_path, core, site, option, "-", stdin=core.admin_token)
    assert done.code == 0, done.err
    assert "InfluxDB 3.6.0" in done.out
    assert core.admin_token not in done.out + done.err
    assert "INFLUXDB_API=3" in (tmp_path / ".env").read_text().splitlines()
    assert (tmp_path / "credentials/influxdb_token").read_text().strip() == core.admin_token
    checked = program(tmp_path, "doctor")
    assert "speaks 3.x, version 3.6.0" in checked.out
    assert "may be written to" in checked.out


@pytest.mark.parametrize("stdin", ["", "apiv3_wrong-secret"])
def test_without_its_token_nothing_is_written_and_the_option_is_named(
    core: Influx3 | FakeInflux3, site: BackgroundSimulator, tmp_path: Path, stdin: str
) -> None:
    words = ("--admin-token-file", "-") if stdin else ()
    done = init(tmp_path, core, site, *words, stdin=stdin)
    assert done.code == 77, done.err
    assert "answers only requests with valid credentials (HTTP 401)" in done.err
    assert "--admin-token-file" in done.err
    assert not (tmp_path / ".env").exists()


def test_credentials_of_another_server_are_not_tried(
    core: Influx3 | FakeInflux3, site: BackgroundSimulator, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"INFLUXDB_URL=http://127.0.0.1:1\nINFLUXDB_TOKEN={core.admin_token}\n")
    assert init(tmp_path, core, site).code == 77


def test_setup_recognises_it_and_says_what_belongs_into_the_settings(
    core: Influx3 | FakeInflux3, tmp_path: Path
) -> None:
    settings = {"INFLUXDB_URL": core.url, "INFLUXDB_ADMIN_TOKEN": core.admin_token}
    done = program(tmp_path, "setup", settings=settings)
    assert done.code == 0, done.err
    assert "INFLUXDB_API=3" in done.out.splitlines()
    assert {"envoy", "envoy_devices", "envoy_daily"} <= core.list_databases()
    again = program(tmp_path, "setup", settings=settings | {"INFLUXDB_API": "3"})
    assert again.code == 0, again.err
    assert "INFLUXDB_API" not in again.out
    refused = program(tmp_path, "setup", settings={"INFLUXDB_URL": core.url, "INFLUXDB_ADMIN_TOKEN": "apiv3_other"})
    assert refused.code == 77
    assert "answers only requests with valid credentials" in refused.err


@pytest.mark.parametrize("option", ["--write-token-file", "--read-token-file", "--backfill-token-file"])
def test_setup_refuses_the_file_of_a_token_that_it_cannot_make_and_changes_nothing(
    core: Influx3 | FakeInflux3, tmp_path: Path, option: str
) -> None:
    settings = {"INFLUXDB_URL": core.url, "INFLUXDB_ADMIN_TOKEN": core.admin_token}
    before = core.list_databases()
    for words in ((), ("--dry-run",)):
        done = program(tmp_path, "setup", option, "token", *words, settings=settings)
        assert done.code == 2, done.err
        assert f"{option}: setup makes no token on InfluxDB 3" in done.err
        assert done.said[-1].startswith("Try: run setup without this option")
    assert core.list_databases() == before
    assert not (tmp_path / "token").exists()


def test_init_says_that_it_makes_no_token_for_grafana(
    core: Influx3 | FakeInflux3, site: BackgroundSimulator, tmp_path: Path
) -> None:
    words = ("--admin-token-file", "-", "--read-token-file", str(tmp_path / "grafana"))
    done = init(tmp_path, core, site, *words, stdin=core.admin_token)
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert "grafana was not written, because no token was made for Grafana; `influxdb3 create token" in told
    assert not (tmp_path / "grafana").exists()


def test_a_token_that_is_no_longer_good_is_said_with_a_cure_that_works_there(
    core: Influx3 | FakeInflux3, tmp_path: Path
) -> None:
    settings = {"INFLUXDB_URL": core.url, "INFLUXDB_TOKEN": "apiv3_other", "INFLUXDB_API": "3"}
    done = program(tmp_path, "doctor", settings=settings)
    told = " ".join(done.out.split())
    assert "bucket envoy" in told
    assert "influxdb3 create token --admin --name envoy-logger" in told
    assert "envoy-logger setup" not in told

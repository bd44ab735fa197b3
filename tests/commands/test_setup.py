"""`setup` on InfluxDB 2, real and fake: what it makes, hands over, and leaves alone the second time."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from logger.commands.setup import await_server
from logger.errors import UnreachableError
from logger.influx.dialects import Target
from logger.provision.detect import Server
from logger.provision.plan import RecorderName
from logger.settings.environment import read_hostname
from tests.commands.program import program
from tests.databases.fake2 import Fake2
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.standin import BackgroundSimulator
from tests.virtual import VirtualClock, run_virtually


def wanted(server: Influx2 | Fake2) -> dict[str, str]:
    """The settings of a setup with buckets of its own, in an organisation of its own."""
    run = uuid.uuid4().hex[:8]
    return {
        "INFLUXDB_URL": server.url, "INFLUXDB_ORG": server.new_org(), "INFLUXDB_ADMIN_TOKEN": server.admin_token,
        "INFLUXDB_BUCKET": f"envoy_{run}", "INFLUXDB_BUCKET_DEVICES": f"devices_{run}",
        "INFLUXDB_BUCKET_DAILY": f"daily_{run}",
    }  # fmt: skip


def buckets(server: Influx2 | Fake2, settings: dict[str, str]) -> set[str]:
    found = server.ask("GET", "/api/v2/buckets", params={"org": settings["INFLUXDB_ORG"], "limit": "100"}).json()
    return {bucket["name"] for bucket in found["buckets"] if not bucket["name"].startswith("_")}


def test_setup_makes_buckets_and_tokens_that_work_and_the_second_time_nothing(
    influx2: Influx2 | Fake2, site: BackgroundSimulator, tmp_path: Path
) -> None:
    settings = wanted(influx2)
    names = {value for name, value in settings.items() if name.startswith("INFLUXDB_BUCKET")}
    writes, reads = tmp_path / "write-token", tmp_path / "read-token"
    words = ["setup", "--write-token-file", str(writes), "--read-token-file", str(reads), "--read-token-mode", "0640"]

    planned = program(tmp_path, *words, "--dry-run", settings=settings)
    assert planned.code == 0, planned.err
    assert all(f"would be made bucket {name!r}: keeps everything" in planned.out for name in names)
    assert buckets(influx2, settings) & names == set()
    assert not writes.exists()

    made = program(tmp_path, *words, settings=settings)
    assert made.code == 0, made.err
    assert all(f"made     bucket {name!r}: keeps everything" in made.out for name in names)
    assert f"wrote    {writes}\nINFLUXDB_TOKEN_FILE={writes}\n" in made.out
    assert buckets(influx2, settings) >= names
    assert writes.stat().st_mode & 0o777 == 0o600
    assert reads.stat().st_mode & 0o777 == 0o640
    tokens = writes.read_text().strip(), reads.read_text().strip()
    assert all(token and token not in made.out + made.err for token in (*tokens, influx2.admin_token))

    again = program(tmp_path, *words, settings=settings)
    assert again.code == 0, again.err
    assert all(f"exists   bucket {name!r}" in again.out for name in names)
    assert f"exists   {writes}\n" in again.out
    assert not [word for word in ("made ", "wrote ", "changed ", "replaced ") if word in again.out]
    assert (writes.read_text().strip(), reads.read_text().strip()) == tokens

    recorder = {name: value for name, value in settings.items() if "ADMIN" not in name}
    done = program(tmp_path, "once", settings=recorder | site.settings | {"INFLUXDB_TOKEN_FILE": str(writes)})
    assert (done.code, done.said[-1]) == (0, "stored and delivered"), done.err
    found = influx2.rows_as(tokens[1], settings["INFLUXDB_ORG"], settings["INFLUXDB_BUCKET"], "envoy_totals")
    assert len(found) == 1
    elsewhere = {"LOGGER_STATE_DIR": str(tmp_path / "elsewhere"), "INFLUXDB_TOKEN_FILE": str(reads)}
    only_reads = program(tmp_path, "once", settings=recorder | site.settings | elsewhere)
    assert only_reads.code == 75
    assert "still wait" in only_reads.err


def test_without_files_the_tokens_are_shown_once(fake_influx2: Fake2, tmp_path: Path) -> None:
    settings = wanted(fake_influx2)
    first = program(tmp_path, "setup", settings=settings)
    assert first.code == 0, first.err
    assert sum(line.startswith("INFLUXDB_TOKEN=") for line in first.out.splitlines()) == 1
    assert "Grafana: token " in first.out


def test_a_server_that_asks_for_no_credentials_gives_none_for_a_file(influx1: Influx1, tmp_path: Path) -> None:
    settings = {"INFLUXDB_URL": influx1.url, "INFLUXDB_BUCKET": f"envoy_{uuid.uuid4().hex[:8]}"}
    done = program(tmp_path, "setup", "--write-token-file", "writes", settings=settings)
    assert done.code == 0, done.err
    assert done.said[-1] == "writes was not written, because this server asks for no credentials"
    assert not (tmp_path / "writes").exists()


def test_a_recorders_token_that_is_no_longer_good_is_replaced_and_grafanas_is_left_alone(
    influx2: Influx2 | Fake2, tmp_path: Path
) -> None:
    settings = wanted(influx2)
    writes, reads = tmp_path / "writes", tmp_path / "reads"
    made = program(tmp_path, "setup", "--write-token-file", "writes", "--read-token-file", "reads", settings=settings)
    assert made.code == 0, made.err
    writes.write_text("no-longer-good\n")
    again = program(
        tmp_path, "setup", "--write-token-file", "writes", settings=settings | {"INFLUXDB_TOKEN_FILE": str(writes)}
    )
    assert again.code == 0, again.err
    assert re.findall(r"^replaced token .*\((\w+)\)", again.out, re.M) == ["write"]
    assert "Grafana" not in again.out
    read = reads.read_text().strip()
    assert influx2.rows_as(read, settings["INFLUXDB_ORG"], settings["INFLUXDB_BUCKET"], "envoy_totals") == []
    assert "no-longer-good" not in writes.read_text()
    assert (
        program(tmp_path, "setup", settings=settings | {"INFLUXDB_TOKEN_FILE": str(writes)}).out.count("exists") == 6
    )


def test_wrong_admin_token_organisation_and_address_are_said(fake_influx2: Fake2, tmp_path: Path) -> None:
    settings = wanted(fake_influx2)
    for change, code, what in (
        ({"INFLUXDB_ADMIN_TOKEN": "no-such-token-at-all"}, 77, "HTTP 401"),
        ({"INFLUXDB_ADMIN_TOKEN": ""}, 78, "1 setting is wrong:"),
        ({"INFLUXDB_URL": "http://no-such-host.invalid:8086"}, 69, "does not resolve"),
        ({"INFLUXDB_URL": "http://127.0.0.1:1"}, 69, "refuses the connection"),
    ):
        done = program(tmp_path, "setup", settings=settings | change)
        assert done.code == code, done.err
        assert what in done.said[-2] or what in done.said[-3]
        assert done.said[-1].startswith("Try: ")
        assert "no-such-token-at-all" not in done.err
    missing = program(tmp_path, "setup")
    assert missing.code == 78
    assert missing.err.startswith("1 setting is wrong:\nINFLUXDB_URL (not set)")
    without = {name: value for name, value in settings.items() if name in ("INFLUXDB_URL",)}
    both = program(tmp_path, "setup", settings=without)
    assert both.code == 78
    assert "INFLUXDB_ORG" in both.err
    assert "INFLUXDB_ADMIN_TOKEN" in both.err


@pytest.mark.parametrize("source", [pytest.param("file", marks=pytest.mark.long), "stdin"])
def test_on_influxdb_1_users_and_passwords_come_and_go_by_file_or_stdin(
    influx1_auth: Influx1, site: BackgroundSimulator, tmp_path: Path, source: str
) -> None:
    settings = {"INFLUXDB_URL": influx1_auth.url, "INFLUXDB_BUCKET_DEVICES": "envoy/devices"}
    (tmp_path / "admin").write_text("admin-password\n")
    words = ["setup", "--admin-user", "admin", "--admin-password-file", "-" if source == "stdin" else "admin",
             "--retention", "2y", "--write-token-file", "write", "--read-token-file", "read"]  # fmt: skip
    made = program(tmp_path, *words, settings=settings, stdin="admin-password\n")
    assert made.code == 0, made.err
    assert "made     database 'envoy': keeps 2 years\n" in made.out
    assert "made     retention policy 'envoy/devices': keeps everything\n" in made.out
    own = RecorderName(read_hostname({}), str(tmp_path / "state"))
    assert f"made     user 'envoy_logger_{own.suffix}': may only write to envoy, envoy_daily\n" in made.out
    given = dict(line.split("=", 1) for line in made.out.splitlines() if line.startswith("INFLUXDB_"))
    assert given == {
        "INFLUXDB_USERNAME": f"envoy_logger_{own.suffix}", "INFLUXDB_PASSWORD_FILE": str(tmp_path / "write"),
    }  # fmt: skip
    done = program(tmp_path, "once", settings=settings | given | site.settings)
    assert (done.code, done.said[-1]) == (0, "stored and delivered"), done.err
    assert len(influx1_auth.rows("envoy", "envoy_totals")) == 1
    again = program(tmp_path, *words, settings=settings, stdin="admin-password\n")
    assert again.code == 0, again.err
    assert "made " not in again.out
    assert "replaced" not in again.out


def test_on_influxdb_1_backfill_reads_as_the_user_that_setup_names(
    influx1_auth: Influx1, site: BackgroundSimulator, tmp_path: Path
) -> None:
    settings = {"INFLUXDB_URL": influx1_auth.url}
    (tmp_path / "admin").write_text("admin-password\n")
    made = program(
        tmp_path, "setup", "--admin-user", "admin", "--admin-password-file", "admin", "--write-token-file", "write",
        "--backfill-token-file", "backfill", settings=settings,
    )  # fmt: skip
    assert made.code == 0, made.err
    name = f"envoy_backfill_{RecorderName(read_hostname({}), str(tmp_path / 'state')).suffix}"
    (line,) = [line for line in made.out.splitlines() if line.startswith("backfill: ")]
    given = dict(word.split("=", 1) for word in line.split() if word.startswith("INFLUXDB_"))
    assert given == {"INFLUXDB_USERNAME": name, "INFLUXDB_PASSWORD_FILE": str(tmp_path / "backfill")}
    read = program(tmp_path, "query", "days", "--influxdb", settings=settings | given | site.settings)
    assert read.code == 0, read.err


def test_one_bucket_for_several_roles_has_one_retention(fake_influx2: Fake2, tmp_path: Path) -> None:
    settings = wanted(fake_influx2) | {"INFLUXDB_BUCKET": "all", "INFLUXDB_BUCKET_DEVICES": "all"}
    differ = program(tmp_path, "setup", "--retention", "2y", "--retention-devices", "90d", settings=settings)
    assert differ.code == 2
    assert "'all' has several roles" in differ.err
    wrong = program(tmp_path, "setup", "--retention", "5 minutes", settings=settings)
    assert wrong.code == 2
    one = program(tmp_path, "setup", "--retention-devices", "90d", settings=settings)
    assert "made     bucket 'all': keeps 90 days\n" in one.out


def test_a_token_file_that_cannot_be_written_is_said(fake_influx2: Fake2, tmp_path: Path) -> None:
    done = program(tmp_path, "setup", "--write-token-file", "/proc/nowhere/token", settings=wanted(fake_influx2))
    assert done.code == 78
    assert done.said[-2].startswith("/proc/nowhere/token cannot be written: ")
    assert done.said[-1].startswith("Try: ")


def test_a_token_file_without_a_place_is_said_before_an_old_token_ends(fake_influx2: Fake2, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    words = ["setup", "--write-token-file"]
    assert program(tmp_path, *words, "kept/token", settings=wanted(fake_influx2)).code == 0
    before = {item.token for item in fake_influx2.fake._authorizations.values()}
    done = program(tmp_path, *words, "gone/token", settings=wanted(fake_influx2))
    assert done.code == 78
    assert "nothing was changed" in done.err
    assert {item.token for item in fake_influx2.fake._authorizations.values()} == before


def test_a_secret_that_lies_in_a_file_already_is_not_printed(fake_influx2: Fake2, tmp_path: Path) -> None:
    settings = wanted(fake_influx2)
    writes, reads = tmp_path / "writes", tmp_path / "reads"
    made = program(tmp_path, "setup", "--write-token-file", str(writes), settings=settings)
    assert made.code == 0, made.err
    own = settings | {"INFLUXDB_TOKEN_FILE": str(writes)}
    again = program(tmp_path, "setup", "--read-token-file", str(reads), settings=own)
    assert again.code == 0, again.err
    assert writes.read_text().strip() not in again.out + again.err
    assert "kept     the recorder's token of the settings (environment, INFLUXDB_TOKEN_FILE)" in again.out
    assert reads.exists()


@pytest.mark.parametrize(("wait_s", "found"), [(0.0, False), (2.0, False), (3.0, True)])
def test_a_server_that_starts_is_waited_for_as_long_as_asked(
    monkeypatch: pytest.MonkeyPatch, wait_s: float, found: bool
) -> None:
    clock = VirtualClock(1_700_000_000.0)
    target = Target("http://influxdb:8086", "auto", "", "", "", "", {})

    async def detect(*_: object) -> Server:
        if clock.monotonic() < 3.0:
            raise UnreachableError("influxdb:8086 refuses the connection", "")
        return Server("2")

    async def wait() -> Server | float:
        try:
            return await await_server(target, [], clock, wait_s)
        except UnreachableError:
            return clock.monotonic()

    monkeypatch.setattr("logger.commands.setup.detect_server", detect)
    assert run_virtually(wait()) == (Server("2") if found else wait_s)

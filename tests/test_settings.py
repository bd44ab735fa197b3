"""Settings: every problem at once, every source, no value ever shown."""

from __future__ import annotations

import io
from pathlib import Path

import dotenv
import pytest
import trustme

from logger.errors import Problem, SettingsError
from logger.settings.definitions import DESCRIPTIONS
from logger.settings.load import inspect_settings, load_settings
from logger.settings.texts import render_env_example
from tests.settings_documents import EXAMPLE, README, with_table

GOOD = {"ENPHASE_GATEWAY": "192.168.1.50"}
ODD_BUCKETS = (
    " envoy",
    "envoy ",
    "a//b",
    "/a",
    "a/",
    "a/b/c",
    "_internal",
    'a"b',
    "a\\b",
    "a\nb",
    "a\tb",
    "a\x7f",
    " ",
)


def problems(environ: dict[str, str], **kwargs: object) -> dict[str, Problem]:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, environ=environ, require=["ENPHASE_GATEWAY"])
    return {problem.setting: problem for problem in caught.value.problems}


def test_all_problems_are_reported_at_once_each_with_its_origin_and_fix() -> None:
    found = problems(
        {
            "ENPHASE_SERIAL": "12",
            "LOGGER_TOTALS_INTERVAL_S": "5",
            "LOGGER_TLS": "maybe",
            "INFLUXDB_URL": "influx:8086",
            "LOGGER_TIMEZONE": "Mars/Base",
            "ENPHASE_USERNAME": "me@example.org",
        }
    )
    assert set(found) == {
        "ENPHASE_GATEWAY",
        "ENPHASE_PASSWORD",
        "ENPHASE_SERIAL",
        "LOGGER_TOTALS_INTERVAL_S",
        "LOGGER_TLS",
        "INFLUXDB_URL",
        "LOGGER_TIMEZONE",
    }
    for problem in found.values():
        assert problem.fix
        assert problem.origin in ("environment", "not set")


def test_the_error_is_exit_78_and_takes_two_lines_a_problem() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, environ={}, require=["ENPHASE_GATEWAY"])
    assert caught.value.exit_code == 78
    assert "ENPHASE_GATEWAY (not set)" in str(caught.value)
    assert "\nTry: " in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["envoy.local", "192.168.1.50", "10.0.0.1:8443", "https://envoy.local", "http://10.1.2.3:80/", "[fe80::1]:443"],
)
def test_a_gateway_is_a_host_a_host_and_port_or_a_url(address: str) -> None:
    assert load_settings(None, environ={"ENPHASE_GATEWAY": address}).enphase.gateway == address.rstrip("/")


@pytest.mark.parametrize(
    "address", ["ftp://envoy", "https://envoy/home", "https://me:pw@envoy", "envoy:99999", "a b"]
)
def test_another_form_of_address_is_refused_without_being_shown(address: str) -> None:
    problem = problems({"ENPHASE_GATEWAY": address})["ENPHASE_GATEWAY"]
    assert address not in str(problem)


SECRET = "s3cr3t.sentinel.value"


@pytest.mark.parametrize("name", [item.variable for item in DESCRIPTIONS if item.secret])
def test_every_secret_can_come_from_a_file_and_is_never_shown(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    extra = {"ENPHASE_USERNAME": "a"} if name == "ENPHASE_PASSWORD" else {}
    extra |= {"INFLUXDB_USERNAME": "a"} if name == "INFLUXDB_PASSWORD" else {}
    extra |= {"MQTT_USERNAME": "a"} if name == "MQTT_PASSWORD" else {}
    loaded = load_settings(None, environ={**GOOD, **extra, f"{name}_FILE": str(file)})
    assert list(loaded.secrets.values()) == [SECRET]
    assert SECRET not in repr(loaded)
    assert loaded.origins[name] == f"environment, {name}_FILE"
    assert not loaded.warnings


def test_a_secret_comes_from_the_credentials_folder_with_and_without_prefix(tmp_path: Path) -> None:
    for file, text in (("envoy_logger_influxdb_token", "tok-1"), ("enphase_token", "tok.t.2")):
        (tmp_path / file).write_text(text)
    loaded = load_settings(tmp_path / ".env", environ={**GOOD, "CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert loaded.influxdb.token.get_secret_value() == "tok-1"
    assert loaded.enphase.token.get_secret_value() == "tok.t.2"


def test_the_environment_wins_over_the_file_and_the_file_over_the_secrets_folder(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("LOGGER_SITE=from-file\nINFLUXDB_TOKEN=in-env-file\n")
    env.chmod(0o600)
    (tmp_path / "influxdb_token").write_text("in-folder")
    loaded = load_settings(
        env, environ={**GOOD, "LOGGER_SITE": "from-environment", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    )
    assert loaded.recorder.site == "from-environment"
    assert loaded.influxdb.token.get_secret_value() == "in-env-file"
    assert loaded.origins["INFLUXDB_TOKEN"] == str(env)


def test_an_empty_secret_file_and_a_missing_one_are_problems_that_name_the_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    found = problems({**GOOD, "INFLUXDB_TOKEN_FILE": str(empty), "ENPHASE_TOKEN_FILE": str(tmp_path / "none")})
    assert "is empty" in found["INFLUXDB_TOKEN"].message
    assert str(tmp_path / "none") in found["ENPHASE_TOKEN"].message


def test_an_unreadable_password_file_is_one_problem_and_no_false_second_one(tmp_path: Path) -> None:
    user = {**GOOD, "ENPHASE_USERNAME": "me@example.org", "ENPHASE_PASSWORD_FILE": str(tmp_path / "none")}
    assert [*problems(user)] == ["ENPHASE_PASSWORD"]
    assert "cannot be read" in problems(user)["ENPHASE_PASSWORD"].message


def test_a_service_that_was_handed_no_credentials_is_told_which_line_hands_them_over(tmp_path: Path) -> None:
    user = {**GOOD, "ENPHASE_USERNAME": "me@example.org"}
    assert "LoadCredential" not in problems(user)["ENPHASE_PASSWORD"].fix
    service = problems(user | {"NOTIFY_SOCKET": "/run/systemd/notify"})["ENPHASE_PASSWORD"]
    assert "LoadCredential=envoy_logger:/etc/envoy-logger/credentials" in service.fix
    handed = user | {"NOTIFY_SOCKET": "/run/systemd/notify", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert "mount --make-rshared" in problems(handed)["ENPHASE_PASSWORD"].fix  # some containers hand an empty folder
    (tmp_path / "envoy_logger_influxdb_token").write_text("secret")
    assert "LoadCredential" not in problems(handed)["ENPHASE_PASSWORD"].fix


def test_exactly_one_trailing_newline_of_a_secret_is_stripped(tmp_path: Path) -> None:
    file = tmp_path / "s"
    file.write_bytes(b" pass word#$'\"\\\n\n")
    file.chmod(0o600)
    loaded = load_settings(None, environ={**GOOD, "ENPHASE_USERNAME": "u", "ENPHASE_PASSWORD_FILE": str(file)})
    assert loaded.enphase.password.get_secret_value() == " pass word#$'\"\\\n"


def test_a_secret_that_others_may_read_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "s"
    file.write_text("abcdef")
    file.chmod(0o644)
    loaded = load_settings(None, environ={**GOOD, "INFLUXDB_TOKEN_FILE": str(file)})
    assert any("chmod 600" in warning for warning in loaded.warnings)


def test_dollars_in_the_env_file_are_not_interpolated_and_fragile_secrets_are_warned_of(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("ENPHASE_USERNAME=u\nENPHASE_PASSWORD='pa$HOME x'\n")
    env.chmod(0o600)
    loaded = load_settings(env, environ=GOOD)
    assert loaded.enphase.password.get_secret_value() == "pa$HOME x"
    assert any("ENPHASE_PASSWORD_FILE" in warning for warning in loaded.warnings)


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("ENPHASE_USER", "ENPHASE_USERNAME"),
        ("INFLUX_TOKEN", "INFLUXDB_TOKEN"),
        ("INFLUXDB_V2_ORG", "INFLUXDB_ORG"),
        ("ENVOY_HOST", "ENPHASE_GATEWAY"),
        ("LOGGER_TIME_ZONE", "LOGGER_TIMEZONE"),
        ("INFLUXDB_BUCKETS", "INFLUXDB_BUCKET"),
        ("MQTT_USER", "MQTT_USERNAME"),
    ],
)
def test_a_near_miss_is_a_warning_that_names_the_setting(name: str, guess: str) -> None:
    loaded = load_settings(None, environ={**GOOD, name: "x"})
    assert [w for w in loaded.warnings if name in w and f"did you mean {guess}?" in w]


@pytest.mark.parametrize("name", ["INFLUX_URL", "INFLUX_HOST", "INFLUXDB_HOST", "INFLUXDB_V2_URL"])
def test_a_near_miss_of_the_url_stops_while_the_url_is_not_set(name: str) -> None:
    assert "INFLUXDB_URL" in problems({**GOOD, name: "http://x:8086"})[name].fix
    load_settings(None, environ={**GOOD, name: "http://x:8086", "INFLUXDB_URL": "http://localhost:8086"})


def test_what_kubernetes_and_the_database_image_set_is_ignored_in_silence() -> None:
    foreign: dict[str, str] = {}
    for service in ("INFLUXDB", "ENVOY", "LOGGER", "ENPHASE"):
        foreign |= {
            f"{service}_SERVICE_HOST": "10.0.0.1",
            f"{service}_SERVICE_PORT": "8086",
            f"{service}_PORT": "tcp://10.0.0.1:1",
            f"{service}_PORT_8086_TCP": "tcp://10.0.0.1:1",
            f"{service}_PORT_8086_TCP_PROTO": "tcp",
            f"{service}_PORT_8086_TCP_PORT": "1",
            f"{service}_PORT_8086_TCP_ADDR": "10.0.0.1",
            f"{service}_SERVICE_PORT_HTTP": "8086",
        }
    foreign |= {
        "INFLUXDB_ADMIN_USER": "a",
        "INFLUXDB_DB": "b",
        "INFLUXDB_HTTP_AUTH_ENABLED": "true",
        "DOCKER_INFLUXDB_INIT_MODE": "setup",
        "MQTT_HOST": "broker",
    }
    plain = load_settings(None, environ=GOOD)
    loaded = load_settings(None, environ={**GOOD, **foreign})
    assert loaded.warnings == ()
    assert (loaded.enphase, loaded.influxdb, loaded.recorder) == (plain.enphase, plain.influxdb, plain.recorder)


def test_the_demo_ignores_env_file_and_secret_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("INFLUXDB_URL=http://real:8086\n")
    monkeypatch.setenv("INFLUXDB_URL", "http://real:8086")
    assert load_settings(None, environ={**GOOD}).influxdb.url == ""


def test_the_example_file_is_generated_and_reads_the_same_everywhere() -> None:
    text = render_env_example()
    assert EXAMPLE.read_text(encoding="utf-8") == text, "run `make docs`"
    values = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=True)
    assert values == {"ENPHASE_GATEWAY": "192.168.1.50"}
    for line in text.splitlines():
        assert line == "" or line.startswith("#") or line == "ENPHASE_GATEWAY=192.168.1.50"
    for item in DESCRIPTIONS:
        assert f"{item.variable}{'_FILE' if item.secret else ''}=" in text


def test_the_readme_lists_every_setting_as_it_is() -> None:
    readme = README.read_text(encoding="utf-8")
    assert with_table(readme) == readme, "run `make docs`"
    assert all(f"| `{item.variable}`" in readme for item in DESCRIPTIONS)


@pytest.mark.parametrize("url", ["http://h:abc", "http://h:99999", "http://x/?q=1", "ftp://x", "http://a b"])
def test_an_address_of_a_database_that_cannot_work_is_refused_at_the_start(url: str) -> None:
    assert "INFLUXDB_URL" in problems({**GOOD, "INFLUXDB_URL": url})


def test_contradictions_are_told_with_the_other_problems() -> None:
    found = problems({**GOOD, "ENPHASE_USERNAME": "a", "LOGGER_KEEP_DAYS": "x"})
    assert set(found) == {"ENPHASE_PASSWORD", "LOGGER_KEEP_DAYS"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENPHASE_TOKEN", "s3cr3t not a token"),
        ("ENPHASE_TOKEN", "only.two"),
        ("ENPHASE_TOKEN", "s3cr3t.pa rt.c"),
        ("INFLUXDB_TOKEN", "s3cr3t with a space"),
        ("INFLUXDB_ADMIN_TOKEN", "s3cr3t-ü"),
        ("INFLUXDB_ORG", " home"),
        *((f"INFLUXDB_BUCKET{role}", odd) for role in ("", "_DEVICES", "_DAILY") for odd in ODD_BUCKETS),
    ],
)
def test_an_odd_token_organisation_or_bucket_is_told_before_anything_is_asked(name: str, value: str) -> None:
    problem = problems({**GOOD, name: value})[name]
    assert "s3cr3t" not in str(problem)
    assert problem.fix


def test_good_tokens_and_buckets_pass() -> None:
    values = {
        "ENPHASE_TOKEN": "eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOiIxMjIifQ.c2ln\n",
        "INFLUXDB_TOKEN": "a+b/c==",
        "INFLUXDB_ORG": "my home",
        "INFLUXDB_BUCKET": "envoy/long term",
        "INFLUXDB_BUCKET_DEVICES": "my-devices.2",
        "INFLUXDB_BUCKET_DAILY": "täglich",
    }
    assert load_settings(None, environ={**GOOD, **values}).influxdb.bucket == "envoy/long term"


@pytest.mark.parametrize("around", ["\N{NO-BREAK SPACE}", "\r\n", "\t"], ids=["no-break space", "line end", "tab"])
def test_white_space_around_a_pasted_gateway_token_is_accepted(around: str) -> None:
    pasted = f"{around}eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOiIxMjIifQ.c2ln{around}"
    settings = load_settings(None, environ={**GOOD, "ENPHASE_TOKEN": pasted})
    assert "eyJhbGciOiJFUzI1NiJ9" in settings.enphase.token.get_secret_value()


def test_a_ca_file_that_holds_no_certificate_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    told = {**GOOD, "LOGGER_TLS": "verify", "LOGGER_TLS_CA_FILE": str(file)}
    assert "LOGGER_TLS_CA_FILE" in problems(told)
    file.write_text("this is no certificate\n")
    assert "PEM" in problems(told)["LOGGER_TLS_CA_FILE"].message
    trustme.CA().cert_pem.write_to_path(str(file))
    assert load_settings(None, environ=told).recorder.tls_ca_file == str(file)


def test_an_env_file_that_is_no_text_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_bytes(b"LOGGER_SITE=\xff\xfe\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(env, environ=GOOD)
    assert "UTF-8" in str(caught.value)


def test_what_is_good_is_there_beside_what_is_wrong() -> None:
    found, wrong = inspect_settings(
        None,
        environ={"LOGGER_TLS": "maybe", "LOGGER_SITE": "cabin", "INFLUXDB_URL": "nonsense", "INFLUXDB_ORG": "home"},
    )
    assert {problem.setting for problem in wrong} == {"LOGGER_TLS", "INFLUXDB_URL"}
    assert (found.recorder.tls, found.recorder.site) == ("pin", "cabin")
    assert (found.influxdb.url, found.influxdb.org) == ("", "home")


@pytest.mark.parametrize("variable", ["LOGGER_STATE_DIR", "LOGGER_LAYOUT_FILE"])
def test_the_home_of_somebody_who_is_not_there_is_told(variable: str) -> None:
    found = problems({**GOOD, variable: "~nobody-of-that-name/x"})
    assert "this user has no such home folder" in found[variable].message


@pytest.mark.parametrize("address", ["fe80::1", "https://fe80::1:443", "::1"])
def test_an_ipv6_address_without_brackets_is_told_as_what_it_is(address: str) -> None:
    assert "IPv6 address without brackets" in problems({"ENPHASE_GATEWAY": address})["ENPHASE_GATEWAY"].message


def test_the_mark_that_windows_puts_before_a_text_is_part_of_no_name_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "word").write_bytes("\ufeffsecret\n".encode())
    (tmp_path / ".env").write_bytes(
        f"\ufeffENPHASE_GATEWAY=192.0.2.1\nENPHASE_USERNAME=a@b.c\nENPHASE_PASSWORD_FILE={tmp_path}/word\n".encode()
    )
    found = load_settings(tmp_path / ".env", environ={})
    assert found.enphase.gateway == "192.0.2.1"
    assert found.enphase.password.get_secret_value() == "secret"

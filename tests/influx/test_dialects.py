"""Which dialect a server speaks, and what a write looks like in each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from logger.answer import Answer
from logger.errors import InfluxError, InfluxRefusedError
from logger.influx.dialects import Target, make_write_call, recognise_dialect
from logger.wire import Basic

BUCKETS = {"totals": "envoy", "devices": "envoy/autogen", "daily": "d"}
TARGET = Target("http://db:8086", "auto", "secret-token", "home", "", "", BUCKETS)  # type: ignore[arg-type]
BY_USER = replace(TARGET, token="", username="u", password="secret-pass")


def answer(status: int, body: str = "", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body.encode(), 0.0)


@pytest.mark.parametrize(
    ("setup", "ping", "dialect"),
    [
        (answer(200, '{"allowed": false}'), answer(204, x_influxdb_version="dev", x_influxdb_build="OSS"), "2"),
        (answer(404), answer(204, x_influxdb_version="v2.9.1"), "2"),
        (answer(404), answer(204, x_influxdb_version="1.6.7~rc0", x_influxdb_build="OSS"), "1"),
        (answer(404), answer(200, x_influxdb_version="3.10.0", x_influxdb_build="Core"), "3"),
        (answer(401), answer(204, x_influxdb_build="Cloud2"), "2"),
        (answer(400), answer(204), "2"),
    ],
)
def test_each_generation_is_told_by_its_answers(setup: Answer, ping: Answer, dialect: str) -> None:
    assert recognise_dialect(TARGET, "db", setup, ping) == dialect


def test_a_nameless_server_with_a_user_is_written_to_like_1() -> None:
    assert recognise_dialect(BY_USER, "db", answer(404), answer(204)) == "1"


def test_something_else_is_never_written_to() -> None:
    with pytest.raises(InfluxError, match="does not answer like an InfluxDB") as seen:
        recognise_dialect(TARGET, "db:80", answer(200, "<html>router</html>"), answer(200, "<html>router</html>"))
    assert "INFLUXDB_URL" in seen.value.hint
    with pytest.raises(InfluxRefusedError, match="only requests with valid credentials"):
        recognise_dialect(TARGET, "db", answer(401), answer(401))


def test_a_write_in_each_dialect_names_bucket_precision_and_credentials() -> None:
    one = make_write_call("1", BY_USER, "envoy")
    assert (one.path, dict(one.params), one.auth) == (
        "/write",
        {"db": "envoy", "precision": "s"},
        Basic("u", "secret-pass"),
    )
    assert make_write_call("1", BY_USER, "envoy/keep/all").params["rp"] == "keep/all"
    two = make_write_call("2", TARGET, "envoy")
    assert (two.path, dict(two.params)) == ("/api/v2/write", {"org": "home", "bucket": "envoy", "precision": "s"})
    assert two.headers["authorization"] == "Token secret-token"
    three = make_write_call("3", TARGET, "envoy")
    assert (three.path, dict(three.params)) == ("/api/v3/write_lp", {"db": "envoy", "precision": "second"})
    assert three.headers["authorization"] == "Bearer secret-token"
    assert "authorization" not in make_write_call("2", replace(TARGET, token=""), "envoy").headers


@pytest.mark.parametrize("token", ["secret\ntoken", "secret token", "sécret-token", "secret-token\n"])
def test_a_token_that_cannot_be_sent_is_named_without_being_shown(token: str) -> None:
    with pytest.raises(InfluxRefusedError) as seen:
        make_write_call("2", replace(TARGET, token=token), "envoy")
    assert "INFLUXDB_TOKEN" in str(seen.value)
    assert "secret" not in str(seen.value)


def test_no_secret_is_in_a_repr() -> None:
    shown = repr((TARGET, BY_USER, make_write_call("1", BY_USER, "b"), make_write_call("2", TARGET, "b")))
    assert "secret" not in shown

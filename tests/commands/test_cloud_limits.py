"""InfluxDB Cloud on a free plan: what `setup` cannot make there, and what a full plan answers to writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.program import Done, program
from tests.databases.fake_influx2 import FakeInflux2
from tests.databases.fake_records import Scripted

ONE_BUCKET = {"INFLUXDB_BUCKET_DEVICES": "envoy", "INFLUXDB_BUCKET_DAILY": "envoy"}


@pytest.fixture
def cloud() -> Iterator[FakeInflux2]:
    server = FakeInflux2(is_cloud=True)
    server.start()
    server.know("all-access-secret", "me@example.org")
    yield server
    server.stop()


def run(home: Path, cloud: FakeInflux2, *words: str, **settings: str) -> Done:
    place = {"INFLUXDB_URL": cloud.url, "INFLUXDB_ORG": "me@example.org", "INFLUXDB_ADMIN_TOKEN": "all-access-secret"}
    return program(home, *words, settings=place | settings)


def test_setup_on_a_free_plan_names_the_limit_and_how_to_keep_within_it(cloud: FakeInflux2, tmp_path: Path) -> None:
    too_long = run(tmp_path, cloud, "setup")
    too_many = run(tmp_path, cloud, "setup", *(f"--retention{each}=30d" for each in ("", "-devices", "-daily")))
    for done, said in ((too_long, "exceeds the plan limit"), (too_many, "exceeded limit is 2")):
        assert done.code == 69, done.out
        assert said in done.err
        assert "INFLUXDB_BUCKET_DEVICES" in done.err
        assert "InfluxDB Cloud, then Usage" in done.err
    made = run(
        tmp_path, cloud, "setup", "--retention", "30d", "--write-token-file", str(tmp_path / "token"), **ONE_BUCKET
    )
    assert made.code == 0, made.err
    assert "made     token 'envoy-logger " in made.out


def test_doctor_tells_a_plan_that_is_full_from_wrong_credentials(cloud: FakeInflux2, tmp_path: Path) -> None:
    run(tmp_path, cloud, "setup", "--retention", "30d", "--write-token-file", str(tmp_path / "token"), **ONE_BUCKET)
    body = '{"code":"invalid","message":"service limit reached: this org has exceeded limit is 200"}'
    cloud.script(Scripted(400, body), times=3)
    done = run(tmp_path, cloud, "doctor", INFLUXDB_TOKEN_FILE=str(tmp_path / "token"), **ONE_BUCKET)
    assert "service limit reached: this org has exceeded limit is 200" in done.out
    assert "InfluxDB Cloud, then Usage" in done.out

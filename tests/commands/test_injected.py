"""Variables that others put there: Kubernetes for services of our names, InfluxDB's images in a shared `.env`."""

from __future__ import annotations

from pathlib import Path

from tests.commands.program import program
from tests.databases.fake2 import Fake2
from tests.driven import driving
from tests.endtoend.recorder import DrivenRecorder
from tests.endtoend.sites import MORNING
from tests.standin import BackgroundSimulator, invent_gateway

SERVICES = ("INFLUXDB", "ENVOY", "LOGGER", "ENPHASE", "ENVOY_LOGGER", "INFLUXDB_URL", "LOGGER_SITE")
OF_THE_IMAGES = """\
DOCKER_INFLUXDB_INIT_MODE=setup
DOCKER_INFLUXDB_INIT_USERNAME=admin
DOCKER_INFLUXDB_INIT_PASSWORD=password
DOCKER_INFLUXDB_INIT_ORG=elsewhere
DOCKER_INFLUXDB_INIT_BUCKET=first
DOCKER_INFLUXDB_INIT_ADMIN_TOKEN=operator
INFLUXD_REPORTING_DISABLED=true
INFLUXDB_DB=telegraf
INFLUXDB_ADMIN_USER=admin
INFLUXDB_ADMIN_PASSWORD=password
INFLUXDB_USER=telegraf
INFLUXDB_USER_PASSWORD=password
INFLUXDB_READ_USER=reader
INFLUXDB_READ_USER_PASSWORD=password
INFLUXDB_WRITE_USER=writer
INFLUXDB_WRITE_USER_PASSWORD=password
INFLUXDB_HTTP_AUTH_ENABLED=true
INFLUXDB_HTTP_BIND_ADDRESS=:8086
INFLUXDB_DATA_MAX_SERIES_PER_DATABASE=0
INFLUXDB_REPORTING_DISABLED=true
INFLUXDB_UDP_ENABLED=false
INFLUXDB_GRAPHITE_0_ENABLED=false
INFLUXDB_COLLECTD_0_ENABLED=false
INFLUXDB_OPENTSDB_0_ENABLED=false
INFLUXDB_TLS_MIN_VERSION=tls1.2
INFLUXDB_BIND_ADDRESS=127.0.0.1:8088
INFLUXDB_ADMIN_USER_PASSWORD=password
INFLUXDB_ADMIN_USER_TOKEN=operator
INFLUXDB_ADMIN_ORG=elsewhere
INFLUXDB_ADMIN_BUCKET=first
INFLUXDB_ADMIN_RETENTION=0
INFLUXDB_USER_BUCKET=second
INFLUXDB_USER_ORG=elsewhere
INFLUXDB_CREATE_USER_TOKEN=no
INFLUXDB_INIT_MODE=setup
INFLUXDB3_AUTH_TOKEN=operator
"""


def of_kubernetes() -> dict[str, str]:
    """What a pod finds in its environment for these services, with a named port each."""
    found: dict[str, str] = {}
    for service in SERVICES:
        tcp = "tcp://10.96.0.7:8086"
        found |= {
            f"{service}_SERVICE_HOST": "10.96.0.7",
            f"{service}_SERVICE_PORT": "8086",
            f"{service}_SERVICE_PORT_HTTP": "8086",
            f"{service}_SERVICE_PORT_WEB_UI": "8086",
            f"{service}_PORT": tcp,
            f"{service}_PORT_8086_TCP": tcp,
            f"{service}_PORT_8086_TCP_PROTO": "tcp",
            f"{service}_PORT_8086_TCP_PORT": "8086",
            f"{service}_PORT_8086_TCP_ADDR": "10.96.0.7",
            f"{service}_PORT_8089_UDP": "udp://10.96.0.7:8089",
            f"{service}_PORT_8089_UDP_ADDR": "10.96.0.7",
        }
    return found | {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_PORT": "tcp://10.96.0.1:443"}


def test_it_starts_and_means_the_same_whatever_others_inject(fake_influx2: Fake2, tmp_path: Path) -> None:
    buckets = fake_influx2.fresh_buckets()
    plant = invent_gateway("8-battery", epoch=MORNING - 86400)
    with driving(MORNING) as clock, BackgroundSimulator(plant, clock) as site:
        settings = site.settings | {
            "INFLUXDB_URL": fake_influx2.url, "INFLUXDB_ORG": fake_influx2.org,
            "INFLUXDB_TOKEN": fake_influx2.admin_token, "INFLUXDB_BUCKET": buckets["totals"],
            "INFLUXDB_BUCKET_DEVICES": buckets["devices"], "INFLUXDB_BUCKET_DAILY": buckets["daily"],
        }  # fmt: skip
        alone = program(tmp_path, "check", "--show", settings=settings)
        assert (alone.code, alone.err) == (0, "")
        env = tmp_path / ".env"
        env.write_text(OF_THE_IMAGES)
        env.chmod(0o600)
        together = program(tmp_path, "check", "--show", settings=settings | of_kubernetes())
        assert (together.code, together.err) == (0, "")
        assert together.out == alone.out
        with DrivenRecorder(tmp_path, settings | of_kubernetes(), clock) as recorder:
            recorder.wait_for_ticks(2)
            assert recorder.terminate() == 0
        assert "is not a setting" not in recorder.log
    assert fake_influx2.rows(buckets["totals"], "envoy_totals")


def test_without_a_database_nothing_injected_is_taken_for_one(tmp_path: Path) -> None:
    alone = program(tmp_path, "check", "--show", settings={"ENPHASE_GATEWAY": "192.0.2.1"})
    (tmp_path / ".env").write_text(OF_THE_IMAGES)
    (tmp_path / ".env").chmod(0o600)
    together = program(tmp_path, "check", "--show", settings={"ENPHASE_GATEWAY": "192.0.2.1"} | of_kubernetes())
    assert (together.code, together.out, together.err) == (alone.code, alone.out, alone.err)
    assert "INFLUXDB_URL is not set" in together.err

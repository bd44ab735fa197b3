"""Whether a gateway gives readings is seen on real databases, whatever its totals lack."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from grafana.boards.parts import READING
from grafana.query.asked import Dialect, Rows
from grafana.query.newest import LastTime, Seen
from logger.model import Role
from tests.databases.influx2 import Influx2
from tests.databases.server import Server
from tests.databases.server_process import Binary
from tests.grafana.board_files import fill_in
from tests.history.load import write_lines
from tests.questions.ask import ask_flux, ask_influxql

FIELDS = {
    "a list of inverters alone": "inverters=12i",
    "a production alone, as of the oldest gateways": "production_power_w=-8.5",
    "both": "inverters=12i,production_power_w=812.5",
}
VERDICT, LAST = (
    Seen("reading", Rows("envoy_totals", READING, "10m"), -8),
    LastTime(Rows("envoy_totals", READING, "30d")),
)


@pytest.fixture(params=["influx1_session", "influx2_session", "influx3_session"])
def server(request: pytest.FixtureRequest) -> Binary:
    """Every generation, real ones."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Binary)
    return found


def ask(server: Server, buckets: Mapping[Role, str], query: Seen | LastTime) -> dict[Dialect, list[dict[str, Any]]]:
    (sql,), found = query.influxql(), {}
    found["influxql"] = ask_influxql(server, buckets, "totals", fill_in(sql.text))
    if isinstance(server, Influx2):
        (flux,) = query.flux()
        found["flux"] = ask_flux(server, fill_in(flux.text, bucket=buckets["totals"]))
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("given", FIELDS)
def test_a_reading_is_seen_whatever_the_totals_lack(server: Binary, given: str) -> None:
    buckets: dict[Role, str] = server.fresh_buckets()
    now = int(time.time()) // 60 * 60 - 60
    line = "envoy_totals,gateway=122500000001 %s %d\n"
    write_lines(server, buckets, {"totals": [(line % (FIELDS[given], at)).encode() for at in (now - 60, now)]})
    assert {dialect: [row["reading"] for row in rows] for dialect, rows in ask(server, buckets, VERDICT).items()} == {
        dialect: [-8.0] for dialect in ask(server, buckets, VERDICT)
    }
    for dialect, rows in ask(server, buckets, LAST).items():
        assert [row["newest" if dialect == "flux" else "time"] for row in rows] == [now]


def test_an_hour_without_readings_is_no_reading(server: Binary) -> None:
    buckets: dict[Role, str] = server.fresh_buckets()
    hour_ago = int(time.time()) - 3600
    line = f"envoy_totals,gateway=122500000001 inverters=12i {hour_ago}\n".encode()
    write_lines(server, buckets, {"totals": [line]})
    assert all(rows == [] for rows in ask(server, buckets, VERDICT).values())

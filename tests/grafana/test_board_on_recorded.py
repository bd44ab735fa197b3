"""Every query of the board on what the recorder itself wrote into a real InfluxDB 2: each returns rows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logger.model import Role
from tests.databases.influx2 import Influx2
from tests.endtoend.sites import driven_site
from tests.grafana.queries import grafana_queries
from tests.grafana.test_queries_on_influxdb2 import Database

HOURS_TO_NOON = 12 - datetime.now(UTC).hour
ZONE = f"Etc/GMT{-HOURS_TO_NOON:+d}"
"""Where it is noon now: inverters report only by day. (These zones count westwards.)"""
BEGUN = time.time() // 86400 * 86400 - 20 * 86400
"""Both recordings are of one site: its counters go on from the first to the second, whatever the weather was."""
YESTERDAY_S = 26 * 3600
RECENTLY_S = 14 * 60


@pytest.fixture(scope="module")
def recorded(influx2_session: Influx2, tmp_path_factory: pytest.TempPathFactory) -> tuple[Database, str]:
    """Some hours of yesterday, quickly, and the last minutes until now; and the gateway's serial."""
    if not influx2_session.running:
        influx2_session.start()
    buckets = influx2_session.fresh_buckets()
    serial = _record(influx2_session, buckets, tmp_path_factory.mktemp("yesterday"), YESTERDAY_S, 20)
    _record(influx2_session, buckets, tmp_path_factory.mktemp("today"), RECENTLY_S, 9)
    return Database(influx2_session, buckets), serial


def _record(
    server: Influx2, buckets: Mapping[Role, str], home: Path, ago_s: float, ticks: int
) -> str:  # fmt: skip
    start, place = time.time() - ago_s, 15.0 * HOURS_TO_NOON
    with driven_site(home, server, buckets, start=start, zone=ZONE, longitude=place, epoch=BEGUN) as here:
        here.recorder.start()
        last = here.recorder.wait_for_ticks(ticks)["polls"]["last_tick"]
        here.recorder.wait_until_delivered(last - 60)
        assert here.recorder.terminate() == 0
    return here.serial


@pytest.mark.parametrize("title", [title for title, _ in grafana_queries()])
def test_every_query_returns_rows_of_what_was_recorded(recorded: tuple[Database, str], title: str) -> None:
    database, serial = recorded
    rows = database.rows(dict(database.queries(gateway=serial, timezone=ZONE))[title])
    shown = {
        key
        for row in rows
        for key, value in row.items()
        if value is not None and key not in ("result", "table", "_start", "_stop", "_measurement", "gateway", "_time")
    }
    assert shown, title


def test_the_newest_values_are_shown_as_now(recorded: tuple[Database, str]) -> None:
    database, serial = recorded
    now = max(database.panel("Now", gateway=serial, timezone=ZONE), key=lambda row: row["_time"])
    assert time.time() - now["_time"].timestamp() < RECENTLY_S
    assert now["production_power_w"] > 0
    for name in ("production_power_w", "load_power_w", "net_power_w", "battery_power_w"):
        assert isinstance(now[name], float), name
    days = [row for row in database.panel("Energy per day", gateway=serial, timezone=ZONE)
            if row.get("load_lifetime_wh") is not None]  # fmt: skip
    assert days
    assert all(row["load_lifetime_wh"] > 0 for row in days)

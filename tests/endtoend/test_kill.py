"""SIGKILL in the middle, of the recorder and of the database: nothing committed is missing, nothing is twice."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from logger.model import Role
from tests.databases.server import Server
from tests.endtoend.points import (
    Points,
    StoredRow,
    as_points,
    differences,
    in_database,
    stored,
)
from tests.endtoend.sites import driven_site, fast_clock, fast_site
from tests.sizes import sized

RATE = 60.0


DATABASES = ("influx1", "real_influx2", "fake_influx2", "real_influx3")


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Server:
    """Each InfluxDB that can be read back exactly."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Server)
    return server


@pytest.mark.long
def test_a_recorder_killed_at_any_moment_loses_nothing_and_writes_nothing_twice(
    database: Server, tmp_path: Path
) -> None:
    """At seeded moments."""
    kills = sized(30)
    moments = random.Random(f"kill {database.kind}")
    buckets = database.fresh_buckets()
    seen: list[StoredRow] = []
    acknowledged: set[int] = set()
    with fast_site(tmp_path, fast_clock(RATE), database, buckets) as here:
        recorder = here.recorder
        for _ in range(kills):
            recorder.start()
            status = recorder.wait_for_ticks(2)
            time.sleep(moments.uniform(0.0, 2.0))
            recorder.kill()
            acknowledged.add(status["polls"]["last_tick"])
            seen += stored(recorder.state)
        recorder.start()
        last = recorder.wait_for_ticks(2)["polls"]["last_tick"]
        recorder.wait_until_delivered(last)
        assert recorder.terminate() == 0
        sign_ins = here.gateway.simulator.cloud.sign_ins
    rows = stored(recorder.state)
    everything = as_points(rows)

    _what_was_committed_is_still_there(seen, rows, acknowledged)
    _the_database_has(database, buckets, [row for row in rows if row.tick <= last], rows)
    assert sign_ins == 1, "the token outlives the process"
    assert recorder.log.count("is pinned from now on") == 1
    _books_go_on(everything)


AT_HOME = {("influx1", "killed"), ("fake_influx2", "stopped")}
OUTAGES = [
    pytest.param(name, how, marks=() if (name, how) in AT_HOME else pytest.mark.long)
    for name in DATABASES
    for how in ("stopped", "killed")
]


@pytest.mark.parametrize(("database", "how"), OUTAGES, indirect=["database"])
def test_a_database_that_goes_away_and_comes_back_has_everything(database: Server, tmp_path: Path, how: str) -> None:
    buckets = database.fresh_buckets()
    with driven_site(tmp_path, database, buckets) as here:
        here.recorder.start()
        here.recorder.wait_for_ticks(3)
        if how == "stopped":
            database.stop()
        else:
            database.kill()
        status = here.recorder.wait_until(
            lambda status: status["store"]["rows"] >= 4 and status["influxdb"]["waiting_for"]
        )
        assert "influx" in status["troubles"]
        gone = status["polls"]["last_tick"]
        database.start()
        here.recorder.wait_until_delivered(gone)
        assert here.recorder.terminate() == 0
    rows = stored(here.recorder.state)
    _the_database_has(database, buckets, [row for row in rows if row.tick <= gone], rows)
    assert here.recorder.log.count("InfluxDB accepts deliveries again") == 1


def test_a_database_that_is_down_at_the_start_gets_everything_later(database: Server, tmp_path: Path) -> None:
    buckets = database.fresh_buckets()
    database.stop()
    with driven_site(tmp_path, database, buckets) as here:
        here.recorder.start()
        gone = here.recorder.wait_for_ticks(4)["polls"]["last_tick"]
        assert not any(row.delivered for row in stored(here.recorder.state))
        database.start()
        here.recorder.wait_until_delivered(gone)
        assert here.recorder.terminate() == 0
    rows = stored(here.recorder.state)
    _the_database_has(database, buckets, [row for row in rows if row.tick <= gone], rows)


def _what_was_committed_is_still_there(seen: list[StoredRow], rows: list[StoredRow], acknowledged: set[int]) -> None:
    """Each row that a kill left behind, and each tick that `status.json` spoke of."""
    still = {(row.tick, row.role): row.lines for row in rows}
    assert len(still) == len(rows), "one row a tick and role"
    for row in seen:
        assert still.get((row.tick, row.role)) == row.lines, row.tick
    assert acknowledged <= {row.tick for row in rows if row.role == "totals"}


def _the_database_has(
    server: Server, buckets: Mapping[Role, str], rows: list[StoredRow], perhaps: list[StoredRow]
) -> None:
    """Exactly these points, and of `perhaps` what was on its way at the end."""
    got, must, may = in_database(server, buckets), as_points(rows), as_points(perhaps)
    assert must.keys() - got.keys() == set()
    assert differences(got, {place: fields for place, fields in may.items() if place in got}) == []


def _books_go_on(points: Points) -> None:
    """Counters and the energy of today never fall over the restarts; every report has one point."""
    totals = [fields for place, fields in sorted(points.items()) if place.measurement == "envoy_totals"]
    for name in ("production_lifetime_wh", "production_today_wh", "consumption_today_wh"):
        values = [float(fields[name]) for fields in totals if name in fields]
        assert len(values) == len(totals)
        assert values == sorted(values), name
    assert float(totals[-1]["production_today_wh"]) > float(totals[0]["production_today_wh"])
    rise = float(totals[-1]["production_lifetime_wh"]) - float(totals[0]["production_lifetime_wh"])
    today = float(totals[-1]["production_today_wh"]) - float(totals[0]["production_today_wh"])
    assert today == pytest.approx(rise, abs=1e-3), "what came while it was dead counts too"

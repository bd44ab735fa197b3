"""One list of gateways over two recorders, then over three: no tick is missing or twice, and books go on."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from logger.daemon.app import open_recorder
from logger.daemon.gateway_state import load_state
from logger.model import Role
from logger.settings.load import Settings, load_settings
from logger.store.folder import claim
from tests.commands.program import program
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import Server
from tests.driven import DrivenClock, driving
from tests.endtoend.points import stored
from tests.endtoend.recorder import environment, influxdb
from tests.several import neighbours
from tests.sizes import sized

EVERY_S = 300
COUNT = 7
BEGIN = 1_782_108_000 - 10  # 08:00 in Madrid, a summer's day
SPAN_S = sized(20) * 1800


@pytest.fixture(params=["influx1", "real_influx2"])
def database(request: pytest.FixtureRequest) -> Server:
    """Both generations, real ones."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Influx1 | Influx2)
    return server


@dataclass(frozen=True)
class ManyRecorders:
    """Recorders that share one list; each has a folder of its own, which stays over the phases."""

    home: Path
    settings: Mapping[str, str]

    def environ(self, number: int, count: int) -> dict[str, str]:
        """The environment of one of them."""
        return environment(self.home / str(number), {**self.settings, "LOGGER_SHARD": f"{number}/{count}"})

    def load(self, number: int, count: int) -> Settings:
        """The settings of one of them."""
        (self.home / str(number)).mkdir(exist_ok=True)
        return load_settings(None, environ=self.environ(number, count))

    async def run(self, count: int, clock: DrivenClock, until: float) -> None:
        """Run so many of them at once up to that time, and until all is delivered."""
        async with contextlib.AsyncExitStack() as stack:
            tasks, recorders = [], []
            for number in range(1, count + 1):
                configured, stopping = self.load(number, count), asyncio.Event()
                configured.state_dir.mkdir(mode=0o700, exist_ok=True)
                lock = stack.enter_context(claim(configured.state_dir))
                recorder = await stack.enter_async_context(open_recorder(configured, clock, lock, stopping))
                assert recorder.shipper is not None
                recorders.append(recorder)
                tasks += [asyncio.create_task(recorder.collect()), asyncio.create_task(recorder.shipper.run())]
            await clock.sleep(until - clock.time())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def read_states(state_dir: Path) -> dict[str, dict[str, str]]:
    """The state of every gateway in the store of a recorder that does not run."""
    found: dict[str, dict[str, str]] = {}
    with closing(sqlite3.connect(f"file:{state_dir / 'store.sqlite3'}?mode=ro", uri=True)) as connection:
        for gateway, key, value in connection.execute("SELECT gateway, key, value FROM ledger"):
            found.setdefault(gateway, {})[key] = value
    return found


@pytest.mark.long
def test_a_list_over_two_shards_and_then_over_three_misses_and_doubles_no_tick(
    database: Server, tmp_path: Path
) -> None:
    buckets = database.fresh_buckets()
    with driving(BEGIN) as clock, neighbours(clock, COUNT, epoch=BEGIN - 20 * 86400) as many:
        listed = many.write_file(tmp_path)
        intervals = {"LOGGER_TOTALS_INTERVAL_S": str(EVERY_S), "LOGGER_DEVICES_INTERVAL_S": str(EVERY_S)}
        zone = {"LOGGER_TIMEZONE": "Europe/Madrid"}
        recorders = ManyRecorders(tmp_path, listed | intervals | zone | influxdb(database.target(buckets)))
        shares = {count: [_serials(recorders, n, count) for n in range(1, count + 1)] for count in (2, 3)}
        moved = set(shares[3][2])
        assert moved, "the list is such that a third recorder takes some"
        clock.drive(recorders.run(2, clock, BEGIN + SPAN_S))
        clock.drive(recorders.run(3, clock, BEGIN + 2 * SPAN_S))
        for serial in sorted(moved):
            _rebuild(recorders, serial, database)
        clock.drive(recorders.run(3, clock, BEGIN + 3 * SPAN_S))
        assert many.sign_ins == COUNT + len(moved), "a new recorder signs in once to each gateway that moved to it"
    _each_tick_is_there_once(database, buckets, recorders, many.serials)
    _days_are_whole(database, buckets, recorders, many.serials, shares[3])


def _serials(recorders: ManyRecorders, number: int, count: int) -> list[str]:
    return [each.enphase.serial for each in recorders.load(number, count).gateways]


def _rebuild(recorders: ManyRecorders, serial: str, database: Server) -> None:
    """Run `backfill` where the gateway is now."""
    reading = {"INFLUXDB_TOKEN": database.admin_token} if database.admin_token else {}
    settings = {**recorders.environ(3, 3), **reading}
    done = program(recorders.home / "3", "backfill", "--gateway", serial, settings=settings)
    assert done.code == 0, done.err
    assert "day rows written" in done.out, done.out + done.err


def _each_tick_is_there_once(
    database: Server, buckets: Mapping[Role, str], recorders: ManyRecorders, serials: list[str]
) -> None:
    due = set(range(BEGIN + 10, BEGIN + 3 * SPAN_S, EVERY_S))
    given = Counter(
        (row.tags["gateway"], row.time)
        for row in database.rows(buckets["totals"], "envoy_totals")
        if "production_power_w" in row.fields
    )
    held = Counter(
        (place.tag("gateway"), place.time)
        for number in (1, 2, 3)
        for row in stored(recorders.home / str(number) / "state")
        for place, fields in row.lines
        if place.measurement == "envoy_totals" and "production_power_w" in fields
    )
    for found in (given, held):
        assert set(found.values()) == {1}
        assert found.keys() == {(serial, tick) for serial in serials for tick in due}


def _days_are_whole(
    database: Server,
    buckets: Mapping[Role, str],
    recorders: ManyRecorders,
    serials: list[str],
    shares: list[list[str]],
) -> None:
    """The energy of the day is the rise of the counter over all of it, whichever recorder counted which part."""
    rows = database.rows(buckets["totals"], "envoy_totals")
    days = database.rows(buckets["daily"], "envoy_day")
    where = {serial: number for number, share in enumerate(shares, 1) for serial in share}
    for serial in serials:
        counters = sorted(
            (row.time, float(row.fields["production_lifetime_wh"] or 0))
            for row in rows
            if row.tags["gateway"] == serial and row.fields.get("production_lifetime_wh") is not None
        )
        rise = counters[-1][1] - counters[0][1]
        state = load_state(read_states(recorders.home / str(where[serial]) / "state")[serial], {}).energy
        assert sum(day.energy["production"].wh for day in state.days) == pytest.approx(rise, abs=1.0), serial
        written = sum(float(day.fields["production_wh"] or 0) for day in days if day.tags["gateway"] == serial)
        assert written <= rise + 1.0
        assert written == pytest.approx(rise, rel=0.2), serial
        dates = [day.fields["local_date"] for day in days if day.tags["gateway"] == serial]
        assert len(dates) == len(set(dates)) >= 1

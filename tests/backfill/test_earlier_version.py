"""`backfill --since` gives the history of a version without months, extremes and dead panels' rows all of them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from line_protocol_parser import parse_line

from logger.daemon.batches import make_amendment
from logger.daemon.gateway_state import GatewayState
from logger.energy.extremes import NAMES
from logger.energy.surroundings import Extremes, Grid, Quarter
from logger.model import Reading, Role, Value
from tests.commands.program import Done, program
from tests.databases.influx2 import Influx2
from tests.databases.server import Server
from tests.history.generator import FIRST, Generator
from tests.history.kinds import KINDS, Kind
from tests.history.load import load_readings
from tests.questions.play import fall_ill_soon
from tests.sizes import LONG
from tests.store.samples import make_store

STEP_S = 900
DAYS = 45 if LONG else 26
"""The greatest values of the shorter one lie on days that can be rebuilt: neither the first nor the last two."""
SINCE = FIRST.isoformat()
NEW = {*NAMES, "panel", "panel_row", "panel_column", "silent_days", "low_days", "tripped_s", "currency"}


@pytest.fixture(params=["influx1", "real_influx2", "real_influx3"])
def server(request: pytest.FixtureRequest) -> Server:
    """Every generation, real ones."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def backfill(server: Server, buckets: Mapping[Role, str], kind: Kind, home: Path, *words: str) -> Done:
    settings = {
        "INFLUXDB_URL": server.url,
        "INFLUXDB_ORG": server.org,
        "INFLUXDB_BUCKET": buckets["totals"],
        "INFLUXDB_BUCKET_DEVICES": buckets["devices"],
        "INFLUXDB_BUCKET_DAILY": buckets["daily"],
        "LOGGER_STATE_DIR": str(home),
        "LOGGER_TIMEZONE": kind.zone,
        "LOGGER_TOTALS_INTERVAL_S": str(STEP_S),
        "LOGGER_DEVICES_INTERVAL_S": str(STEP_S),
    }
    if isinstance(server, Influx2):
        settings["INFLUXDB_READ_TOKEN"] = server.admin_token
    return program(home, "backfill", *words, settings={k: v for k, v in settings.items() if v})


def as_before(rows: Mapping[tuple[str, str, str], Reading]) -> list[Reading]:
    """The rows of days as an earlier version wrote them: fewer fields, none of months, none of dead inverters."""
    found = []
    for (measurement, _, _), row in rows.items():
        fields = {name: value for name, value in row.fields.items() if name not in NEW}
        is_dead = measurement == "envoy_inverter_day" and "energy_wh" not in row.fields
        if measurement in ("envoy_day", "envoy_inverter_day") and not is_dead:
            found.append(replace(row, fields=fields))
    return found


def rows_in(folder: Path, kind: Kind) -> dict[tuple[str, str, str], bytes]:
    """The rows in the store, by measurement, serial and day."""
    store = make_store(folder)
    try:
        found = {}
        for row in store.read_daily(kind.gateway, ""):
            serial = dict(part.split("=") for part in row.series.split(",")).get("serial", "")
            found[row.measurement, serial, row.day] = row.line
        return found
    finally:
        store.close()


def fields_of(line: bytes) -> dict[str, Value]:
    return dict(parse_line(line.decode())["fields"])


def forget(state: GatewayState) -> GatewayState:
    """The state as an earlier version stored it."""
    days = tuple(replace(day, extremes=Extremes()) for day in state.energy.days)
    panels = {
        date: replace(
            kept,
            panels={
                serial: replace(panel, silent_days=0, low_days=0, tripped_s=0)
                for serial, panel in kept.panels.items()
                if panel.is_known
            },
        )
        for date, kept in state.panels.days.items()
    }
    energy = replace(state.energy, days=days, periods={}, quarter=Quarter(), grid=Grid())
    return replace(state, energy=energy, panels=replace(state.panels, days=panels, places={}))


def keep(folder: Path, kind: Kind, state: GatewayState) -> None:
    """Put a state into the store of a folder."""
    store = make_store(folder)
    store.put(make_amendment(kind.gateway, state, (), {})[0])
    store.close()


def events_in(folder: Path) -> dict[int, str]:
    """The grid's events in the store, by time."""
    store = make_store(folder)
    found: dict[int, str] = {}
    while lease := store.lease("totals", newest=False):
        for line in gzip.decompress(lease.body).decode().splitlines():
            point = parse_line(line)
            found[point["time"]] = f"{point['tags']['kind']} {point['fields'].get('duration_s', '')}".strip()
        store.ack(lease)
    store.close()
    return found


def hours_in(folder: Path, kind: Kind) -> dict[tuple[str, str, int], Mapping[str, Value]]:
    """The hours in the store, by measurement, serial and time."""
    store, found = make_store(folder), {}
    while lease := store.lease("daily", newest=False):
        for line in gzip.decompress(lease.body).decode().splitlines():
            point = parse_line(line)
            found[point["measurement"], point["tags"].get("serial", ""), point["time"]] = point["fields"]
        store.ack(lease)
    store.close()
    return found


@pytest.mark.long
@pytest.mark.parametrize(("name", "keeps_state"), [("two-groups", False), ("battery-three-phases", True)])
def test_history_of_an_earlier_version_gets_everything_that_this_one_writes(
    server: Server, tmp_path: Path, name: str, keeps_state: bool
) -> None:
    kind = replace(next(kind for kind in KINDS if kind.name == name), tariff="")
    kind = kind if LONG else fall_ill_soon(kind)
    generator = Generator(kind, DAYS, STEP_S)
    made, folder = generator.run(), tmp_path / "state"
    folder.mkdir()
    buckets = server.fresh_buckets()
    load_readings(server, buckets, made.lines | {"daily": []}, as_before(made.rows))
    if keeps_state:
        keep(folder, kind, forget(generator.state))
    done = backfill(server, buckets, kind, folder, "--since", SINCE)
    assert done.code == 0, done.err
    found = rows_in(folder, kind)
    days = [(FIRST + timedelta(days=number)).isoformat() for number in range(1, DAYS - 2)]
    for (measurement, serial, day), row in made.rows.items():
        if measurement in ("envoy_day", "envoy_inverter_day") and day in days:
            got = fields_of(found[measurement, serial, day])
            assert got.keys() == row.fields.keys(), (measurement, serial, day)
            for field, value in row.fields.items():
                wanted = pytest.approx(value, abs=0.01) if isinstance(value, float) else value
                assert got[field] == wanted, (measurement, serial, day, field)
    for (measurement, _, day), row in made.rows.items():
        if measurement in ("envoy_month", "envoy_year"):
            got = fields_of(found[measurement, "", day])
            assert got.keys() == row.fields.keys()
            assert got["days"] == row.fields["days"]
            for field, value in row.fields.items():
                if isinstance(value, float):
                    assert got[field] == pytest.approx(value, abs=1.0), (measurement, day, field)
    hours, zone = hours_in(folder, kind), ZoneInfo(kind.zone)
    for line in made.hours:
        point = parse_line(line.decode().rstrip())
        if datetime.fromtimestamp(point["time"], zone).date().isoformat() in days:
            written = hours[point["measurement"], point["tags"].get("serial", ""), point["time"]]
            assert written == pytest.approx(point["fields"], abs=0.01)
    back = {at: f"grid_back {lasted}" for at, lasted in made.truth.outages.items()}
    assert {at: text for at, text in events_in(folder).items() if "back" in text} == back

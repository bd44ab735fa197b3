"""Every query of the board, run by a real InfluxDB 2: it returns rows, and the daily energy is right to the Wh."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from influxdb_client import InfluxDBClient

from logger.model import Role
from tests.databases.influx2 import Influx2
from tests.databases.server import http
from tests.grafana import site
from tests.grafana.queries import grafana_queries

ZONE = "Europe/Berlin"


@dataclass(frozen=True, slots=True)
class Database:
    """A real InfluxDB 2 with three empty buckets of its own."""

    server: Influx2
    buckets: dict[Role, str]

    def write(self, role: Role, lines: str) -> None:
        """Store line protocol, times in seconds."""
        answer = http(
            "POST",
            f"{self.server.url}/api/v2/write",
            content=lines.encode(),
            params={"org": self.server.org, "bucket": self.buckets[role], "precision": "s"},
            headers={"authorization": f"Token {self.server.admin_token}"},
        )
        assert answer.status_code == 204, answer.text

    def queries(self, **values: str) -> list[tuple[str, str]]:
        """The board's queries for these buckets and the invented site, unless `values` say otherwise."""
        return grafana_queries(
            **{
                "bucket": self.buckets["totals"],
                "bucket_devices": self.buckets["devices"],
                "gateway": site.GATEWAY,
                "timezone": ZONE,
                **values,
            }
        )

    def rows(self, flux: str) -> list[dict[str, Any]]:
        """Every row of all tables; the query must succeed."""
        with InfluxDBClient(self.server.url, self.server.admin_token, org=self.server.org) as client:
            return [record.values for table in client.query_api().query(flux) for record in table.records]

    def panel(self, title: str, **values: str) -> list[dict[str, Any]]:
        """The rows of a panel's first query."""
        return self.rows(next(query for name, query in self.queries(**values) if name.startswith(f"{title} #")))


@pytest.fixture(scope="module")
def database(influx2_session: Influx2) -> Database:
    """A real InfluxDB 2 with buckets of this module's own."""
    if not influx2_session.running:
        influx2_session.start()
    return Database(influx2_session, influx2_session.fresh_buckets())


@pytest.fixture(scope="module")
def filled(database: Database) -> tuple[Database, site.Site]:
    """The same with sixteen days of an invented site."""
    invented = site.site(time.time(), ZoneInfo(ZONE))
    database.write("totals", invented.totals)
    database.write("devices", invented.devices)
    return database, invented


@pytest.mark.parametrize("title", [title for title, _ in grafana_queries()])
def test_every_query_returns_rows(filled: tuple[Database, site.Site], title: str) -> None:
    rows = filled[0].rows(dict(filled[0].queries())[title])
    assert rows, title
    shown = {
        key
        for row in rows
        for key, value in row.items()
        if value is not None and key not in ("result", "table", "_start", "_stop", "_measurement", "gateway")
    }
    assert shown - {"_time"}, title


def test_energy_per_day_is_right_to_the_wh(filled: tuple[Database, site.Site]) -> None:
    database, invented = filled
    rows = database.panel("Energy per day")
    days = {_local(row["_time"]): row for row in rows}
    assert len(days) == len(rows) == 14
    assert all(row["_time"].astimezone(ZoneInfo(ZONE)).hour == 0 for row in rows), "labelled with its own midnight"
    for counter, energy in invented.energy.items():
        for day in sorted(energy)[2:]:
            expected = energy[day]
            got = days[day][counter]
            assert got == (None if expected is None else pytest.approx(expected, abs=0.5)), f"{counter} on {day}"


def test_a_day_without_readings_has_no_bar(filled: tuple[Database, site.Site]) -> None:
    database, invented = filled
    silent = [day for day, energy in invented.energy["production_lifetime_wh"].items() if energy is None]
    assert len(silent) == 2
    days = {_local(row["_time"]): row for row in database.panel("Energy per day")}
    assert [days[day]["production_lifetime_wh"] for day in silent] == [None, None]


def test_utc_as_grafana_spells_it_is_understood(filled: tuple[Database, site.Site]) -> None:
    rows = filled[0].panel("Energy per day", timezone="utc")
    assert len(rows) == 14
    assert all(row["_time"].astimezone(UTC).hour == 0 for row in rows)


def test_old_values_are_not_shown_as_now(database: Database) -> None:
    old = int(time.time()) - 3600
    fields = "production_power_w=1.0,battery_charge_percent=5.0,production_today_wh=3.0,inverters=1i"
    database.write("totals", f"envoy_totals,gateway=999 {fields} {old}")
    for title in ("Now", "Today", "Battery", "Inverters producing"):
        assert database.panel(title, gateway="999") == [], title
    (age,) = database.panel("Age of the data", gateway="999")
    assert 3600 <= age["age_s"] < 7200


def test_a_gap_stays_a_gap_in_the_curve(database: Database) -> None:
    start = int(time.time()) // 3600 * 3600 - 7200
    lines = [
        f"envoy_totals,gateway=998 production_power_w=100.0 {start + minute * 60}"
        for minute in range(60)
        if not 20 <= minute < 40
    ]
    database.write("totals", "\n".join(lines))
    begin, end = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (start, start + 3600))
    rows = database.panel("Power", gateway="998", start=begin, stop=end, every="5m")
    values = [row["production_power_w"] for row in sorted(rows, key=lambda row: row["_time"])]
    assert values == [100.0] * 4 + [None] * 4 + [100.0] * 4


def test_a_site_without_a_battery_has_a_board_too(database: Database) -> None:
    now = int(time.time())
    database.write("totals", f"envoy_totals,gateway=997 production_power_w=100.0,production_today_wh=5.0 {now - 30}")
    (row,) = database.panel("Now", gateway="997")
    assert row["production_power_w"] == 100.0
    assert "battery_power_w" not in row
    for title, query in database.queries(gateway="997"):
        database.rows(query)
        assert title


def _local(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(ZONE)).date()

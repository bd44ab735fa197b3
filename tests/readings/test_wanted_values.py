"""Every value that an owner wants, of a site with three CTs and five batteries: at first, and after a week.

The recorded gateway is driven over nine local days: its counters rise at known powers, its inverters report anew.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from logger.daemon.gateway_state import GatewayState
from logger.daemon.tick import TickResult, run_tick
from logger.model import Role, Snapshot, Value
from logger.readings import paths
from logger.site import Site
from tests.readings.recordings import load, needs_recordings
from tests.readings.site import BOTH, Body, document, totals
from tests.sizes import LONG

pytestmark = needs_recordings

NAME = "8.2.127_with_3cts_and_battery_split"
ZONE = "America/Los_Angeles"
FIRST, LAST = "2023-10-30T12:00", "2023-11-07T18:00"
"""Nine local days with the 25-hour day of 5 November 2023 among them."""
STEP_S = 300 if LONG else 3600
PRODUCTION_W, IMPORT_W, EXPORT_W, CHARGED_W, DISCHARGED_W = 1800.0, 600.0, 240.0, 420.0, 180.0
PRODUCED, IMPORTED, EXPORTED = 3165834.272, 4998251.825, 253960.783
WEEK_H, TODAY_H = 7 * 24 + 1, 18


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp())


def since_start_h() -> float:
    return (at(LAST) - at(FIRST)) / 3600


def risen(readings: Body, hours: float) -> Body:
    """The recorded readings with their counters run on."""
    rises = {
        704643328: (PRODUCTION_W, 0.0),
        704643584: (IMPORT_W, EXPORT_W),
        704643840: (DISCHARGED_W, CHARGED_W),
    }
    for row in readings:
        delivered, received = rises[row["eid"]]
        row["actEnergyDlvd"] += delivered * hours
        row["actEnergyRcvd"] += received * hours
        row["timestamp"] += round(3600 * hours)
    return readings


def reported(groups: Body, later_s: int) -> Body:
    """The recorded batteries with reports as fresh as they were."""
    for group in groups:
        for device in group["devices"]:
            device["last_rpt_date"] += later_s
    return groups


@dataclass(frozen=True)
class Run:
    first: TickResult
    last: TickResult


@cache
def run() -> Run:
    """The first tick and the last one of nine days."""
    recording = load(NAME)
    start, end = at(FIRST), at(LAST)
    books, since, found = GatewayState(), dict[Role, float](), list[TickResult]()
    for tick in range(start, end + 1, STEP_S):
        bodies: dict[str, Body] = {path: body for path, body in recording.bodies.items() if path in paths.PATHS}
        bodies[paths.READINGS] = risen(copy.deepcopy(bodies[paths.READINGS]), (tick - start) / 3600)
        bodies[paths.ENSEMBLE] = reported(copy.deepcopy(bodies[paths.ENSEMBLE]), tick - start)
        bodies[paths.V1_INVERTERS] = [{**row, "lastReportDate": tick - 60} for row in bodies[paths.V1_INVERTERS]]
        documents = {path: document(path, body, tick + 5.0) for path, body in bodies.items()}
        snapshot = Snapshot(recording.info, tick, documents, since, paths.PATHS - documents.keys())
        result = run_tick(snapshot, BOTH, books, Site(zone=ZONE))
        books, since = result.state, {"totals": tick + 6.0, "devices": tick + 6.0}
        found = [*found[:1], result]
    return Run(found[0], found[1])


def devices(found: TickResult, measurement: str) -> list[Mapping[str, Value]]:
    return [point.fields for point in found.readings if point.measurement == measurement]


EACH_MINUTE: list[tuple[str, str, Value]] = [
    ("number of micro-inverters", "inverters", 5),
    ("number of batteries", "batteries", 5),
    ("battery state", "battery_state", "charging"),
    ("battery charge %", "battery_charge_percent", 21.0),
    ("battery power", "battery_power_w", -2579.823),
    ("production now", "production_power_w", 1714.424),
    ("production today", "production_today_wh", PRODUCTION_W * TODAY_H),
    ("production 7 days", "production_7d_wh", PRODUCTION_W * WEEK_H),
    ("production lifetime", "production_lifetime_wh", PRODUCED + PRODUCTION_W * since_start_h()),
    ("consumption now", "consumption_power_w", 1714.424 + 129.407),
    ("consumption today", "consumption_today_wh", (PRODUCTION_W + IMPORT_W - EXPORT_W) * TODAY_H),
    ("consumption 7 days", "consumption_7d_wh", (PRODUCTION_W + IMPORT_W - EXPORT_W) * WEEK_H),
    (
        "consumption lifetime",
        "consumption_lifetime_wh",
        PRODUCED + IMPORTED - EXPORTED + (PRODUCTION_W + IMPORT_W - EXPORT_W) * since_start_h(),
    ),
    ("net now", "net_power_w", 129.407),
    ("net today", "net_today_wh", (IMPORT_W - EXPORT_W) * TODAY_H),
    ("net 7 days", "net_7d_wh", (IMPORT_W - EXPORT_W) * WEEK_H),
    ("net lifetime", "net_lifetime_wh", IMPORTED - EXPORTED + (IMPORT_W - EXPORT_W) * since_start_h()),
]
EACH_INVERTER: list[tuple[str, str, str, list[Value]]] = [
    ("communicating", "envoy_inverter_status", "communicating", [True] * 5),
    ("producing", "envoy_inverter_status", "producing", [False] * 5),
    ("power", "envoy_inverter", "power_w", [0.0] * 5),
    ("maximum power", "envoy_inverter", "max_power_w", [361.0, 361.0, 361.0, 360.0, 362.0]),
]
EACH_BATTERY: list[tuple[str, str, list[Value]]] = [
    ("provisioned", "provisioned", [True] * 5),
    ("communicating", "communicating", [True] * 5),
    ("producing", "producing", [False] * 5),
    ("power", "power_w", [-136.0, -128.0, -128.0, -128.0, -121.0]),
    ("charge %", "charge_percent", [21.0] * 5),
    ("maximum temperature", "max_cell_temperature_c", [12.0, 12.0, 12.0, 12.0, 13.0]),
]
NOT_AT_FIRST: list[tuple[str, str]] = [
    ("production_7d_wh", "the gateway's figure is its lifetime less today: it has no row seven days old"),
    (
        "consumption_today_wh",
        "the gateway's seven days (0) are less than half of its today: the block contradicts itself",
    ),
    ("consumption_7d_wh", "the same"),
    ("net_today_wh", "the gateway always says 0, and without consumption it cannot be computed"),
    ("net_7d_wh", "the same"),
]
NEVER: list[tuple[str, str, str]] = [
    ("envoy_inverter_status", "provisioned", "only the inventory says it, and none was recorded here"),
    ("envoy_battery", "max_power_w", "the ensemble status is another site's: it names none of these serials"),
]


@pytest.mark.parametrize(("wanted", "field", "value"), EACH_MINUTE, ids=[row[0] for row in EACH_MINUTE])
def test_each_minute_gives(wanted: str, field: str, value: Value) -> None:
    found = totals(run().last)[field]
    assert found == (pytest.approx(value, abs=0.01) if isinstance(value, float) else value), wanted
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("wanted", "measurement", "field", "values"), EACH_INVERTER, ids=[row[0] for row in EACH_INVERTER]
)
def test_each_five_minutes_every_inverter_gives(
    wanted: str, measurement: str, field: str, values: list[Value]
) -> None:
    assert [fields[field] for fields in devices(run().last, measurement)] == values, wanted


@pytest.mark.parametrize(("wanted", "field", "values"), EACH_BATTERY, ids=[row[0] for row in EACH_BATTERY])
def test_each_five_minutes_every_battery_gives(wanted: str, field: str, values: list[Value]) -> None:
    assert [fields[field] for fields in devices(run().last, "envoy_battery")] == values, wanted


@pytest.mark.parametrize(("field", "reason"), NOT_AT_FIRST, ids=[row[0] for row in NOT_AT_FIRST])
def test_the_first_poll_cannot_give(field: str, reason: str) -> None:
    assert field not in totals(run().first), reason
    assert field in totals(run().last)


def test_everything_else_of_the_totals_is_there_at_the_first_poll() -> None:
    wanted = {field for _, field, _ in EACH_MINUTE} - {field for field, _ in NOT_AT_FIRST}
    assert wanted <= totals(run().first).keys()
    assert totals(run().first)["production_today_wh"] == pytest.approx(1475.272)


@pytest.mark.parametrize(("measurement", "field", "reason"), NEVER, ids=[row[1] for row in NEVER])
def test_this_gateway_never_gives(measurement: str, field: str, reason: str) -> None:
    for found in (run().first, run().last):
        assert devices(found, measurement)
        assert not [fields for fields in devices(found, measurement) if field in fields], reason


def test_no_counter_took_a_new_base_in_nine_days() -> None:
    assert not run().last.events
    assert {counter.resets for counter in run().last.state.energy.counters.values()} == {0}

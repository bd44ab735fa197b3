"""`simulate --recording` and `once --dry-run`, both as commands: what is printed agrees with what was recorded.

The commands that serve and read the recording with batteries are processes of their own.
"""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logger.clock import SystemClock
from logger.model import Value
from logger.simulator.recording import Recording
from tests.commands.program import process, program
from tests.endtoend.points import Place, parsed
from tests.endtoend.recorder import environment
from tests.mapping import inverter_fields, listed_inverter_fields, meter_fields, written
from tests.readings.recordings import CORPUS, needs_recordings
from tests.standin import BackgroundSimulator
from tests.waiting import LONGEST_S

pytestmark = needs_recordings
BATTERIES = "8.2.127_with_3cts_and_battery_split"
RECORDINGS = ("7.6.175_with_cts", BATTERIES, "8.2.4345_with_device_data", "7.6.114_without_cts")
TOGETHER = ("ENPHASE_GATEWAY", "ENPHASE_USERNAME", "ENPHASE_PASSWORD", "ENPHASE_LOGIN_URL", "ENPHASE_TOKEN_URL")


@dataclass(frozen=True)
class Printed:
    """One dry run: its points, its exit code, what it said, and the files it left."""

    points: list[tuple[Place, dict[str, Value]]]
    lines: list[str]
    code: int
    said: str
    files: list[str]
    secrets: list[str]

    def of(self, measurement: str, **tags: str) -> dict[str, Value]:
        """The fields of the one point of a measurement with these tags."""
        found = [fields for place, fields in self.points
                 if place.measurement == measurement and tags.items() <= dict(place.tags).items()]  # fmt: skip
        assert len(found) == 1, f"{measurement} {tags}: {len(found)}"
        return found[0]

    def tags(self, measurement: str, name: str) -> set[str]:
        """Every value of a tag."""
        return {place.tag(name) for place, _ in self.points if place.measurement == measurement}


@contextlib.contextmanager
def simulated(recording: str, home: Path) -> Iterator[dict[str, str]]:
    """The command `simulate --recording` and the settings that it prints, or the same gateway in this process."""
    if recording != BATTERIES:
        with BackgroundSimulator(Recording(CORPUS / recording), SystemClock()) as running:
            yield running.settings
        return
    serving = subprocess.Popen(
        [sys.executable, "-m", "logger", "simulate", "--recording", str(CORPUS / recording)], cwd=home,
        env=environment(home, {}), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        yield dict(serving.stdout.readline().rstrip("\n").split("=", 1) for _ in TOGETHER)
    finally:
        serving.terminate()
        serving.wait(LONGEST_S)
        assert serving.stdout is not None
        serving.stdout.close()


@functools.cache
def printed(recording: str) -> Printed:
    """The command `once --dry-run` against a recording, run once for all tests."""
    with tempfile.TemporaryDirectory() as folder, simulated(recording, Path(folder)) as settings:
        home = Path(folder)
        assert set(settings) == set(TOGETHER)
        hour = datetime.now(UTC).hour  # it is noon at the site, whatever hour it is here
        at_noon = {**settings, "LOGGER_TIMEZONE": f"Etc/GMT{hour - 12:+d}"}
        run = process if recording == BATTERIES else program
        done = run(home, "once", "--dry-run", settings=at_noon)
        tokens = [file.read_text(encoding="utf-8").strip() for file in (home / "state").glob("token-*")]
        files = sorted(file.name for file in (home / "state").iterdir())
    lines = done.out.splitlines()
    return Printed(parsed(lines), lines, done.code, done.err, files, [*tokens, settings["ENPHASE_PASSWORD"]])


def body(recording: str, path: str) -> Any:
    """A recorded answer, or None."""
    file = CORPUS / recording / path
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


@pytest.mark.parametrize("recording", RECORDINGS)
def test_stdout_is_line_protocol_and_nothing_else_and_no_state_is_written(recording: str) -> None:
    run = printed(recording)
    assert run.code == 0, run.said
    assert len(run.points) == len(run.lines) == len({place for place, _ in run.points}) > 10
    assert {place.tag("gateway") for place, _ in run.points} == {_manifest(recording)["serial"]}
    assert not [name for name in run.files if not name.startswith(("pin-", "token-", "signin-"))]
    assert len(run.secrets) == 2
    assert not [secret for secret in run.secrets if secret in run.said + "\n".join(run.lines)]


@pytest.mark.parametrize("recording", RECORDINGS)
def test_meters_and_phases_are_what_the_gateway_said(recording: str) -> None:
    run, rows = printed(recording), _meters(recording)
    assert run.tags("envoy_meter", "meter") == set(rows)
    for kind, row in rows.items():
        assert run.of("envoy_meter", meter=kind) == meter_fields(row, row["phases"])
        for number, channel in enumerate(row["channels"][: row["phases"]], 1):
            assert run.of("envoy_phase", meter=kind, phase=f"L{number}") == meter_fields(channel, 1, phase=True)
    assert len([1 for place, _ in run.points if place.measurement == "envoy_phase"]) == sum(
        row["phases"] for row in rows.values()
    )


@pytest.mark.parametrize("recording", RECORDINGS)
def test_every_inverter_is_what_the_gateway_said_at_its_own_second(recording: str) -> None:
    run = printed(recording)
    wanted: dict[str, tuple[int, dict[str, Value]]] = {
        row["serialNumber"]: (
            row["lastReportDate"],
            listed_inverter_fields(row),
        )
        for row in body(recording, "api_v1_production_inverters")
    }
    for device in (body(recording, "ivp_pdm_device_data") or {}).values():
        if isinstance(device, dict) and device["devName"] == "pcu":
            channel = device["channels"][0]
            wanted[device["sn"]] = (channel["lastReading"]["endDate"], inverter_fields(channel))
    got = {place.tag("serial"): (place.time, fields) for place, fields in run.points
           if place.measurement == "envoy_inverter"}  # fmt: skip
    assert got.keys() == wanted.keys()
    for serial, (second, fields) in wanted.items():
        assert got[serial][0] == second, serial
        assert got[serial][1] == pytest.approx(written(fields), rel=1e-12), serial
    assert run.tags("envoy_inverter_status", "serial") == set(wanted)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_the_totals_follow_from_the_bodies(recording: str) -> None:
    totals, rows = printed(recording).of("envoy_totals"), _meters(recording)
    v1 = body(recording, "api_v1_production")
    wanted: dict[str, float] = {"inverters": len(body(recording, "api_v1_production_inverters"))}
    if rows:
        production, net = rows["production"], rows["net-consumption"]
        battery_w = rows["storage"]["activePower"] if "storage" in rows else 0.0
        wanted |= {
            "production_power_w": production["activePower"],
            "net_power_w": net["activePower"],
            "consumption_power_w": production["activePower"] + net["activePower"],
            "production_lifetime_wh": production["actEnergyDlvd"],
            "grid_import_lifetime_wh": net["actEnergyDlvd"],
            "grid_export_lifetime_wh": net["actEnergyRcvd"],
            "net_lifetime_wh": net["actEnergyDlvd"] - net["actEnergyRcvd"],
        }
        house = production["activePower"] + net["activePower"] + battery_w
        if house >= 0:  # one recording is made of two, and its house would use less than nothing
            wanted["load_power_w"] = house
        assert ("load_power_w" in totals) == (house >= 0)
    else:
        wanted |= {
            "production_power_w": v1["wattsNow"],
            "production_lifetime_wh": v1["wattHoursLifetime"],
            "production_today_wh": v1["wattHoursToday"],
            "production_7d_wh": v1["wattHoursSevenDays"],
        }
    assert {name: totals.get(name) for name in wanted} == pytest.approx(wanted, rel=1e-12)
    assert ("consumption_power_w" in totals) == bool(rows)


MINUTE, INVERTER, BATTERY = "envoy_totals", "envoy_inverter", "envoy_battery"
GIVEN: tuple[tuple[str, str, str, str, Value], ...] = (
    ("number of micro-inverters", MINUTE, "", "inverters", 5),
    ("number of batteries", MINUTE, "", "batteries", 5),
    ("battery state", MINUTE, "", "battery_state", "charging"),
    ("battery charge", MINUTE, "", "battery_charge_percent", 21.0),
    ("battery power", MINUTE, "", "battery_power_w", -2579.823),
    ("production now", MINUTE, "", "production_power_w", 1714.424),
    ("production today", MINUTE, "", "production_today_wh", 1475.272),
    ("production lifetime", MINUTE, "", "production_lifetime_wh", 3165834.272),
    ("consumption now", MINUTE, "", "consumption_power_w", 1843.831),
    ("consumption lifetime", MINUTE, "", "consumption_lifetime_wh", 3165834.272 + 4998251.825 - 253960.783),
    ("net now", MINUTE, "", "net_power_w", 129.407),
    ("net lifetime", MINUTE, "", "net_lifetime_wh", 4998251.825 - 253960.783),
    ("inverter communicating", "envoy_inverter_status", "482243033113", "communicating", False),
    ("inverter producing", "envoy_inverter_status", "482243033113", "producing", False),
    ("inverter power", INVERTER, "482243033113", "power_w", 0.0),
    ("inverter maximum power", INVERTER, "482243033113", "max_power_w", 361.0),
    ("battery provisioned", BATTERY, "12345678901006", "provisioned", True),
    ("battery communicating", BATTERY, "12345678901006", "communicating", True),
    ("battery producing", BATTERY, "12345678901006", "producing", False),
    ("battery's power", BATTERY, "12345678901006", "power_w", -136.0),
    ("battery's charge", BATTERY, "12345678901006", "charge_percent", 21.0),
    ("battery's maximum temperature", BATTERY, "12345678901006", "max_cell_temperature_c", 12.0),
)  # fmt: skip
CANNOT: tuple[tuple[str, str, str, str, str], ...] = (
    ("production in 7 days", MINUTE, "", "production_7d_wh",
     "its figure is all that was ever produced but for 1.4 kWh: no row of the gateway is old enough"),
    ("consumption today", MINUTE, "", "consumption_today_wh",
     "the block says 7596 Wh today and 0 Wh in seven days: it contradicts itself"),
    ("consumption in 7 days", MINUTE, "", "consumption_7d_wh", "the same block"),
    ("net today", MINUTE, "", "net_today_wh", "follows from consumption"),
    ("net in 7 days", MINUTE, "", "net_7d_wh", "follows from consumption"),
    ("inverter provisioned", "envoy_inverter_status", "482243033113", "provisioned",
     "only /inventory.json says so, which was not recorded"),
    ("battery's maximum power", BATTERY, "12345678901006", "max_power_w",
     "the recorded ratings are of batteries with other serial numbers"),
)  # fmt: skip


@pytest.mark.parametrize(("value", "measurement", "serial", "field", "wanted"), GIVEN, ids=[row[0] for row in GIVEN])
def test_every_wanted_value_is_given(value: str, measurement: str, serial: str, field: str, wanted: Value) -> None:
    got = printed(BATTERIES).of(measurement, **({"serial": serial} if serial else {})).get(field)
    assert got == (pytest.approx(wanted, rel=1e-12) if isinstance(wanted, float) else wanted), value
    assert type(got) is type(wanted)


@pytest.mark.parametrize(("value", "measurement", "serial", "field", "why"), CANNOT, ids=[row[0] for row in CANNOT])
def test_a_value_that_this_gateway_cannot_give_is_absent(
    value: str, measurement: str, serial: str, field: str, why: str
) -> None:
    assert field not in printed(BATTERIES).of(measurement, **({"serial": serial} if serial else {})), (value, why)


def _manifest(recording: str) -> Any:
    return body(recording, "manifest.json")


def _meters(recording: str) -> dict[str, Any]:
    """The enabled meters' readings by kind, each with how many phases it has; empty without meters."""
    listed = {m["eid"]: m for m in body(recording, "ivp_meters") or [] if m["state"] == "enabled"}
    return {
        listed[row["eid"]]["measurementType"]: {**row, "phases": listed[row["eid"]]["phaseCount"]}
        for row in body(recording, "ivp_meters_readings") or []
        if row["eid"] in listed
    }

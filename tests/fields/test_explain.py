"""The way of a value as it is shown is the way that it took."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from logger.model import Reading, Snapshot
from logger.readings import field_texts, paths
from logger.readings.explain import Explained, explain
from logger.readings.table import COUNTERS, MEASUREMENTS
from tests.commands.program import program
from tests.readings import recordings
from tests.readings import site as hand
from tests.standin import BackgroundSimulator, Fault

pytestmark = pytest.mark.usefixtures("short_waits")


def explained(snapshot: Snapshot, readings: list[Reading], name: str) -> list[Explained]:
    ((measurement, field),) = field_texts.find(name)
    return explain(snapshot, readings, measurement, field)


def by_hand(name: str, bodies: hand.Bodies, unknown: tuple[str, ...] = ()) -> Explained:
    snapshot = hand.snapshot(bodies, unknown=unknown)
    return explained(snapshot, hand.Recorder().read(snapshot).readings, name)[0]


def states(one: Explained) -> list[tuple[str, str]]:
    return [(c.key.rowset.name, c.state) for c in one.candidates]


@recordings.needs_recordings
@pytest.mark.parametrize("name", recordings.names())
def test_every_written_value_of_every_recording_is_the_one_that_is_explained(name: str) -> None:
    recording = recordings.load(name)
    snapshot, result = recording.snapshot(), recordings.first_poll(recording)
    checked = 0
    for m in MEASUREMENTS:
        for f in m.fields:
            for one in explain(snapshot, result.readings, m, f):
                if one.reading is None or f.made_of:
                    continue
                written = one.reading.fields.get(f.name)
                assert written == (None if one.source is None else one.source.value), (one.tags, f.name, states(one))
                checked += written is not None
    assert checked > 0 or not result.readings
    chosen = result.state.readings.sources.counters
    for counter in COUNTERS:
        lifetimes = [
            one
            for m, f in field_texts.find("envoy_totals")
            for one in explain(snapshot, result.readings, m, f)
            if counter in [c for c, _ in one.counters]
        ]
        for _, candidates in [pair for one in lifetimes for pair in one.counters if pair[0] is counter]:
            used = [c.key.rowset.name for c in candidates if c.state == "used"]
            assert used in ([], [chosen.get(counter.name)])


def test_the_first_source_that_is_there_is_used_and_the_others_are_not_needed() -> None:
    found = dict(states(by_hand("envoy_totals.production_power_w", hand.METERED)))
    assert found["production meter"] == "used"
    assert found["v1 totals"] == "not needed"


def test_a_source_that_is_silent_keeps_worse_ones_from_being_used() -> None:
    silent = {path: body for path, body in hand.METERED.items() if path != paths.READINGS}
    one = by_hand("envoy_totals.production_power_w", silent, unknown=(paths.READINGS,))
    assert one.source is None
    assert dict(states(one))["production meter"] == "unknown"
    assert dict(states(one))["v1 totals"] == "not needed"


def test_a_gateway_without_meters_says_so_and_shows_the_raw_value() -> None:
    one = by_hand("envoy_totals.production_power_w", hand.STANDARD)
    assert states(one)[0] == ("production meter", "absent")
    assert one.source is not None
    assert (one.source.key.rowset.name, one.source.raw, one.source.value) == ("v1 totals", "1990", 1990.0)


def test_the_way_of_a_batterys_charge_is_shown_from_endpoint_to_bucket(
    site: BackgroundSimulator, tmp_path: Path
) -> None:
    done = program(tmp_path, "fields", "--explain", "envoy_battery.charge_percent", settings=site.settings)
    assert done.code == 0, done.err
    way = dict(re.findall(r"^(\w+(?: \w+)?)  +(.*)$", done.out, re.M))
    assert way["endpoint"].startswith("/ivp/ensemble/power  fast lane")
    assert way["rowset"].startswith("IQ Battery power")
    assert way["key"] == "soc"
    assert way["reading"].startswith(f"charge_percent = {float(way['raw value'])} at ")
    assert f" charge_percent={float(way['raw value'])} " in way["line"]
    assert way["bucket"] == "envoy_devices (role devices)"
    assert "  1. used        IQ Battery power, soc" in done.out
    assert "  2. not needed  IQ Battery inventory" in done.out
    served = [request.path for request in site.journal]
    assert served.count("/ivp/ensemble/power") == 1
    other = program(
        tmp_path, "fields", "--explain", "envoy_battery.charge_percent", "--serial", "none", settings=site.settings
    )
    assert other.code == 2
    assert site.simulator.cloud.sign_ins == 1


def test_a_source_that_fails_now_is_shown_as_unknown_or_absent_and_the_code_is_75(
    site: BackgroundSimulator, tmp_path: Path
) -> None:
    site.fail("/ivp/meters/readings", Fault("html"))
    done = program(tmp_path, "fields", "--explain", "envoy_totals.production_power_w", settings=site.settings)
    assert done.code == 75
    assert "  1. unknown     production meter" in done.out
    assert "reading    none: the value is left out" in done.out


def test_the_list_names_every_field_and_a_name_that_is_near_is_offered(tmp_path: Path) -> None:
    everything = program(tmp_path, "fields")
    assert all(re.search(rf"^  {f.name} +{f.kind}", everything.out, re.M) for m in MEASUREMENTS for f in m.fields)
    one = program(tmp_path, "fields", "envoy_battery.charge_percent")
    assert "/ivp/ensemble/power: soc" in one.out
    wrong = program(tmp_path, "fields", "envoy_batery.charge")
    assert wrong.code == 2
    assert "envoy_battery" in wrong.err
    assert program(tmp_path, "fields", "--explain", "envoy_battery").code == 2


def test_the_json_list_has_types_units_tags_and_sources_in_order(tmp_path: Path) -> None:
    done = program(tmp_path, "fields", "--json")
    found = {f"{item['measurement']}.{item['field']}": item for item in json.loads(done.out)}
    assert set(found) == {f"{m.name}.{f.name}" for m in MEASUREMENTS for f in m.fields}
    charge = found["envoy_battery.charge_percent"]
    assert (charge["type"], charge["unit"], charge["bucket"]) == ("float", "%", "INFLUXDB_BUCKET_DEVICES")
    assert charge["tags"] == ["gateway", "site", "serial", "kind"]
    assert charge["sources"][0] == "/ivp/ensemble/power: soc"

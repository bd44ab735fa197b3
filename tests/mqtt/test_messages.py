"""What is told to the broker: nothing twice, nothing that is too old to be true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from logger.daemon.newest import NewestReadings
from logger.model import Reading
from logger.mqtt.entities import TOPICS, find_traits
from logger.mqtt.messages import Message, Messages, Present
from logger.readings.table import MEASUREMENTS
from logger.site import Site
from tests.web.stage import SERIAL, Stage, on_stage

NOON = 1_760_000_400
TAGS = {"gateway": SERIAL}


def seen(*readings: Reading, now: float = NOON, **troubles: str) -> Present:
    newest = NewestReadings()
    newest.take(readings)
    newest.note_answer(NOON, is_answered=True)
    return Present(SERIAL, newest, troubles, Site(), now)


def totals(time: int = NOON, **fields: float) -> Reading:
    return Reading("envoy_totals", TAGS, fields, time, "totals")


def states(messages: list[Message]) -> dict[str, Any]:
    return {each.topic: json.loads(each.payload) for each in messages if each.payload.startswith("{")}


def make(messages: Messages, what: Present) -> dict[str, Any]:
    return states(list(messages.list_new(what)))


def test_nothing_is_said_twice() -> None:
    messages = Messages("envoy", "homeassistant")
    assert list(messages.list_new(seen(totals(production_power_w=1.0))))
    assert not list(messages.list_new(seen(totals(production_power_w=1.0))))


def test_a_field_that_is_absent_now_is_null_not_its_last_value() -> None:
    messages = Messages("envoy", "")
    make(messages, seen(totals(production_power_w=1.0, net_power_w=2.0)))
    state = make(messages, seen(totals(NOON + 60, net_power_w=3.0), now=NOON + 60))[f"envoy/{SERIAL}/totals"]
    assert state == {"production_power_w": None, "net_power_w": 3.0, "time": NOON + 60}


def test_what_was_measured_becomes_unknown_and_a_counter_stays() -> None:
    report = Reading(
        "envoy_inverter", {**TAGS, "serial": "7"}, {"power_w": 9.0, "energy_lifetime_wh": 5.0}, NOON, "devices"
    )
    messages = Messages("envoy", "")
    make(messages, seen(report))
    assert not make(messages, seen(report, now=NOON + 7200))
    state = make(messages, seen(report, now=NOON + 7201))[f"envoy/{SERIAL}/inverter/7"]
    assert state == {"power_w": None, "energy_lifetime_wh": 5.0, "time": NOON}


def test_a_gateway_that_is_not_heard_is_offline() -> None:
    messages = Messages("envoy", "")
    reading = totals(production_power_w=1.0)
    said = [*messages.list_new(seen(reading)), *messages.list_new(seen(reading, now=NOON + 120))]
    assert [each.payload for each in said if each.topic == f"envoy/{SERIAL}/availability"] == ["online", "offline"]


def test_the_recorder_tells_its_troubles() -> None:
    messages = Messages("envoy", "")
    recorder = Reading("envoy_logger", TAGS, {"outbox_rows": 0.0}, NOON, "totals")
    assert make(messages, seen(recorder))[f"envoy/{SERIAL}/recorder"]["problem"] is False
    told = make(messages, seen(recorder, influxdb="InfluxDB is away"))[f"envoy/{SERIAL}/recorder"]
    assert told["problem"] is True
    assert told["troubles"] == ["InfluxDB is away"]


def test_numbers_alone_of_the_recorder_rest_for_five_minutes_and_a_trouble_does_not() -> None:
    messages = Messages("envoy", "")

    def told(after: int, rows: float, **troubles: str) -> bool:
        reading = Reading("envoy_logger", TAGS, {"outbox_rows": rows}, NOON + after, "totals")
        return bool(make(messages, seen(reading, now=NOON + after, **troubles)))

    assert told(0, 0.0)
    assert not told(60, 1.0)
    assert told(120, 2.0, influxdb="InfluxDB is away")
    assert not told(180, 3.0, influxdb="InfluxDB is away")
    assert told(240, 3.0)
    assert told(540, 4.0)


def test_a_flag_of_an_inverter_is_told_at_once() -> None:
    messages = Messages("envoy", "")
    tags = {**TAGS, "serial": "7"}

    def told(after: int, **fields: bool) -> bool:
        reading = Reading("envoy_inverter_status", tags, fields, NOON + after, "devices")
        return bool(make(messages, seen(reading, now=NOON + after)))

    assert told(0, communicating=True)
    assert not told(300, communicating=True)
    assert told(600, communicating=False)
    assert told(900, communicating=False, fault=False)
    assert told(4500, communicating=False, fault=False)


def test_points_of_endpoints_are_no_entities() -> None:
    point = Reading("envoy_logger", {**TAGS, "endpoint": "/info"}, {"requests": 3}, NOON, "totals")
    assert not make(Messages("envoy", "homeassistant"), seen(point))


def test_without_a_prefix_nothing_is_announced() -> None:
    assert list(make(Messages("solar/roof", ""), seen(totals(production_power_w=1.0)))) == [
        f"solar/roof/{SERIAL}/totals"
    ]


def test_the_energy_dashboard_accepts_each_counter() -> None:
    """Home Assistant's Energy wants device class energy, Wh, and a state class of totals."""
    found = 0
    for topic in TOPICS:
        for field in topic.fields:
            traits = find_traits(field)
            if field.name.endswith("_lifetime_wh"):
                expected = "total" if field.name.startswith("net") else "total_increasing"
                assert (traits.device_class, traits.unit, traits.state_class) == ("energy", "Wh", expected)
                found += 1
            if field.unit in ("w", "v", "hz", "c"):
                assert traits.state_class == "measurement"
    assert found >= 9


def test_what_falls_at_midnight_and_may_be_negative_has_no_statistics() -> None:
    fields = {field.name: find_traits(field) for topic in TOPICS for field in topic.fields}
    assert fields["net_today_wh"].state_class == ""
    assert fields["production_today_wh"].state_class == "total_increasing"


def test_each_unit_of_a_shown_field_has_its_class() -> None:
    from logger.mqtt.entities import UNITS

    assert {field.unit for topic in TOPICS for field in topic.fields} - {""} <= UNITS.keys()
    assert {topic.measurement for topic in TOPICS} <= set(MEASUREMENTS)


@pytest.mark.parametrize("minute", [5])
def test_every_reading_of_a_tick_is_announced_and_told(tmp_path: Path, minute: int) -> None:
    async def play(here: Stage) -> dict[str, Any]:
        await here.tick(minute)
        what = Present(SERIAL, here.collector.newest, {}, here.collector.site, here.clock.now)
        return make(Messages("envoy", "homeassistant"), what)

    said = on_stage(tmp_path, play)
    told = {topic: set(state) - {"time", "troubles"} for topic, state in said.items() if topic.startswith("envoy/")}
    announced: dict[str, set[str]] = {}
    for topic, config in said.items():
        if topic.startswith("homeassistant/"):
            field = config["value_template"].partition("value_json.")[2].rstrip(") }")
            announced.setdefault(config["state_topic"], set()).add(field)
    assert announced == told
    assert len({config.get("unique_id") for config in said.values() if "unique_id" in config}) == sum(
        len(names) for names in told.values()
    )


def test_the_page_lists_every_topic() -> None:
    page = (Path(__file__).parents[2] / "docs" / "home-assistant.md").read_text()
    for topic in TOPICS:
        assert f"| `envoy/SERIAL/{topic.name}" in page
        assert f"`{topic.measurement.name}`" in page


def test_the_page_names_the_entities_of_the_energy_dashboard_as_home_assistant_shows_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "home-assistant.md").read_text()
    names = {field.name: find_traits(field).name for topic in TOPICS for field in topic.fields}
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| `(\w+_lifetime_wh)` \|$", page, re.M)
    assert len(rows) == 5
    for entity, field in rows:
        assert names[field].startswith(entity.removesuffix(", …"))

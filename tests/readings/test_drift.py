"""A key that goes missing, a type that changes: said once, after half an hour, and once when it is as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from logger.answer import Answer
from logger.gateway.documents import number_skeleton
from logger.model import Document, Event, Json
from logger.readings import paths
from logger.readings.drift import LASTS_S, READ, Shape, watch
from tests.readings.recordings import SITE, load, names, needs_recordings
from tests.readings.site import (
    METERED,
    NOW,
    PRODUCTION,
    TOTALS,
    Body,
    Recorder,
    battery,
    detailed,
    device_data,
    ensemble,
    inventory,
    inverter,
    listed,
    points,
    reading,
    snapshot,
)
from tests.readings.watched_keys import watch_keys

ROWS: list[Json] = [reading(PRODUCTION, 2000.0)]
CHANNEL = detailed("1" * 12)["channels"][0]


def without(body: Body, key: str) -> Body:
    return [{name: value for name, value in item.items() if name != key} for item in body]


def minutes(shape: Shape, body: Json, count: int, start: int = NOW, every: int = 60) -> tuple[Shape, list[Event]]:
    """The same body so many times; each answer has a skeleton, as real ones do."""
    events: list[Event] = []
    skeleton = number_skeleton(Answer(200, {}, json.dumps(body).encode(), 0.1))
    for n in range(count):
        at = start + n * every
        shape, said = watch(shape, Document(paths.READINGS, body, at + 5.0, 0.1, skeleton), at)
        events += said
    return shape, events


def test_a_missing_key_is_said_once_after_half_an_hour_and_once_when_it_is_back() -> None:
    shape, quiet = minutes(Shape(), ROWS, 5)
    assert quiet == []
    shape, quiet = minutes(shape, without(ROWS, "activePower"), 30, NOW + 300)
    assert quiet == []
    shape, said = minutes(shape, without(ROWS, "activePower"), 600, NOW + 2100)
    (event,) = said
    assert (event.kind, event.severity, event.time) == ("key_lost", "warning", NOW + 300 + LASTS_S)
    assert event.text == (
        "/ivp/meters/readings has not given activePower (for envoy_totals.battery_power_w, "
        "envoy_totals.production_power_w, envoy_totals.consumption_power_w, …) for half an hour; "
        "values read from it are left out"
    )
    shape, said = minutes(shape, ROWS, 5, NOW + 90_000)
    assert [(e.kind, e.text) for e in said] == [
        ("key_back", "/ivp/meters/readings gives activePower as a number, as it did before")
    ]


def test_a_key_that_differs_in_digits_alone_is_missed_for_a_quarter_of_an_hour_at_most() -> None:
    renamed: Body = [{**row, "activePower2": 1.0} for row in without(ROWS, "activePower") if isinstance(row, dict)]
    shape, _ = minutes(Shape(), ROWS, 5)
    _, said = minutes(shape, renamed, 60, NOW + 300)
    (event,) = said
    assert NOW + 300 + LASTS_S <= event.time <= NOW + 300 + LASTS_S + 900


def test_a_changed_type_is_said_with_both_types() -> None:
    shape, _ = minutes(Shape(), ROWS, 3)
    _, said = minutes(shape, [{**reading(PRODUCTION, 2000.0), "voltage": "230 V"}], 40, NOW + 300)
    assert ["as text, not as a number" in event.text for event in said] == [True]


def test_a_document_that_is_something_else_altogether_is_said() -> None:
    shape, _ = minutes(Shape(), ROWS, 3)
    _, said = minutes(shape, {"meters": ROWS}, 40, NOW + 300)
    assert [event.text for event in said] == [
        "/ivp/meters/readings has given its content as an object, not as a list, for half an hour; "
        "values read from it are left out"
    ]


def test_what_is_said_outlives_a_restart_and_is_not_said_again() -> None:
    shape, _ = minutes(Shape(), ROWS, 3)
    shape, said = minutes(shape, without(ROWS, "freq"), 40, NOW + 300)
    assert len(said) == 1
    again = Shape(shape.keys)
    _, said = minutes(again, without(ROWS, "freq"), 100, NOW + 9000)
    assert said == []
    _, said = minutes(again, ROWS, 1, NOW + 20_000)
    assert [event.kind for event in said] == ["key_back"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([], ROWS, id="first empty"),
        pytest.param(ROWS, [], id="an empty list"),
        pytest.param(ROWS, [{}], id="an empty object"),
        pytest.param(ROWS, [{**reading(PRODUCTION, 2000.0), "activePower": None}], id="null"),
        pytest.param(
            ROWS, [{**reading(PRODUCTION, 2000.0), "der_index": "text"}], id="a key that nothing is read from"
        ),
        pytest.param(ROWS, [*ROWS, without(ROWS, "freq")[0]], id="missing in one of two"),
        pytest.param(ROWS, [{**reading(PRODUCTION, 2000.0), "freq": 50}], id="a whole number"),
        pytest.param(
            device_data(detailed("1" * 12)),
            device_data({**detailed("1" * 12), "channels": [{**CHANNEL, "lastReading": {}, "lifetime": {}}]}),
            id="an inverter without a last reading",
        ),
        pytest.param(
            inventory(listed("1" * 12), listed("2" * 12, admin=3)), inventory(listed("1" * 12)), id="a deleted one"
        ),
        pytest.param(ensemble(battery("4" * 12)), [], id="batteries taken away"),
        pytest.param(ensemble(battery("4" * 12)), ensemble(), id="batteries listed no more"),
    ],
)
def test_what_comes_and_goes_by_itself_is_no_news(before: Json, after: Json) -> None:
    shape, _ = minutes(Shape(), before, 5)
    shape, said = minutes(shape, after, 100, NOW + 300)
    assert said == []
    assert minutes(shape, before, 10, NOW + 30_000)[1] == []


def test_a_gap_of_answers_is_not_half_an_hour_of_missing() -> None:
    shape, _ = minutes(Shape(), ROWS, 3)
    _, said = minutes(shape, without(ROWS, "freq"), 2, NOW + 300, every=7200)
    assert said == []


def test_the_rest_is_still_written_and_the_event_is_a_point() -> None:
    recorder = Recorder()
    broken = {**METERED, paths.READINGS: without(METERED[paths.READINGS], "activePower")}
    recorder.read(snapshot(METERED))
    kinds = []
    for minute in range(1, 60):
        tick = NOW + 60 * minute
        since = {"totals": tick - 55.0, "devices": tick - 55.0}
        found = recorder.read(snapshot(broken, tick=tick, since=since), TOTALS)  # type: ignore[arg-type]
        kinds += [event.kind for event in found.events]
        fields = points(found, "envoy_meter")["production"].fields
        assert "power_w" not in fields
        assert fields["voltage_v"] == 230.0
    assert kinds == ["key_lost"]
    assert "key_lost" not in [e.kind for e in recorder.read(snapshot(broken, tick=NOW + 7200), TOTALS).events]


def quiet_hour(name: str) -> Iterator[Event]:
    recording, recorder = load(name), Recorder(SITE)
    for n in range(13):
        tick = recording.tick + 300 * n
        yield from recorder.read(recording.snapshot(tick=tick)).events


@needs_recordings
@pytest.mark.parametrize("name", names())
def test_a_recorded_gateway_that_stays_as_it_is_raises_none(name: str) -> None:
    assert [event for event in quiet_hour(name) if event.kind.startswith("key_")] == []


@needs_recordings
def test_every_key_that_is_looked_at_in_any_recording_counts_as_read() -> None:
    asked: set[str] = set()
    for name in names():
        recording = load(name)
        asked |= {key for key in watch_keys(recording) if not key.isdigit()}
    words = {"err", "error", "dry_contacts", "generator", "devices"}
    assert asked - READ - words == set(), "add the keys to `_STRUCTURE` of logger/readings/drift.py"


def test_inverters_of_old_firmware_may_learn_what_they_are() -> None:
    """A new key is no news; one firmware added `devType`."""
    old: list[Json] = [{key: value for key, value in inverter("1" * 12).items() if key != "devType"}]
    shape, _ = minutes(Shape(), old, 5)
    assert minutes(shape, [inverter("1" * 12)], 100, NOW + 300)[1] == []

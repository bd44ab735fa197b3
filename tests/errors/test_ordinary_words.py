"""A password that is an ordinary word, or a number: masked, and nothing that the program decides hangs on it."""

from __future__ import annotations

import io
import json
import logging

import pytest

from logger import log
from logger.influx.classify import BadLines, Blocked, OutsideRetention, classify
from tests.databases.fake2 import Fake2
from tests.databases.fake_records import Scripted
from tests.influx.test_write import blocked, write

WORDS = ("database", "found", "retention", "unable", "parse")


@pytest.fixture
def protected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_SECRETS", set())
    log.protect([*WORDS, "1234", "status"])


@pytest.mark.usefixtures("protected")
def test_what_a_server_means_is_judged_before_its_words_are_masked() -> None:
    bodies = {
        '{"error":"unable to parse \'x\': missing fields"}': BadLines,
        '{"error":"partial write: points beyond retention policy dropped=1"}': OutsideRetention,
    }
    for body, kind in bodies.items():
        outcome = classify(400, body, {}, 0.0, log.mask)
        assert isinstance(outcome, kind)
        assert not [word for word in WORDS if word in getattr(outcome, "reason", "none")]
    missing = classify(404, '{"error":"database not found: \\"x\\""}', {}, 0.0, log.mask)
    assert isinstance(missing, Blocked)
    assert (missing.kind, missing.reason) == ("missing", 'HTTP 404: ******** not ********: "x"')


@pytest.mark.usefixtures("protected")
def test_the_writer_hides_the_word_and_still_knows_a_missing_bucket(fake_influx2: Fake2) -> None:
    fake_influx2.fake.script(Scripted(404, '{"code":"not found","message":"bucket \\"envoy\\" not found"}'))
    target = fake_influx2.target({"totals": "envoy", "devices": "envoy", "daily": "envoy"})
    found = blocked(write(target, b"m f=1 1700000040\n"), "missing")
    assert "found" not in found.reason


def test_facts_stand_behind_what_happened_and_not_in_what_to_try() -> None:
    record = logging.makeLogRecord({"msg": "InfluxDB refused points\nTry: envoy-logger outbox refused", "points": 3})
    stream = io.StringIO()
    root, ours = logging.getLogger(), logging.getLogger("logger")
    before = root.handlers[:], root.level, ours.level
    try:
        log.configure(stream=stream)
        root.handlers[0].handle(record)
    finally:
        root.handlers[:], root.level = before[:2]
        ours.setLevel(before[2])
    first, second = stream.getvalue().splitlines()
    assert first.endswith("InfluxDB refused points points=3")
    assert second == "Try: envoy-logger outbox refused"


@pytest.mark.usefixtures("protected")
def test_json_stays_json_and_keeps_its_names_and_numbers() -> None:
    stream = io.StringIO()
    root, ours = logging.getLogger(), logging.getLogger("logger")
    before = root.handlers[:], root.level, ours.level
    try:
        log.configure("info", "json", stream=stream)
        log.get("ship").info("status is 1234", extra={"status": 81234})
    finally:
        root.handlers[:], root.level = before[:2]
        ours.setLevel(before[2])
    entry = json.loads(stream.getvalue())
    assert (entry["event"], entry["status"]) == ("******** is ********", 81234)
    assert log.mask_all({"status": ["1234", 1234, None, {"x": "status"}]}) == {
        "status": ["********", 1234, None, {"x": "********"}]
    }

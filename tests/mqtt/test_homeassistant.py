"""Home Assistant's own schema accepts every discovery message (HOMEASSISTANT: a Python that has homeassistant)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from logger.mqtt.entities import TOPICS
from logger.mqtt.home_assistant import describe_entities
from tests.mqtt import homeassistant_schema

NEEDS = "needs: HOMEASSISTANT=/path/to/python with the package homeassistant"
TAGS = {"gateway": "122500000001", "site": "Süddach & Co", "serial": "482100000001", "panel": "Süd 1", "kind": "acb"}


def ask(messages: list[tuple[str, object]]) -> str:
    python = os.environ.get("HOMEASSISTANT") or pytest.skip(NEEDS)
    command = [python, str(Path(homeassistant_schema.__file__))]
    run = subprocess.run(command, input=json.dumps(messages), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_schema_accepts_every_entity_of_the_table() -> None:
    messages: list[tuple[str, object]] = [
        (topic_name, json.loads(payload))
        for topic in TOPICS
        for topic_name, payload in describe_entities(
            "homeassistant", "envoy/1", topic, f"envoy/1/{topic.name}", TAGS, frozenset(f.name for f in topic.fields)
        )
    ]
    assert len(messages) == sum(len(topic.fields) for topic in TOPICS)
    assert not ask(messages)


def test_the_check_refuses_what_home_assistant_would() -> None:
    wrong = {"name": "x", "state_topic": "a", "unique_id": "x", "device_class": "energy", "state_class": "no such"}
    strange = {"name": "x", "state_topic": "a", "unique_id": "y", "colour": "red"}
    answer = ask([("homeassistant/sensor/x/config", wrong), ("homeassistant/sensor/y/config", strange)])
    assert len(answer.splitlines()) == 2

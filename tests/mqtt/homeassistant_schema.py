"""Check discovery messages with Home Assistant's own schema. It runs under the Python of a Home Assistant.

Reads a JSON list of [topic, message] from standard input; prints one line for each that is not accepted whole.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any


def find_fault(topic: str, message: dict[str, Any]) -> str:
    """Return what Home Assistant has against a message; empty if nothing."""
    module = importlib.import_module(f"homeassistant.components.mqtt.{topic.split('/')[1]}")
    try:
        accepted = module.DISCOVERY_SCHEMA(message)
        module.PLATFORM_SCHEMA_MODERN(message)
    except Exception as error:  # noqa: BLE001  whatever the schema says
        return str(error)
    dropped = message.keys() - accepted.keys()
    return f"{sorted(dropped)} mean nothing to Home Assistant" if dropped else ""


if __name__ == "__main__":
    for at, what in json.load(sys.stdin):
        if fault := find_fault(at, what):
            print(f"{at}: {fault}")

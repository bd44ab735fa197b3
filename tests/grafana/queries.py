"""The board's queries as Grafana would send them."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BOARD_FILE = ROOT / "grafana" / "dashboards" / "envoy.json"
DATASOURCE = "${datasource}"


def board() -> dict[str, Any]:
    """The board as it is provisioned."""
    loaded: dict[str, Any] = json.loads(BOARD_FILE.read_text(encoding="utf-8"))
    return loaded


def raw_queries() -> list[tuple[str, str]]:
    """(panel and letter, or variable; Flux) of every query, with nothing put in yet."""
    found = [
        (f"{panel['title']} #{panel['id']} {target['refId']}", target["query"])
        for panel in board()["panels"]
        for target in panel["targets"]
    ]
    found += [
        (f"variable {item['name']}", item["query"])
        for item in board()["templating"]["list"]
        if item["type"] == "query"
    ]
    return found


def grafana_queries(
    *,
    bucket: str = "envoy",
    bucket_devices: str = "envoy_devices",
    gateway: str = "122334455667",
    timezone: str = "Europe/Berlin",
    start: str = "-24h",
    stop: str = "now()",
    every: str = "5m",
) -> list[tuple[str, str]]:
    """(title, Flux) of every query, with the board's variables and Grafana's own `v` put in.

    `start` and `stop` are Flux expressions (`-24h`, `2026-06-01T00:00:00Z`), `every` a duration.
    """
    values = {
        "${bucket:raw}": bucket,
        "${bucket_devices:raw}": bucket_devices,
        "${gateway:raw}": gateway,
        "${__timezone:raw}": timezone,
        "v.timeRangeStart": start,
        "v.timeRangeStop": stop,
        "v.windowPeriod": every,
    }
    return [
        (title, reduce(lambda text, name: text.replace(name, values[name]), values, query))
        for title, query in raw_queries()
    ]

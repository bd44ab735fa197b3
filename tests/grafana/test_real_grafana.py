"""A real Grafana takes the project's own files: data sources, boards and alerts, without an error in its log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grafana.alerts.rules import RULES
from grafana.boards import BOARDS
from tests.databases.influx1 import Influx1
from tests.databases.server import Server
from tests.grafana.grafana_server import LANGUAGES, QUERY_LANGUAGES, Choice, Grafana
from tests.sizes import LONG
from tests.waiting import wait_until

CHOICES = [Choice(dialect, language) for dialect in QUERY_LANGUAGES for language in LANGUAGES]
if not LONG:
    CHOICES = CHOICES[-1:]


def shown(grafana: Grafana) -> set[str]:
    found: Any = grafana.get("/api/search?type=dash-db")
    return {board["uid"] for board in found}


@pytest.mark.parametrize("choice", CHOICES, ids=lambda each: f"{each.query_language}-{each.language}")
def test_all_files_are_taken_without_an_error(influx1: Influx1, tmp_path: Path, choice: Choice) -> None:
    server: Server = influx1
    grafana = Grafana(tmp_path, server, choice)
    grafana.start()
    try:
        wait_until(lambda: shown(grafana) == {board.uid for board in BOARDS}, lambda: "\n".join(grafana.log()))
        rules: Any = grafana.get("/api/ruler/grafana/api/v1/rules")
        sources: Any = grafana.get("/api/datasources")
    finally:
        grafana.stop()
    assert [
        rule["grafana_alert"]["uid"] for groups in rules.values() for group in groups for rule in group["rules"]
    ] == [rule.uid for rule in RULES]
    assert {source["name"] for source in sources} == (
        {"Envoy"} if choice.query_language == "flux" else {"Envoy", "Envoy devices", "Envoy daily"}
    )
    about_data = ("ngalert.scheduler", "context canceled")  # the database is empty, and a rule may ask it meanwhile
    errors = [line for line in grafana.log() if "level=error" in line]
    assert not [line for line in errors if not any(words in line for words in about_data)]

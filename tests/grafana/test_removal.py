"""A real Grafana forgets what the installer gave it, and keeps what is its owner's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from grafana.boards import BOARDS
from tests.databases.influx1 import Influx1
from tests.grafana.grafana_server import ADMIN, Choice, Grafana
from tests.waiting import wait_until

SYSTEMD: Final = Path(__file__).parents[2] / "deploy" / "systemd"
_REPLACE: Final = """
set -euo pipefail
cd "$1"
DESTDIR=
. "$2/removal.sh"
grafana_sources=datasources/envoy.yaml grafana_boards=dashboards/envoy.yaml grafana_alerts=alerting/envoy.yaml
names=$(name_sources) rules=$(name_rules)
name_folders
write_source_removal "$names" > "$grafana_sources"
write_rule_removal "$rules" > "$grafana_alerts"
rm "$grafana_boards"
"""


def test_what_is_ours_goes_and_what_is_the_owners_stays(influx1: Influx1, tmp_path: Path) -> None:
    grafana = Grafana(tmp_path, influx1, Choice("influxql", "de"))
    grafana.start()
    try:
        wait_until(lambda: len(boards(grafana)) == len(BOARDS), lambda: "\n".join(grafana.log()))
        own_board: Any = {"dashboard": {"title": "My own", "uid": "mine"}, "folderUid": "envoy-logger"}
        assert grafana.ask("POST", "/api/dashboards/db", own_board).status_code == 200
        own_source: Any = {"name": "Mine", "type": "influxdb", "access": "proxy", "url": influx1.url}
        assert grafana.ask("POST", "/api/datasources", own_source).status_code == 200
        grafana.stop()
        folders = run("bash", "-c", _REPLACE, "bash", str(tmp_path / "provisioning"), str(SYSTEMD))
        grafana.start()
        wait_until(lambda: boards(grafana) == {"mine"}, lambda: "\n".join(grafana.log()))
        password = tmp_path / "password"
        password.write_text(ADMIN[1])
        said = delete_folders(grafana, password, folders)
        rules: Any = grafana.get("/api/ruler/grafana/api/v1/rules")
        sources: Any = grafana.get("/api/datasources")
        left: Any = grafana.get("/api/folders")
    finally:
        grafana.stop()
    assert folders.splitlines() == ["Envoy", "Solaralarme"]
    assert "Envoy stays in Grafana, because it holds: My own" in said
    assert "Solaralarme is deleted" in said
    assert rules == {}
    assert [source["name"] for source in sources] == ["Mine"]
    assert [folder["title"] for folder in left] == ["Envoy"]
    assert not [line for line in grafana.log() if "level=error" in line and "provisioning" in line]


def test_without_the_password_it_is_said_what_stays(tmp_path: Path) -> None:
    said = run(sys.executable, str(SYSTEMD / "delete_folders.py"), str(tmp_path / "none"), "Envoy\nSolar alerts")
    assert "Envoy, Solar alerts stay in Grafana (No such file or directory)" in said
    assert "Try: " in said


def boards(grafana: Grafana) -> set[str]:
    found: Any = grafana.get("/api/search?type=dash-db")
    return {board["uid"] for board in found}


def delete_folders(grafana: Grafana, password: Path, titles: str) -> str:
    command = [sys.executable, str(SYSTEMD / "delete_folders.py"), str(password), titles]
    return run(*command, GRAFANA_PORT=str(grafana.process.port), GRAFANA_PATIENCE_S="1")


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    return done.stdout.strip()

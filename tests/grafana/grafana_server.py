"""Run a real Grafana on the project's own provisioning files, with the boards of one language and query language.

`GRAFANA` names its home: the folder with `conf/defaults.ini`, `public/build` and, below `bin`, the server. That is
`/usr/share/grafana` where a package installed it, or the root of its source after a build. It listens on loopback,
lets everyone look without signing in, and calls nobody.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import httpx
import pytest

from logger.model import Json, Role
from tests.databases.server import Server, http
from tests.databases.server_process import ServerProcess

ROOT: Final = Path(__file__).parents[2] / "grafana"
NEEDS_GRAFANA: Final = "needs: Grafana (GRAFANA=its home: the folder with bin, conf and public/build)"
QueryLanguage: TypeAlias = Literal["flux", "influxql"]
Language: TypeAlias = Literal["en", "de", "fr"]
QUERY_LANGUAGES: Final[tuple[QueryLanguage, ...]] = ("flux", "influxql")
LANGUAGES: Final[tuple[Language, ...]] = ("en", "de", "fr")
BUCKETS: Final[dict[Role, str]] = {"totals": "envoy", "devices": "envoy_devices", "daily": "envoy_daily"}
ADMIN: Final = ("admin", "admin")

SETTINGS: Final = """\
[server]
http_addr = 127.0.0.1
http_port = {port}
[paths]
data = {folder}/data
logs = {folder}/logs
plugins = {folder}/plugins
provisioning = {folder}/provisioning
[database]
query_retries = 30
transaction_retries = 30
[date_formats]
interval_hour = MM-DD HH:mm
interval_day = MM-DD
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
[news]
news_feed_enabled = false
[security]
disable_gravatar = true
[snapshots]
external_enabled = false
[auth.anonymous]
enabled = true
org_role = Viewer
[log]
mode = console
level = warn
[unified_alerting]
enabled = true
[alerting]
enabled = false
"""


@dataclass(frozen=True)
class Choice:
    """Which boards a Grafana shows: in which language, asked in which query language."""

    query_language: QueryLanguage = "flux"
    language: Language = "en"

    @property
    def boards(self) -> Path:
        """The folder with the boards' JSON."""
        return ROOT / "dashboards" / self.query_language / self.language


def require_grafana() -> tuple[Path, list[str]]:
    """Home and command of the Grafana that `GRAFANA` names; without the variable the test is skipped."""
    if not (named := os.environ.get("GRAFANA")):
        pytest.skip(NEEDS_GRAFANA)
    home = Path(named)
    for command in ("bin/grafana server", "bin/grafana-server", "bin/linux-amd64/grafana-server"):
        path, *words = command.split()
        if (home / path).is_file():
            assert (home / "public" / "build").is_dir(), f"GRAFANA={home} has no public/build"
            return home, [str(home / path), *words]
    raise AssertionError(f"GRAFANA={home} has no bin/grafana, bin/grafana-server or bin/linux-amd64/grafana-server")


class Grafana:
    """One Grafana over one database; `boards` may be another folder than the choice's, alerts may come faster."""

    def __init__(
        self, folder: Path, database: Server, choice: Choice, *, boards: Path | None = None, alerts_every: str = "1m"
    ) -> None:
        home, command = require_grafana()
        self.choice, self.database, self._folder = choice, database, folder
        self.alerts_every = alerts_every
        self._provision(database, boards or choice.boards)

        def start(where: Path, port: int) -> list[str]:
            settings = where / "grafana.ini"
            settings.write_text(SETTINGS.format(port=port, folder=where), encoding="utf-8")
            return [*command, "-homepath", str(home), "-config", str(settings)]

        known = {
            "INFLUXDB_URL": database.url,
            "INFLUXDB_ORG": database.org,
            "INFLUXDB_BUCKET": BUCKETS["totals"],
            "INFLUXDB_BUCKET_DEVICES": BUCKETS["devices"],
            "INFLUXDB_BUCKET_DAILY": BUCKETS["daily"],
            "INFLUXDB_READ_USERNAME": "envoy_grafana",
        }
        self.process = ServerProcess(folder, start, "/api/health", known)

    def _provision(self, database: Server, boards: Path) -> None:
        """Lay out the files as a package or compose does, with this machine's places in them."""
        source, target = ROOT / "provisioning" / self.choice.query_language, self._folder / "provisioning"
        token = self._folder / "influxdb_token"
        token.write_text(database.admin_token or "none", encoding="utf-8")
        for kind in ("datasources", "dashboards", "alerting", "notifiers", "plugins"):
            (target / kind).mkdir(parents=True)
        places = {"/tokens/grafana/influxdb_token": str(token), "/etc/grafana/dashboards": str(boards)}
        places["updateIntervalSeconds: 60"] = "updateIntervalSeconds: 3"
        for kind in ("datasources", "dashboards"):
            for file in sorted((source / kind).glob("*.yaml")):
                text = file.read_text(encoding="utf-8")
                for there, here in places.items():
                    text = text.replace(there, here)
                (target / kind / file.name).write_text(text, encoding="utf-8")
        for file in sorted((source / "alerting" / self.choice.language).glob("*.yaml")):
            text = file.read_text(encoding="utf-8").replace("interval: 1m", f"interval: {self.alerts_every}")
            (target / "alerting" / file.name).write_text(text, encoding="utf-8")

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.process.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process.start()

    def stop(self) -> None:
        """End it."""
        self.process.end(signal.SIGTERM)

    def log(self) -> list[str]:
        """What it said so far: warnings and errors."""
        return (self._folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()

    def ask(self, method: Literal["GET", "POST"], path: str, json: Json = None) -> httpx.Response:
        """One call of its API, as administrator."""
        return http(method, f"{self.url}{path}", json=json, auth=ADMIN)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """The answer to a question that must succeed."""
        answer = http("GET", f"{self.url}{path}", params=params, auth=ADMIN)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

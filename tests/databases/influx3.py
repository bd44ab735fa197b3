"""Run a real InfluxDB 3 Core; `INFLUXD3` names its program."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from logger.model import Json, Role
from tests.databases.influx1 import SpeaksInfluxQL
from tests.databases.server import http
from tests.databases.server_process import Binary, ServerProcess

NEEDS_3 = "needs: InfluxDB 3 (INFLUXD3=/path/to/influxdb3)"
MANY_FILES = "--query-file-limit=100000"
_CONFIGURE = "/api/v3/configure/database"


class Influx3(SpeaksInfluxQL, Binary):
    """InfluxDB 3 Core; it holds five databases, and reads as many files for one query as it is told to.

    `auth`: it lets nobody in but with `admin_token`. `options`: further ones of its command.
    """

    kind = "influx3"
    refusals: Mapping[str, str] = {"syntax": "No fields were provided", "type conflict": "invalid column type"}

    def __init__(self, folder: Path, *, auth: bool = False, options: Sequence[str] = (MANY_FILES,)) -> None:
        if not (binary := os.environ.get("INFLUXD3")):
            pytest.skip(NEEDS_3)
        assert Path(binary).is_file(), f"INFLUXD3={binary} is no file"
        self._auth = auth
        self._made: list[str] = []
        self.process = ServerProcess(
            folder,
            lambda where, port: [
                binary,
                "serve",
                "--node-id=test",
                "--object-store=file",
                f"--data-dir={where}/data",
                f"--http-bind=127.0.0.1:{port}",
                *([] if auth else ["--without-auth"]),
                "--disable-telemetry-upload",
                *options,
            ],
            "/health",
        )

    def start(self) -> None:
        super().start()
        if self._auth and not self.admin_token:
            answer = http("POST", f"{self.url}/api/v3/configure/token/admin")
            assert answer.status_code == 201, answer.text
            self.admin_token = str(answer.json()["token"])

    def list_databases(self) -> set[str]:
        """The names of its databases."""
        answer = http("GET", f"{self.url}{_CONFIGURE}", params={"format": "json"}, headers=self.signed())
        return {str(each["iox::database"]) for each in answer.json()}

    def create(self, bucket: str, retention_s: int = 0) -> None:
        wanted: dict[str, Json] = {"db": bucket}
        if retention_s:
            wanted["retention_period"] = f"{retention_s}s"
        answer = http("POST", f"{self.url}{_CONFIGURE}", json=wanted, headers=self.signed())
        assert answer.status_code == 200, answer.text
        self._made.append(bucket)

    def drop(self, bucket: str) -> None:
        answer = http("DELETE", f"{self.url}{_CONFIGURE}", params={"db": bucket}, headers=self.signed())
        assert answer.status_code == 200, answer.text
        self._made.remove(bucket)

    def fresh_buckets(self) -> dict[Role, str]:
        """Three new, empty databases; those of an earlier test are dropped, as it holds five."""
        for bucket in list(self._made):
            self.drop(bucket)
        return super().fresh_buckets()

"""Run a real InfluxDB 2, and call the API that it shares with the fake one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import httpx
import pytest
from influxdb_client import InfluxDBClient

from logger.model import Json, Value
from tests.databases.server import Row, Server, http, in_order
from tests.databases.server_process import NEEDS_2, Binary, ServerProcess, influxd_of_version


class Speaks2(Server):
    """What the real InfluxDB 2 and the fake have in common: everything but how they are started."""

    org = "home"
    admin_token = "test-admin-token"

    def onboard(self) -> None:
        """First user, organisation, bucket and administrator's token."""
        answer = http(
            "POST",
            f"{self.url}/api/v2/setup",
            json={
                "username": "admin",
                "password": "admin-password",
                "org": self.org,
                "bucket": "first",
                "token": self.admin_token,
            },
        )
        assert answer.status_code == 201, answer.text

    def ask(
        self,
        method: Literal["GET", "POST", "PATCH", "DELETE"],
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Json = None,
        token: str | None = None,
    ) -> httpx.Response:
        """One call of its API, as administrator unless a token is given."""
        return http(
            method,
            f"{self.url}{path}",
            params=params,
            json=json,
            headers={"authorization": f"Token {token or self.admin_token}"},
        )

    def is_fresh(self) -> bool:
        """Whether it still waits for its first user."""
        return bool(http("GET", f"{self.url}/api/v2/setup").json()["allowed"])

    def org_id(self, org: str | None = None) -> str:
        """The id of an organisation."""
        return str(self.ask("GET", "/api/v2/orgs", params={"org": org or self.org}).json()["orgs"][0]["id"])

    def new_org(self) -> str:
        """The name of a new, empty organisation."""
        name = f"org_{uuid.uuid4().hex[:10]}"
        answer = self.ask("POST", "/api/v2/orgs", json={"name": name})
        assert answer.status_code == 201, answer.text
        return name

    def bucket_id(self, bucket: str) -> str:
        """The id of a bucket in the first organisation."""
        answer = self.ask("GET", "/api/v2/buckets", params={"name": bucket, "orgID": self.org_id()})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["buckets"][0]["id"])

    def create(self, bucket: str, retention_s: int = 0) -> None:
        rules: list[Json] = [{"type": "expire", "everySeconds": retention_s}] if retention_s else []
        answer = self.ask(
            "POST", "/api/v2/buckets", json={"orgID": self.org_id(), "name": bucket, "retentionRules": rules}
        )
        assert answer.status_code == 201, answer.text

    def drop(self, bucket: str) -> None:
        answer = self.ask("DELETE", f"/api/v2/buckets/{self.bucket_id(bucket)}")
        assert answer.status_code == 204, answer.text

    def new_token(self, *, write: tuple[str, ...] = (), read: tuple[str, ...] = ()) -> tuple[str, str]:
        """(id, text) of a token for these buckets."""
        org_id = self.org_id()
        wanted = [("write", name) for name in write] + [("read", name) for name in read]
        permissions: list[Json] = [
            {"action": action, "resource": {"type": "buckets", "id": self.bucket_id(name), "orgID": org_id}}
            for action, name in wanted
        ]
        answer = self.ask(
            "POST",
            "/api/v2/authorizations",
            json={"orgID": org_id, "description": "of a test", "permissions": permissions},
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"]), str(answer.json()["token"])

    def set_active(self, token_id: str, active: bool) -> None:
        """Revoke a token, or restore it."""
        answer = self.ask(
            "PATCH", f"/api/v2/authorizations/{token_id}", json={"status": "active" if active else "inactive"}
        )
        assert answer.status_code == 200, answer.text

    def rows(self, bucket: str, measurement: str) -> list[Row]:
        return self.rows_as(self.admin_token, self.org, bucket, measurement)

    def rows_as(self, token: str, org: str, bucket: str, measurement: str) -> list[Row]:
        """All points of a measurement, read with that token."""
        flux = (
            f'from(bucket: "{bucket}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z) '
            f'|> filter(fn: (r) => r._measurement == "{measurement}")'
        )
        merged: dict[tuple[int, tuple[tuple[str, str], ...]], dict[str, Value]] = {}
        with InfluxDBClient(url=self.url, token=token, org=org) as client:
            for table in client.query_api().query(flux):
                for record in table.records:
                    tags = tuple(
                        sorted(
                            (key, str(value))
                            for key, value in record.values.items()
                            if not key.startswith("_") and key not in ("result", "table")
                        )
                    )
                    at = int(record.get_time().timestamp())
                    merged.setdefault((at, tags), {})[record.get_field()] = record.get_value()
        return in_order([Row(at, dict(tags), fields) for (at, tags), fields in merged.items()])


class Influx2(Speaks2, Binary):
    """A real InfluxDB 2; a `fresh` one is not set up and waits for its first user."""

    kind = "influx2"

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        binary = influxd_of_version(2)
        if binary is None:
            pytest.skip(NEEDS_2)
        self._onboarded = fresh
        self.process = ServerProcess(
            folder,
            lambda where, port: [
                binary,
                "--bolt-path",
                f"{where}/influxd.bolt",
                "--sqlite-path",
                f"{where}/influxd.sqlite",
                "--engine-path",
                f"{where}/engine",
                "--http-bind-address",
                f"127.0.0.1:{port}",
                "--reporting-disabled",
                "--log-level",
                "error",
            ],
            "/health",
        )

    def start(self) -> None:
        super().start()
        if not self._onboarded:
            self.onboard()
            self._onboarded = True

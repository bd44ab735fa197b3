"""Run a real VictoriaMetrics."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from logger.model import ROLES, Role, Value
from tests.databases.server import Row, http, in_order
from tests.databases.server_process import NEEDS_VICTORIA, Binary, ServerProcess


class Victoria(Binary):
    """VictoriaMetrics: no buckets, no credentials, floats only (a string becomes 0)."""

    kind = "victoria"

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("victoria-metrics")
        if binary is None:
            pytest.skip(NEEDS_VICTORIA)
        self.process = ServerProcess(
            folder,
            lambda where, port: [
                binary,
                f"-storageDataPath={where}/data",
                f"-httpListenAddr=127.0.0.1:{port}",
                "-dedup.minScrapeInterval=1ms",
                "-retentionPeriod=100y",
            ],
            "/health",
        )

    def create(self, bucket: str, retention_s: int = 0) -> None:
        """Nothing to make."""

    def drop(self, bucket: str) -> None:
        """Nothing to remove."""

    def fresh_buckets(self) -> dict[Role, str]:
        """Three names; everything stored before is deleted, as all share one room."""
        http("POST", f"{self.url}/api/v1/admin/tsdb/delete_series", params={"match[]": '{__name__!=""}'})
        return {role: str(role) for role in ROLES}

    def rows(self, bucket: str, measurement: str) -> list[Row]:
        http("GET", f"{self.url}/internal/force_flush")
        answer = http(
            "GET",
            f"{self.url}/api/v1/export",
            params={"match[]": f'{{__name__=~"{re.escape(measurement)}_.*"}}', "start": "0"},
        )
        assert answer.status_code == 200, answer.text
        merged: dict[tuple[int, tuple[tuple[str, str], ...]], dict[str, Value]] = {}
        for line in answer.text.split("\n"):
            if line:
                series = json.loads(line)
                name = series["metric"].pop("__name__").removeprefix(f"{measurement}_")
                tags = tuple(sorted((key, str(value)) for key, value in series["metric"].items()))
                for at, value in zip(series["timestamps"], series["values"], strict=True):
                    merged.setdefault((at // 1000, tags), {})[name] = float(value)
        return in_order([Row(at, dict(tags), fields) for (at, tags), fields in merged.items()])

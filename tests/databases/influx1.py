"""Run a real InfluxDB 1.x, and ask in InfluxQL what it shares with InfluxDB 3."""

from __future__ import annotations

from pathlib import Path

import pytest

from logger.model import Json
from tests.databases.server import Row, Server, as_pair, http, in_order
from tests.databases.server_process import NEEDS_1, Binary, ServerProcess, influxd_of_version


class SpeaksInfluxQL(Server):
    """What InfluxDB 1.x and 3.x have in common: `/query`, which takes InfluxQL."""

    def signed(self) -> dict[str, str]:
        """The header with its administrator's token, if it has one."""
        return {"authorization": f"Bearer {self.admin_token}"} if self.admin_token else {}

    def query(self, text: str, db: str = "") -> list[Json]:
        """InfluxQL → its series."""
        answer = http(
            "POST",
            f"{self.url}/query",
            params={"q": text, "db": db, "epoch": "s"},
            headers=self.signed(),
            auth=(self.username, self.password) if self.username else None,
        )
        assert answer.status_code == 200, answer.text
        found = answer.json()["results"][0]
        assert "error" not in found, found
        series = found.get("series", [])
        assert isinstance(series, list)
        return series

    def rows(self, bucket: str, measurement: str) -> list[Row]:
        database, _, policy = bucket.partition("/")
        source = f'"{policy}"."{measurement}"' if policy else f'"{measurement}"'
        types: dict[str, set[str]] = {}
        for keys in self.query(f"SHOW FIELD KEYS FROM {source}", database):
            assert isinstance(keys, dict)
            assert isinstance(keys["values"], list)
            for name, kind in map(as_pair, keys["values"]):
                types.setdefault(name, set()).add(kind)
        rows = []
        for one in self.query(f"SELECT * FROM {source} GROUP BY *", database):
            assert isinstance(one, dict)
            columns, values, tags = one["columns"], one["values"], one.get("tags", {})
            assert isinstance(columns, list)
            assert isinstance(values, list)
            assert isinstance(tags, dict)
            for each in values:
                assert isinstance(each, list)
                cells = {str(name): cell for name, cell in zip(columns, each, strict=True)}
                at = cells.pop("time")
                assert isinstance(at, int)
                fields = {
                    name: float(cell) if isinstance(cell, int) and types[name] == {"float"} else cell
                    for name, cell in cells.items()
                    if isinstance(cell, str | int | float)
                }
                rows.append(Row(at, {key: str(value) for key, value in tags.items() if value != ""}, fields))
        return in_order(rows)


class Influx1(SpeaksInfluxQL, Binary):
    """InfluxDB 1.x. With `auth` its administrator is `username`, `password`; a `fresh` one has none yet."""

    kind = "influx1"

    def __init__(
        self, folder: Path, *, auth: bool = False, fresh: bool = False, max_body_bytes: int = 25_000_000
    ) -> None:
        binary = influxd_of_version(1)
        if binary is None:
            pytest.skip(NEEDS_1)
        self._auth = auth
        self._made_admin = fresh
        self._max_body_bytes = max_body_bytes
        self.process = ServerProcess(
            folder, lambda where, port: [binary, "-config", self._config(where, port)], "/ping"
        )

    def _config(self, folder: Path, port: int) -> str:
        path = folder / "influxdb.conf"
        path.write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "{folder}/meta"
  logging-enabled = false
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {str(self._auth).lower()}
  max-body-size = {self._max_body_bytes}
[monitor]
  store-enabled = false
[continuous_queries]
  enabled = false
""")
        return str(path)

    def start(self) -> None:
        super().start()
        if self._auth and not self._made_admin:
            self.query("CREATE USER admin WITH PASSWORD 'admin-password' WITH ALL PRIVILEGES")
            self.username, self.password, self._made_admin = "admin", "admin-password", True

    def create(self, bucket: str, retention_s: int = 0) -> None:
        database, _, policy = bucket.partition("/")
        self.query(f'CREATE DATABASE "{database}"')
        if policy or retention_s:
            duration = f"{retention_s}s" if retention_s else "INF"
            self.query(
                f'CREATE RETENTION POLICY "{policy or "kept"}" ON "{database}" DURATION {duration} '
                f"REPLICATION 1{'' if policy else ' DEFAULT'}"
            )

    def databases(self) -> set[str]:
        """The names of its databases."""
        (found,) = self.query("SHOW DATABASES")
        assert isinstance(found, dict)
        rows = found.get("values", [])
        assert isinstance(rows, list)
        return {str(name) for row in rows if isinstance(row, list) for name in row}

    def drop(self, bucket: str) -> None:
        database, _, policy = bucket.partition("/")
        self.query(f'DROP RETENTION POLICY "{policy}" ON "{database}"' if policy else f'DROP DATABASE "{database}"')

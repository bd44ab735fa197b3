"""Real databases for tests: started on loopback with their own folder and port, stopped by their own process id.

Fixtures are at the end. A server that is not installed skips its tests with a reason that starts with `needs: `.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import httpx
import pytest
from influxdb_client import InfluxDBClient

from logger.influx.dialects import Target
from logger.model import ROLES, Json, Role, Value
from tests.fake_influx2 import FakeInflux2
from tests.waiting import LONGEST_S

Kind: TypeAlias = Literal["influx1", "influx2", "fake2", "victoria"]
NEEDS_1 = "needs: Debian package influxdb (an influxd of version 1 on the path)"
NEEDS_2 = "needs: InfluxDB 2 (INFLUXD2=/path/to/influxd, or an influxd of version 2 on the path)"
NEEDS_VICTORIA = "needs: Debian package victoria-metrics"
_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Whom plain http trusts; reading the system's authorities for it would take 20 ms a request."""


@dataclass(frozen=True, slots=True)
class Row:
    """One stored point: `time` in unix seconds."""

    time: int
    tags: Mapping[str, str]
    fields: Mapping[str, Value]


class Server(ABC):
    """A database that can be written to, read back, stopped and started again with its data."""

    kind: Kind
    org = ""
    admin_token = ""
    username = ""
    password = ""

    @property
    @abstractmethod
    def url(self) -> str:
        """Its address, the same over restarts."""

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it answers."""

    @abstractmethod
    def stop(self) -> None:
        """End it in order; its data and port stay."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once (SIGKILL)."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """True while it runs."""

    @abstractmethod
    def create(self, bucket: str, retention_s: int = 0) -> None:
        """Make a bucket (on 1.x `database/retention-policy` or `database`)."""

    @abstractmethod
    def drop(self, bucket: str) -> None:
        """Remove a bucket and its data."""

    @abstractmethod
    def rows(self, bucket: str, measurement: str) -> list[Row]:
        """All points of a measurement, by time and tags."""

    def fresh_buckets(self) -> dict[Role, str]:
        """Three new, empty buckets."""
        run = uuid.uuid4().hex[:10]
        buckets: dict[Role, str] = {role: f"{role}_{run}" for role in ROLES}
        for bucket in buckets.values():
            self.create(bucket)
        return buckets

    def target(
        self,
        buckets: Mapping[Role, str],
        *,
        token: str | None = None,
        api: Literal["auto", "1", "2", "3"] = "auto",
        org: str | None = None,
        password: str | None = None,
    ) -> Target:
        """How the recorder is pointed at it; as administrator unless something else is given."""
        return Target(
            self.url,
            api,
            self.admin_token if token is None else token,
            self.org if org is None else org,
            self.username,
            self.password if password is None else password,
            buckets,
        )


class _Process:
    """One server process with its folder, its port and its log."""

    def __init__(self, folder: Path, command: Callable[[Path, int], list[str]], ready: str) -> None:
        self.folder = folder
        self.port = _free_port()
        self._command = command
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.end, signal.SIGKILL)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.running
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self.folder)}
        log = self.folder / "server.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command(self.folder, self.port),
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=self.folder,
            )
        until = time.monotonic() + LONGEST_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(httpx.HTTPError):
                if http("GET", f"http://127.0.0.1:{self.port}{self._ready}").status_code in (200, 204):
                    return
            time.sleep(0.03)
        self.end(signal.SIGKILL)
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self._command(self.folder, self.port)[0]} did not start:\n{tail}")

    def end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(LONGEST_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(LONGEST_S)
        self._process = None


class _Binary(Server):
    """A server that is a process of its own."""

    process: _Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.process.port}"

    @property
    def running(self) -> bool:
        return self.process.running

    def start(self) -> None:
        self.process.start()

    def stop(self) -> None:
        self.process.end(signal.SIGTERM)

    def kill(self) -> None:
        self.process.end(signal.SIGKILL)


class Influx1(_Binary):
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
        self.process = _Process(folder, lambda where, port: [binary, "-config", self._config(where, port)], "/ping")

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

    def query(self, text: str, db: str = "") -> list[Json]:
        """InfluxQL → its series."""
        answer = http(
            "POST",
            f"{self.url}/query",
            params={"q": text, "db": db, "epoch": "s"},
            auth=(self.username, self.password) if self.username else None,
        )
        assert answer.status_code == 200, answer.text
        found = answer.json()["results"][0]
        assert "error" not in found, found
        series = found.get("series", [])
        assert isinstance(series, list)
        return series

    def create(self, bucket: str, retention_s: int = 0) -> None:
        database, _, policy = bucket.partition("/")
        self.query(f'CREATE DATABASE "{database}"')
        if policy or retention_s:
            duration = f"{retention_s}s" if retention_s else "INF"
            self.query(
                f'CREATE RETENTION POLICY "{policy or "kept"}" ON "{database}" DURATION {duration} '
                f"REPLICATION 1{'' if policy else ' DEFAULT'}"
            )

    def drop(self, bucket: str) -> None:
        database, _, policy = bucket.partition("/")
        self.query(f'DROP RETENTION POLICY "{policy}" ON "{database}"' if policy else f'DROP DATABASE "{database}"')

    def rows(self, bucket: str, measurement: str) -> list[Row]:
        database, _, policy = bucket.partition("/")
        source = f'"{policy}"."{measurement}"' if policy else f'"{measurement}"'
        types: dict[str, set[str]] = {}
        for keys in self.query(f"SHOW FIELD KEYS FROM {source}", database):
            assert isinstance(keys, dict)
            assert isinstance(keys["values"], list)
            for name, kind in map(_pair, keys["values"]):
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
        return _sorted(rows)


class _Speaks2(Server):
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
        return _sorted([Row(at, dict(tags), fields) for (at, tags), fields in merged.items()])


class Influx2(_Speaks2, _Binary):
    """A real InfluxDB 2; a `fresh` one is not set up and waits for its first user."""

    kind = "influx2"

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        binary = influxd_of_version(2)
        if binary is None:
            pytest.skip(NEEDS_2)
        self._onboarded = fresh
        self.process = _Process(
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


class Fake2(_Speaks2):
    """The fake InfluxDB 2; `fake` scripts its failures; a `fresh` one waits for its first user."""

    kind = "fake2"

    def __init__(self, *, readable_tokens: bool = False, fresh: bool = False) -> None:
        self.fake = FakeInflux2(readable_tokens=readable_tokens)
        self._onboarded = fresh

    @property
    def url(self) -> str:
        return self.fake.url

    @property
    def running(self) -> bool:
        return self.fake.running

    def start(self) -> None:
        self.fake.start()
        if not self._onboarded:
            self.onboard()
            self._onboarded = True

    def stop(self) -> None:
        self.fake.stop()

    def kill(self) -> None:
        self.fake.kill()


class Victoria(_Binary):
    """VictoriaMetrics: no buckets, no credentials, floats only (a string becomes 0)."""

    kind = "victoria"

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("victoria-metrics")
        if binary is None:
            pytest.skip(NEEDS_VICTORIA)
        self.process = _Process(
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
        return _sorted([Row(at, dict(tags), fields) for (at, tags), fields in merged.items()])


def http(
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    json: Json = None,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Response:
    """One request on loopback, past any proxy."""
    with httpx.Client(trust_env=False, verify=_NOBODY, timeout=LONGEST_S) as client:
        return client.request(method, url, params=params, json=json, headers=headers, auth=auth, content=content)


def _pair(value: Json) -> tuple[str, str]:
    assert isinstance(value, list)
    return str(value[0]), str(value[1])


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.time, sorted(row.tags.items())))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@functools.cache
def influxd_of_version(major: Literal[1, 2]) -> str | None:
    """The path of an influxd of that version: INFLUXD2 first for 2, then the path. A self-built 2 says `dev`."""
    if major == 2 and (named := os.environ.get("INFLUXD2")):
        assert Path(named).is_file(), f"INFLUXD2={named} is no file"
        return named
    for folder in [*os.environ.get("PATH", "").split(":"), "/usr/bin", "/usr/sbin"]:
        path = Path(folder or ".") / "influxd"
        if os.access(path, os.X_OK):
            said = subprocess.run([path, "version"], capture_output=True, text=True, timeout=20).stdout
            if (1 if re.search(r"InfluxDB v?1\.", said) else 2) == major:
                return str(path)
    return None


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run a server and end it."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _again(server: Server) -> None:
    """What a test stopped runs again for the next one."""
    if not server.running:
        server.start()


# Session servers are shared by the tests of one worker; the fixtures below them are what tests ask for.


@pytest.fixture(scope="session")
def influx1_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One InfluxDB 1.x for the session."""
    with serving(Influx1(tmp_path_factory.mktemp("influx1"))) as server:
        yield server


@pytest.fixture(scope="session")
def influx2_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real InfluxDB 2 for the session."""
    with serving(Influx2(tmp_path_factory.mktemp("influx2"))) as server:
        yield server


@pytest.fixture(scope="session")
def victoria_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One VictoriaMetrics for the session."""
    with serving(Victoria(tmp_path_factory.mktemp("victoria"))) as server:
        yield server


@pytest.fixture
def influx1(influx1_session: Influx1) -> Influx1:
    """A running InfluxDB 1.x without authentication."""
    _again(influx1_session)
    return influx1_session


@pytest.fixture
def influx1_auth(tmp_path: Path) -> Iterator[Influx1]:
    """A new InfluxDB 1.x that asks for user and password."""
    server = Influx1(tmp_path, auth=True)
    with serving(server):
        yield server


@pytest.fixture
def real_influx2(influx2_session: Influx2) -> Influx2:
    """A running real InfluxDB 2."""
    _again(influx2_session)
    return influx2_session


@pytest.fixture
def fake_influx2() -> Iterator[Fake2]:
    """A new fake InfluxDB 2, onboarded; its failures are scripted through `.fake`."""
    server = Fake2()
    with serving(server):
        yield server


@pytest.fixture(params=["real", "fake"])
def influx2(request: pytest.FixtureRequest) -> Influx2 | Fake2:
    """The real InfluxDB 2 and the fake: a test that takes this runs on both."""
    server = request.getfixturevalue("real_influx2" if request.param == "real" else "fake_influx2")
    assert isinstance(server, Influx2 | Fake2)
    return server


@pytest.fixture
def victoria(victoria_session: Victoria) -> Victoria:
    """A running VictoriaMetrics."""
    _again(victoria_session)
    return victoria_session


@pytest.fixture(params=["influx1", "real_influx2", "fake_influx2", "victoria"])
def any_server(request: pytest.FixtureRequest) -> Server:
    """Every database that can be written to, one after the other."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Server)
    return server

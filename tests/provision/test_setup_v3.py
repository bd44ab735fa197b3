"""`setup` on InfluxDB 3, as its documentation has it: a small server that answers so. No real one was ever asked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from logger.clock import SystemClock
from logger.errors import InfluxError, InfluxRefusedError
from logger.influx.dialects import Target
from logger.provision.detect import detect_server
from logger.provision.plan import Admin, SetupPlan
from logger.provision.setup_v3 import set_up_v3

TOKEN = "apiv3_admin-secret"


class Documented(ThreadingHTTPServer):
    """What the documentation of InfluxDB 3 Core says of databases."""

    daemon_threads = True

    def __init__(self) -> None:
        self.databases: dict[str, str] = {"_internal": ""}
        self.listing = b""
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Documented

    def _answer(self, status: int, body: object = None) -> None:
        data = json.dumps(body).encode() if body is not None else b""
        data = self.server.listing or data
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.send_header("x-influxdb-version", "3.10.0")
        self.send_header("x-influxdb-build", "Core")
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._answer(200, {"version": "3.10.0"})
        elif not self.path.startswith("/api/v3/configure/database"):
            self._answer(404)
        elif self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._answer(401)
        else:
            self._answer(200, [{"iox::database": name} for name in self.server.databases])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/api/v3/configure/database"
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._answer(401)
        elif body["db"] in self.server.databases:
            self._answer(409)
        else:
            self.server.databases[body["db"]] = body.get("retention_period", "")
            self._answer(200)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def core() -> Iterator[Documented]:
    server = Documented()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_databases_are_made_once_with_their_retention(core: Documented) -> None:
    found = asyncio.run(detect_server(Target(core.url, "auto", "", "", "", "", {}), SystemClock()))
    assert (found.dialect, found.name, found.is_fresh, found.is_open) == ("3", "InfluxDB 3.10.0", False, False)
    names = {"envoy": None, "envoy_daily": 2 * 365 * 86400}
    planned = asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan(names, dry_run=True), SystemClock()))
    assert core.databases == {"_internal": ""}
    made = asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan(names), SystemClock()))
    assert made.subjects("made") == planned.subjects("made") == ("database 'envoy'", "database 'envoy_daily'")
    assert core.databases == {"_internal": "", "envoy": "", "envoy_daily": "730d"}
    again = asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan(names), SystemClock()))
    assert again.subjects("made") == ()
    assert again.credentials == {}


def test_a_token_that_is_no_administrators_is_said(core: Documented) -> None:
    with pytest.raises(InfluxRefusedError, match="HTTP 401") as refused:
        asyncio.run(set_up_v3(core.url, Admin("wrong-secret"), SetupPlan({"envoy": None}), SystemClock()))
    assert "wrong-secret" not in str(refused.value)


@pytest.mark.parametrize("body", [b"<html>a proxy</html>", b'{"databases": []}', b'["envoy"]', b"[" * 100_000])
def test_an_answer_that_is_no_list_of_databases_is_an_error_for_people(core: Documented, body: bytes) -> None:
    core.listing = body
    with pytest.raises(InfluxError, match="in a way that no InfluxDB 3 does") as told:
        asyncio.run(set_up_v3(core.url, Admin(TOKEN), SetupPlan({"envoy": None}), SystemClock()))
    assert told.value.hint
    assert core.databases == {"_internal": ""}

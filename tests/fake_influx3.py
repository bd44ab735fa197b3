"""A small InfluxDB 3 Core for tests, by its documentation; with authorisation it answers as 3.6.0 was seen to."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "apiv3_admin-secret"
_DATABASES = "/api/v3/configure/database"


class FakeInflux3(ThreadingHTTPServer):
    """The server. `is_guarded`: every path, /health and /ping among them, answers 401 without `TOKEN`.

    `listing`: a body instead of every answer's own. `lines`: what was written, by database.
    """

    daemon_threads = True

    def __init__(self, *, is_guarded: bool = False) -> None:
        self.is_guarded = is_guarded
        self.databases: dict[str, str] = {"_internal": ""}
        self.lines: dict[str, list[str]] = {}
        self.listing = b""
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeInflux3

    def _answer(self, status: int, body: object = None, *, tells: bool = True) -> None:
        data = json.dumps(body).encode() if body is not None else b""
        data = self.server.listing or data
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        if tells:
            self.send_header("x-influxdb-version", "3.6.0")
            self.send_header("x-influxdb-build", "Core")
        self.end_headers()
        self.wfile.write(data)

    def _is_signed(self) -> bool:
        """The token as Bearer or Token, or as the password of any user."""
        scheme, _, text = self.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            return base64.b64decode(text).decode().partition(":")[2] == TOKEN
        return scheme in ("Bearer", "Token") and text == TOKEN

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self.server.is_guarded and not self._is_signed():
            self._answer(401, tells=False)
        elif path == "/ping":
            self._answer(200, {"version": "3.6.0"})
        elif path == "/health":
            self._answer(200)
        elif path != _DATABASES:
            self._answer(404)
        elif not self._is_signed():
            self._answer(401, tells=False)
        else:
            self._answer(200, [{"iox::database": name} for name in self.server.databases])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        split = urlsplit(self.path)
        if not self._is_signed() and (self.server.is_guarded or split.path == _DATABASES):
            self._answer(401, tells=False)
        elif split.path == "/api/v3/write_lp":
            self._write(parse_qs(split.query)["db"][0], body)
        else:
            assert split.path == _DATABASES
            self._make(json.loads(body))

    def _write(self, database: str, body: bytes) -> None:
        text = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        if not text:
            self._answer(400, {"error": "incoming write was empty"})
        else:
            self.server.lines.setdefault(database, []).extend(text.decode().splitlines())
            self._answer(204)

    def _make(self, wanted: dict[str, str]) -> None:
        if wanted["db"] in self.server.databases:
            self._answer(409)
        else:
            self.server.databases[wanted["db"]] = wanted.get("retention_period", "")
            self._answer(200)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


@contextmanager
def influx3(*, is_guarded: bool = False) -> Iterator[FakeInflux3]:
    """The server, running while inside."""
    server = FakeInflux3(is_guarded=is_guarded)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

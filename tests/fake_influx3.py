"""A small InfluxDB 3 Core for tests: statuses, headers and texts are those of the source of 3.6.0.

With authorisation, 3.6.0 asks for the token before it looks at the path, so `/health` and `/ping` answer 401 as well.
A header that is no sign-in is a 400. Started without authorisation, it takes everything from everybody. Of a body
of several gzip members it reads the first alone, and confirms it.
"""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "apiv3_admin-secret"
_DATABASES = "/api/v3/configure/database"
_QUERY = "/api/v3/query_sql"
_GZIP = zlib.MAX_WBITS | 16
_MALFORMED = (
    "Authorization header was malformed, the request was not in the form of 'Authorization: <auth-scheme> <token>', "
    "supported auth-schemes are Bearer, Token and Basic"
)


class FakeInflux3(ThreadingHTTPServer):
    """The server. `is_guarded`: every path, /health and /ping among them, answers 401 without `TOKEN`.

    `listing`: a body instead of every answer's own. `lines`: what was written, by database. `most`: the number of
    databases that it takes. `tells_retention`: it answers the question for how long its databases keep data.
    """

    daemon_threads = True
    admin_token = TOKEN

    def __init__(self, *, is_guarded: bool = False) -> None:
        self.is_guarded = is_guarded
        self.databases: dict[str, str] = {"_internal": ""}
        self.lines: dict[str, list[str]] = {}
        self.listing = b""
        self.most = 5
        self.tells_retention = True
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def list_databases(self) -> set[str]:
        """The names of its databases."""
        return set(self.databases)


class _Handler(BaseHTTPRequestHandler):
    server: FakeInflux3

    def _answer(self, status: int, body: object = None, *, tells: bool = False) -> None:
        data = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        data = self.server.listing or data
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        if tells:
            self.send_header("x-influxdb-version", "3.6.0")
            self.send_header("x-influxdb-build", "Core")
        self.end_headers()
        self.wfile.write(data)

    def _is_let_in(self) -> bool:
        """Take the token as Bearer or Token, or as the password of any user; answer anything else."""
        if not self.server.is_guarded:
            return True
        header = self.headers.get("authorization")
        scheme, _, text = (header or "").partition(" ")
        given = base64.b64decode(text).decode().rpartition(":")[2] if scheme == "Basic" else text
        if header and (scheme not in ("Bearer", "Token", "Basic") or not given or " " in given):
            self._answer(400, f'{{"error": "{_MALFORMED}"}}')
        elif given != TOKEN:
            self._answer(401)
        else:
            return True
        return False

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not self._is_let_in():
            return
        if path == "/ping":
            self._answer(200, {"version": "3.6.0", "revision": "0000000000", "process_id": "0"}, tells=True)
        elif path == "/health":
            self._answer(200, "OK")
        elif path == _QUERY and self.server.tells_retention:
            days = {name: {"retention_period_ns": int(kept[:-1]) * 86_400 * 10**9} if kept else {}
                    for name, kept in self.server.databases.items()}  # fmt: skip
            self._answer(200, [{"database_name": name, **kept} for name, kept in days.items()])
        elif path != _DATABASES:
            self._answer(404)
        else:
            self._answer(200, [{"iox::database": name} for name in self.server.databases])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        split = urlsplit(self.path)
        if not self._is_let_in():
            return
        if split.path == "/api/v3/write_lp":
            self._write(parse_qs(split.query)["db"][0], body)
        else:
            assert split.path == _DATABASES
            self._make(json.loads(body))

    def do_PUT(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self._is_let_in():
            self.server.databases[wanted["db"]] = wanted.get("retention_period", "")
            self._answer(200)

    def _write(self, database: str, body: bytes) -> None:
        is_packed = self.headers.get("content-encoding") == "gzip"
        text = zlib.decompressobj(_GZIP).decompress(body) if is_packed else body
        if not text:
            self._answer(400, {"error": "incoming write was empty"})
        else:
            self.server.lines.setdefault(database, []).extend(text.decode().splitlines())
            self._answer(204)

    def _make(self, wanted: dict[str, str]) -> None:
        if wanted["db"] in self.server.databases:
            self._answer(409, "attempted to create a resource that already exists")
        elif len(self.server.databases) > self.server.most:
            text = f"Adding a new database would exceed limit of {self.server.most} databases"
            self._answer(422, {"error": text})
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

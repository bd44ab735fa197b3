"""The HTTP side of the fake InfluxDB 2: connections that stay open, and answers that are cut on demand."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from tests.databases.fake_records import Scripted, Seen


class Answering(Protocol):
    """Whoever answers requests: the fake InfluxDB 2. `stopping` ends a delayed answer."""

    stopping: threading.Event
    is_cloud: bool

    def handle(self, request: Seen) -> tuple[Scripted | None, int, str, bytes]:
        """Return how to deform the answer, status, content type and body."""
        ...


class FakeHttpServer(ThreadingHTTPServer):
    """Remembers its connections, so that stopping ends them too."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], fake: Answering) -> None:
        self.fake = fake
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is no news."""

    def drop_connections(self) -> None:
        """End every connection at once."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with connections that stay open."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: FakeHttpServer

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        params = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        fake = self.server.fake
        scripted, status, kind, content = fake.handle(Seen(self.command, parts.path, params, headers, body))
        if scripted is not None:
            if scripted.delay_s:
                fake.stopping.wait(scripted.delay_s)
            if scripted.cut == "before":
                self._cut()
                return
        self.send_response(status)
        if fake.is_cloud:
            self.send_header("X-Influxdb-Build", "Cloud")
            self.send_header("X-Platform-Error-Code", "")
        else:
            self.send_header("X-Influxdb-Build", "OSS")
            self.send_header("X-Influxdb-Version", "v2.9.1")
        for name, value in (scripted.headers if scripted is not None else {}).items():
            self.send_header(name, value)
        if kind and content:
            self.send_header("Content-Type", kind)
        if scripted is not None and scripted.cut == "middle":
            self.send_header("Content-Length", str(len(content) + 100))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()
            self._cut()
            return
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""

"""A small InfluxDB 2 for tests: the API that our tests use, with the answers of a real 2.9.1, and failures on demand.

Every test that uses it also runs on the real server where one is at hand, which keeps this one honest. It keeps its
data and its port over stop() and start().
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import secrets
import socket
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from line_protocol_parser import LineFormatError, parse_line

from logger.model import Json, Value

Series: TypeAlias = "tuple[str, tuple[tuple[str, str], ...], str]"  # measurement, tags, field
_SECONDS = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_FREE_S = 30 * 86400
_FROM = re.compile(r'^from\(bucket:\s*"((?:[^"\\]|\\.)*)"\)$')
_RANGE = re.compile(r"^range\(start:\s*([^,)]+?)(?:,\s*stop:\s*([^,)]+?))?\)$")
_FILTER = re.compile(r"^filter\(fn:\s*\(r\)\s*=>\s*(.+)\)$", re.S)
_TERM = re.compile(r'^\(?r(?:\.(\w+)|\["([^"]+)"\])\s*==\s*"((?:[^"\\]|\\.)*)"\)?$')


@dataclass(frozen=True, slots=True)
class Scripted:
    """An answer to give instead of the true one. `cut` ends the connection before or in the middle of it."""

    status: int = 503
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: Literal["", "before", "middle"] = ""
    obey: bool = False  # do what was asked all the same; only the answer is this one


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class _Bucket:
    id: str
    org_id: str
    name: str
    retention_s: int
    types: dict[tuple[str, str], type] = field(default_factory=dict)
    points: dict[Series, dict[int, Value]] = field(default_factory=dict)


@dataclass(slots=True)
class _Authorization:
    id: str
    token: str
    org_id: str
    description: str
    permissions: list[Json]
    status: str = "active"
    all: bool = False

    def may(self, action: str, kind: str, thing: str) -> bool:
        if self.all:
            return True
        for item in self.permissions:
            assert isinstance(item, dict)
            resource = item["resource"]
            assert isinstance(resource, dict)
            if item["action"] == action and resource["type"] == kind and resource.get("id") in (None, thing):
                return True
        return False


class _Refusal(Exception):
    """An answer in InfluxDB 2's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}


class FakeInflux2:
    """The server. `readable_tokens`: lists show the tokens' text, as servers before 2.9 do.

    `is_cloud`: it answers as InfluxDB Cloud on a free plan: set up already, at most two buckets of 30 days.
    """

    def __init__(self, *, readable_tokens: bool = False, is_cloud: bool = False) -> None:
        self.readable_tokens = readable_tokens
        self.is_cloud = is_cloud
        self.conflict_as: Literal["422", "500", "a vague 500"] = "422"
        self.seen: list[Seen] = []
        self._port = 0
        self._orgs: dict[str, str] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._authorizations: dict[str, _Authorization] = {}
        self._scripts: list[tuple[str, Scripted]] = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._server: _HttpServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Its address; the port stays the same after the first start."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        assert self._server is None
        self._stopping.clear()
        self._server = _HttpServer(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection; the data stays."""
        if self._server is None or self._thread is None:
            return
        self._stopping.set()
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join(5)
        self._server = self._thread = None

    kill = stop

    @property
    def running(self) -> bool:
        """True between start() and stop()."""
        return self._server is not None

    def script(self, answer: Scripted, times: int = 1, path: str = "/api/v2/write") -> None:
        """Answer the next `times` requests to `path` so."""
        with self._lock:
            self._scripts += [(path, answer)] * times

    def know(self, token: str, org: str) -> None:
        """Take this very text for a token that may do everything in `org`, which is made if it is not there."""
        with self._lock:
            self._orgs.setdefault(org, _new_id())
            made = _Authorization(_new_id(), token, self._orgs[org], "of a test", [], all=True)
            self._authorizations[made.id] = made

    def forget_scripts(self) -> None:
        """Answer truly again, and forget what was seen."""
        with self._lock:
            self._scripts.clear()
            self.seen.clear()

    # What happens to one request

    def handle(self, request: Seen) -> tuple[Scripted | None, int, str, bytes]:
        """(how to deform the answer, status, content type, body)."""
        with self._lock:
            self.seen.append(request)
            scripted = next((item for item in self._scripts if item[0] == request.path), None)
            if scripted is not None:
                self._scripts.remove(scripted)
                if scripted[1].obey:
                    self._answer(request)
                return scripted[1], scripted[1].status, "application/json", scripted[1].body.encode()
            try:
                status, kind, body = self._answer(request)
            except _Refusal as refusal:
                status, kind, body = refusal.status, "application/json", json.dumps(refusal.body).encode()
            return None, status, kind, body

    def _answer(self, request: Seen) -> tuple[int, str, bytes]:
        parts = request.path.strip("/").split("/")
        match request.method, parts:
            case "GET" | "HEAD", ["ping"]:
                return 204, "", b""
            case "GET", ["health"]:
                return _json(200, {"name": "influxdb", "status": "pass", "version": "v2.9.1"})
            case "GET", ["api", "v2", "setup"] if self.is_cloud:
                raise _Refusal(404, "not found", "path not found")
            case "GET", ["api", "v2", "setup"]:
                return _json(200, {"allowed": not self._authorizations})
            case "POST", ["api", "v2", "setup"]:
                return self._onboard(_object(request.body))
            case "POST", ["api", "v2", "write"]:
                return self._write(request)
            case "POST", ["api", "v2", "query"]:
                return self._query(request)
            case method, ["api", "v2", ("orgs" | "buckets" | "authorizations") as kind, *rest]:
                token = self._authorization(request)
                match method, kind, rest:
                    case "GET", "orgs", []:
                        return self._list_orgs(token, request.params)
                    case "POST", "orgs", []:
                        if not token.all:
                            raise _Refusal(401, "unauthorized", "write:orgs is unauthorized")
                        return _json(201, self._new_org(_text(_object(request.body), "name")))
                    case "GET", "buckets", []:
                        return self._list_buckets(token, request.params)
                    case "POST", "buckets", []:
                        return self._new_bucket(token, _object(request.body))
                    case "PATCH", "buckets", [bucket_id] if bucket_id in self._buckets:
                        self._buckets[bucket_id].retention_s = _retention(_object(request.body))
                        return _json(200, _bucket_shown(self._buckets[bucket_id]))
                    case "DELETE", "buckets", [bucket_id] if bucket_id in self._buckets:
                        del self._buckets[bucket_id]
                        return 204, "", b""
                    case "GET", "authorizations", []:
                        return self._list_authorizations(token, request.params)
                    case "POST", "authorizations", []:
                        return self._new_authorization(token, _object(request.body))
                    case "PATCH", "authorizations", [one] if one in self._authorizations:
                        self._authorizations[one].status = _text(_object(request.body), "status")
                        return _json(200, self._shown(self._authorizations[one], text=False))
                    case "DELETE", "authorizations", [one] if one in self._authorizations:
                        del self._authorizations[one]
                        return 204, "", b""
        raise _Refusal(404, "not found", "path not found")

    def _authorization(self, request: Seen) -> _Authorization:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        for item in self._authorizations.values():
            if scheme in ("Token", "Bearer") and item.token == text:
                return item
        raise _Refusal(401, "unauthorized", "unauthorized access")

    # Administration

    def _onboard(self, wanted: dict[str, Json]) -> tuple[int, str, bytes]:
        if self._authorizations:
            raise _Refusal(422, "conflict", "onboarding has already been completed")
        org = self._new_org(_text(wanted, "org"))
        seconds = int(str(wanted.get("retentionPeriodSeconds") or 0))
        bucket = self._add_bucket(_text(org, "id"), _text(wanted, "bucket"), seconds)
        token = str(wanted.get("token") or secrets.token_urlsafe(48))
        owner = _Authorization(_new_id(), token, _text(org, "id"), "admin's Token", [], all=True)
        self._authorizations[owner.id] = owner
        return _json(201, {"org": org, "bucket": _bucket_shown(bucket), "auth": self._shown(owner, text=True)})

    def _new_org(self, name: str) -> dict[str, Json]:
        if name in self._orgs:
            raise _Refusal(422, "conflict", f"organization with name {name} already exists")
        self._orgs[name] = _new_id()
        return {"id": self._orgs[name], "name": name}

    def _list_orgs(self, token: _Authorization, params: Mapping[str, str]) -> tuple[int, str, bytes]:
        wanted = params.get("org")
        if wanted is not None and wanted not in self._orgs:
            raise _Refusal(404, "not found", f'organization name "{wanted}" not found')
        return _json(
            200,
            {
                "orgs": [
                    {"id": org_id, "name": name}
                    for name, org_id in self._orgs.items()
                    if wanted in (None, name) and token.may("read", "orgs", org_id)
                ]
            },
        )

    def _list_buckets(self, token: _Authorization, params: Mapping[str, str]) -> tuple[int, str, bytes]:
        found = [
            item
            for item in self._buckets.values()
            if params.get("name") in (None, item.name) and self._in_org(item.org_id, params)
        ]
        if "name" in params and not found:
            raise _Refusal(404, "not found", f'bucket "{params["name"]}" not found')
        shown: list[Json] = [_bucket_shown(item) for item in found if token.may("read", "buckets", item.id)]
        return _json(200, {"buckets": shown})

    def _in_org(self, org_id: str, params: Mapping[str, str]) -> bool:
        if "org" in params and "orgID" not in params:
            return self._orgs.get(params["org"]) == org_id
        return params.get("orgID", org_id) == org_id

    def _new_bucket(self, token: _Authorization, wanted: dict[str, Json]) -> tuple[int, str, bytes]:
        org_id, name = _text(wanted, "orgID"), _text(wanted, "name")
        if not token.may("write", "buckets", ""):
            raise _Refusal(401, "unauthorized", f"write:orgs/{org_id}/buckets is unauthorized")
        if any(item.name == name and item.org_id == org_id for item in self._buckets.values()):
            raise _Refusal(422, "conflict", f"bucket with name {name} already exists")
        if self.is_cloud and sum(item.org_id == org_id for item in self._buckets.values()) >= 2:
            raise _Refusal(403, "forbidden", "service limit reached: this org has exceeded limit is 2")
        if self.is_cloud and not 0 < _retention(wanted) <= _FREE_S:
            raise _Refusal(422, "unprocessable entity", "retention period exceeds the plan limit of 720h")
        return _json(201, _bucket_shown(self._add_bucket(org_id, name, _retention(wanted))))

    def _add_bucket(self, org_id: str, name: str, retention_s: int) -> _Bucket:
        bucket = _Bucket(_new_id(), org_id, name, retention_s)
        self._buckets[bucket.id] = bucket
        return bucket

    def _list_authorizations(self, token: _Authorization, params: Mapping[str, str]) -> tuple[int, str, bytes]:
        shown: list[Json] = [
            self._shown(item, text=self.readable_tokens)
            for item in self._authorizations.values()
            if self._in_org(item.org_id, params) and token.may("read", "authorizations", item.id)
        ]
        return _json(200, {"authorizations": shown})

    def _new_authorization(self, token: _Authorization, wanted: dict[str, Json]) -> tuple[int, str, bytes]:
        if not token.may("write", "authorizations", ""):
            raise _Refusal(401, "unauthorized", "write:authorizations is unauthorized")
        permissions = wanted["permissions"]
        assert isinstance(permissions, list)
        made = _Authorization(
            _new_id(),
            secrets.token_urlsafe(48),
            _text(wanted, "orgID"),
            str(wanted.get("description") or ""),
            permissions,
        )
        self._authorizations[made.id] = made
        return _json(201, self._shown(made, text=True))

    def _shown(self, item: _Authorization, *, text: bool) -> dict[str, Json]:
        return {
            "id": item.id,
            "token": item.token if text else "",
            "status": item.status,
            "orgID": item.org_id,
            "description": item.description,
            "permissions": item.permissions,
        }

    # Writing

    def _write(self, request: Seen) -> tuple[int, str, bytes]:
        token = self._authorization(request)
        bucket = self._bucket(request.params)
        if token.status != "active":
            raise _Refusal(403, "forbidden", "insufficient permissions for write: token is inactive")
        if not token.may("write", "buckets", bucket.id):
            raise _Refusal(403, "forbidden", "insufficient permissions for write")
        scale = _SECONDS.get(request.params.get("precision", "ns"))
        if scale is None:
            raise _Refusal(400, "invalid", "invalid precision; valid precision units are ns, us, ms, and s")
        packed = request.headers.get("content-encoding") == "gzip"
        text = (_unpacked(request.body) if packed else request.body).decode("utf-8", "replace")
        points = [_parsed(line, scale) for line in text.split("\n") if line.strip() and not line.startswith("#")]
        self._store(bucket, points)
        return 204, "", b""

    def _bucket(self, params: Mapping[str, str]) -> _Bucket:
        org, name = params.get("org", ""), params.get("bucket", "")
        org_id = self._orgs.get(org, org if org in self._orgs.values() else None)
        if org_id is None:
            raise _Refusal(404, "not found", f'organization name "{org}" not found')
        for item in self._buckets.values():
            if item.org_id == org_id and name in (item.name, item.id):
                return item
        raise _Refusal(404, "not found", f'bucket "{name}" not found')

    def _store(self, bucket: _Bucket, points: Iterable[_Point]) -> None:
        """Everything that fits is stored; what does not is said afterwards, retention first."""
        oldest = time.time() - bucket.retention_s if bucket.retention_s else -math.inf
        outside, conflicts, conflict = 0, 0, ""
        for point in points:
            if point.time < oldest:
                outside += 1
                continue
            clash = next(
                (
                    key
                    for key, value in point.fields.items()
                    if bucket.types.get((point.measurement, key), type(value)) is not type(value)
                ),
                None,
            )
            if clash is not None:
                conflicts += 1
                old = _TYPES[bucket.types[point.measurement, clash]]
                conflict = (
                    f'field type conflict: input field "{clash}" on measurement "{point.measurement}" is '
                    f"type {_TYPES[type(point.fields[clash])]}, already exists as type {old} "
                    f"dropped={conflicts}"
                )
                continue
            for key, value in point.fields.items():
                bucket.types[point.measurement, key] = type(value)
                bucket.points.setdefault((point.measurement, point.tags, key), {})[point.time] = value
        if outside:
            conflict = (
                f"dropped {outside} points outside retention policy of duration {bucket.retention_s}s - "
                "oldest point m at 1970 dropped because it violates a Retention Policy Lower Bound "
                f"dropped={outside}"
            )
        if conflict and self.conflict_as == "a vague 500":
            raise _Refusal(500, "internal error", "An internal error has occurred - check server logs")
        if conflict and self.conflict_as == "500":
            raise _Refusal(500, "internal error", f"partial write: {conflict}")
        if conflict:
            raise _Refusal(
                422, "unprocessable entity", f"failure writing points to database: partial write: {conflict}"
            )

    # Reading back

    def _query(self, request: Seen) -> tuple[int, str, bytes]:
        token = self._authorization(request)
        if request.params.get("org") not in self._orgs:
            raise _Refusal(
                400,
                "invalid",
                f'failed to decode request body: organization name "{request.params.get("org")}" not found',
            )
        query = (
            _text(_object(request.body), "query")
            if "json" in request.headers.get("content-type", "")
            else request.body.decode()
        )
        stages = [stage.strip() for stage in query.split("|>")]
        source, window = _FROM.match(stages[0]), _RANGE.match(stages[1] if len(stages) > 1 else "")
        filters = [_FILTER.match(stage) for stage in stages[2:]]
        if not source or not window or not all(filters):
            raise _Refusal(400, "invalid", f"the fake does not speak this Flux: {query}")
        bucket = next(
            (
                item
                for item in self._buckets.values()
                if item.name == source[1]
                and item.org_id == self._orgs[request.params["org"]]
                and token.may("read", "buckets", item.id)
            ),
            None,
        )
        if bucket is None:
            raise _Refusal(
                404, "not found", f'failed to initialize execute state: could not find bucket "{source[1]}"'
            )
        start, stop = _moment(window[1]), _moment(window[2] or "now()")
        tables = []
        for series in sorted(bucket.points):
            columns = {"_measurement": series[0], "_field": series[2], **dict(series[1])}
            if all(_holds(one[1], columns) for one in filters if one):
                rows = [(at, value) for at, value in sorted(bucket.points[series].items()) if start <= at < stop]
                tables.append((columns, rows))
        return 200, "text/csv; charset=utf-8", _csv([table for table in tables if table[1]], start, stop).encode()


@dataclass(frozen=True, slots=True)
class _Point:
    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: dict[str, Value]
    time: int


_TYPES = {float: "float", int: "integer", bool: "boolean", str: "string"}
_CSV_TYPES = {float: "double", int: "long", bool: "boolean", str: "string"}


def _parsed(line: str, scale: int) -> _Point:
    try:
        found = parse_line(line)
    except LineFormatError as error:
        raise _Refusal(400, "invalid", f"unable to parse '{line}': {error}") from error
    values = found["fields"]
    if line.endswith("\r") or any(isinstance(value, float) and not math.isfinite(value) for value in values.values()):
        raise _Refusal(400, "invalid", f"unable to parse '{line}': invalid number")
    if any(not value for value in found["tags"].values()):
        raise _Refusal(400, "invalid", f"unable to parse '{line}': missing tag value")
    at = found.get("time")
    seconds = time.time() if at is None else at / scale
    if abs(seconds) > 9_223_372_036:
        raise _Refusal(400, "invalid", f"unable to parse '{line}': time outside range")
    return _Point(found["measurement"], tuple(sorted(found["tags"].items())), values, int(seconds))


def _unpacked(body: bytes) -> bytes:
    """Every member of a gzip body. A damaged one is an internal error in InfluxDB 2, not a bad request."""
    whole, rest = b"", body
    while rest:
        member = zlib.decompressobj(31)
        try:
            whole += member.decompress(rest)
        except zlib.error as error:
            raise _Refusal(500, "internal error", "An internal error has occurred - check server logs") from error
        if not member.eof:
            raise _Refusal(500, "internal error", "unable to read data: unexpected EOF")
        rest = member.unused_data
    return whole


def _moment(text: str) -> float:
    text = text.strip()
    if text == "now()":
        return time.time()
    if re.fullmatch(r"-?\d+", text):
        return float(text)
    if match := re.fullmatch(r"-(\d+)([smhd])", text):
        return time.time() - int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    return datetime.fromisoformat(text).timestamp()


def _holds(expression: str, columns: Mapping[str, str]) -> bool:
    """`a and b or c`, without deeper nesting than one bracket a term."""

    def term(text: str) -> bool:
        match = _TERM.match(text.strip())
        if not match:
            raise _Refusal(400, "invalid", f"the fake does not speak this filter: {text}")
        return columns.get(match[1] or match[2]) == re.sub(r"\\(.)", r"\1", match[3])

    return any(all(term(part) for part in either.split(" and ")) for either in expression.split(" or "))


def _csv(tables: list[tuple[dict[str, str], list[tuple[int, Value]]]], start: float, stop: float) -> str:
    """Annotated CSV, one block a series."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for number, (columns, rows) in enumerate(tables):
        names = sorted(columns)
        kind = _CSV_TYPES[type(rows[0][1])]
        stamp = "dateTime:RFC3339"
        writer.writerow(["#datatype", "string", "long", stamp, stamp, stamp, kind, *["string"] * len(names)])
        writer.writerow(["#group", "false", "false", "true", "true", "false", "false", *["true"] * len(names)])
        writer.writerow(["#default", "_result", *[""] * (5 + len(names))])
        writer.writerow(["", "result", "table", "_start", "_stop", "_time", "_value", *names])
        for at, value in rows:
            text = ("true" if value else "false") if isinstance(value, bool) else str(value)
            writer.writerow(
                [
                    "",
                    "",
                    number,
                    _rfc3339(start),
                    _rfc3339(stop),
                    _rfc3339(at),
                    text,
                    *(columns[name] for name in names),
                ]
            )
        out.write("\r\n")
    return out.getvalue()


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _retention(wanted: dict[str, Json]) -> int:
    """Seconds that a bucket keeps data, 0 for ever."""
    rules = wanted.get("retentionRules")
    rule = rules[0] if isinstance(rules, list) and rules else {}
    return int(str(rule.get("everySeconds", 0) if isinstance(rule, dict) else 0))


def _bucket_shown(bucket: _Bucket) -> dict[str, Json]:
    return {
        "id": bucket.id,
        "orgID": bucket.org_id,
        "type": "user",
        "name": bucket.name,
        "retentionRules": [{"type": "expire", "everySeconds": bucket.retention_s}],
    }


def _new_id() -> str:
    return secrets.token_hex(8)


def _json(status: int, body: Mapping[str, Json]) -> tuple[int, str, bytes]:
    return status, "application/json; charset=utf-8", json.dumps(body).encode()


def _object(body: bytes) -> dict[str, Json]:
    parsed: Json = json.loads(body)
    assert isinstance(parsed, dict)
    return parsed


def _text(thing: Mapping[str, Json], key: str) -> str:
    value = thing[key]
    assert isinstance(value, str)
    return value


class _HttpServer(ThreadingHTTPServer):
    """Remembers its connections, so that stopping ends them too."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], fake: FakeInflux2) -> None:
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
    server: _HttpServer

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        params = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        fake = self.server.fake
        scripted, status, kind, content = fake.handle(Seen(self.command, parts.path, params, headers, body))
        if scripted is not None:
            if scripted.delay_s:
                fake._stopping.wait(scripted.delay_s)
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

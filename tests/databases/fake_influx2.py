"""A small InfluxDB 2 for tests: the API that our tests use, with the answers of a real 2.9.1, and failures on demand.

Every test that uses it also runs on the real server where one is at hand, which keeps this one honest. It keeps its
data and its port over stop() and start().
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping
from typing import Literal

from logger.model import Json
from tests.databases.fake_flux import run_flux
from tests.databases.fake_http import FakeHttpServer
from tests.databases.fake_points import SECONDS, parse_point, store_points, unpack
from tests.databases.fake_records import (
    Authorization,
    Bucket,
    Refusal,
    Scripted,
    Seen,
    as_json,
    as_object,
    bucket_shown,
    new_id,
    retention_of,
    text_of,
)

_FREE_S = 30 * 86400


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
        self._buckets: dict[str, Bucket] = {}
        self._authorizations: dict[str, Authorization] = {}
        self._scripts: list[tuple[str, Scripted]] = []
        self._lock = threading.RLock()
        self.stopping = threading.Event()
        self._server: FakeHttpServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Its address; the port stays the same after the first start."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        assert self._server is None
        self.stopping.clear()
        self._server = FakeHttpServer(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection; the data stays."""
        if self._server is None or self._thread is None:
            return
        self.stopping.set()
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
            self._orgs.setdefault(org, new_id())
            made = Authorization(new_id(), token, self._orgs[org], "of a test", [], all=True)
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
            except Refusal as refusal:
                status, kind, body = refusal.status, "application/json", json.dumps(refusal.body).encode()
            return None, status, kind, body

    def _answer(self, request: Seen) -> tuple[int, str, bytes]:
        parts = request.path.strip("/").split("/")
        match request.method, parts:
            case "GET" | "HEAD", ["ping"]:
                return 204, "", b""
            case "GET", ["health"]:
                return as_json(200, {"name": "influxdb", "status": "pass", "version": "v2.9.1"})
            case "GET", ["api", "v2", "setup"] if self.is_cloud:
                raise Refusal(404, "not found", "path not found")
            case "GET", ["api", "v2", "setup"]:
                return as_json(200, {"allowed": not self._authorizations})
            case "POST", ["api", "v2", "setup"]:
                return self._onboard(as_object(request.body))
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
                            raise Refusal(401, "unauthorized", "write:orgs is unauthorized")
                        return as_json(201, self._new_org(text_of(as_object(request.body), "name")))
                    case "GET", "buckets", []:
                        return self._list_buckets(token, request.params)
                    case "POST", "buckets", []:
                        return self._new_bucket(token, as_object(request.body))
                    case "PATCH", "buckets", [bucket_id] if bucket_id in self._buckets:
                        self._buckets[bucket_id].retention_s = retention_of(as_object(request.body))
                        return as_json(200, bucket_shown(self._buckets[bucket_id]))
                    case "DELETE", "buckets", [bucket_id] if bucket_id in self._buckets:
                        del self._buckets[bucket_id]
                        return 204, "", b""
                    case "GET", "authorizations", []:
                        return self._list_authorizations(token, request.params)
                    case "POST", "authorizations", []:
                        return self._new_authorization(token, as_object(request.body))
                    case "PATCH", "authorizations", [one] if one in self._authorizations:
                        self._authorizations[one].status = text_of(as_object(request.body), "status")
                        return as_json(200, self._shown(self._authorizations[one], text=False))
                    case "DELETE", "authorizations", [one] if one in self._authorizations:
                        del self._authorizations[one]
                        return 204, "", b""
        raise Refusal(404, "not found", "path not found")

    def _authorization(self, request: Seen) -> Authorization:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        for item in self._authorizations.values():
            if scheme in ("Token", "Bearer") and item.token == text:
                return item
        raise Refusal(401, "unauthorized", "unauthorized access")

    # Administration

    def _onboard(self, wanted: dict[str, Json]) -> tuple[int, str, bytes]:
        if self._authorizations:
            raise Refusal(422, "conflict", "onboarding has already been completed")
        if len(text_of(wanted, "password")) < 8:
            raise Refusal(400, "invalid", "passwords must be between 8 and 72 characters long")
        org = self._new_org(text_of(wanted, "org"))
        seconds = int(str(wanted.get("retentionPeriodSeconds") or 0))
        bucket = self._add_bucket(text_of(org, "id"), text_of(wanted, "bucket"), seconds)
        token = str(wanted.get("token") or secrets.token_urlsafe(48))
        owner = Authorization(new_id(), token, text_of(org, "id"), "admin's Token", [], all=True)
        self._authorizations[owner.id] = owner
        return as_json(201, {"org": org, "bucket": bucket_shown(bucket), "auth": self._shown(owner, text=True)})

    def _new_org(self, name: str) -> dict[str, Json]:
        if name in self._orgs:
            raise Refusal(422, "conflict", f"organization with name {name} already exists")
        self._orgs[name] = new_id()
        return {"id": self._orgs[name], "name": name}

    def _list_orgs(self, token: Authorization, params: Mapping[str, str]) -> tuple[int, str, bytes]:
        wanted = params.get("org")
        if wanted is not None and wanted not in self._orgs:
            raise Refusal(404, "not found", f'organization name "{wanted}" not found')
        return as_json(
            200,
            {
                "orgs": [
                    {"id": org_id, "name": name}
                    for name, org_id in self._orgs.items()
                    if wanted in (None, name) and token.may("read", "orgs", org_id)
                ]
            },
        )

    def _list_buckets(self, token: Authorization, params: Mapping[str, str]) -> tuple[int, str, bytes]:
        found = [
            item
            for item in self._buckets.values()
            if params.get("name") in (None, item.name) and self._in_org(item.org_id, params)
        ]
        if "name" in params and not found:
            raise Refusal(404, "not found", f'bucket "{params["name"]}" not found')
        shown: list[Json] = [bucket_shown(item) for item in found if token.may("read", "buckets", item.id)]
        return as_json(200, {"buckets": shown})

    def _in_org(self, org_id: str, params: Mapping[str, str]) -> bool:
        if "org" in params and "orgID" not in params:
            return self._orgs.get(params["org"]) == org_id
        return params.get("orgID", org_id) == org_id

    def _new_bucket(self, token: Authorization, wanted: dict[str, Json]) -> tuple[int, str, bytes]:
        org_id, name = text_of(wanted, "orgID"), text_of(wanted, "name")
        if not token.may("write", "buckets", ""):
            raise Refusal(401, "unauthorized", f"write:orgs/{org_id}/buckets is unauthorized")
        if any(item.name == name and item.org_id == org_id for item in self._buckets.values()):
            raise Refusal(422, "conflict", f"bucket with name {name} already exists")
        if self.is_cloud and sum(item.org_id == org_id for item in self._buckets.values()) >= 2:
            raise Refusal(403, "forbidden", "service limit reached: this org has exceeded limit is 2")
        if self.is_cloud and not 0 < retention_of(wanted) <= _FREE_S:
            raise Refusal(422, "unprocessable entity", "retention period exceeds the plan limit of 720h")
        return as_json(201, bucket_shown(self._add_bucket(org_id, name, retention_of(wanted))))

    def _add_bucket(self, org_id: str, name: str, retention_s: int) -> Bucket:
        bucket = Bucket(new_id(), org_id, name, retention_s)
        self._buckets[bucket.id] = bucket
        return bucket

    def _list_authorizations(self, token: Authorization, params: Mapping[str, str]) -> tuple[int, str, bytes]:
        shown: list[Json] = [
            self._shown(item, text=self.readable_tokens)
            for item in self._authorizations.values()
            if self._in_org(item.org_id, params) and token.may("read", "authorizations", item.id)
        ]
        return as_json(200, {"authorizations": shown})

    def _new_authorization(self, token: Authorization, wanted: dict[str, Json]) -> tuple[int, str, bytes]:
        if not token.may("write", "authorizations", ""):
            raise Refusal(401, "unauthorized", "write:authorizations is unauthorized")
        permissions = wanted["permissions"]
        assert isinstance(permissions, list)
        made = Authorization(
            new_id(),
            secrets.token_urlsafe(48),
            text_of(wanted, "orgID"),
            str(wanted.get("description") or ""),
            permissions,
        )
        self._authorizations[made.id] = made
        return as_json(201, self._shown(made, text=True))

    def _shown(self, item: Authorization, *, text: bool) -> dict[str, Json]:
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
            raise Refusal(403, "forbidden", "insufficient permissions for write: token is inactive")
        if not token.may("write", "buckets", bucket.id):
            raise Refusal(403, "forbidden", "insufficient permissions for write")
        scale = SECONDS.get(request.params.get("precision", "ns"))
        if scale is None:
            raise Refusal(400, "invalid", "invalid precision; valid precision units are ns, us, ms, and s")
        packed = request.headers.get("content-encoding") == "gzip"
        text = (unpack(request.body) if packed else request.body).decode("utf-8", "replace")
        points = [parse_point(line, scale) for line in text.split("\n") if line.strip() and not line.startswith("#")]
        if conflict := store_points(bucket, points):
            self._refuse_rest(conflict)
        return 204, "", b""

    def _bucket(self, params: Mapping[str, str]) -> Bucket:
        org, name = params.get("org", ""), params.get("bucket", "")
        org_id = self._orgs.get(org, org if org in self._orgs.values() else None)
        if org_id is None:
            raise Refusal(404, "not found", f'organization name "{org}" not found')
        for item in self._buckets.values():
            if item.org_id == org_id and name in (item.name, item.id):
                return item
        raise Refusal(404, "not found", f'bucket "{name}" not found')

    def _refuse_rest(self, conflict: str) -> None:
        """Refuse what did not fit, in the words that this server has for it."""
        if self.conflict_as == "a vague 500":
            raise Refusal(500, "internal error", "An internal error has occurred - check server logs")
        if self.conflict_as == "500":
            raise Refusal(500, "internal error", f"partial write: {conflict}")
        raise Refusal(422, "unprocessable entity", f"failure writing points to database: partial write: {conflict}")

    # Reading back

    def _query(self, request: Seen) -> tuple[int, str, bytes]:
        token = self._authorization(request)
        if request.params.get("org") not in self._orgs:
            raise Refusal(
                400,
                "invalid",
                f'failed to decode request body: organization name "{request.params.get("org")}" not found',
            )
        query = (
            text_of(as_object(request.body), "query")
            if "json" in request.headers.get("content-type", "")
            else request.body.decode()
        )
        org_id = self._orgs[request.params["org"]]
        readable = {
            item.name: item
            for item in self._buckets.values()
            if item.org_id == org_id and token.may("read", "buckets", item.id)
        }
        return 200, "text/csv; charset=utf-8", run_flux(query, readable).encode()

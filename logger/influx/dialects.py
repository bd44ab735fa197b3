"""Build write requests for InfluxDB 1, 2 and 3, and recognise a server's dialect from its answers. Pure."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from logger.answer import Answer
from logger.errors import InfluxError, InfluxRefusedError
from logger.model import Role
from logger.wire import Basic

Dialect: TypeAlias = Literal["1", "2", "3"]
Scheme: TypeAlias = Literal["Token", "Bearer"]

MOST_LINES: Mapping[Dialect, int] = {"1": 5000, "2": 5000, "3": 10_000}
"""The greatest number of lines in a request. InfluxDB 3 confirms writes once a second, so its requests are larger."""
CREATE_ADMIN = "influxdb3 create token --admin --name"
"""The command of InfluxDB 3 that makes an administrator's token. The token's name follows."""
_GZIP = 16
"""This number, added to the size of the window, tells zlib that the data has a gzip header."""
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Target:
    """The address, buckets and credentials for writing.

    `buckets`: role → bucket. An empty text means that a value is not set.
    """

    url: str
    api: Literal["auto", "1", "2", "3"]
    token: str = field(repr=False)
    org: str
    username: str
    password: str = field(repr=False)
    buckets: Mapping[Role, str]

    @property
    def basic_auth(self) -> Basic | None:
        """Return user and password for HTTP Basic; None if there is no user, or if there is a token."""
        return Basic(self.username, self.password) if self.username and not self.token else None

    def token_header(self, scheme: Scheme) -> dict[str, str]:
        """Return the header with the token; empty without a token.

        Raises InfluxRefusedError if a header cannot contain the token.
        """
        if not self.token:
            return {}
        if not is_sendable(self.token):
            raise InfluxRefusedError(
                "the InfluxDB token holds a space, a line break or a letter that no token has",
                "copy the token alone into INFLUXDB_TOKEN, or into the file that INFLUXDB_TOKEN_FILE names.",
            )
        return {"authorization": f"{scheme} {self.token}"}


@dataclass(frozen=True, slots=True)
class WriteCall:
    """The parts of one HTTP write request, without the body."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    auth: Basic | None = field(repr=False)


def make_write_call(dialect: Dialect, target: Target, bucket: str) -> WriteCall:
    """Make the request that writes to `bucket` in a dialect, with precision in seconds.

    1.x: `database` or `database/retention-policy`. 2.x: the name of a bucket. 3.x: a database. Raises
    InfluxRefusedError for a token that a header cannot contain.
    """
    match dialect:
        case "1":
            database, _, policy = bucket.partition("/")
            params = {"db": database, "precision": "s"} | ({"rp": policy} if policy else {})
            path = "/write"
        case "2":
            params = {"org": target.org, "bucket": bucket, "precision": "s"}
            path = "/api/v2/write"
        case "3":
            params = {"db": bucket, "precision": "second"}
            path = "/api/v3/write_lp"
    scheme: Scheme = "Bearer" if dialect == "3" else "Token"
    headers = {"content-type": "text/plain; charset=utf-8"} | target.token_header(scheme)
    return WriteCall(path, params, headers, target.basic_auth)


def join_members(body: bytes) -> bytes:
    """Return a body of several gzip members as one member.

    InfluxDB 3 before 3.8 reads only the first member of a body, and confirms the write as if it had read all members.
    """
    first = zlib.decompressobj(zlib.MAX_WBITS | _GZIP)
    lines = first.decompress(body)
    return gzip.compress(lines + gzip.decompress(first.unused_data), 1) if first.unused_data else body


def is_sendable(token: str) -> bool:
    """Return True if a header can contain the token: the token has only visible ASCII characters."""
    return bool(_PRINTABLE.fullmatch(token))


def recognise_dialect(target: Target, host: str, setup: Answer, ping: Answer) -> Dialect:
    """Return the dialect of a server from its answers to `GET /api/v2/setup` and `GET /ping`.

    Only 2.x answers the first request with 200 and `allowed`. 1.x and 3.x report their version at /ping, and so does
    2.x behind a proxy that hides the first answer. VictoriaMetrics answers /ping with 204 and no version: it counts
    as 1.x if `target` has a user and no token, otherwise as 2.x. Raises InfluxError for any other answer.
    """
    version = ping.headers.get("x-influxdb-version", "").lower().lstrip("v")
    build = ping.headers.get("x-influxdb-build", "").lower()
    if setup.status == 200 and '"allowed"' in setup.text:
        return "2"
    if version.startswith("1."):
        return "1"
    if version.startswith("3.") or build == "core":
        return "3"
    if version.startswith("2.") or build.startswith("cloud"):
        return "2"
    if ping.status == 204 and not version:
        return "1" if target.basic_auth else "2"
    if ping.status in (401, 403):
        raise InfluxRefusedError(
            f"{host} answers only requests with valid credentials (HTTP {ping.status}), as InfluxDB 3 does",
            "check INFLUXDB_TOKEN_FILE, or on 1.x INFLUXDB_USERNAME and INFLUXDB_PASSWORD_FILE; "
            "init and setup also take --admin-token-file.",
        )
    raise InfluxError(
        f"{host} does not answer like an InfluxDB (HTTP {ping.status} to /ping)",
        "check INFLUXDB_URL; if a proxy hides /ping, set INFLUXDB_API to 1, 2 or 3.",
    )

"""Say what every database of the tests can do: be written to, read back, stopped and started again."""

from __future__ import annotations

import contextlib
import ssl
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import httpx

from logger.influx.dialects import Target
from logger.model import ROLES, Json, Role, Value
from tests.waiting import LONGEST_S

Kind: TypeAlias = Literal["influx1", "influx2", "fake2", "influx3", "victoria"]
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
    refusals: Mapping[str, str] = {"syntax": "unable to parse", "type conflict": "field type conflict"}
    """What is wrong with a line → words of its answer to that line."""

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


def as_pair(value: Json) -> tuple[str, str]:
    assert isinstance(value, list)
    return str(value[0]), str(value[1])


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.time, sorted(row.tags.items())))


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run a server and end it."""
    server.start()
    try:
        yield server
    finally:
        server.stop()

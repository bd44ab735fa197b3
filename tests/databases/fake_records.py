"""What the fake InfluxDB 2 keeps and says: buckets, authorizations, requests as they came, answers in its words."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from logger.model import Json, Value

Series: TypeAlias = "tuple[str, tuple[tuple[str, str], ...], str]"  # measurement, tags, field


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
class Bucket:
    id: str
    org_id: str
    name: str
    retention_s: int
    types: dict[tuple[str, str], type] = field(default_factory=dict)
    points: dict[Series, dict[int, Value]] = field(default_factory=dict)


@dataclass(slots=True)
class Authorization:
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


class Refusal(Exception):
    """An answer in InfluxDB 2's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}


def retention_of(wanted: dict[str, Json]) -> int:
    """Seconds that a bucket keeps data, 0 for ever."""
    rules = wanted.get("retentionRules")
    rule = rules[0] if isinstance(rules, list) and rules else {}
    return int(str(rule.get("everySeconds", 0) if isinstance(rule, dict) else 0))


def bucket_shown(bucket: Bucket) -> dict[str, Json]:
    return {
        "id": bucket.id,
        "orgID": bucket.org_id,
        "type": "user",
        "name": bucket.name,
        "retentionRules": [{"type": "expire", "everySeconds": bucket.retention_s}],
    }


def new_id() -> str:
    return secrets.token_hex(8)


def as_json(status: int, body: Mapping[str, Json]) -> tuple[int, str, bytes]:
    return status, "application/json; charset=utf-8", json.dumps(body).encode()


def as_object(body: bytes) -> dict[str, Json]:
    parsed: Json = json.loads(body)
    assert isinstance(parsed, dict)
    return parsed


def text_of(thing: Mapping[str, Json], key: str) -> str:
    value = thing[key]
    assert isinstance(value, str)
    return value

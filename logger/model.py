"""The values that flow from room to room: Document → Snapshot → Reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Final, Literal, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Value: TypeAlias = float | int | bool | str
Role: TypeAlias = Literal["totals", "devices", "daily"]
Severity: TypeAlias = Literal["info", "warning", "error"]
ROLES: tuple[Role, ...] = ("totals", "devices", "daily")


def number_or_zero(value: Json) -> float:
    """Return a JSON number as a float, and 0.0 for anything else."""
    return float(value) if isinstance(value, (int, float)) else 0.0


def add_up(values: Iterable[float]) -> float:
    """Add numbers in their order, on every Python alike: from 3.12 on `sum` corrects rounding, in other digits."""
    return reduce(add, values, 0)


@dataclass(frozen=True, slots=True)
class Document:
    """One answer of the gateway: `body` parsed JSON, `received_at` and `took_s` by our clock, in seconds."""

    path: str
    body: Json
    received_at: float
    took_s: float


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """What `/info` says. `clock_skew_s` is the gateway's clock minus ours at that moment, in seconds."""

    serial: str
    firmware: str
    part_number: str
    has_meter: bool
    needs_token: bool
    clock_skew_s: float

    @property
    def version(self) -> tuple[int, ...]:
        """`D8.3.5433` → (8, 3, 5433); for choosing how to sign in, never for what a document means."""
        digits = self.firmware.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        return tuple(int(part) for part in digits.split(".") if part.isdigit())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one tick has to say.

    `tick` is the aligned time in unix seconds. `documents` holds, by path, the newest answer of each endpoint
    that has one. `since` is, per role, when its last tick was committed: a document that arrived later is
    fresh for it, an older one may only stand for facts about the installation. `absent` are the paths of
    documents that this gateway surely has not. `definitive_answers` counts, by path that may be asked, the answers
    that decided something: a document, absent, not allowed; those of the nightly quiet window do not count.
    """

    gateway: GatewayInfo
    tick: int
    documents: Mapping[str, Document]
    since: Mapping[Role, float] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    definitive_answers: Mapping[str, int] = field(default_factory=dict)

    def body(self, path: str) -> Json:
        """The parsed answer of `path`, or None."""
        document = self.documents.get(path)
        return None if document is None else document.body


@dataclass(frozen=True, slots=True)
class Reading:
    """One point: what is written to InfluxDB, before it is text. `time` in unix seconds."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    time: int
    role: Role


@dataclass(frozen=True, slots=True)
class DayRow:
    """The current state of one series on one local day, an ISO date; `final` once nothing more is expected of it."""

    reading: Reading
    day: str
    final: bool


AHEAD_S: Final = 600
"""A report further ahead of the clock than this, the gateway's or ours, is no report."""


@dataclass(frozen=True, slots=True)
class Report:
    """One inverter report as first seen: the gateway's own second, and the point time fixed then; unix seconds."""

    serial: str
    gateway_second: int
    time: int
    source: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and that a person may want to see in a graph; `time` in unix seconds."""

    time: int
    kind: str
    text: str
    severity: Severity = "info"
    serial: str = ""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line, without its newline, that InfluxDB will never take as it is, with its HTTP status and reason.

    `batch` is the place of its batch among those that were sent together.
    """

    line: bytes
    status: int
    reason: str
    batch: int = 0

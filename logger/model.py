"""Define the values that packages pass to each other: Document, Snapshot, Reading, and others."""

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
_NOISE: Final = 30.0
_NOISE_SHARE: Final = 0.03


def number_or_zero(value: Json) -> float:
    """Return a JSON number as a float, and 0.0 for any other JSON value."""
    return float(value) if isinstance(value, (int, float)) else 0.0


def add_up(values: Iterable[float]) -> float:
    """Add numbers one after another, with the same digits on every Python version.

    The built-in `sum` compensates for rounding from Python 3.12 on, which changes the last digits.
    """
    return reduce(add, values, 0)


def noise_of(terms: Iterable[float]) -> float:
    """Return the possible error of a sum of powers in W or energies in Wh: 3 % of the largest term, at least 30."""
    return max(_NOISE, _NOISE_SHARE * max((abs(term) for term in terms), default=0.0))


def round_value(name: str, value: Value) -> Value:
    """Return a power or an energy (`…_w`, `…_wh`) with at most three decimals, and any other value unchanged.

    Only shown and written values are rounded. Counting uses values that are not rounded.
    """
    return round(value, 3) + 0.0 if isinstance(value, float) and is_rounded(name) else value


def is_rounded(name: str) -> bool:
    """Return True if a field is a power or an energy, which is written with at most three decimals."""
    return name.endswith(("_w", "_wh"))


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One answer of the gateway. `body`: parsed JSON. `received_at`: unix seconds by our clock.

    `took_s`: the seconds from the request to the answer. `skeleton`: a number that is the same for documents that
    differ only in digits; 0 if the number is unknown. A document equals only itself, so that a cache can use
    documents as keys.
    """

    path: str
    body: Json
    received_at: float
    took_s: float
    skeleton: int = 0


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """The facts of `/info`. `clock_skew_s`: the gateway's clock minus our clock at the answer, in seconds."""

    serial: str
    firmware: str
    part_number: str
    has_meter: bool
    needs_token: bool
    clock_skew_s: float

    @property
    def version(self) -> tuple[int, ...]:
        """Return the firmware version as numbers: `D8.3.5433` → (8, 3, 5433).

        The version decides three things: how to sign in, which paths to request, and whether a document counts as
        absent if a web page arrives in its place (Q-C6). The meaning of a document never depends on the version.
        """
        digits = self.firmware.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        return tuple(int(part) for part in digits.split(".") if part.isdigit())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The standing documents of a gateway at one tick, and the facts about the documents.

    `tick` is the tick's time in unix seconds, a multiple of the interval between polls. `documents` maps each path to
    its standing document: the newest one, if it is at most twice as old as the usual interval between its requests.
    `since` maps each role to the time of its last committed tick. A document that arrived after that time is fresh
    for the role; an older document is used only for facts about the installation.
    `absent` holds the paths that this gateway certainly does not have.
    `definitive_answers` maps each path that may be polled to its number of definitive answers (a document, absent, or
    not allowed). Answers during the nightly quiet window are not counted.
    `doubts` maps each path to its readings that cannot be believed now: name of the reading → reason.
    `failures` holds the reason of each failed request, by path.
    """

    gateway: GatewayInfo
    tick: int
    documents: Mapping[str, Document]
    since: Mapping[Role, float] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    definitive_answers: Mapping[str, int] = field(default_factory=dict)
    doubts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    def body(self, path: str) -> Json:
        """Return the parsed answer of `path`, or None."""
        document = self.documents.get(path)
        return None if document is None else document.body


@dataclass(frozen=True, slots=True)
class Reading:
    """One InfluxDB point before its conversion to line protocol. `time` is in unix seconds."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    time: int
    role: Role


@dataclass(frozen=True, slots=True)
class DayRow:
    """The row of one series for one local `day` (ISO date). `final`: the row is not expected to change."""

    reading: Reading
    day: str
    final: bool


AHEAD_S: Final = 600
"""The greatest number of seconds by which a report's time may be ahead of the clock and still be believed."""


@dataclass(frozen=True, slots=True)
class Report:
    """One inverter report, with two times in unix seconds.

    `gateway_second`: the report's time by the gateway's clock. `time`: the time of the report's point. Both times are
    fixed when the report is first read. `source`: the name of the rowset that first had the report.
    """

    serial: str
    gateway_second: int
    time: int
    source: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event that a person may want to see in a graph. `time` is in unix seconds.

    `duration_s`: the seconds that a state lasted, for an event that ends the state; None for any other event.
    """

    time: int
    kind: str
    text: str
    severity: Severity = "info"
    serial: str = ""
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that InfluxDB permanently refuses, with the HTTP status and the reason. The line has no newline.

    `batch` is the index of the line's batch among the batches of the same delivery.
    """

    line: bytes
    status: int
    reason: str
    batch: int = 0

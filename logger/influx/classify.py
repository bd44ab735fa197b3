"""What InfluxDB's answer to a write means for the data. Pure; no status code means the same in every generation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal, TypeAlias

from logger.model import Json

Kind: TypeAlias = Literal["credentials", "missing", "limit", "unknown"]

MOST_RETRY_AFTER_S = 600.0
"""A server may ask for a pause of at most this long; more is a mistake of a clock or a proxy."""


@dataclass(frozen=True, slots=True)
class Done:
    """Everything was taken."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is wrong with the data: keep it and try again. `status` 0 means there was no answer.

    `away`: nobody was there to answer, so the server may be starting anew.
    """

    reason: str
    retry_after_s: float | None = None
    status: int = 0
    away: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """Keep the data; a person has to mend something first: `hint` says what."""

    reason: str
    hint: str
    kind: Kind
    status: int = 0

    @property
    def exit_code(self) -> int:
        """With which code a command ends that met this."""
        return 77 if self.kind == "credentials" else 69


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The same in smaller pieces may pass."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadLines:
    """One or more lines are refused for ever, and were named in a way that cannot be trusted: find them."""

    reason: str
    status: int


@dataclass(frozen=True, slots=True)
class OutsideRetention:
    """Some points are older than the bucket keeps; the others were taken."""

    reason: str


Outcome: TypeAlias = Done | Wait | Blocked | TooLarge | BadLines | OutsideRetention

# What servers quote: lines in single quotes, names in double quotes. Both are the user's words, not theirs.
_QUOTED = re.compile(r"""(?<=unable to parse )'.*'|"(?:[^"\\]|\\.)*\"""", re.S)
_BAD_LINE = re.compile(
    r"unable to parse|field type conflict|invalid column type|line protocol pars|partial write of line protocol|"
    r"partial write: (invalid|input field|key contains)|multiple instances of|too long|error parsing line|"
    r"max key length exceeded|max entry size exceeded",
    re.I,
)
_RETENTION = re.compile(r"(beyond|outside) retention policy|outside of the database's retention", re.I)
_LIMIT = re.compile(r"limit (of|exceeded)|would exceed|exceeds? (your|the) .*(quota|limit)|max-(series|values)", re.I)


def classify(
    status: int, body: str, headers: Mapping[str, str], now: float, mask: Callable[[str], str] = lambda text: text
) -> Outcome:
    """The outcome of one write. `headers` by lower-case name, `now` in unix seconds (for Retry-After as a date).

    `mask` takes out of the body what nobody may read in a reason; it is judged as it came, for a password may be a
    word that the server's own sentences are made of.
    """
    text = _message(body)
    plain = _QUOTED.sub("…", text)
    one_line = " ".join(_message(mask(body)).split())
    said = f"HTTP {status}" + (f": {one_line[:300]}" if text else "")
    if 200 <= status < 300:
        if _BAD_LINE.search(plain):  # some products answer 201 to a write that was taken in part
            return BadLines(said, status)
        if status == 204 or not text:
            return Done()
        return Blocked(
            f"{said[:120]} is no InfluxDB's answer to a write",
            "check INFLUXDB_URL: something else answers at this address.",
            "unknown",
            status,
        )
    if status == 413:
        return TooLarge(said)
    if status in (400, 422):
        if _LIMIT.search(plain):
            return _limit(said, status)
        if _RETENTION.search(plain):
            return OutsideRetention(said)
        if _BAD_LINE.search(plain):
            return BadLines(said, status)
        return Blocked(said, "see InfluxDB's own log for the cause; nothing is lost meanwhile.", "unknown", status)
    if status in (401, 403):
        return Blocked(
            said,
            "check INFLUXDB_TOKEN, or INFLUXDB_USERNAME and INFLUXDB_PASSWORD, and that they may "
            "write to all three buckets (envoy-logger setup makes a token).",
            "credentials",
            status,
        )
    if status == 404:
        if "not found" in text and "page not found" not in text:
            return Blocked(
                said,
                "create it (envoy-logger setup, or CREATE DATABASE on 1.x), or correct "
                "INFLUXDB_BUCKET…, INFLUXDB_ORG.",
                "missing",
                status,
            )
        return Blocked(
            said, "check INFLUXDB_URL and INFLUXDB_API: this address takes no such writes.", "unknown", status
        )
    if status == 500 and "retention policy not found" in text:
        return Blocked(
            said,
            "create the retention policy, or name another after the slash of INFLUXDB_BUCKET….",
            "missing",
            status,
        )
    if status in (408, 425, 429) or status >= 500:
        return Wait(said, _retry_after(headers.get("retry-after", ""), now), status, away=status == 502)
    if 300 <= status < 400:
        return Blocked(
            said, "this address sends writers elsewhere: set INFLUXDB_URL to the final address.", "unknown", status
        )
    return Blocked(said, "check INFLUXDB_URL and INFLUXDB_API, and any proxy in between.", "unknown", status)


def _limit(said: str, status: int) -> Blocked:
    return Blocked(said, "raise the limit of the server or the plan; nothing is lost meanwhile.", "limit", status)


def _message(body: str) -> str:
    """What the server says, without its JSON, within 4,000 characters; of 3.x with the reason of the first line."""
    text = body.strip()[:64_000]
    try:
        parsed: Json = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        return text[:4000]
    said = (parsed.get("message"), parsed.get("error"))
    message = next((value for value in said if isinstance(value, str) and value), text)
    data = parsed.get("data")
    first = data[0] if isinstance(data, list) and data else None
    detail = first.get("error_message") if isinstance(first, dict) else None
    return f"{message}: {detail}"[:4000] if isinstance(detail, str) else message[:4000]


def _retry_after(value: str, now: float) -> float | None:
    """Seconds to wait, from Retry-After as seconds or as an HTTP date; None if it says nothing sensible."""
    value = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return min(float(value), MOST_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # OverflowError: a year or a zone of twenty digits
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(0.0, until.timestamp() - now), MOST_RETRY_AFTER_S)

"""Decide what InfluxDB's answer to a write means for the data. Pure."""

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
    """InfluxDB accepted all points."""


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
        """The exit code of a command that is blocked."""
        return 77 if self.kind == "credentials" else 69


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The request is too large; smaller requests may be accepted."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadLines:
    """One or more lines are refused for ever, and were named in a way that cannot be trusted: find them."""

    reason: str
    status: int


@dataclass(frozen=True, slots=True)
class OutsideRetention:
    """Some points are older than the retention of the bucket; InfluxDB accepted the others."""

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
_CREDENTIALS_HINT = (
    "check INFLUXDB_TOKEN, or INFLUXDB_USERNAME and INFLUXDB_PASSWORD, and that they may "
    "write to all three buckets (envoy-logger setup makes a token)."
)
_MISSING_HINT = (
    "create it (envoy-logger setup, or CREATE DATABASE on 1.x), or correct INFLUXDB_BUCKET…, INFLUXDB_ORG."
)


def classify(
    status: int, body: str, headers: Mapping[str, str], now: float, mask: Callable[[str], str] = lambda text: text
) -> Outcome:
    """Decide what one answer to a write means. `headers` by lower-case name, `now` in unix seconds for Retry-After.

    `mask` takes out of the body what nobody may read in a reason; it is judged as it came, for a password may be a
    word that the server's own sentences are made of.
    """
    text = _extract_message(body)
    plain = _QUOTED.sub("…", text)
    one_line = " ".join(_extract_message(mask(body)).split())
    reason = f"HTTP {status}" + (f": {one_line[:300]}" if text else "")

    def block(kind: Kind, hint: str) -> Blocked:
        return Blocked(reason, hint, kind, status)

    if 200 <= status < 300:
        if _BAD_LINE.search(plain):  # some products answer 201 to a write that was taken in part
            return BadLines(reason, status)
        if status == 204 or not text:
            return Done()
        reason = f"{reason[:120]} is no InfluxDB's answer to a write"
        return block("unknown", "check INFLUXDB_URL: something else answers at this address.")
    if status == 413:
        return TooLarge(reason)
    if status in (400, 422):
        if _LIMIT.search(plain):
            return block("limit", "raise the limit of the server or the plan; nothing is lost meanwhile.")
        if _RETENTION.search(plain):
            return OutsideRetention(reason)
        if _BAD_LINE.search(plain):
            return BadLines(reason, status)
        return block("unknown", "see InfluxDB's own log for the cause; nothing is lost meanwhile.")
    if status in (401, 403):
        return block("credentials", _CREDENTIALS_HINT)
    if status == 404:
        if "not found" in text and "page not found" not in text:
            return block("missing", _MISSING_HINT)
        return block("unknown", "check INFLUXDB_URL and INFLUXDB_API: this address takes no such writes.")
    if status == 500 and "retention policy not found" in text:
        return block("missing", "create the retention policy, or name another after the slash of INFLUXDB_BUCKET….")
    if status in (408, 425, 429) or status >= 500:
        return Wait(reason, _parse_retry_after(headers.get("retry-after", ""), now), status, away=status == 502)
    if 300 <= status < 400:
        return block("unknown", "set INFLUXDB_URL to the final address: this one sends writers elsewhere.")
    return block("unknown", "check INFLUXDB_URL and INFLUXDB_API, and any proxy in between.")


def _extract_message(body: str) -> str:
    """What the server says, without its JSON, within 4,000 characters; of 3.x with the reason of the first line."""
    text = body.strip()[:64_000]
    try:
        parsed: Json = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        return text[:4000]
    messages = (parsed.get("message"), parsed.get("error"))
    message = next((value for value in messages if isinstance(value, str) and value), text)
    data = parsed.get("data")
    first = data[0] if isinstance(data, list) and data else None
    detail = first.get("error_message") if isinstance(first, dict) else None
    return f"{message}: {detail}"[:4000] if isinstance(detail, str) else message[:4000]


def _parse_retry_after(value: str, now: float) -> float | None:
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

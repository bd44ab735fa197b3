"""Decide from InfluxDB's answer to a write whether the data is stored, must wait, or has bad lines. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal, TypeAlias

from logger.influx.dialects import CREATE_ADMIN, Dialect
from logger.influx.limits import choose_cure, choose_pace_hint, has_lasting_limit, has_limit
from logger.model import Json

Kind: TypeAlias = Literal["credentials", "missing", "limit", "unknown"]

MOST_RETRY_AFTER_S = 600.0
"""Longest pause, in seconds, that a server may request. A longer pause is a mistake of a clock or a proxy."""


@dataclass(frozen=True, slots=True)
class Done:
    """InfluxDB accepted all points."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The data is good and must be sent again later. `status` 0 means that there was no answer.

    `away`: InfluxDB itself did not answer, perhaps because InfluxDB restarts. `of_server`: the server is at fault,
    and not a line. `hint`: what to do if the fault lasts; may be empty.
    """

    reason: str
    retry_after_s: float | None = None
    status: int = 0
    away: bool = False
    of_server: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The data must wait until a person has corrected something. `hint`: what to correct."""

    reason: str
    hint: str
    kind: Kind
    status: int = 0

    @property
    def exit_code(self) -> int:
        """Return the exit code of a command that is blocked: 77 for credentials, otherwise 69."""
        return 77 if self.kind == "credentials" else 69


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The request was too large; smaller requests may be accepted."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadLines:
    """At least one line will never be accepted.

    The recorder must search for this line, because servers do not name the line reliably.
    """

    reason: str
    status: int


@dataclass(frozen=True, slots=True)
class OutsideRetention:
    """Some points are older than the retention of the bucket; InfluxDB accepted the others."""

    reason: str


Outcome: TypeAlias = Done | Wait | Blocked | TooLarge | BadLines | OutsideRetention

# The parts that servers quote from a request: lines in single quotes, names in double quotes.
_QUOTED = re.compile(r"""(?<=unable to parse )'.*'|"(?:[^"\\]|\\.)*\"""", re.S)
_BAD_LINE = re.compile(
    r"unable to parse|field type conflict|invalid column type|line protocol pars|partial write of line protocol|"
    r"partial write: (invalid|input field|key contains)|multiple instances of|too long|error parsing line|"
    r"max key length exceeded|max entry size exceeded",
    re.I,
)
_CONFLICT = re.compile(r"field type conflict|invalid column type|unable to parse|error parsing line", re.I)
"""Words that name a bad line as the cause, even with status 500."""
_SERVERS_OWN = re.compile(
    r"memory(?! address)|timeout|timed out|no space|quota|open files|queue|unavailable|shutting|closed|"
    r"concurren|rate.?limit",
    re.I,
)
"""Words that name a fault of the server itself as the cause, regardless of the data."""
_RETENTION = re.compile(r"(beyond|outside) retention policy|outside of the database's retention", re.I)
_BATCH = re.compile(r"\b(batch|body|payload|request)\b.{0,20}too large", re.I)
_CREDENTIALS_HINT = (
    "check that INFLUXDB_TOKEN (1.x: INFLUXDB_USERNAME and INFLUXDB_PASSWORD) may write to all three buckets; "
    "envoy-logger setup makes such credentials."
)
_TOKEN_HINT = (
    "check that INFLUXDB_TOKEN may write to all three databases; on InfluxDB 3 Core an administrator makes such a "
    f"token with `{CREATE_ADMIN} envoy-logger`."
)
"""The hint for InfluxDB 3, where `setup` makes no token."""
_MISSING_HINT = (
    "create what is missing (envoy-logger setup, or CREATE DATABASE on 1.x), or correct INFLUXDB_BUCKET…, "
    "INFLUXDB_ORG."
)


def classify(
    status: int,
    body: str,
    headers: Mapping[str, str],
    now: float,
    mask: Callable[[str], str] = lambda text: text,
    *,
    host: str = "",
    dialect: Dialect = "2",
) -> Outcome:
    """Decide what one answer to a write means for the data.

    `headers`: by lower-case name. `now`: the time in unix seconds. `mask`: hides secrets in the reason. The answer is
    judged before it is masked, because a password may be a word that occurs in the server's own sentences. `host`:
    the server's name. `dialect`: decides which cure works for refused credentials.
    """
    text = _extract_message(body)
    plain = _QUOTED.sub("…", text)
    one_line = " ".join(_extract_message(mask(body)).split())
    reason = f"HTTP {status}" + (f": {one_line[:300]}" if text else "")
    is_cloud = _is_cloud(host, headers)

    def block(kind: Kind, hint: str) -> Blocked:
        return Blocked(reason, hint, kind, status)

    if 200 <= status < 300:
        if _BAD_LINE.search(plain):  # some products answer 201 to a write that was taken in part
            return BadLines(reason, status)
        if status == 204 or not text:
            return Done()
        reason = f"{reason[:120]} is not the answer of an InfluxDB to a write"
        return block("unknown", "check INFLUXDB_URL: a server other than InfluxDB answers at this address.")
    retry_after_s = _parse_retry_after(headers.get("retry-after", ""), now)
    if status == 413 or (status == 400 and _BATCH.search(plain)):
        return TooLarge(reason)
    if status == 429:
        return Wait(reason, retry_after_s, status, hint=choose_pace_hint(is_cloud=is_cloud))
    is_limit = has_lasting_limit(plain) if status >= 500 else status in (400, 403, 422) and has_limit(plain)
    if is_limit or status == 402:  # payment required: the plan has ended, or is full
        hint = choose_cure(plain, is_cloud=is_cloud)
        return block("limit", hint) if not retry_after_s else Wait(reason, retry_after_s, status, hint=hint)
    if status in (401, 403) or (status == 400 and is_no_sign_in(text)):
        return block("credentials", _TOKEN_HINT if dialect == "3" else _CREDENTIALS_HINT)
    if status in (400, 422):
        if _RETENTION.search(plain):
            return OutsideRetention(reason)
        if _BAD_LINE.search(plain):
            return BadLines(reason, status)
        return block("unknown", _choose_log_hint(is_cloud=is_cloud))
    if status == 404:
        if "not found" in text and "page not found" not in text:
            return block("missing", _MISSING_HINT)
        return block(
            "unknown", "check INFLUXDB_URL and INFLUXDB_API: the server at this address does not accept these writes."
        )
    if status == 500 and "retention policy not found" in text:
        return block(
            "missing", "create the retention policy, or name another policy after the slash of INFLUXDB_BUCKET…."
        )
    if status == 500 and _CONFLICT.search(plain):
        return BadLines(reason, status)
    if status in (408, 425) or status >= 500:
        is_busy = has_limit(plain)
        of_server = status != 500 or is_busy or _SERVERS_OWN.search(plain) is not None
        hint = "" if status != 500 else f"{_choose_log_hint(is_cloud=is_cloud).removesuffix('.')} if this lasts."
        hint = choose_pace_hint(is_cloud=is_cloud) if is_busy else hint
        return Wait(reason, retry_after_s, status, away=status == 502, of_server=of_server, hint=hint)
    if 300 <= status < 400:
        return block("unknown", "set INFLUXDB_URL to the final address: the present address redirects writes.")
    return block("unknown", "check INFLUXDB_URL and INFLUXDB_API, and any proxy between the recorder and InfluxDB.")


def is_no_sign_in(text: str) -> bool:
    """Return whether an answer reports that the Authorization header is malformed.

    InfluxDB 3 sends this text with status 400 if it reads neither a token nor a password in the header.
    """
    return "authorization header was malformed" in text.lower()


def _is_cloud(host: str, headers: Mapping[str, str]) -> bool:
    """Return whether InfluxDB Cloud answered.

    Both Cloud and a self-hosted 2.x send the header `x-platform-error-code`. Only the self-hosted server also sends
    its version, in the header `x-influxdb-version`.
    """
    is_coded = "x-platform-error-code" in headers and "x-influxdb-version" not in headers
    build = headers.get("x-influxdb-build", "cloud" if is_coded else "")
    return host.partition(":")[0].endswith(".influxdata.com") or build.lower() == "cloud"


def _choose_log_hint(*, is_cloud: bool) -> str:
    """Return the hint that says how to find the cause of a refusal.

    A user of InfluxDB Cloud cannot read the server's log.
    """
    return "send this message to InfluxData's support." if is_cloud else "see InfluxDB's own log for the cause."


def _extract_message(body: str) -> str:
    """Return the message in a server's answer, at most 4,000 characters.

    For InfluxDB 3.x, include the error of the first bad line.
    """
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
    """Parse a Retry-After header: seconds or an HTTP date. Return the seconds to wait; None for any other text.

    The result is at most `MOST_RETRY_AFTER_S`.
    """
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

"""Explains why an InfluxDB 2 refuses an administrator's request, and how to correct the cause."""

from __future__ import annotations

import json
from typing import Final

from logger.errors import InfluxError, InfluxMissingError, InfluxRefusedError
from logger.influx.limits import has_limit
from logger.log import mask

_LIMIT_HINT: Final = (
    "stay within the limits of your plan: let INFLUXDB_BUCKET_DEVICES and INFLUXDB_BUCKET_DAILY name the bucket of "
    "INFLUXDB_BUCKET, and give --retention 30d. Or upgrade the plan: "
    "click your organisation's name in InfluxDB Cloud, then Usage."
)
_SIGN_IN_HINT: Final = (
    "correct INFLUXDB_ADMIN_TOKEN_FILE, or --admin-token-file; "
    "or the administrator's name and password (--admin-user, --admin-password-file)."
)


def refuse(host: str, doing: str, status: int, body: str) -> InfluxError:
    """Make the error for an answer of InfluxDB 2 whose status is not a success."""
    own, failure = _read_reason(body), f"InfluxDB at {host} does not {doing}"
    if "password" in own and status in (400, 422):
        return InfluxError(f"{failure}: {mask(own)[:200]}", "choose another password (--admin-password-file).")
    message = f"{failure}: HTTP {status}: {mask(own or ' '.join(body.split()))[:200]}"
    if status < 500 and has_limit(body):
        return InfluxError(message, _LIMIT_HINT)
    if status == 401:
        return InfluxRefusedError(message, _SIGN_IN_HINT)
    if status == 403:
        return InfluxRefusedError(
            message,
            "give a token that may manage buckets and tokens: INFLUXDB_ADMIN_TOKEN_FILE, or --admin-token-file.",
        )
    if status == 404 and "page not found" not in body:
        return InfluxMissingError(message, "check INFLUXDB_ORG.")
    if status in (400, 404, 405) and not own:
        return InfluxError(f"{message} (is it an InfluxDB 2?)", "check INFLUXDB_URL and INFLUXDB_API.")
    return InfluxError(message, "see InfluxDB's own log, then run the command again.")


def _read_reason(body: str) -> str:
    """Return the reason in an answer of InfluxDB 2, on one line; empty for an answer in another format."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    is_own = isinstance(answer, dict) and isinstance(answer.get("code"), str)
    return " ".join(str(answer.get("message") or answer["code"]).split()) if is_own else ""

"""Find out which InfluxDB answers, whether it is healthy, and whether a token may read there. Nothing is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from logger.answer import Answer
from logger.clock import Clock
from logger.errors import (
    BrokenError,
    CertificateError,
    InfluxError,
    InfluxMissingError,
    InfluxRefusedError,
    NameUnknownError,
    OversizeError,
    TimedOutError,
    UnreachableError,
    WireError,
)
from logger.influx.dialects import Dialect, Target, is_sendable, recognise_dialect
from logger.influx.queries import quote_flux
from logger.influx.write import ask_identity
from logger.log import mask
from logger.wire import Wire

_TIMEOUT_S: Final = 10.0
_LIMIT: Final = 1024 * 1024
_SHOWN: Final = 200
_OWN_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class SignIn:
    """A token, or a user and a password. An empty text means that a value is not set."""

    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)


def list_sign_ins(tokens: Iterable[str], users: Iterable[tuple[str, str]]) -> list[SignIn]:
    """Return the sign-ins that can be tried, without duplicates: tokens that a header can contain, then users."""
    by_token = [SignIn(token) for token in dict.fromkeys(tokens) if is_sendable(token)]
    return [*by_token, *(SignIn("", *user) for user in dict.fromkeys(users) if all(user))]


@dataclass(frozen=True, slots=True)
class Server:
    """The facts that a server reports about itself.

    `version`: empty if the server does not report it. `trouble`: the complaint of the server's own health check, or
    empty. `is_fresh`: the server was never set up and waits for its first user. `is_open`: the server needs no
    credentials (1.x without authentication, VictoriaMetrics). `is_guarded`: the server reports nothing without
    credentials (3.x with authorisation). `skew_s`: the server's clock minus our clock in seconds; None if the server
    does not report its time.
    """

    dialect: Dialect
    version: str = ""
    trouble: str = ""
    is_fresh: bool = False
    is_open: bool = False
    is_guarded: bool = False
    skew_s: float | None = None
    took_s: float = 0.0

    @property
    def name(self) -> str:
        """Return the server's name and version for people."""
        if self.is_other:
            return "A server that accepts InfluxDB's writes"
        number = self.version.removeprefix("v").partition("~")[0]
        return f"InfluxDB {number if number[:1].isdigit() else self.dialect}"

    @property
    def is_other(self) -> bool:
        """Return True if the server only accepts writes of InfluxDB 2 and has no buckets, like VictoriaMetrics."""
        return self.dialect == "2" and self.is_open


async def detect_server(target: Target, clock: Clock, given: Sequence[SignIn] = ()) -> Server:
    """Detect which InfluxDB answers and whether it is healthy.

    If the server refuses the sign-in of `target`, try each sign-in in `given`. Raises WireError if no answer arrives
    or the server is not ready, InfluxError if the server is not an InfluxDB, and InfluxRefusedError if the server
    accepts no sign-in.
    """
    try:
        return await _detect(target, clock)
    except WireError as error:
        raise type(error)(error.message, _find_cure(error, target.url)) from error
    except InfluxRefusedError:
        for each in given:
            with contextlib.suppress(InfluxRefusedError):
                signed = replace(target, token=each.token, username=each.username, password=each.password)
                return replace(await _detect(signed, clock), is_guarded=True)
        raise


def _find_cure(error: WireError, url: str) -> str:
    """Return a hint about InfluxDB and INFLUXDB_URL for a failed request to `url`.

    If there is no such hint for this kind of error, return the error's own hint, which fits any device.
    """
    match error:
        case NameUnknownError():
            return (
                "correct the host in INFLUXDB_URL; in containers the host is the name of the service, which must run."
            )
        case UnreachableError() if urlsplit(url).hostname in _OWN_NAMES:
            return (
                "start InfluxDB (systemctl start influxdb), or correct INFLUXDB_URL: in a container, localhost is "
                "the container itself."
            )
        case UnreachableError():
            return "check that InfluxDB runs on that machine and that its port is open, or correct INFLUXDB_URL."
        case CertificateError():
            return "set INFLUXDB_URL to the name in InfluxDB's certificate, and add its authority to this system."
        case BrokenError() | TimedOutError() | OversizeError():
            return "see InfluxDB's own log, and check the scheme (http or https) and the port in INFLUXDB_URL."
    return error.hint


async def _detect(target: Target, clock: Clock) -> Server:
    wire = Wire(target.url, clock, use_proxy=True, max_bytes=_LIMIT)
    try:
        setup, ping = await ask_identity(wire, target)
        headers, auth = target.token_header("Bearer"), target.basic_auth
        health = await wire.request("GET", "/health", timeout_s=_TIMEOUT_S, headers=headers, auth=auth)
        dialect = recognise_dialect(target, wire.host, setup, ping) if target.api == "auto" else target.api
        version = ping.headers.get("x-influxdb-version", "") or str(health.fields.get("version") or "")
        match dialect:
            case "1":
                is_fresh, is_open = await _ask_without_user(wire)
            case "2":  # even a self-built InfluxDB 2 reports the version `dev`
                is_cloud = ping.headers.get("x-influxdb-build", "").lower().startswith("cloud")
                is_fresh, is_open = setup.fields.get("allowed") is True, not version and not is_cloud
            case "3":
                is_fresh = is_open = False
    finally:
        await wire.aclose()
    return Server(
        dialect,
        mask(version)[:40],
        _read_trouble(health),
        is_fresh,
        is_open,
        skew_s=_read_skew_s(ping, clock.time()),
        took_s=ping.took_s,
    )


async def _ask_without_user(wire: Wire) -> tuple[bool, bool]:
    """Query an InfluxDB 1.x without credentials.

    Return two flags: the server waits for its first user; the server needs no credentials.
    """
    asked = await wire.request("GET", "/query", params={"q": "SHOW DATABASES"}, timeout_s=_TIMEOUT_S)
    return asked.status == 403 and "create admin user first" in asked.text, asked.status == 200


def _read_trouble(health: Answer) -> str:
    if health.status < 500 and health.fields.get("status") != "fail":
        return ""
    return mask(str(health.fields.get("message") or f"/health answered {health.status}"))[:_SHOWN]


def _read_skew_s(answer: Answer, now: float) -> float | None:
    """Return the server's clock minus our clock in seconds.

    The Date header of the answer has whole seconds.
    """
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp() - now
    except (ValueError, OverflowError):
        return None


async def check_read(target: Target, token: str, dialect: Dialect, bucket: str, clock: Clock) -> None:
    """Check with an empty query whether a token may read a bucket (2.x, 3.x).

    Raises WireError if no answer arrives, and InfluxError with the reason if the token may not read. influxdb-client
    is not used here, so that `doctor` need not wait for its import. The query of 3.x follows the
    documentation of InfluxDB 3.
    """
    wire = Wire(target.url, clock, use_proxy=True, max_bytes=_LIMIT)
    try:
        if dialect == "3":
            answer = await wire.request(
                "GET",
                "/api/v3/query_sql",
                timeout_s=_TIMEOUT_S,
                params={"db": bucket, "q": "SELECT 1"},
                headers={"authorization": f"Bearer {token}"},
            )
        else:
            answer = await wire.request(
                "POST",
                "/api/v2/query",
                timeout_s=_TIMEOUT_S,
                params={"org": target.org},
                headers={"authorization": f"Token {token}", "accept": "application/csv"},
                json={"query": f"from(bucket: {quote_flux(bucket)}) |> range(start: -1s)", "type": "flux"},
            )
    finally:
        await wire.aclose()
    if answer.status == 200:
        return
    refusal = f"{wire.host} answered {answer.status}: {' '.join(mask(answer.text[:4096]).split())[:_SHOWN]}"
    if answer.status in (401, 403):
        raise InfluxRefusedError(refusal, "give INFLUXDB_READ_TOKEN a token that may read this bucket.")
    if answer.status == 404:
        raise InfluxMissingError(
            f"{refusal} (InfluxDB also sends this answer if the token may not read)",
            "run envoy-logger setup, which makes the bucket; on 2.x, --backfill-token-file FILE also makes a token "
            "that may read it.",
        )
    raise InfluxError(refusal, "see InfluxDB's own log.")

"""Write line protocol to one bucket, and return an Outcome. An outage or a refusal is an Outcome, not an error."""

from __future__ import annotations

from dataclasses import replace

from logger.answer import Answer
from logger.clock import Clock
from logger.errors import BrokenError, InfluxError, InfluxRefusedError, UnreachableError, WireError
from logger.influx.classify import Blocked, Done, Kind, Outcome, Wait, classify
from logger.influx.dialects import MOST_LINES, Dialect, Target, join_members, make_write_call, recognise_dialect
from logger.log import mask
from logger.model import ROLES, Role
from logger.wire import Wire

WRITE_TIMEOUT_S = 30.0
"""Seconds to wait for an answer.

A slow server takes some seconds for a full batch. InfluxDB 3 confirms the writes of a second together, at its end.
"""
PROBE_TIMEOUT_S = 10.0
_LOOK_TIMEOUT_S = 3.0
"""Seconds to wait for an answer while a person waits. A server that answers later is reported as silent."""
_LIMIT = 1024 * 1024
"""Largest answer to a write, in bytes. The cause of a refusal is at its beginning."""
_READ = 64_000
_OF_ONES_OWN = ("oss", "ent")
"""The values of X-Influxdb-Build from self-hosted 1.x and 2.x. Cloud, 3.x and others send other values, or none."""


async def ask_identity(wire: Wire, target: Target) -> tuple[Answer, Answer]:
    """Request `/api/v2/setup` and `/ping` from a server, to find out which InfluxDB answers.

    Return both answers; `recognise_dialect` finds the dialect in them. Raises WireError if no answer arrives or if
    the server is not ready.
    """
    setup = await wire.request("GET", "/api/v2/setup", timeout_s=PROBE_TIMEOUT_S)
    headers, auth = target.token_header("Bearer"), target.basic_auth
    ping = await wire.request("GET", "/ping", timeout_s=PROBE_TIMEOUT_S, headers=headers, auth=auth)
    for answer in (setup, ping):
        if answer.status in (408, 425, 429) or answer.status >= 500:
            raise WireError(
                f"{wire.host} is not ready: HTTP {answer.status}",
                "wait if InfluxDB is starting; read InfluxDB's own log if this lasts.",
            )
    return setup, ping


async def find_silence(target: Target, clock: Clock) -> str:
    """Request `/ping` without credentials. Return the reason why the server does not answer; empty if it answers."""
    wire = Wire(target.url, clock, use_proxy=True, max_bytes=_LIMIT)
    try:
        answer = await wire.request("GET", "/ping", timeout_s=_LOOK_TIMEOUT_S)
    except WireError as error:
        return error.message
    finally:
        await wire.aclose()
    return f"{wire.host} is not ready: HTTP {answer.status}" if answer.status >= 500 else ""


class Writer:
    """Writes to one InfluxDB, in the dialect of the settings or in the detected dialect."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self.target = target
        self._clock = clock
        self._wire = Wire(target.url, clock, use_proxy=True, max_bytes=_LIMIT)
        self._dialect: Dialect | None = None if target.api == "auto" else target.api
        self.may_forget = False
        """True for a self-hosted InfluxDB 1.x or 2.x. After a crash it can lose points that it has confirmed."""

    @property
    def host(self) -> str:
        """Return host[:port] of the server, for use in messages."""
        return self._wire.host

    @property
    def most_lines(self) -> int:
        """Return the greatest number of lines that one request may contain."""
        return MOST_LINES[self._dialect or "1"]

    async def dialect(self) -> Dialect:
        """Return the dialect (1, 2 or 3) from the settings, or detect it once from the server's answers.

        Raises WireError if no answer arrives, and InfluxError if the server is not an InfluxDB.
        """
        if self._dialect is None:
            self._dialect = recognise_dialect(self.target, self.host, *await ask_identity(self._wire, self.target))
        return self._dialect

    async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
        """Send line protocol to the bucket of a role. Each line must end in a newline."""
        try:
            dialect = await self.dialect()
            call = make_write_call(dialect, self.target, self.target.buckets[role])
            packed = {"content-encoding": "gzip"} if gzipped else {}
            if gzipped and dialect == "3":
                body = join_members(body)
            answer = await self._wire.request(
                "POST",
                call.path,
                params=call.params,
                headers={**call.headers, **packed},
                auth=call.auth,
                content=body,
                timeout_s=WRITE_TIMEOUT_S,
            )
        except (WireError, InfluxError) as error:
            return _explain_silence(error)
        self.may_forget = answer.headers.get("x-influxdb-build", "").lower() in _OF_ONES_OWN
        outcome = classify(
            answer.status,
            answer.text[:_READ],
            answer.headers,
            self._clock.time(),
            mask,
            host=self.host,
            dialect=dialect,
        )
        if isinstance(outcome, Blocked) and outcome.kind in ("missing", "unknown") and self.target.api == "auto":
            self._dialect = None  # another generation of InfluxDB may answer here now
        if isinstance(outcome, Done):
            return outcome
        reason = mask(outcome.reason)  # again, because the text in JSON was escaped
        if isinstance(outcome, Wait | Blocked):
            reason = f"InfluxDB at {self.host}, bucket {self.target.buckets[role]}: {reason}"
        return replace(outcome, reason=reason)

    async def check(self) -> dict[Role, Outcome]:
        """Check with an empty write whether the credentials may write to each bucket. Nothing is stored."""
        outcomes: dict[Role, Outcome] = {}
        for role in ROLES:
            outcome = await self.write(role, b"", gzipped=False)
            empty = isinstance(outcome, Blocked) and outcome.status == 400 and "was empty" in outcome.reason
            outcomes[role] = (
                Done() if empty else outcome
            )  # InfluxDB 3 checks the rights before it refuses an empty write
        return outcomes

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()


def _explain_silence(error: WireError | InfluxError) -> Outcome:
    if error.retry:
        return Wait(error.message, away=isinstance(error, UnreachableError | BrokenError))
    kind: Kind = "credentials" if isinstance(error, InfluxRefusedError) else "unknown"
    return Blocked(error.message, error.hint, kind)

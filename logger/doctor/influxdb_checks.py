"""InfluxDB as `doctor` sees it: who answers, whether it is well, and what these credentials may do there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from logger.clock import Clock
from logger.doctor.check_result import Check, bad, failed, good, left_out, note
from logger.errors import CertificateError, EnvoyLoggerError, NameUnknownError, UnreachableError, WireError
from logger.influx.classify import Blocked, Done, Wait
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.provision.inspect_server import Server, look, may_read

NAME: Final = "influxdb"
_UNREACHABLE: Final = 69


@dataclass(slots=True)
class Asked:
    """What the look at the server brought for the looks after it."""

    server: Server | None = None


async def influxdb_checks(target: Target | None, read_token: str, clock: Clock, asked: Asked) -> AsyncIterator[Check]:
    """The server, then each bucket: an empty write tells whether one may write, and stores nothing."""
    if target is None:
        yield left_out(NAME, "INFLUXDB_URL is not set: everything is kept in the embedded store")
        return
    try:
        asked.server = server = await look(target, clock)
    except WireError as error:
        yield failed(NAME, error, _cure(error))
        return
    except EnvoyLoggerError as error:
        yield failed(NAME, error)
        return
    yield good(NAME, f"{target.url} speaks {server.dialect}.x, version {server.version or 'not told'}", server.took_s)
    if server.trouble:
        yield note("influxdb health", server.trouble, "see InfluxDB's own log.")
    if server.fresh:
        yield bad(NAME, "nobody has set this InfluxDB up yet", "envoy-logger setup", _UNREACHABLE)
        return
    async for check in _writing(target, clock):
        yield check
    async for check in _reading(target, read_token, server, clock):
        yield check


def _cure(error: WireError) -> str:
    """The hint of an error on the wire speaks of any device; this one is a server with a setting of its own."""
    match error:
        case NameUnknownError():
            return "correct the host in INFLUXDB_URL; in containers it is the service's name."
        case UnreachableError():
            return "start InfluxDB (systemctl start influxdb), or correct INFLUXDB_URL."
        case CertificateError():
            return "set INFLUXDB_URL to the name in its certificate, and let this system know the authority."
    return "see InfluxDB's own log, and check the port in INFLUXDB_URL and whether it is http or https."


async def _writing(target: Target, clock: Clock) -> AsyncIterator[Check]:
    writer = Writer(target, clock)
    try:
        outcomes = await writer.check()
    finally:
        await writer.aclose()
    told = set()
    for role, outcome in outcomes.items():
        bucket = target.buckets[role]
        if bucket in told:
            continue
        told.add(bucket)
        name = f"bucket {bucket}"
        match outcome:
            case Done():
                yield good(name, "may be written to")
            case Blocked():
                yield bad(name, outcome.reason, outcome.hint, outcome.exit_code)
            case Wait():
                yield bad(
                    name, outcome.reason, "nothing if it passes by itself; see InfluxDB's own log.", _UNREACHABLE
                )
            case _:
                yield bad(name, outcome.reason, "see InfluxDB's own log.", _UNREACHABLE)


async def _reading(target: Target, read_token: str, server: Server, clock: Clock) -> AsyncIterator[Check]:
    """Only where a token for reading is set; the recorder itself reads nothing."""
    if not read_token or server.dialect == "1":
        return
    for bucket in dict.fromkeys(target.buckets.values()):
        name = f"read {bucket}"
        try:
            await may_read(target, read_token, server.dialect, bucket, clock)
        except EnvoyLoggerError as error:
            yield failed(name, error)
        else:
            yield good(name, "may be read with INFLUXDB_READ_TOKEN")

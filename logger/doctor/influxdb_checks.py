"""Checks which version of InfluxDB answers, whether it is healthy, and which rights the credentials have there."""

from __future__ import annotations

from typing import Final

from logger.clock import Clock
from logger.daemon.config import target_of
from logger.doctor.check_result import Report, bad, fail, good, note, skip
from logger.doctor.setup_command import write_setup_command
from logger.errors import EnvoyLoggerError
from logger.influx.classify import Blocked, Done, Outcome, Wait
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.provision.detect import Server, check_read, detect_server
from logger.settings.load import Settings

NAME: Final = "influxdb"
_UNREACHABLE: Final = 69
_SEE_LOG: Final = "see InfluxDB's own log."
_SET_UP: Final = "run envoy-logger init, or envoy-logger setup with --admin-user and --admin-password-file."


async def check_influxdb(settings: Settings, clock: Clock, report: Report) -> Server | None:
    """Check the server and each bucket. Return the server; None if no server is set, or if it does not answer."""
    target, read_token = target_of(settings), settings.influxdb.read_token.get_secret_value()
    if target is None:
        report(
            skip(
                NAME,
                "INFLUXDB_URL is not set, so readings stay in the recorder's own store, up to LOGGER_STORE_MAX_MB",
            )
        )
        return None
    try:
        server = await detect_server(target, clock)
    except EnvoyLoggerError as error:
        report(fail(NAME, error))
        return None
    report(
        good(NAME, f"{target.url} speaks {server.dialect}.x, version {server.version or 'unknown'}", server.took_s)
    )
    if server.trouble:
        report(note("influxdb health", server.trouble, _SEE_LOG))
    if server.is_fresh:
        report(bad(NAME, "this InfluxDB has not been set up yet", _SET_UP, _UNREACHABLE))
    else:
        await _check_writing(target, write_setup_command(settings, server.dialect), clock, report)
        await _check_reading(target, read_token, server, clock, report)
    return server


async def _check_writing(target: Target, setup_command: str, clock: Clock, report: Report) -> None:
    """Check with an empty write whether the credentials may write to each bucket. Nothing is stored.

    `setup_command`: the command that makes credentials with this right.
    """
    writer = Writer(target, clock)
    try:
        outcomes = await writer.check()
    finally:
        await writer.aclose()
    by_bucket: dict[str, Outcome] = {}
    for role, outcome in outcomes.items():
        by_bucket.setdefault(target.buckets[role], outcome)
    for bucket, outcome in by_bucket.items():
        name = f"bucket {bucket}"
        match outcome:
            case Done():
                report(good(name, "may be written to"))
            case Blocked():
                cure = setup_command if outcome.kind == "credentials" and setup_command else outcome.hint
                report(bad(name, outcome.reason, cure, outcome.exit_code))
            case Wait():
                report(bad(name, outcome.reason, outcome.hint or f"wait; if it lasts, {_SEE_LOG}", _UNREACHABLE))
            case _:
                report(bad(name, outcome.reason, _SEE_LOG, _UNREACHABLE))


async def _check_reading(target: Target, read_token: str, server: Server, clock: Clock, report: Report) -> None:
    """Check with an empty query whether INFLUXDB_READ_TOKEN may read each bucket.

    Check nothing without this token, or on 1.x, which has no tokens.
    """
    if not read_token or server.dialect == "1":
        return
    if server.is_other:
        report(skip("read", "this server accepts writes as InfluxDB does, but does not answer InfluxDB's queries"))
        return
    for bucket in dict.fromkeys(target.buckets.values()):
        name = f"read {bucket}"
        try:
            await check_read(target, read_token, server.dialect, bucket, clock)
        except EnvoyLoggerError as error:
            report(fail(name, error))
        else:
            report(good(name, "may be read with INFLUXDB_READ_TOKEN"))

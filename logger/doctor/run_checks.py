"""Every look in the order in which things depend on each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

from logger.clock import Clock
from logger.daemon import status_file
from logger.daemon.config import access_of, target_of
from logger.doctor.check_result import Check
from logger.doctor.gateway_checks import Met, gateway_checks
from logger.doctor.influxdb_checks import Asked, influxdb_checks
from logger.doctor.machine_checks import clock_checks, daemon_check, state_checks
from logger.doctor.settings_checks import settings_checks
from logger.errors import Problem
from logger.settings.load import Settings


async def checks(
    settings: Settings, problems: tuple[Problem, ...], clock: Clock, *, sign_in: bool
) -> AsyncIterator[Check]:
    """All of them, as they are made. Beside a running daemon nothing of its is touched."""
    met, asked = Met(), Asked()
    async for check in gateway_checks(access_of(settings), clock, met, sign_in=sign_in):
        yield check
    read_token = settings.influxdb.read_token.get_secret_value()
    async for check in influxdb_checks(target_of(settings), read_token, clock, asked):
        yield check
    for check in clock_checks(clock.time(), met.info, asked.server.skew_s if asked.server else None):
        yield check
    for check in state_checks(settings.state_dir, settings.recorder.store_max_mb):
        yield check
    yield daemon_check(status_file.read(settings.runtime_dir), clock.time())
    for check in settings_checks(settings, problems):
        yield check

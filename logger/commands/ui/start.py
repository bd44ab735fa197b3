"""Begins a command: loads the settings, masks secrets, configures the log, and polls the gateway once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import click

from logger import log, places
from logger.clock import SystemClock
from logger.daemon import one_poll
from logger.daemon.config import access_of
from logger.daemon.layout_file import layout_problems
from logger.daemon.tariff_files import tariff_problems
from logger.errors import CredentialsError, GatewayError, Problem, SettingsError, WireError
from logger.settings.environment import is_under_journal
from logger.settings.load import FurtherCheck, Settings, inspect_settings


def begin(
    env_file: Path, *, require: Sequence[str] = (), further: FurtherCheck = lambda settings: (), level: str = ""
) -> Settings:
    """Load the settings and configure the log. Raises SettingsError with every problem.

    `require`: variables that must be set. `further`: a function that finds more problems. `level`: a log level in
    place of the log level in the settings.
    """
    configured, problems = inspect(env_file, require=require, further=further)
    if problems:
        raise SettingsError(problems)
    configure_log(configured, level)
    return configured


def inspect(
    env_file: Path, *, require: Sequence[str] = (), further: FurtherCheck = lambda settings: ()
) -> tuple[Settings, tuple[Problem, ...]]:
    """Load the settings. Return the settings, with defaults in place of wrong values, and every problem.

    For `require` and `further` see `begin`. Prints a note if the settings are read from the file of the installed
    service.
    """
    if env_file == places.INSTALLED:
        click.echo(f"settings: {env_file}", err=True)
    return inspect_settings(env_file, require=require, further=further)


def file_problems(settings: Settings) -> tuple[Problem, ...]:
    """List the problems of the files whose paths are in the settings: panel layout, tariff and prices."""
    return (*layout_problems(settings), *tariff_problems(settings))


def begin_polling(env_file: Path, *, with_layout: bool = True, level: str = "") -> Settings:
    """Load the settings of a command that polls the gateway. Also check the tariff file and, if asked, the layout."""
    further = file_problems if with_layout else tariff_problems
    return begin(env_file, require=["ENPHASE_GATEWAY"], further=further, level=level)


def configure_log(configured: Settings, level: str = "") -> None:
    """Configure the log: to stderr, at `level` or the level of the settings, with every secret masked."""
    log.protect(configured.all_secrets)
    recorder = configured.recorder
    log.configure(level or recorder.log_level, recorder.log_format, journal=is_under_journal())
    if not level:
        for warning in configured.warnings:
            log.get("settings").log(logging.WARNING, warning)


async def poll_each(chosen: Sequence[Settings], take: Callable[[Settings, one_poll.Poll], Awaitable[None]]) -> bool:
    """Poll each gateway once and pass its answers to `take`. Return True if every endpoint of every gateway answered.

    If one of several gateways fails, its error is shown, and the other gateways are polled. If the only gateway
    fails, its error is raised.
    """
    is_whole = True
    for each in chosen:
        try:
            found = await poll(each)
            await take(each, found)
        except (GatewayError, WireError, CredentialsError) as error:
            if len(chosen) == 1:
                raise
            click.echo(f"{each.enphase.gateway}: {log.mask(str(error))}", err=True)
            is_whole = False
        else:
            is_whole = is_whole and not found.failures
    return is_whole


async def poll(configured: Settings) -> one_poll.Poll:
    """Poll every endpoint of one gateway once, and show each failure on stderr."""
    found = await one_poll.poll(access_of(configured), SystemClock(), configured.recorder.totals_interval_s)
    for failure in found.describe_failures():
        click.echo(failure, err=True)
    return found

"""Defines options that several commands share."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from logger import places
from logger.days import YEARS, parse_day
from logger.settings.environment import find_system_zone, read_variables
from logger.settings.find_file import find_env_file
from logger.settings.load import Settings

_UNITS_S: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class MisuseError(click.ClickException):
    """The options make no sense together. The hint states what to do instead."""

    exit_code = 2

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}\nTry: {hint}")


def _choose_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path:
    """Return the settings file of the option, which must exist. Without the option, search for a settings file."""
    if path is None:
        return find_env_file(read_variables())
    try:
        is_there = path.is_file()
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}; run the same command with sudo") from error
    if not is_there:
        raise click.BadParameter(f"there is no file {path}")
    return path


env_file = click.option(
    "--env-file",
    callback=_choose_file,
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Settings file, read after the environment; by default .env in this folder, else {places.INSTALLED}.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def interface_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make an option for the addresses of this machine's interfaces. The option may be given several times."""
    return click.option("--interface", "interfaces", multiple=True, callback=_check_interfaces, help=help_text)


def _check_interfaces(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not the address of an interface, such as 192.168.1.20") from None
    return values


def parse_amount(context: click.Context, parameter: click.Parameter, text: str) -> float:
    """Parse an option that is a number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise click.BadParameter(f"{text!r} is no number from 0 on, such as 5000 or 0.4")
    return number


def parse_year(context: click.Context, parameter: click.Parameter, text: str) -> int:
    """Parse an option that is a year. Return 0 for an empty text."""
    if not text:
        return 0
    if text not in map(str, YEARS):
        raise click.BadParameter(f"{text!r} is no year such as 2026")
    return int(text)


def parse_date(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Parse an option that is an ISO date. An empty text stays empty."""
    try:
        return parse_day(text).isoformat() if text else ""
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date such as 2026-05-01") from None


def list_similar(name: str, known: Iterable[str]) -> str:
    """Return the known names that are similar to a mistyped name, as the end of an error message; else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; similar names: {', '.join(near)}" if near else ""


def zone_of(configured: Settings) -> ZoneInfo:
    """Return the time zone of times on the command line: LOGGER_TIMEZONE, else this machine's time zone."""
    return ZoneInfo(configured.recorder.timezone or find_system_zone())


def parse_moment(text: str, zone: ZoneInfo, now: float) -> int:
    """Parse a date, a time or an age (90m, 36h, 7d, 2w) to unix seconds, at least 0.

    `zone`: the time zone of a time without a zone.
    """
    if found := re.fullmatch(r"(\d{1,6})([mhdw])", text.strip()):
        return max(0, int(now) - int(found[1]) * _UNITS_S[found[2]])
    try:
        at = datetime.fromisoformat(text.strip())
        return max(0, int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()))
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no date (2026-05-01), time (2026-05-01T10:00) or age (36h, 7d)"
        ) from None


def span_option(name: str, help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make an option for how long to keep data. Its value is in seconds; 0 for no limit, None if not given."""
    return click.option(name, metavar="TIME", callback=_parse_span, help=f"{help_text}, as forever, 90d, 26w or 2y.")


def _parse_span(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    from logger.provision.plan import parse_retention  # `run` does not need it

    try:
        return None if text is None else parse_retention(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error

"""`export`: write the store's data as line protocol or as a table."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from logger.clock import SystemClock
from logger.commands.ui.chosen import check_recorded, gateway_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.options import list_similar, parse_moment, zone_of
from logger.commands.ui.output import describe_refusal
from logger.commands.ui.output_file import open_output
from logger.commands.ui.start import begin
from logger.control.api import Ask, reach
from logger.control.pages import read_refused_lines, read_stored_lines
from logger.daemon.amend import StateApi
from logger.influx.read_back import read_back
from logger.model import ROLES, Reading, Role, Value
from logger.readings.table import MEASUREMENTS

_EVER = 2**62
_HOW_TO = b"""\
# Lines that InfluxDB refused. Above each line are its number and the reason. Correct the lines that you want to send
# again, and delete all other lines from this file. Then run: envoy-logger outbox retry --from THIS_FILE
"""


def _check_measurements(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> frozenset[str]:
    known = [measurement.name for measurement in MEASUREMENTS]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"there is no measurement {name}{list_similar(name, known)}")
    return frozenset(names)


@click.command("export", short_help="Write the store's data as line protocol or CSV.")
@env_file_option
@gateway_option
@click.option(
    "--since", help="The start of the time span: a date or time in the site's zone, or how long ago: 36h, 7d."
)
@click.option("--until", help="The end of the time span, in the same form.")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLES), help="Only this role; all roles by default."
)
@click.option("--measurement", "measurements", multiple=True, callback=_check_measurements,
              help="Only this measurement, such as envoy_totals.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["lp", "csv"]), default="lp", show_default=True,
              help="Line protocol with times in seconds, or one table with one row for each point.")  # fmt: skip
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to standard output."
)
@click.option("--refused", is_flag=True, help="Export refused lines, to correct and send them again.")
def command(
    env_file: Path,
    serial: str,
    since: str | None,
    until: str | None,
    roles: tuple[Role, ...],
    measurements: frozenset[str],
    form: str,
    output: Path | None,
    refused: bool,
) -> None:
    """Write the store's data: undelivered readings, readings of the last LOGGER_KEEP_DAYS days, and all day rows.

    Works with and without a running recorder. `influx write --precision s` loads the file into InfluxDB 2.
    """
    configured = begin(env_file, level="warning")
    now, zone = time.time(), zone_of(configured)
    start = parse_moment(since, zone, now) if since else 0
    end = parse_moment(until, zone, now) if until else _EVER
    if refused and (since or until or roles or measurements or form != "lp"):
        raise click.UsageError(
            "--refused exports all refused lines as line protocol, so no other filter or format is possible"
        )
    wanted = [role for role in ROLES if role in (roles or ROLES)]

    async def run() -> int:
        async with reach(configured, SystemClock()) as ask:
            if serial:
                check_recorded(serial, await ask(StateApi.read_states))
            with open_output(output) as file:
                if refused:
                    return await _write_refused(ask, file, serial)
                lines = _Lines(ask, wanted, start, end, measurements, serial)
                return await (_write_table(lines, file) if form == "csv" else _write_lines(lines, file))

    count = asyncio.run(run())
    if output is not None or not count:
        click.echo(f"{count} points" + (f" written to {output}" if output else ": nothing to export"), err=True)


class _Lines:
    """Reads the stored lines to export. The lines can be read several times."""

    def __init__(
        self, ask: Ask, roles: Sequence[Role], since: int, until: int, only: frozenset[str], gateway: str
    ) -> None:
        self._ask, self._roles, self._since, self._until, self._only = ask, roles, since, until, only
        self._tag = f",gateway={gateway}".encode() if gateway else b""

    async def lines(self) -> AsyncIterator[tuple[Role, bytes]]:
        for role in self._roles:
            async for line in read_stored_lines(self._ask, role, self._since, self._until):
                if self._tag and not (self._tag + b"," in line or self._tag + b" " in line):
                    continue
                if not self._only or line.replace(b",", b" ", 1).split(b" ", 1)[0].decode() in self._only:
                    yield role, line

    async def readings(self) -> AsyncIterator[Reading]:
        async for role, line in self.lines():
            yield read_back(line.decode("utf-8", "replace"), role)


async def _write_lines(lines: _Lines, file: BinaryIO) -> int:
    count = 0
    async for _, line in lines.lines():
        file.write(line + b"\n")
        count += 1
    return count


async def _write_refused(ask: Ask, file: BinaryIO, gateway: str) -> int:
    count = 0
    async for entry in read_refused_lines(ask):
        if gateway and entry.gateway != gateway:
            continue
        if not count:
            file.write(_HOW_TO)
        file.write(f"# {entry.id}  {describe_refusal(entry)}\n".encode())
        if entry.line:
            file.write(entry.line + b"\n")
        count += 1
    return count


async def _write_table(lines: _Lines, file: BinaryIO) -> int:
    """Write a CSV table, one row for each point. The columns are the tags and fields that occur."""
    tags: dict[str, None] = {}
    found: set[str] = set()
    async for reading in lines.readings():
        tags |= dict.fromkeys(reading.tags)
        found |= reading.fields.keys()
    documented = list(dict.fromkeys(field.name for measurement in MEASUREMENTS for field in measurement.fields))
    fields = [name for name in documented if name in found] + sorted(found - set(documented))
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    count = 0
    async for reading in lines.readings():
        if not count:
            writer.writerow(["time", "measurement", *tags, *fields])
        at = f"{datetime.fromtimestamp(reading.time, UTC):%Y-%m-%dT%H:%M:%SZ}"
        values = [_format_cell(reading.fields.get(name)) for name in fields]
        writer.writerow([at, reading.measurement, *(reading.tags.get(tag, "") for tag in tags), *values])
        count += 1
    text.detach()
    return count


def _format_cell(value: Value | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

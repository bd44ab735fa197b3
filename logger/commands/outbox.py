"""`outbox`: show waiting points and refused lines, and send refused lines and delivered points again."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

import click

from logger import log
from logger.clock import SystemClock, format_minute, format_span
from logger.commands.ui.options import MisuseError, parse_moment, zone_of
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.output import describe_refusal
from logger.commands.ui.start import begin
from logger.control.api import Ask, RefusedEntry, StoreApi, as_text, reach
from logger.control.pages import ask_in_portions, read_refused_lines, replay_everything
from logger.influx.read_back import read_back
from logger.model import ROLES, Json
from logger.settings.load import Settings
from logger.store.figures import StoreFigures

T = TypeVar("T")

_SHOWN: Final = 50
"""The greatest number of refused lines that are printed if no number is given."""
_NUMBERED = re.compile(r"#\s*(\d+)(\s|$)")


@click.group(
    "outbox", invoke_without_command=True, short_help="Show waiting points and refused lines; resend points."
)
@env_file_option
@click.pass_context
def command(context: click.Context, env_file: Path) -> None:
    """Show the points that wait for InfluxDB, and show, resend or delete the lines that InfluxDB refused.

    Works with and without a running recorder.
    """
    context.obj = env_file
    if context.invoked_subcommand is None:
        context.invoke(list_waiting)


@command.command("list", short_help="Show waiting and delivered points, and disk space.")
@json_option
@click.pass_obj
def list_waiting(env_file: Path, as_json: bool = False) -> None:
    """Show the numbers of waiting and of delivered points, and the disk space of the store."""
    configured = begin(env_file, level="warning")
    found = _run(configured, lambda ask: ask(StoreApi.read_figures))
    if as_json:
        shown = asdict(found)
        del shown["last_delivery"]  # only `status` needs this
        click.echo(json.dumps(shown, indent=1))
        return
    click.echo("\n".join(_summarise(found, time.time(), configured.recorder.store_max_mb)))


@command.command("refused", short_help="Show the lines that InfluxDB refused, with reasons.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=None,
    help=f"Show only this many lines, the newest; by default {_SHOWN}, with --json all.",
)
@json_option
@click.pass_obj
def list_refused(env_file: Path, limit: int | None, as_json: bool) -> None:
    """Show the lines that InfluxDB refused, each with its number and InfluxDB's reason."""

    async def read_all(ask: Ask) -> list[RefusedEntry]:
        return [entry async for entry in read_refused_lines(ask)]

    found = _run(begin(env_file, level="warning"), read_all)
    if as_json:
        shown = found[-limit:] if limit else found
        lines: list[Json] = [{**asdict(entry), "line": as_text(entry.line)} for entry in shown]
        click.echo(json.dumps(log.mask_all(lines), indent=1))
        return
    limit = limit or _SHOWN
    for entry in found[-limit:]:
        line = log.mask(as_text(entry.line)) or "(the line is damaged and cannot be shown)"
        click.echo(f"{entry.id:>5}  {describe_refusal(entry)}\n       {line}")
    if len(found) > limit:
        click.echo(
            f"\n{len(found) - limit} older lines: add --limit {len(found)}, or run envoy-logger export --refused"
        )
    if found:
        click.echo(
            "\nSend again unchanged:  envoy-logger outbox retry [NUMBER…]\n"
            "Send again corrected:  envoy-logger export --refused --output FILE; edit FILE; "
            "envoy-logger outbox retry --from FILE\n"
            "Delete:                envoy-logger outbox discard [NUMBER…]"
        )
    else:
        click.echo("InfluxDB has refused no line.")


@command.command("retry", short_help="Send refused lines again, as they are or corrected.")
@click.argument("numbers", nargs=-1, type=int)
@click.option("--from", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Corrected lines, "
              "in a file that `export --refused` wrote.")  # fmt: skip
@click.pass_obj
def retry(env_file: Path, numbers: tuple[int, ...], file: Path | None) -> None:
    """Send refused lines again: the lines with these numbers, all lines, or corrected lines from a file."""
    if file is not None and numbers:
        raise click.UsageError("name either numbers or a file")
    configured = begin(env_file, level="warning")
    if file is not None:
        corrected = _read_corrected(file)
        count = _run(configured, lambda ask: _put_back(ask, corrected))
        gone = f"; {len(corrected) - count} are no longer refused" if count < len(corrected) else ""
    else:
        count = _run(configured, lambda ask: _for_each(ask, StoreApi.retry, numbers))
        gone = ""
    click.echo(f"{count} refused lines wait for delivery again{gone}.")


@command.command("discard")
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Delete all refused lines.")
@click.pass_obj
def discard(env_file: Path, numbers: tuple[int, ...], everything: bool) -> None:
    """Delete refused lines permanently."""
    if bool(numbers) == everything:
        raise click.UsageError("name the numbers of lines, or --all")
    count = _run(begin(env_file, level="warning"), lambda ask: _for_each(ask, StoreApi.discard, numbers))
    click.echo(f"{count} refused lines were deleted.")


@command.command("replay", short_help="Deliver delivered points again.")
@click.option("--since", required=True, help="A date or time in the site's zone, or how long ago: 36h, 7d.")
@click.pass_obj
def replay_since(env_file: Path, since: str) -> None:
    """Deliver again all points since a given time, for example into a rebuilt database.

    Writing a point twice changes nothing. The store keeps delivered readings for LOGGER_KEEP_DAYS days, and day rows
    without limit.
    """
    configured = begin(env_file, level="warning")
    start = parse_moment(since, zone_of(configured), time.time())
    count = _run(configured, lambda ask: replay_everything(ask, start))
    days = configured.recorder.keep_days
    click.echo(f"{count} rows since {format_minute(start)} wait for delivery again.")
    if start < time.time() - days * 86400:
        click.echo(f"Readings delivered more than {days} days ago (LOGGER_KEEP_DAYS) are no longer stored.", err=True)


def _run(configured: Settings, work: Callable[[Ask], Awaitable[T]]) -> T:
    async def run() -> T:
        async with reach(configured, SystemClock()) as ask:
            return await work(ask)

    return asyncio.run(run())


async def _for_each(
    ask: Ask, function: Callable[[StoreApi, list[int]], Awaitable[int]], numbers: tuple[int, ...]
) -> int:
    """Run `function` for the refused lines with these numbers; without numbers, for all. Return how many lines."""
    known = [entry.id async for entry in read_refused_lines(ask)]
    if unknown := sorted(set(numbers) - set(known)):
        raise MisuseError(f"there is no refused line {', '.join(map(str, unknown))}", "envoy-logger outbox refused")
    return await ask_in_portions(ask, function, numbers or known)


async def _put_back(ask: Ask, corrected: list[tuple[int, bytes]]) -> int:
    return sum([await ask(StoreApi.put_back, number, line) for number, line in corrected])


def _read_corrected(file: Path) -> list[tuple[int, bytes]]:
    """Read the corrected lines from a file that `export --refused` wrote, each with the number of its refused line.

    Raises MisuseError, which lists the first 20 problems.
    """
    corrected: list[tuple[int, bytes]] = []
    problems: list[str] = []
    number: int | None = None
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    for place, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.startswith("#"):
            if found := _NUMBERED.match(line):
                number = int(found[1])
        elif line.strip():
            try:
                read_back(line, "totals")
            except ValueError as error:
                problems.append(f"line {place}: {error}")
            if number is None:
                problems.append(f"line {place}: above it, the comment with the number of the refused line is missing")
            else:
                corrected.append((number, line.encode("utf-8", "surrogateescape")))
            number = None
    if problems:
        shown = [*problems[:20], *(["…"] if len(problems) > 20 else [])]
        raise MisuseError("\n".join([f"{file} cannot be sent again", *shown]), "correct these lines.")
    return corrected


def _summarise(found: StoreFigures, now: float, max_mb: int) -> list[str]:
    text = []
    for role in ROLES:
        state = found.roles[role]
        oldest = state.oldest_tick
        since = "" if oldest is None else f", the oldest of {format_minute(oldest)} ({format_span(now - oldest)} ago)"
        waits = f"{state.lines} points wait{since}" if state.lines else "no points wait"
        lost = f", {state.dropped_lines} dropped at the size limit" if state.dropped_lines else ""
        text.append(f"{role:<9} {waits}; {state.delivered_lines} delivered in total{lost}")
    text.append(f"refused   {found.refused}" + (": envoy-logger outbox refused" if found.refused else ""))
    text.append(f"on disk   {found.disk_bytes / 2**20:.1f} MiB of at most {max_mb} MiB")
    return text

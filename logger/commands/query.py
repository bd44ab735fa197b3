"""`query`: answer named queries about the stored history, on the terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from logger.backfill.history import open_history
from logger.clock import SystemClock
from logger.commands.ui.answer_table import format_csv, format_json, print_table
from logger.commands.ui.chosen import check_recorded, find_settings
from logger.commands.ui.named_commands import NamedCommands
from logger.commands.ui.options import MisuseError, parse_amount, parse_date, parse_year, zone_of
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin
from logger.control.api import reach
from logger.daemon.config import read_target_of
from logger.days import first_instant
from logger.energy.counting import describe_counting
from logger.energy.state import EnergyState
from logger.errors import EnvoyLoggerError
from logger.query.catalog import QUERIES
from logger.query.history_sources import read_energy_states, read_influxdb, read_store
from logger.query.named_query import NamedQuery, Rows, Scope, Span
from logger.settings.load import Settings

_DAYS: Final[Mapping[Span, int]] = {"day": 0, "month": 30, "year": 365, "months": 365}
"""Time span of a query → days before today on which the query begins. `ever` begins with the first point."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of one query."""

    env_file: Path
    since: str
    until: str
    year: int
    gateway: str
    influxdb: bool
    form: str
    numbers: Mapping[str, float]


def _make_command(query: NamedQuery) -> click.Command:
    """Make the subcommand of one query, with an option for each number that the query computes with."""

    def run(env_file: Path, **values: Any) -> int:
        forms = [name for name in ("json", "csv") if values.pop(f"as_{name}")]
        if len(forms) > 1:
            raise MisuseError("--json and --csv exclude each other", "give one of them.")
        form = forms[0] if forms else "table"
        numbers = {name: values.pop(name.replace("-", "_")) for name in query.numbers}
        return asyncio.run(_answer(query, Asked(env_file=env_file, form=form, numbers=numbers, **values)))

    made = click.command(query.name, help=query.question, short_help=query.question)(click.pass_obj(run))
    for name, (default, meaning) in query.numbers.items():
        made = click.option(
            f"--{name}",
            metavar="NUMBER",
            callback=parse_amount,
            default=f"{default:g}",
            show_default=True,
            help=f"{meaning[0].upper()}{meaning[1:]}.",
        )(made)
    for option in _OPTIONS:
        made = option(made)
    return made


_OPTIONS: Final = (
    click.option("--since", default="", callback=parse_date, help="The first local date."),
    click.option("--until", default="", callback=parse_date, help="The last local date; today by default."),
    click.option("--year", default="", callback=parse_year, help="Only this year."),
    click.option("--gateway", default="", help="Serial number of the gateway, if several are recorded."),
    click.option("--influxdb", is_flag=True, help="Read InfluxDB instead of the recorder's own store."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, in the units of the fields."),
    click.option("--csv", "as_csv", is_flag=True, help="Print CSV, in the units of the fields."),
)


class _Queries(NamedCommands):
    """Makes a subcommand for each query of the catalog."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the catalog."""
        return list(QUERIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the subcommand with the name `cmd_name`; None if no query has this name."""
        return _make_command(QUERIES[cmd_name]) if cmd_name in QUERIES else None


@click.group("query", cls=_Queries, short_help="Answer questions about the stored history.")
@env_file_option
@click.pass_context
def command(context: click.Context, env_file: Path) -> None:
    """Answer a question about the stored history, on the terminal.

    The recorder's own store holds the rows of all days, and the minutes of the last LOGGER_KEEP_DAYS days. With
    --influxdb the query reads InfluxDB instead. The command works with and without a running recorder.
    """
    context.obj = env_file


async def _answer(query: NamedQuery, asked: Asked) -> int:
    """Read the data that the query needs, and print the answer."""
    _check_span(asked)
    configured = begin(asked.env_file, require=["INFLUXDB_URL"] if asked.influxdb else [], level="warning")
    rows, scope = await (_read_influxdb if asked.influxdb else _read_store)(configured, query, asked)
    answer = query.answer(rows, scope)
    if asked.form == "table":
        numbers = _note_numbers(query, asked) if answer.rows else ()
        notes = (*answer.notes, *numbers, *_note_source(query, asked, configured, scope))
        print_table(replace(answer, notes=notes), query.question, query.describe_empty(rows, scope))
    else:
        click.echo(format_json(answer) if asked.form == "json" else format_csv(answer).rstrip("\n"))
    return 0


def _check_span(asked: Asked) -> None:
    """Raise MisuseError for options that contradict each other."""
    if asked.year and (asked.since or asked.until):
        raise MisuseError("--year excludes --since and --until", "give either --year or the two dates.")
    if asked.since and asked.until and asked.until < asked.since:
        raise MisuseError(f"--until {asked.until} is before --since {asked.since}", "exchange the two dates.")


def _check_begin(asked: Asked, today: date) -> None:
    """Raise MisuseError if the time span begins after today."""
    if asked.year and asked.year > today.year:
        raise MisuseError(f"the year {asked.year} has not begun", f"give a year up to {today.year}.")
    if asked.since > today.isoformat():
        raise MisuseError(f"--since {asked.since} is later than today", f"give a date up to {today}.")


def _find_scope(query: NamedQuery, asked: Asked, zone: ZoneInfo) -> Scope:
    """Return the scope of a query.

    The time span comes from the options. Without such an option the query's usual time span is used.
    """
    now = int(time.time())
    today = datetime.fromtimestamp(now, zone).date()
    _check_begin(asked, today)
    first = date(1970, 1, 2) if query.span == "ever" else today - timedelta(days=_DAYS[query.span])
    last = today
    if asked.year:
        first, last = date(asked.year - query.is_comparison, 1, 1), date(asked.year, 12, 31)
    if asked.until:
        last = date.fromisoformat(asked.until)
        first = min(first, last - timedelta(days=_DAYS.get(query.span, 0)))
    if query.span == "months":
        first = first.replace(day=1)
    if asked.since:
        first = date.fromisoformat(asked.since)
    since, until = (first_instant(day.isoformat(), zone.key) for day in (first, last + timedelta(days=1)))
    return Scope(zone, max(0, since), min(until, now + 1), asked.numbers)


async def _read_store(configured: Settings, query: NamedQuery, asked: Asked) -> tuple[Rows, Scope]:
    """Read the recorder's own store. Days begin at midnight in the time zone of the stored energy state."""
    async with reach(configured, SystemClock()) as ask:
        states = await read_energy_states(ask)
        gateways = _choose(query, asked, configured, [*states])
        energy = states.get(gateways[0], EnergyState())
        scope = _find_scope(query, asked, _find_zone(configured, gateways[0], energy))
        scope = replace(scope, counting=describe_counting(energy, scope.last_day.isoformat()))
        rows = Rows({})
        for gateway in gateways:
            rows = rows.plus(await read_store(ask, query.needs, gateway, scope.since, scope.until))
        return rows, scope


async def _read_influxdb(configured: Settings, query: NamedQuery, asked: Asked) -> tuple[Rows, Scope]:
    """Read InfluxDB. Days begin at midnight in the time zone of the energy state on this machine.

    If this machine has no energy state, see `_find_zone`.
    """
    target = read_target_of(configured)
    assert target is not None  # noqa: S101  INFLUXDB_URL was required
    async with open_history(target, SystemClock()) as history:
        rows = Rows({})
        gateways = _choose(query, asked, configured, await history.list_gateways("daily", "envoy_day"))
        energy = (await _read_own_states(configured)).get(gateways[0], EnergyState())
        scope = _find_scope(query, asked, _find_zone(configured, gateways[0], energy))
        for gateway in gateways:
            rows = rows.plus(await read_influxdb(history, query.needs, gateway, scope.since, scope.until))
        return rows, scope


async def _read_own_states(configured: Settings) -> dict[str, EnergyState]:
    """Read the energy states of the recorder on this machine. Return no states if no recorder can be read."""
    try:
        async with reach(configured, SystemClock()) as ask:
            return await read_energy_states(ask)
    except EnvoyLoggerError:
        return {}


def _find_zone(configured: Settings, gateway: str, energy: EnergyState) -> ZoneInfo:
    """Return the time zone in which the days of a gateway begin.

    The zone comes from the recorded energy state, else from the settings of the gateway, else from this machine.
    """
    return ZoneInfo(energy.zone) if energy.zone else zone_of(find_settings(configured, gateway))


def _find_only(configured: Settings) -> str:
    """Return the serial of the only gateway in the settings; empty if the settings name none or several."""
    return configured.gateways[0].enphase.serial if len(configured.gateways) == 1 else ""


def _choose(query: NamedQuery, asked: Asked, configured: Settings, known: list[str]) -> list[str]:
    """Return the serials to read: the named gateway, else the only gateway of the settings, else all known gateways.

    If no gateway is known, and none is named or in the settings, return one empty text.

    Raises MisuseError if the named gateway is not recorded. Also raises MisuseError if the query needs one gateway,
    but several gateways are known and none of them was chosen.
    """
    if asked.gateway:
        check_recorded(asked.gateway, known)
    named = asked.gateway or _find_only(configured)
    if not named and len(known) > 1 and not query.is_by_panel:
        raise MisuseError(f"there are several gateways: {', '.join(known)}", "give --gateway SERIAL.")
    return [named] if named else known or [""]


def _note_numbers(query: NamedQuery, asked: Asked) -> tuple[str, ...]:
    """Return one note for each number that an option sets: the number and its meaning. A 0 gets no note."""
    return tuple(
        f"Computed with --{name} {asked.numbers[name]:g}: {meaning}."
        for name, (_, meaning) in query.numbers.items()
        if asked.numbers[name]
    )


def _note_source(query: NamedQuery, asked: Asked, configured: Settings, scope: Scope) -> tuple[str, ...]:
    """Return a note if the query needs minutes that the store no longer has, but that InfluxDB may have."""
    kept_s = configured.recorder.keep_days * 86400
    if asked.influxdb or not configured.influxdb.url or scope.since >= time.time() - kept_s:
        return ()
    if all(need.role == "daily" for need in query.needs):
        return ()
    return (f"The store keeps minutes for {configured.recorder.keep_days} days. Try: --influxdb for older minutes.",)

"""`backfill`: rebuild the day rows and the energy state from the data in InfluxDB."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from logger import log
from logger.backfill.day_replay import RebuildRequest
from logger.backfill.history import History, open_history
from logger.backfill.restore import Rebuilt, hand_over, rebuild
from logger.backfill.stored_days import RowTags
from logger.clock import SystemClock
from logger.commands.ui.chosen import find_serial, find_settings, gateway_option
from logger.commands.ui.options import MisuseError, parse_date
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.secret_input import secret_option
from logger.commands.ui.start import begin
from logger.control.api import Ask, reach
from logger.daemon.amend import StateApi, StoredState
from logger.daemon.config import read_target_of, site_of
from logger.daemon.gateway_state import GatewayState, load_state
from logger.daemon.tariff_files import read_prices, tariff_problems
from logger.influx.dialects import Target
from logger.model import Value, number_or_zero
from logger.settings.environment import find_system_zone
from logger.settings.load import Settings
from logger.site import Site
from logger.store.thread import StoreCalls

_SHOWN = 40
"""The greatest number of days that are printed. If there are more, only the first and the last are printed."""


@click.command("backfill", short_help="Rebuild the rows of days from InfluxDB.")
@env_file_option
@click.option("--since", default="", callback=parse_date, help="First day to compute again.")
@click.option(
    "--until", default="", callback=parse_date, help="Last day to compute again; by default the newest day."
)
@click.option("--again", is_flag=True, help="Also compute again the days that this installation recorded itself.")
@gateway_option
@secret_option("--read-token-file", "A token that may read, instead of INFLUXDB_READ_TOKEN; - for standard input.")
@click.option("--ask-token", is_flag=True, help="Ask for the read token at the terminal.")
@click.option("--dry-run", is_flag=True, help="Only show the days that would be written.")
def command(
    env_file: Path,
    since: str,
    until: str,
    again: bool,
    serial: str,
    read_token: str | None,
    ask_token: bool,
    dry_run: bool,
) -> None:
    """Rebuild the rows of days from InfluxDB, after the state folder was lost or the recorder was moved.

    Completes the day on which this installation began to record, and makes the missing rows of all earlier days. Of
    the earlier days, the last one or two may be incomplete, so they are computed again. Other stored rows of days
    are replaced only for the days from --since to --until. Days that this installation recorded itself are computed
    again only with --again. Works with and without a running recorder. May be interrupted and repeated. Without
    --gateway, every gateway of ENPHASE_GATEWAYS_FILE is rebuilt, one after the other.
    """
    if (until or again) and not since:
        raise MisuseError("--until and --again need --since", "give --since DATE, too.")
    if until and until < since:
        raise MisuseError("--until is before --since", "exchange the two dates.")
    configured = begin(env_file, require=["INFLUXDB_URL"], further=tariff_problems)
    if ask_token:
        read_token = str(click.prompt("Token that may read", hide_input=True, err=True)).strip()
        log.protect([read_token])
    target = read_target_of(configured, read_token or "")
    assert target is not None  # noqa: S101  INFLUXDB_URL was required
    request = RebuildRequest(serial, Site(), 0, since, until, again)
    asyncio.run(_run(configured, target, request, dry_run))


async def _run(configured: Settings, target: Target, request: RebuildRequest, dry_run: bool) -> None:
    def alone(store: StoreCalls) -> StateApi:
        return StateApi(
            store, lambda gateway: StoredState(store, gateway, site_of(find_settings(configured, gateway)))
        )

    clock = SystemClock()
    async with open_history(target, clock) as history, reach(configured, clock, make=True, alone=alone) as ask:
        states = await _read_states(ask)
        serials = await _choose_serials(configured, request.gateway, states, history)
        for serial in serials:
            if len(serials) > 1:
                click.secho(f"gateway {serial}", bold=True)
            chosen, live = find_settings(configured, serial), states.get(serial) or GatewayState()
            await _rebuild_one(chosen, live, replace(request, gateway=serial), history, ask, dry_run=dry_run)


async def _rebuild_one(
    configured: Settings, live: GatewayState, request: RebuildRequest, history: History, ask: Ask, *, dry_run: bool
) -> None:
    """Rebuild one gateway, and print its days."""
    until_tick = live.energy.first_tick if live.energy.last_tick else int(time.time())
    site = _find_site(configured, live)
    if configured.recorder.timezone not in ("", site.zone):
        raise MisuseError(
            f"The recorder still counts days in {site.zone}. LOGGER_TIMEZONE={configured.recorder.timezone} takes "
            "effect at the next midnight.",
            "repeat this command a day after the change.",
        )
    prices, _ = read_prices(site.tariff_file)

    def check(newest: RowTags) -> None:
        if newest.is_elsewhere and not dry_run:
            raise _describe_other_zone(newest, site.zone)

    whole = replace(request, until_tick=until_tick, site=site, prices=prices)
    found = await rebuild(history, live, whole, _show_progress, check)
    _show_progress("")
    if found is None:
        click.echo(f"InfluxDB holds nothing of gateway {request.gateway}, so no day was rebuilt.")
    elif _show_days(found) or found.days:
        outcome = "nothing was written (--dry-run)"
        if not dry_run:
            outcome = f"{await hand_over(ask, found, request.gateway)} day rows written"
        last = datetime.fromtimestamp(found.last_tick, ZoneInfo(site.zone))
        until = f"up to {last:%Y-%m-%d %H:%M}, " if found.last_tick else ""
        click.echo(f"\n{found.ticks} readings, {until}{outcome}.")


def _describe_other_zone(newest: RowTags, zone: str) -> MisuseError:
    """Make the error for a stored day that does not begin at midnight in the site's time zone."""
    begins = datetime.fromtimestamp(newest.row.time, UTC)
    return MisuseError(
        f"In InfluxDB the newest day begins at {begins:%Y-%m-%d %H:%M} UTC, which is no midnight in {zone}. "
        "So nothing was written.",
        "set LOGGER_TIMEZONE to the time zone in which the days were recorded.",
    )


def _show_days(found: Rebuilt) -> bool:
    """Print the rebuilt days. Return True if there are rows or an energy state to write."""
    if days := found.elsewhere:
        click.echo(
            f"Not computed: {_write_span(days)}. In InfluxDB the rows of these days begin at midnight of another "
            "time zone. If these days had a second row, boards and sums would count them twice.\n"
            "Try: compute these days in a new bucket, as docs/install.md describes.",
            err=True,
        )
    if days := found.double:
        click.echo(
            f"InfluxDB has two rows of each day: {_write_span(days)}. One begins at midnight in the present time "
            "zone, the other at midnight of another time zone. Boards and sums count these days twice.\n"
            "Try: compute all days in a new bucket, as docs/install.md describes.",
            err=True,
        )
    if days := found.left_out:
        click.echo(
            f"This installation recorded {_write_span(days)} itself, so only missing fields are added to these "
            "days.\nTry: add --again to compute these days again.",
            err=True,
        )
    if days := found.days_without_balance:
        click.echo(
            f"Not balanced over the phases: {_write_span(days)}. InfluxDB holds no phases (envoy_phase) of these "
            "days, so grid_import_balanced_wh and grid_export_balanced_wh are absent.",
            err=True,
        )
    if not found.rows and not found.last_tick:
        click.echo("No day was rebuilt: the days recorded here begin as early as the data in InfluxDB.")
        return False
    click.echo("\n".join(_format_table(found)))
    return True


def _write_span(days: Sequence[str]) -> str:
    """Return the first and the last of some days as text, such as `2026-05-01 to 2026-05-09`."""
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


async def _read_states(ask: Ask) -> dict[str, GatewayState]:
    """Read the state of every gateway in the store."""
    held = await ask(StateApi.read_states)
    return {gateway: load_state(parts, {}) for gateway, parts in held.items()}


async def _choose_serials(
    configured: Settings, named: str, states: dict[str, GatewayState], history: History
) -> list[str]:
    """Return the serials of the gateways to rebuild.

    If a gateway is named, return its serial. Otherwise return the serials of the gateways of the settings. If the
    settings lack a serial, return the only serial in the store or in InfluxDB.
    """
    if named:
        return [named]
    listed = [find_serial(each) for each in configured.listed or ()] or [configured.enphase.serial]
    if all(listed):
        return listed
    found = sorted(states) or await history.list_gateways("totals", "envoy_totals")
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise MisuseError(
            f"the gateway to rebuild is not clear; gateways with data: {names}", "give --gateway SERIAL."
        )
    return found


def _find_site(configured: Settings, live: GatewayState) -> Site:
    """Return the site whose days are computed. Its time zone comes from the state, the settings or the machine."""
    zone = live.energy.zone or configured.recorder.timezone
    if not zone:
        zone = find_system_zone()
        click.echo(f"LOGGER_TIMEZONE is not set, so days begin by this machine's zone, {zone}.", err=True)
    return replace(site_of(configured), zone=zone)


def _show_progress(day: str) -> None:
    """Show on a terminal which day is being read. Each day overwrites the previous one."""
    if sys.stderr.isatty():
        click.echo(f"\r{f'reading {day}' if day else '':<30}" + ("" if day else "\r"), nl=False, err=True)


def _format_table(found: Rebuilt) -> list[str]:
    """Write the rebuilt days as a table, one line for each day."""
    rows = found.rows
    days = sorted(rows)
    lines = [f"{'day':<12}{'produced':>12}{'house':>12}{'imported':>12}{'exported':>12}{'covered':>10}"]
    names = ("production_wh", "load_wh", "grid_import_wh", "grid_export_wh")
    for day in days if len(days) <= _SHOWN else [*days[: _SHOWN // 2], "", *days[-_SHOWN // 2 :]]:
        if not day:
            lines.append(f"  … {len(days) - _SHOWN} more days …")
            continue
        fields = rows[day][0].reading.fields
        cells = "".join(f"{_format_kwh(fields.get(name)):>12}" for name in names)
        guess = any(number_or_zero(fields.get(f"{name.removesuffix('_wh')}_estimated_wh")) > 0 for name in names)
        covered = fields.get("coverage_percent")
        shown = f"{number_or_zero(covered):.1f} %" if covered is not None else ""
        lines.append(f"{day:<12}{cells}{shown:>10}{'  in part estimated' if guess else ''}")
    return lines


def _format_kwh(value: Value | None) -> str:
    return "" if value is None else f"{number_or_zero(value) / 1000:.3f} kWh"

"""`tariff`: check the tariff file, show a day's prices, and propose a file from the gateway's copy of the tariff."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click

from logger.clock import SystemClock
from logger.commands.ui.chosen import choose_gateway, gateway_option
from logger.commands.ui.options import MisuseError, parse_date, zone_of
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin
from logger.daemon.config import access_of
from logger.daemon.tariff_files import SETTING, find_fix, is_unreadable, read_prices
from logger.days import first_instant
from logger.errors import AbsentError, NotAllowedError
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import Endpoint
from logger.model import Json
from logger.store.folder import prepare
from logger.tariff.price_files import list_price_files
from logger.tariff.price_plan import WH, PricePeriod
from logger.tariff.price_table import PriceTable
from logger.tariff.prices import Prices, Slot
from logger.tariff.proposal import PATH, write_proposal

_ENDPOINT: Final = Endpoint(PATH, "the gateway's copy of the tariff", lane="slow", since=(4,))
_SHOWN: Final = 10


@click.group("tariff", short_help="Check and show your prices for grid energy.")
@env_file_option
@click.pass_context
def command(context: click.Context, env_file: Path) -> None:
    """Check the tariff file (LOGGER_TARIFF_FILE), show a day's prices, or print a first tariff file."""
    context.obj = env_file


@command.command("check", short_help="List every problem of the tariff file.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def check_file(env_file: Path, file: Path | None) -> int:
    """List every problem of the tariff FILE and its price files, with the line. Exit code 78 if there is a problem.

    Without FILE, the file of LOGGER_TARIFF_FILE is checked.
    """
    path = _find_file(env_file, file)
    prices, problems = read_prices(path)
    for problem in problems:
        click.echo(f"{path} {problem}", err=True)
    if problems:
        if is_unreadable(problems[0]):
            click.echo(f"Try: {find_fix(problems[0])}", err=True)
        return 78
    for period in prices.tariff.periods:
        click.echo(f"{_describe_span(period)}: {_describe_prices(period)}")
    if prices.tariff.price_path:
        _print_table(prices.table)
        _note_last_lines(list_price_files(path, prices.tariff.price_path))
    click.echo("The tariff file is good.")
    return 0


def _print_table(table: PriceTable) -> None:
    """Print the time span of the price files, the least and greatest price of buying, and spans without prices."""
    if not table.times:
        click.echo("The price files hold no price yet. A folder needs files whose names end in .csv.")
        return
    bought = [buy for buy, _ in table.prices]
    click.echo(
        f"{len(table.times)} price(s) from {_show(table.times[0])} to {_show(table.times[-1])} UTC, "
        f"bought at {min(bought):g} to {max(bought):g}"
    )
    gaps = list(table.list_gaps())
    for begin_at, end_at in gaps[:_SHOWN]:
        click.echo(f"no price from {_show(begin_at)} to {_show(end_at)} UTC")
    if len(gaps) > _SHOWN:
        click.echo(f"and {len(gaps) - _SHOWN} more spans without a price")


def _note_last_lines(files: list[Path]) -> None:
    """Name each price file whose last line is not read, because the line has no line end."""
    for file in files:
        if not file.read_bytes().endswith(b"\n"):
            click.echo(f"{file.name}: the last line has no line end, so it may be incomplete and is not read")


def _show(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


@command.command("show", short_help="Show the prices of one day.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--day", default="", callback=parse_date, help="The day to show; today by default.")
@click.pass_obj
def show_day(env_file: Path, file: Path | None, day: str) -> int:
    """Show the prices of one day, with the standing charge and the tiers."""
    path = _find_file(env_file, file)
    prices, problems = read_prices(path)
    if not prices.tariff.periods:
        click.echo(f"{path} {problems[0]}\nTry: {find_fix(problems[0])}", err=True)
        return 78
    zone = zone_of(begin(env_file, level="warning"))
    _print_day(prices, date.fromisoformat(day) if day else datetime.now(zone).date(), zone.key)
    return 0


@command.command("propose", short_help="Print a tariff file to edit.")
@gateway_option
@click.pass_obj
def propose_file(env_file: Path, serial: str) -> int:
    """Read the gateway's copy of the tariff once and print a tariff file to edit.

    The gateway's copy may be old, so the recorder never uses it directly.
    """
    configured = choose_gateway(begin(env_file, require=["ENPHASE_GATEWAY"], level="warning"), serial)
    body = asyncio.run(_fetch_tariff(access_of(configured)))
    zone = zone_of(configured)
    text = write_proposal(body, datetime.now(zone).date().replace(day=1).isoformat())
    if not text:
        click.echo(
            "The gateway gives no price.\nTry: write the file by hand, from the examples in docs/tariffs.md.",
            err=True,
        )
        return 75
    click.echo(text, nl=False)
    return 0


async def _fetch_tariff(access: Access) -> Json:
    """Return the gateway's tariff document; None if the gateway lacks or refuses this document."""
    prepare(access.state_dir)
    gateway = Gateway(access, SystemClock())
    try:
        await gateway.identify()
        return (await gateway.fetch(_ENDPOINT)).body
    except (AbsentError, NotAllowedError):
        return None
    finally:
        await gateway.aclose()


def _find_file(env_file: Path, file: Path | None) -> str:
    """Return the path of the tariff file. If `file` is None, LOGGER_TARIFF_FILE gives the path."""
    path = str(file) if file else begin(env_file, level="warning").recorder.tariff_file
    if not path:
        raise MisuseError(f"{SETTING} is not set", "name a tariff file.")
    return path


def _describe_span(period: PricePeriod) -> str:
    return f"from {period.first}" + (f" to before {period.until}" if period.until else "")


def _describe_prices(period: PricePeriod) -> str:
    bands = [*period.bands, *([period.rest] if period.rest else [])]
    if period.is_hourly:
        return f"hourly prices in {period.currency}"
    prices = ", ".join(f"{band.name} {band.buy:g}/{band.sell:g}" for band in bands)
    return f"{prices} {period.currency} per kWh (bought/sold)"


def _join_unknown(slots: Iterable[Slot]) -> list[Slot]:
    """Join successive time spans without a known price, if they belong to the same price band."""
    found: list[Slot] = []
    for slot in slots:
        if found and slot.buy is None and found[-1].buy is None and found[-1].band == slot.band:
            found[-1] = replace(found[-1], end=slot.end)
        else:
            found.append(slot)
    return found


def _print_day(prices: Prices, day: date, zone: str) -> None:
    period = prices.tariff.period_on(day)
    if period is None:
        click.echo(f"{day}: the tariff file has no prices for this day")
        return
    click.echo(f"{day}, {zone}, {period.currency} per kWh")
    begin_at, end_at = (first_instant(each.isoformat(), zone) for each in (day, day + timedelta(days=1)))
    for slot in _join_unknown(prices.list_slots(begin_at, end_at, zone)):
        begins, ends = (datetime.fromtimestamp(at, ZoneInfo(zone)) for at in (slot.begin, slot.end))
        until = "24:00" if slot.end == end_at else f"{ends:%H:%M}"
        buy, sell = ("not known yet" if price is None else f"{price:.5g}" for price in (slot.buy, slot.sell))
        click.echo(f"{begins:%H:%M}-{until}  {slot.band:<16}  buy {buy:<14} sell {sell}")
    if period.standing_charge:
        click.echo(f"standing charge {period.standing_charge:g} {period.currency} a day")
    for tier in period.tiers:
        click.echo(f"above {tier.above_wh / WH:g} kWh a month: {tier.add:+g} {period.currency} per kWh")

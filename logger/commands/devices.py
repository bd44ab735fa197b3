"""`devices`: what the gateway has."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from logger.clock import SystemClock
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.daemon import app, one_poll
from logger.daemon.config import access_of, load, site_of
from logger.daemon.layout_file import read_layout
from logger.model import Reading, Value
from logger.readings import paths
from logger.readings.layout import installed_serials, template
from logger.readings.site_warnings import find_warnings

_PIPE_WIDTH = 160
"""Columns where nobody looks at a terminal: nothing is folded."""


@click.command("devices", short_help="List meters, inverters and batteries.")
@env_file_option
@json_option
@click.option("--layout", is_flag=True, help="Print a layout file (LOGGER_LAYOUT_FILE) to fill in, as CSV.")
def command(env_file: Path, as_json: bool, layout: bool) -> int:
    """List the gateway's meters, inverters and batteries as it reports them now."""
    configured = load(env_file, layout=not layout)
    app.configure_log(configured)

    found = asyncio.run(one_poll.poll(access_of(configured), SystemClock(), configured.recorder.totals_interval_s))
    if layout:
        return _print_layout(found, configured.recorder.layout_file)
    result = one_poll.read(found, site_of(configured))
    readings = result.readings
    meters = _merge(readings, ("envoy_meter",), "meter")
    inverters = _merge(readings, ("envoy_inverter", "envoy_inverter_status"), "serial")
    batteries = _merge(readings, ("envoy_battery",), "serial")
    contacts = _merge(readings, ("envoy_contact",), "contact")
    combiners = _merge(readings, ("envoy_combiner",), "serial")
    grid = next((dict(point.fields) for point in readings if point.measurement == "envoy_grid"), {})
    if as_json:
        click.echo(
            json.dumps(
                {
                    "gateway": {
                        "serial": found.info.serial,
                        "firmware": found.info.firmware,
                        "part_number": found.info.part_number,
                    },
                    "meters": meters,
                    "inverters": inverters,
                    "batteries": batteries,
                    "grid": grid,
                    "contacts": contacts,
                    "combiners": combiners,
                },
                indent=1,
            )
        )
    else:
        console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
        console.print(f"Gateway {found.info.serial}, firmware {found.info.firmware}, {found.info.part_number}")
        _print(console, "Meters", meters, ("power_w", "voltage_v", "energy_delivered_wh", "energy_received_wh"))
        if inverters or found.documents.keys() - {paths.PAGE}:
            columns = ("power_w", "max_power_w", "provisioned", "communicating", "producing", "report_age_s")
            _print(console, "Inverters", inverters, columns)
        else:
            console.print("Inverters: not told by this firmware")
        _print(
            console,
            "Batteries",
            batteries,
            ("kind", "state", "power_w", "charge_percent", "capacity_wh", "max_cell_temperature_c"),
        )
        if grid:
            console.print("Grid: " + ", ".join(f"{name} {_text(value)}" for name, value in grid.items()))
        if contacts:
            _print(console, "Dry contacts", contacts, ("contact_name", "closed"))
        if combiners:
            _print(console, "Combiner", combiners, ("communicating", "firmware", "state"))
    for warning in find_warnings(found.snapshot(), result.duplicates).values():
        click.echo(warning.text, err=True)
    for complaint in found.describe_failures():
        click.echo(complaint, err=True)
    return 75 if found.failures else 0


def _print_layout(found: one_poll.Poll, path: str) -> int:
    """The inverters as a layout file; what a good one says already stands in it."""
    known, _ = read_layout(path)
    for complaint in found.describe_failures():
        click.echo(complaint, err=True)
    serials = installed_serials(found.snapshot())
    if not serials:
        click.echo("the gateway does not tell now which inverters it has\nTry: the same again in a minute.", err=True)
        return 75
    click.echo(template(serials, known), nl=False)
    return 75 if found.failures else 0


def _merge(readings: list[Reading], measurements: tuple[str, ...], key: str) -> dict[str, dict[str, Value]]:
    devices: dict[str, dict[str, Value]] = {}
    for reading in readings:
        if reading.measurement in measurements:
            tags = {name: tag for name, tag in reading.tags.items() if name not in (key, "gateway", "site")}
            devices.setdefault(reading.tags[key], {}).update({**tags, **reading.fields})
    return dict(sorted(devices.items()))


def _print(console: Console, title: str, devices: dict[str, dict[str, Value]], columns: tuple[str, ...]) -> None:
    if not devices:
        console.print(f"{title}: none")
        return
    table = Table(title=f"{title}: {len(devices)}", title_justify="left")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    for name, fields in devices.items():
        table.add_row(name, *(_text(fields.get(column)) for column in columns))
    console.print(table)


def _text(value: Value | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.1f}" if isinstance(value, float) else str(value)

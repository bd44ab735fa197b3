"""`devices`: list the gateway's meters, inverters and batteries."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import click
from rich.console import Console
from rich.table import Table

from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin_polling, poll
from logger.daemon import one_poll
from logger.daemon.config import site_of
from logger.daemon.layout_file import read_layout
from logger.model import GatewayInfo, Reading, Value, round_value
from logger.readings import paths
from logger.readings.layout import list_inverter_serials, template

Devices: TypeAlias = dict[str, dict[str, Value]]
"""Device's name → its tags and fields."""
_PIPE_WIDTH: Final = 160
"""Columns of a table that is not printed on a terminal; wide enough that no line is folded."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Hold one kind of device: name, title, measurements, the tag that identifies a device, and the columns shown."""

    name: str
    title: str
    measurements: tuple[str, ...]
    tag: str
    columns: tuple[str, ...]
    shown_if_none: bool = True


_KINDS: Final = (
    _Kind("meters", "Meters", ("envoy_meter",), "meter",
          ("power_w", "voltage_v", "energy_delivered_wh", "energy_received_wh")),
    _Kind("inverters", "Inverters", ("envoy_inverter", "envoy_inverter_status"), "serial",
          ("power_w", "max_power_w", "provisioned", "communicating", "producing", "report_age_s")),
    _Kind("batteries", "Batteries", ("envoy_battery",), "serial",
          ("kind", "state", "power_w", "charge_percent", "capacity_wh", "max_cell_temperature_c")),
    _Kind("contacts", "Dry contacts", ("envoy_contact",), "contact", ("contact_name", "closed"), False),
    _Kind("combiners", "Combiner", ("envoy_combiner",), "serial", ("communicating", "firmware", "state"), False),
)  # fmt: skip


@click.command("devices", short_help="List meters, inverters and batteries.")
@env_file_option
@json_option
@click.option("--layout", is_flag=True, help="Print a layout file (LOGGER_LAYOUT_FILE) to fill in, as CSV.")
def command(env_file: Path, as_json: bool, layout: bool) -> int:
    """List the gateway's meters, inverters and batteries as it reports them now."""
    configured = begin_polling(env_file, with_layout=not layout)
    found = asyncio.run(poll(configured))
    if layout:
        return _print_layout(found, configured.recorder.layout_file)
    result = one_poll.read(found, site_of(configured))
    devices: dict[str, Devices] = {kind.name: _collect(result.readings, kind) for kind in _KINDS}
    grid = next((dict(point.fields) for point in result.readings if point.measurement == "envoy_grid"), {})
    if as_json:
        _print_json(found.info, devices, grid)
    else:
        _print_tables(found, devices, grid)
    for warning in one_poll.list_warnings(result):
        click.echo(warning.text, err=True)
    return 75 if found.failures else 0


def _print_json(info: GatewayInfo, devices: dict[str, Devices], grid: dict[str, Value]) -> None:
    names = ("meters", "inverters", "batteries", "grid", "contacts", "combiners")
    gateway = {"serial": info.serial, "firmware": info.firmware, "part_number": info.part_number}
    parts = {**devices, "grid": grid}
    click.echo(json.dumps({"gateway": gateway, **{name: parts[name] for name in names}}, indent=1))


def _print_tables(found: one_poll.Poll, devices: dict[str, Devices], grid: dict[str, Value]) -> None:
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(f"Gateway {found.info.serial}, firmware {found.info.firmware}, {found.info.part_number}")
    for kind in _KINDS:
        if kind.name == "contacts" and grid:
            console.print("Grid: " + ", ".join(f"{name} {_format(value)}" for name, value in grid.items()))
        if kind.name == "inverters" and not devices["inverters"] and found.documents.keys() <= {paths.PAGE}:
            console.print("Inverters: not told by this firmware")
        elif devices[kind.name] or kind.shown_if_none:
            _print_table(console, kind, devices[kind.name])


def _print_layout(found: one_poll.Poll, path: str) -> int:
    """Print the inverters as a layout file, with the entries of the existing layout file at `path`."""
    known, _ = read_layout(path)
    serials = list_inverter_serials(found.snapshot())
    if not serials:
        click.echo(
            "the gateway does not tell now which inverters it has\nTry: run the same command again in a minute.",
            err=True,
        )
        return 75
    click.echo(template(serials, known), nl=False)
    return 75 if found.failures else 0


def _collect(readings: list[Reading], kind: _Kind) -> Devices:
    """Collect tags and fields of every device of one kind, sorted by the devices' names."""
    devices: Devices = {}
    for reading in readings:
        if reading.measurement in kind.measurements:
            tags = {name: tag for name, tag in reading.tags.items() if name not in (kind.tag, "gateway", "site")}
            fields = {name: round_value(name, value) for name, value in reading.fields.items()}
            devices.setdefault(reading.tags[kind.tag], {}).update({**tags, **fields})
    return dict(sorted(devices.items()))


def _print_table(console: Console, kind: _Kind, devices: Devices) -> None:
    if not devices:
        console.print(f"{kind.title}: none")
        return
    table = Table(title=f"{kind.title}: {len(devices)}", title_justify="left")
    table.add_column("", no_wrap=True)
    for column in kind.columns:
        table.add_column(column, justify="right")
    for name, fields in devices.items():
        table.add_row(name, *(_format(fields.get(column)) for column in kind.columns))
    console.print(table)


def _format(value: Value | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.1f}" if isinstance(value, float) else str(value)

"""`devices`: list the gateway's meters, inverters and batteries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import click
from rich.console import Console
from rich.table import Table

from logger.commands.ui.chosen import choose_gateway, choose_gateways, gateway_option
from logger.commands.ui.console import make_console
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin_polling, poll, poll_each
from logger.daemon import one_poll
from logger.daemon.config import site_of
from logger.daemon.layout_file import read_layout
from logger.daemon.tick import TickResult
from logger.model import Reading, Value, round_value
from logger.readings import paths
from logger.readings.layout import list_inverter_serials, template
from logger.settings.load import Settings

Devices: TypeAlias = dict[str, dict[str, Value]]
"""The name of a device → the tags and fields of the device."""
_PLENTY: Final = 1000
"""A width in characters that is enough for every table."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of device: name, title, measurements, the tag that identifies a device, the printed columns."""

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
@gateway_option
@json_option
@click.option("--layout", is_flag=True, help="Print a layout file (LOGGER_LAYOUT_FILE) to fill in, as CSV.")
def command(env_file: Path, serial: str, as_json: bool, layout: bool) -> int:
    """List the meters, inverters and batteries that the gateway reports now."""
    configured = begin_polling(env_file, with_layout=not layout)
    if layout:
        chosen = choose_gateway(configured, serial)
        return _print_layout(asyncio.run(poll(chosen)), chosen.recorder.layout_file)
    found: list[_Equipment] = []

    async def look(each: Settings, answers: one_poll.Poll) -> None:
        found.append(_read(each, answers))

    is_whole = asyncio.run(poll_each(choose_gateways(configured, serial), look))
    if as_json:
        documents = [_describe(each) for each in found]
        is_one = len(documents) == 1 and configured.listed is None or bool(serial)
        click.echo(json.dumps(documents[0] if is_one else {"gateways": documents}, indent=1))
    else:
        for each in found:
            _print_tables(each)
    for each in found:
        for warning in one_poll.list_warnings(each.result):
            click.echo(warning.text, err=True)
    return 0 if is_whole else 75


@dataclass(frozen=True, slots=True)
class _Equipment:
    """The devices that one gateway has."""

    poll: one_poll.Poll
    result: TickResult
    devices: dict[str, Devices]
    grid: dict[str, Value]


def _read(configured: Settings, found: one_poll.Poll) -> _Equipment:
    """Collect the devices in the answers of one gateway."""
    result = one_poll.read(found, site_of(configured))
    devices: dict[str, Devices] = {kind.name: _collect(result.readings, kind) for kind in _KINDS}
    grid = next((dict(point.fields) for point in result.readings if point.measurement == "envoy_grid"), {})
    return _Equipment(found, result, devices, grid)


def _describe(one: _Equipment) -> dict[str, object]:
    info = one.poll.info
    names = ("meters", "inverters", "batteries", "grid", "contacts", "combiners")
    gateway = {"serial": info.serial, "firmware": info.firmware, "part_number": info.part_number}
    parts = {**one.devices, "grid": one.grid}
    return {"gateway": gateway, **{name: parts[name] for name in names}}


def _print_tables(one: _Equipment) -> None:
    found, devices, grid = one.poll, one.devices, one.grid
    console = make_console()
    console.print(f"Gateway {found.info.serial}, firmware {found.info.firmware}, {found.info.part_number}")
    for kind in _KINDS:
        if kind.name == "contacts" and grid:
            console.print("Grid: " + ", ".join(f"{name} {_format(value)}" for name, value in grid.items()))
        if kind.name == "inverters" and not devices["inverters"] and found.documents.keys() <= {paths.PAGE}:
            console.print("Inverters: not reported by this firmware")
        elif devices[kind.name] or kind.shown_if_none:
            _print_table(console, kind, devices[kind.name])


def _print_layout(found: one_poll.Poll, path: str) -> int:
    """Print the inverters as a layout file, with the entries of the existing layout file at `path`."""
    known, _ = read_layout(path)
    serials = list_inverter_serials(found.snapshot())
    if not serials:
        click.echo(
            "the gateway does not list its inverters now\nTry: run the same command again in a minute.",
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
    """Print the devices of one kind. If the terminal is too narrow, break the names of the fields into two lines."""
    if not devices:
        console.print(f"{kind.title}: none")
        return
    table = _make_table(kind.columns, kind, devices)
    if console.measure(table, options=console.options.update_width(_PLENTY)).maximum > console.width:
        table = _make_table(map(_break_name, kind.columns), kind, devices)
    console.print(f"\n{kind.title}: {len(devices)}", table, sep="\n")


def _make_table(titles: Iterable[str], kind: _Kind, devices: Devices) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right")
    for name, fields in devices.items():
        table.add_row(name, *(_format(fields.get(column)) for column in kind.columns))
    return table


def _break_name(name: str) -> str:
    """Break the name of a field into two lines at the underscore that is nearest to its middle."""
    places = [place + 1 for place, letter in enumerate(name) if letter == "_"]
    middle = min(places, key=lambda place: abs(place - len(name) / 2), default=0)
    return f"{name[:middle]}\n{name[middle:]}".strip()


def _format(value: Value | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:z.1f}" if isinstance(value, float) else str(value)

"""`status`: show the recorder's readings and problems."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import click

from logger import log
from logger.clock import SystemClock
from logger.commands.ui.chosen import gateway_option, make_unrecorded_error
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.output import wrap
from logger.commands.ui.start import configure_log, inspect
from logger.commands.ui.status_text import INDENT, part_of, write_lines
from logger.daemon import status_file
from logger.daemon.config import target_of
from logger.errors import SettingsError, StoreHeldError
from logger.influx.write import find_silence
from logger.model import Json, number_or_zero
from logger.settings.load import Settings


class NoDaemonError(StoreHeldError):
    """No recorder has written a status."""


@click.command("status")
@env_file_option
@gateway_option
@json_option
def command(env_file: Path, serial: str, as_json: bool) -> int:
    """Show the recorder's readings and problems. Exit code 69 if no recorder runs, or if the recorder hangs.

    With several gateways, each gateway gets one line. --gateway SERIAL shows all facts about one gateway.
    """
    configured, problems = inspect(env_file)  # a daemon's status is shown even if a setting is wrong
    configure_log(configured, "warning")
    found, now = status_file.read(configured.runtime_dir), time.time()
    if found is None and problems:
        raise SettingsError(problems)
    if found is None:
        raise NoDaemonError(f"no recorder has written {configured.runtime_dir}/status.json", configured.start_command)
    if serial:
        found = _pick(found, serial)
    if as_json:
        click.echo(json.dumps(log.mask_all(found), indent=1))
    else:
        text = log.mask("\n".join(write_lines(found, now, _ask_influxdb(configured, found))))
        click.echo(wrap(text, INDENT))
    return 0 if now < number_or_zero(found.get("alive_until")) else StoreHeldError.exit_code


def _ask_influxdb(configured: Settings, found: dict[str, Json]) -> str:
    """Test whether InfluxDB answers now, because the recorder notices an outage only at a delivery.

    Return the result in words. Return an empty text if the recorder delivers to no InfluxDB, or if the user of the
    command may not read InfluxDB's address.
    """
    target = target_of(configured)
    if target is None or not found.get("influxdb"):
        return ""
    try:
        silence = asyncio.run(find_silence(target, SystemClock()))
    except SettingsError as error:  # a proxy that cannot be used
        silence = error.message
    if silence:
        return f"DOES NOT ANSWER NOW: {silence}"
    is_in_trouble = any(key.partition(" ")[0] == "influx" for key in part_of(found, "troubles"))
    return "answers now" + ("; the trouble below ends with the next delivery" if is_in_trouble else "")


def _pick(found: dict[str, Json], serial: str) -> dict[str, Json]:
    """Return the status as if only the gateway with this serial were recorded.

    Raises MisuseError for an unknown serial.
    """
    gateways = status_file.list_gateways(found)
    chosen = next((each for each in gateways if status_file.serial_in(each) == serial), None)
    if chosen is None:
        raise make_unrecorded_error(serial, filter(None, map(status_file.serial_in, gateways)))
    others = [str(each.get("address")) for each in gateways if each is not chosen]
    troubles = {
        key: text
        for key, text in part_of(found, "troubles").items()
        if not any(key.startswith(f"{address} ") for address in others)
    }
    picked = {**found, **chosen, "troubles": troubles}
    for of_several in ("further_gateways", "sites"):
        picked.pop(of_several, None)
    return picked

"""`check`: report every problem in the settings, without using the network."""

from __future__ import annotations

from pathlib import Path

import click

from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin_polling
from logger.settings.definitions import DESCRIPTIONS
from logger.settings.texts import show_value


@click.command("check")
@env_file_option
@click.option("--show", is_flag=True, help="Also list every setting, its value and where it came from.")
def command(env_file: Path, show: bool) -> None:
    """Check the settings. Exit code 78 if one is wrong."""
    configured = begin_polling(env_file, level="warning")
    if show:
        rows = [
            (item.variable, show_value(configured, item) or "-", configured.origins.get(item.variable, "default"))
            for item in DESCRIPTIONS
        ]
        names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
        for name, value, origin in rows:
            click.echo(f"{name:<{names}}  {value:<{values}}  {origin}")
    for warning in configured.warnings:
        click.echo(f"warning: {warning}", err=True)
    if not configured.influxdb.url:
        click.echo("INFLUXDB_URL is not set: readings are kept in the embedded store and sent nowhere", err=True)
    click.echo("The settings are good.")

"""`check`: report every problem in the settings, without using the network."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click

from logger.commands.ui.chosen import choose_gateways, gateway_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import configure_log, file_problems, inspect
from logger.errors import SettingsError
from logger.settings.definitions import DESCRIPTIONS
from logger.settings.load import Settings
from logger.settings.texts import show_value


@click.command("check")
@env_file_option
@gateway_option
@click.option("--show", is_flag=True, help="Also list every setting: its value, the value's origin, its meaning.")
def command(env_file: Path, serial: str, show: bool) -> None:
    """Check the settings. Exit code 78 if a setting is wrong.

    With --gateway, --show lists that gateway's settings.
    """
    configured, problems = inspect(env_file, require=["ENPHASE_GATEWAY"], further=file_problems)
    configure_log(configured, "warning")
    if show:
        shown = choose_gateways(configured, serial)[0] if serial else configured
        _list_settings(shown, {problem.setting for problem in problems})
    if problems:
        raise SettingsError(problems)
    for warning in configured.warnings:
        click.echo(f"warning: {warning}", err=True)
    if not configured.influxdb.url:
        click.echo(
            "INFLUXDB_URL is not set, so readings stay in the recorder's own store, up to LOGGER_STORE_MAX_MB",
            err=True,
        )
    if configured.listed is not None:
        click.echo(f"{len(configured.listed)} gateways of {configured.enphase.gateways_file} are recorded.")
    click.echo("The settings are good.")


def _list_settings(configured: Settings, wrong: Collection[str]) -> None:
    """Print each setting's value, origin and meaning. The value of a wrong setting is not printed."""
    rows = [
        (
            item,
            "WRONG" if item.variable in wrong else show_value(configured, item) or "-",
            configured.origins.get(item.variable, "not set" if item.variable in wrong else "default"),
        )
        for item in DESCRIPTIONS
    ]
    width, wide = max(len(item.variable) for item, _, _ in rows), max(len(value) for _, value, _ in rows)
    for item, value, origin in rows:
        click.echo(f"{item.variable:<{width}}  {value:<{wide}}  {origin}\n    {item.help}")

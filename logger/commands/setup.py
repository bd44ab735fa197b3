"""`setup`: makes the buckets and the tokens on InfluxDB 2."""

from __future__ import annotations

import re
from pathlib import Path

import click

from logger import settings
from logger.commands.options import env_file as env_file_option
from logger.errors import StateError
from logger.files import write_atomically
from logger.influx.provision import Action, Provisioned, setup
from logger.service import service


def _mode(context: click.Context, parameter: click.Parameter, text: str) -> int:
    """A file mode in octal digits, refused before anything is made if it is none."""
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise click.BadParameter(f"{text!r} is no file mode such as 0600 or 0644")
    return int(text, 8)


_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("setup", short_help="Make buckets and tokens on InfluxDB 2.")
@env_file_option
@click.option("--write-token-file", type=_FILE, help="Write the recorder's token here (mode 0600).")
@click.option("--read-token-file", type=_FILE, help="Write Grafana's token here.")
@click.option(
    "--read-token-mode",
    default="0600",
    show_default=True,
    help="File mode of Grafana's token.",
    callback=_mode,
)
@click.option("--dry-run", is_flag=True, help="Only say what would be made.")
def command(
    env_file: Path, write_token_file: Path | None, read_token_file: Path | None, read_token_mode: int, dry_run: bool
) -> None:
    """Make the three buckets, a write-only token for the recorder and a read-only one for Grafana (InfluxDB 2).

    Needs INFLUXDB_URL, INFLUXDB_ORG and INFLUXDB_ADMIN_TOKEN. Running it again changes nothing that is right.
    """
    configured = settings.load(env_file, require=["INFLUXDB_URL", "INFLUXDB_ORG", "INFLUXDB_ADMIN_TOKEN"])
    service.configure_log(configured)
    influxdb = configured.influxdb
    files: dict[Action, Path | None] = {"write": write_token_file, "read": read_token_file}
    held: dict[Action, str] = {}
    for action, file in files.items():
        if file is not None and file.is_file():
            held[action] = file.read_text(encoding="utf-8").strip()
    made = setup(
        influxdb.url, influxdb.admin_token, influxdb.org, influxdb.buckets.values(), held=held, dry_run=dry_run
    )
    for name in made.existing:
        click.echo(f"exists   {name}")
    for name in made.created:
        click.echo(f"{'would make' if dry_run else 'made'}     {name}")
    if not dry_run:
        _hand_over(made, files, read_token_mode)


def _hand_over(made: Provisioned, files: dict[Action, Path | None], read_mode: int) -> None:
    """Each token into its file; without a file it is shown once, on stdout, to the person at the terminal."""
    tokens: dict[Action, tuple[str | None, int, str]] = {
        "write": (made.write_token, 0o600, "INFLUXDB_TOKEN"),
        "read": (made.read_token, read_mode, "Grafana's token"),
    }
    for action, (token, mode, name) in tokens.items():
        file = files[action]
        if token is None:
            click.echo(f"{name}: the server does not show the text of the token that it has", err=True)
        elif file is None:
            click.echo(f"{name}={token}" if action == "write" else f"{name}: {token}")
        else:
            try:
                write_atomically(file, token.encode() + b"\n", mode)
            except OSError as error:
                raise StateError(
                    f"{file} cannot be written: {error.strerror}", "check the folder's owner."
                ) from error
            click.echo(f"wrote    {file}")

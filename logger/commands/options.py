"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource


def _existing(context: click.Context, parameter: click.Parameter, path: Path) -> Path:
    """A file that was named must be there; the usual one need not."""
    source = context.get_parameter_source(parameter.name or "")
    if source is ParameterSource.COMMANDLINE and not path.is_file():
        raise click.BadParameter(f"there is no file {path}")
    return path


env_file = click.option(
    "--env-file",
    callback=_existing,
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(".env"),
    show_default=True,
    help="File with settings, read after the environment.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

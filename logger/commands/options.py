"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

env_file = click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(".env"),
    show_default=True,
    help="File with settings, read after the environment.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

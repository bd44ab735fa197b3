"""`version`: print the version."""

from __future__ import annotations

import click

from logger import __version__


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(f"envoy-logger {__version__}")

"""`health`: does the daemon move? For containers; `logger.__main__` answers it before anything heavy is imported."""

from __future__ import annotations

import click

from logger.__main__ import health


@click.command("health")
def command() -> int:
    """Exit 0 while the daemon's loops move, 69 if not."""
    return health()

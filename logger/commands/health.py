"""`health`: tell a container whether the daemon runs; `logger.__main__` answers before the slow imports."""

from __future__ import annotations

import click

from logger.__main__ import health


@click.command("health")
def command() -> int:
    """Exit 0 while the daemon's loops move, 69 if not."""
    return health()

"""`health`: tell a container whether the daemon runs; `logger.__main__` answers before the slow imports."""

from __future__ import annotations

import click

from logger.__main__ import health


@click.command("health")
def command() -> int:
    """Exit with 0 while the recorder works, else with 69."""
    return health()

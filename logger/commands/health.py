"""`health`: report whether the recorder works. `logger.__main__` runs this command before the slow imports."""

from __future__ import annotations

import click

from logger.__main__ import health
from logger.commands.ui.chosen import gateway_option


@click.command("health")
@gateway_option
def command(serial: str) -> int:
    """Exit with 0 while the recorder works, else with 69. With --gateway, that gateway must also answer."""
    return health(serial)

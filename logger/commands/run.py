"""`run`: record until stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from logger.clock import SystemClock
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin_polling
from logger.daemon import app
from logger.outlets import open_outlets


@click.command("run")
@env_file_option
def command(env_file: Path) -> None:
    """Record until stopped. An outage never ends it; a wrong setting ends it at once (exit code 78)."""
    asyncio.run(app.run(begin_polling(env_file), SystemClock(), open_outlets=open_outlets))

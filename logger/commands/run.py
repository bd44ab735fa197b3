"""`run`: record until stopped."""

from __future__ import annotations

import asyncio
import gc
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
    """Record until stopped. An outage does not end the recording. A wrong setting ends it at once (exit code 78)."""
    settings = begin_polling(env_file)
    gc.freeze()  # the loaded objects stay until the end, so the collector need not search them
    gc.enable()
    asyncio.run(app.run(settings, SystemClock(), open_outlets=open_outlets))

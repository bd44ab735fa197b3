"""`run`: the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from logger.clock import SystemClock
from logger.commands.ui.options import env_file as env_file_option
from logger.daemon import app
from logger.daemon.config import load


@click.command("run")
@env_file_option
def command(env_file: Path) -> None:
    """Record until stopped. Outages never end it; wrong settings do, at once (exit code 78)."""
    configured = load(env_file)
    app.configure_log(configured)
    asyncio.run(app.run(configured, SystemClock()))

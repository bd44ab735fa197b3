"""`run`: the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from logger import settings
from logger.clock import SystemClock
from logger.commands.options import env_file as env_file_option
from logger.service import service


@click.command("run")
@env_file_option
def command(env_file: Path) -> None:
    """Record until stopped. Outages never end it; wrong settings do, at once (exit code 78)."""
    configured = settings.load(env_file, require=["ENPHASE_GATEWAY"])
    service.configure_log(configured)
    asyncio.run(service.run(configured, SystemClock()))

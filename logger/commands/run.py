"""`run`: the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from logger.clock import SystemClock
from logger.commands.options import env_file as env_file_option
from logger.service import service
from logger.service.wiring import load


@click.command("run")
@env_file_option
def command(env_file: Path) -> None:
    """Record until stopped. Outages never end it; wrong settings do, at once (exit code 78)."""
    configured = load(env_file)
    service.configure_log(configured)
    asyncio.run(service.run(configured, SystemClock()))

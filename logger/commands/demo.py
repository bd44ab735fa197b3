"""`demo`: the recorder doing its real job against a stand-in gateway, with a live view."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.live import Live

from logger import log
from logger.clock import FastClock
from logger.commands.ui.demo_view import DemoView
from logger.daemon import app
from logger.errors import StateError
from logger.settings.load import Settings, load_settings
from logger.store.folder import is_demo, mark_demo

_ZONE: Final = "Europe/Madrid"
_DAYS_BACK: Final = 2
_START_HOUR: Final = 9


@click.command("demo", short_help="Record an invented site, with a live view.")
@click.option(
    "--speed", type=click.FloatRange(1, 600), default=240, show_default=True, help="How much faster time runs."
)
@click.option("--seconds", type=click.FloatRange(1), default=None, help="Stop by itself after this long.")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="The demo's own folder; emptied at each start.",
)
def command(speed: float, seconds: float | None, state_dir: Path | None) -> None:
    """Record an invented site: no hardware, no account, no database. Nothing of it can reach a real one."""
    folder = Path(os.path.expanduser(state_dir or "~/.local/state/envoy-logger-demo"))
    if str(folder).startswith("~"):
        raise click.UsageError("this user has no home folder: give --state-dir")
    _empty(folder)
    now = time.time()
    clock = FastClock(now, _find_start(now), speed, patience_s=5.0)
    simulator = subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", "logger", "simulate", "--clock", str(clock.origin), str(clock.start), str(clock.rate)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        configured = load_settings(
            None, environ={**_read_settings(simulator), "LOGGER_STATE_DIR": str(folder), "LOGGER_TIMEZONE": _ZONE}
        )
        with (folder / "demo.log").open("w", encoding="utf-8") as log_file:
            log.protect(configured.secrets.values())
            log.configure("info", "text", stream=log_file)
            asyncio.run(_watch(configured, clock, seconds, folder))
    finally:
        simulator.terminate()
        simulator.wait(timeout=10)


def _empty(folder: Path) -> None:
    """Empty the demo's folder; a folder that is not marked as the demo's is never touched."""
    if folder.exists() and any(folder.iterdir()):
        if not is_demo(folder):
            raise StateError(f"{folder} is not empty and is not the demo's", "choose another with --state-dir.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    mark_demo(folder)


def _find_start(now: float) -> float:
    """Return nine in the morning at the site, two days ago, in unix seconds."""
    local = datetime.fromtimestamp(now - _DAYS_BACK * 86400, UTC).astimezone(ZoneInfo(_ZONE))
    return local.replace(hour=_START_HOUR, minute=0, second=0, microsecond=0).timestamp()


def _read_settings(simulator: subprocess.Popen[str]) -> dict[str, str]:
    """Read the settings that the stand-in prints when it is ready."""
    found: dict[str, str] = {}
    assert simulator.stdout is not None  # noqa: S101  a pipe was asked for
    while "ENPHASE_TOKEN_URL" not in found:
        line = simulator.stdout.readline()
        if not line:
            raise StateError("the stand-in gateway did not start", "envoy-logger simulate, to see why.")
        name, _, value = line.strip().partition("=")
        found[name] = value
    return found


async def _watch(configured: Settings, clock: FastClock, seconds: float | None, folder: Path) -> None:
    view = DemoView(clock, _ZONE)
    recorder = asyncio.create_task(app.run(configured, clock, demo=True, on_tick=view.take))
    console = Console()
    until = time.monotonic() + seconds if seconds else float("inf")
    if console.is_terminal:
        with Live(view, console=console, refresh_per_second=5, screen=False):
            while not recorder.done() and time.monotonic() < until:
                await asyncio.sleep(0.2)
    else:
        console.print(f"INVENTED DATA, time runs {clock.rate:g}× faster. Ctrl-C stops it.")
        said = 0.0
        while not recorder.done() and time.monotonic() < until:
            await asyncio.sleep(0.5)
            if view.rows and time.monotonic() - said > 2:
                said = time.monotonic()
                console.print(view.write_line(), soft_wrap=True)
    if not recorder.done():
        recorder.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await recorder
    said_last = f"Stopped. What was recorded lies in {folder}; the next demo starts afresh."
    console.print(said_last, highlight=False, soft_wrap=True)

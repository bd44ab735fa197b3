"""`demo`: run the real recorder against a simulated gateway, with a live view."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich.live import Live

from logger import log
from logger.clock import Clock, FastClock, SystemClock
from logger.commands.ui.console import make_console
from logger.commands.ui.demo_view import DemoView
from logger.commands.ui.invent_history import invent_history, write_site_files
from logger.commands.ui.paced_clock import PacedClock
from logger.daemon import app
from logger.daemon.collector import Collector
from logger.daemon.recorder import Recorder
from logger.days import days_before, first_instant, local_day
from logger.errors import StateError
from logger.outlets import open_outlets
from logger.settings.load import Settings, load_settings
from logger.simulator.invented_gateway import HISTORY_S, invent_gateway
from logger.site import Site
from logger.store.folder import is_demo, mark_demo

_ZONE: Final = "Europe/Madrid"
_DAYS_BACK: Final = 2
_START_HOUR: Final = 9
_LEAST_S: Final = 4 * 3600
_PORT: Final = 9817
_PACE: Final = "pace"
"""The file in the demo's folder that keeps the clocks of recorder and stand-in gateway equal."""
_LONGEST_START_S: Final = 20.0


@click.command("demo", short_help="Record an invented site, with a live view.")
@click.option(
    "--speed",
    type=click.FloatRange(1, 600),
    default=240,
    show_default=True,
    help="How many times faster the time runs.",
)
@click.option("--seconds", type=click.FloatRange(1), default=None, help="Stop after this number of seconds.")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="The demo's own folder, emptied at each start; by default ~/.local/state/envoy-logger-demo.",
)
@click.option("--influxdb-url", default="", help="Also write to this InfluxDB, which must hold only the demo's data.")
@click.option(
    "--http",
    default="",
    metavar="ADDRESS",
    help="The address of the page; by default 127.0.0.1:9817, or any free port if 9817 is in use.",
)
@click.option("--org", default="", help="The organisation in InfluxDB 2.x.")
@click.option("--influxdb-token-file", default="", metavar="FILE", help="A token that may write to this InfluxDB.")
def command(
    speed: float,
    seconds: float | None,
    state_dir: Path | None,
    influxdb_url: str,
    http: str,
    org: str,
    influxdb_token_file: str,
) -> None:
    """Record an invented site, without hardware, account or database.

    Settings are not read. The invented data is written to no database, except to the InfluxDB that --influxdb-url
    names.
    """
    folder = Path(os.path.expanduser(state_dir or "~/.local/state/envoy-logger-demo"))
    if str(folder).startswith("~"):
        raise click.UsageError("this user has no home folder: give --state-dir")
    _empty(folder)
    now = time.time()
    start = _find_start(now)
    model = invent_gateway("8-battery", epoch=start - HISTORY_S)
    files = write_site_files(folder, model, int(start))
    own = {
        "LOGGER_STATE_DIR": str(folder),
        "LOGGER_TIMEZONE": _ZONE,
        "LOGGER_HTTP": http or _choose_address(),
        "INFLUXDB_URL": influxdb_url,
        "INFLUXDB_ORG": org,
        "INFLUXDB_TOKEN_FILE": influxdb_token_file,
    }
    own |= files
    site = Site(zone=_ZONE, layout_file=files["LOGGER_LAYOUT_FILE"], tariff_file=files["LOGGER_TARIFF_FILE"])
    click.echo("Inventing two days …", err=True)
    invent_history(folder, model, site, SystemClock(), _go_back(start, _DAYS_BACK), int(start))
    clock = PacedClock.begin(folder / _PACE, start, speed, patience_s=5.0)
    with _simulate(clock, folder / _PACE) as environ, (folder / "demo.log").open("w", encoding="utf-8") as log_file:
        configured = load_settings(None, environ=environ | {name: value for name, value in own.items() if value})
        log.protect(configured.all_secrets)
        log.configure("info", "text", stream=log_file)
        asyncio.run(_record(configured, clock, seconds))
    stopped = f"Stopped. The recorded data is in {folder}; the next demo deletes this data."
    make_console().print(stopped, soft_wrap=True)


def _empty(folder: Path) -> None:
    """Empty the demo's folder, or make it.

    Raises StateError if the folder is not marked as the demo's folder, or if it cannot be used.
    """
    choose = "choose another folder with --state-dir."
    try:
        if folder.exists() and any(folder.iterdir()):
            if not is_demo(folder):
                raise StateError(f"{folder} is not empty and is not the demo's", choose)
            shutil.rmtree(folder)
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateError(f"{folder} cannot be used: {error.strerror or error}", choose) from error
    mark_demo(folder)


def _choose_address() -> str:
    """Return the usual address of the page.

    If another program uses the port of this address, return an address that means any free port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _PORT))
        except OSError:
            return "127.0.0.1:0"
    return f"127.0.0.1:{_PORT}"


def _find_start(now: float) -> float:
    """Return the last 09:00 at the site that is at least four hours ago, in unix seconds."""
    local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(_ZONE))
    start = local.replace(hour=_START_HOUR, minute=0, second=0, microsecond=0)
    if (local - start).total_seconds() < _LEAST_S:
        start -= timedelta(days=1)
    return start.timestamp()


def _go_back(start: float, days: int) -> int:
    """Return the first second, in unix time, of the local date that is `days` days before `start`."""
    day = local_day(start, _ZONE)
    return first_instant(days_before(day, days), _ZONE)


@contextlib.contextmanager
def _simulate(clock: PacedClock, pace: Path) -> Iterator[dict[str, str]]:
    """Run a simulated gateway as a subprocess. Yield the settings that the subprocess prints when ready."""
    numbers = [str(clock.origin), str(clock.start), str(clock.rate)]
    words = [sys.executable, "-m", "logger", "simulate", "--clock", *numbers, "--pace", str(pace)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as simulator:  # noqa: S603  this program
        assert simulator.stdout is not None  # noqa: S101  stdout is a pipe
        settings: dict[str, str] = {}
        try:
            while "ENPHASE_TOKEN_URL" not in settings:
                line = simulator.stdout.readline()
                if not line:
                    raise StateError(
                        "the stand-in gateway did not start", "run envoy-logger simulate, which shows the reason."
                    )
                name, _, settings[name] = line.strip().partition("=")
            yield settings
        finally:
            simulator.terminate()


async def _record(configured: Settings, clock: PacedClock, seconds: float | None) -> None:
    """Record and show the simulated site. `seconds`: the real seconds until the end; None means no limit."""
    view, recorders = DemoView(clock, _ZONE), asyncio.Queue[Recorder](1)

    def open_shown(settings: Settings, recorder: Recorder, of: Clock) -> contextlib.AbstractAsyncContextManager[None]:
        view.outlets = recorder.outlets
        recorders.put_nowait(recorder)
        return open_outlets(settings, recorder, of)

    def go_on(collector: Collector) -> None:
        view.take(collector)
        clock.permit()

    beginning = asyncio.create_task(_begin_once_heard(recorders, clock))
    tasks = [
        asyncio.create_task(app.run(configured, clock, demo=True, on_tick=go_on, open_outlets=open_shown)),
        asyncio.create_task(_show(view, clock)),
    ]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in (beginning, *tasks):
        task.cancel()
    for result in await asyncio.gather(beginning, *tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def _begin_once_heard(recorders: asyncio.Queue[Recorder], clock: PacedClock) -> None:
    """Start the demo's time when the recorder has recognised its gateway.

    A slow start of the recorder thus costs no demo time.
    """
    recorder = await recorders.get()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_START_S):
            version = 0
            while not recorder.collectors[0].serial:
                version = await recorder.news.wait_beyond(version)
    clock.permit()


async def _show(view: DemoView, clock: FastClock) -> None:
    """Draw the view on a terminal. If the output is no terminal, print one line every two seconds.

    The page's address is printed after the first poll, so that the page shows present values when it is opened.
    """
    console = make_console()
    if console.is_terminal:
        with Live(view, console=console, refresh_per_second=5, screen=False):
            await asyncio.Event().wait()
    console.print(f"INVENTED DATA, time runs {clock.rate:g}× faster. Ctrl-C stops the demo.")
    while not (view.page and view.rows):
        await asyncio.sleep(0.1)
    console.print(f"Open the page in a browser: {view.page}", soft_wrap=True)
    while True:
        await asyncio.sleep(2.0)
        if view.rows:
            console.print(view.write_line(), soft_wrap=True)

"""`demo`: the recorder doing its real job against a stand-in gateway, with a live view."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from logger import log, settings
from logger.clock import FastClock
from logger.errors import StateError
from logger.service import service
from logger.store.folder import is_demo, mark_demo

_ZONE: Final = "Europe/Madrid"
_DAYS_BACK: Final = 2
_START_HOUR: Final = 9
_BARS: Final = " ▁▂▃▄▅▆▇█"
_WIDTH: Final = 72


@click.command("demo")
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
    folder = (state_dir or Path("~/.local/state/envoy-logger-demo")).expanduser()
    _fresh(folder)
    now = time.time()
    clock = FastClock(now, _start(now), speed, patience_s=5.0)
    simulator = subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", "logger", "simulate", "--clock", str(clock.origin), str(clock.start), str(clock.rate)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        configured = settings.for_demo(
            {**_printed(simulator), "LOGGER_STATE_DIR": str(folder), "LOGGER_TIMEZONE": _ZONE}
        )
        with (folder / "demo.log").open("w", encoding="utf-8") as log_file:
            log.protect(configured.secrets())
            log.configure("info", "text", stream=log_file)
            asyncio.run(_watch(configured, clock, seconds, folder))
    finally:
        simulator.terminate()
        simulator.wait(timeout=10)


def _fresh(folder: Path) -> None:
    """Empty the demo's folder; a folder that is not marked as the demo's is never touched."""
    if folder.exists() and any(folder.iterdir()):
        if not is_demo(folder):
            raise StateError(f"{folder} is not empty and is not the demo's", "choose another with --state-dir.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    mark_demo(folder)


def _start(now: float) -> float:
    """Nine in the morning at the site, two days ago."""
    local = datetime.fromtimestamp(now - _DAYS_BACK * 86400, UTC).astimezone(ZoneInfo(_ZONE))
    return local.replace(hour=_START_HOUR, minute=0, second=0, microsecond=0).timestamp()


def _printed(simulator: subprocess.Popen[str]) -> dict[str, str]:
    """The settings that the stand-in prints when it is ready."""
    found: dict[str, str] = {}
    assert simulator.stdout is not None  # noqa: S101  a pipe was asked for
    while "ENPHASE_TOKEN_URL" not in found:
        line = simulator.stdout.readline()
        if not line:
            raise StateError("the stand-in gateway did not start", "envoy-logger simulate, to see why.")
        name, _, value = line.strip().partition("=")
        found[name] = value
    return found


async def _watch(configured: settings.Settings, clock: FastClock, seconds: float | None, folder: Path) -> None:
    view = View(clock, folder)
    recorder = asyncio.create_task(service.run(configured, clock, demo=True, on_tick=view.take))
    console = Console()
    until = time.monotonic() + seconds if seconds else float("inf")
    if console.is_terminal:
        with Live(view, console=console, refresh_per_second=5, screen=False):
            while not recorder.done() and time.monotonic() < until:
                await asyncio.sleep(0.2)
    else:
        said = 0.0
        while not recorder.done() and time.monotonic() < until:
            await asyncio.sleep(0.5)
            if view.rows and time.monotonic() - said > 2:
                said = time.monotonic()
                console.print(view.line(), soft_wrap=True)
    if not recorder.done():
        recorder.cancel()
    try:
        await recorder
    except asyncio.CancelledError:
        console.print(f"Stopped. What was recorded lies in {folder}; the next demo starts afresh.")
    else:
        console.print(f"Stopped. What was recorded lies in {folder}; the next demo starts afresh.")


class View:
    """What the demo shows: power now, today's energy, a curve of the day, inverters, rows stored."""

    def __init__(self, clock: FastClock, folder: Path) -> None:
        self.clock, self.folder = clock, folder
        self.values: dict[str, float] = {}
        self.rows = 0
        self.ticks = 0
        self.curve: deque[tuple[float, float]] = deque(maxlen=2 * 1440)

    def take(self, parts: service.Parts) -> None:
        """Remember what the last tick said."""
        done = parts.collector.collected
        if not done.values:
            return
        self.values, self.ticks = done.values, done.ticks
        self.rows = done.lines
        produced = done.values.get("production_power_w")
        if produced is not None:
            self.curve.append((done.last_tick, produced))

    def line(self) -> str:
        """One line, for output that is no terminal."""
        v = self.values
        return (
            f"{self._now():%a %H:%M}  sun {_watts(v.get('production_power_w'))}"
            f"  house {_watts(v.get('load_power_w'))}"
            f"  grid {_watts(v.get('net_power_w'))}  today {_kwh(v.get('production_today_wh'))}"
            f"  inverters {_inverters(v)}  rows {self.rows}"
        )

    def __rich__(self) -> Panel:
        v = self.values
        speed = "real time" if self.clock.caught_up else f"{self.clock.rate:g}× faster than real"
        head = Text.assemble(
            ("INVENTED DATA", "bold black on yellow"), f"  {self._now():%A %d %B %H:%M} at the site, {speed}"
        )
        if not v:
            body: list[Text | Table] = [head, Text("\nwaiting for the first reading …")]
        else:
            facts = Table.grid(padding=(0, 3))
            facts.add_row(
                Text(f"☀ {_watts(v.get('production_power_w'))}", style="bold #FADE2A"),
                Text(f"⌂ {_watts(v.get('load_power_w'))}", style="bold #5794F2"),
                Text(f"⇄ {_watts(v.get('net_power_w'))}", style="bold #B877D9"),
                Text(
                    f"▮ {_watts(v.get('battery_power_w'))} {v.get('battery_charge_percent', 0):.0f} %",
                    style="bold #73BF69",
                ),
            )
            facts.add_row("solar", "house", "grid (+ import)", "battery (+ discharging)", style="dim")
            counts = Table.grid(padding=(0, 3))
            counts.add_row("produced today", _kwh(v.get("production_today_wh")))
            counts.add_row("used today", _kwh(v.get("load_today_wh")))
            counts.add_row("inverters", _inverters(v))
            counts.add_row("stored", f"{self.rows} points of {self.ticks} minutes")
            body = [head, Text(), facts, Text(), *self._drawn(), Text(), counts]
        body += [Text(), Text("Ctrl-C stops it.", style="dim")]
        return Panel(Group(*body), title="envoy-logger demo", width=_WIDTH + 6)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.time(), UTC).astimezone(ZoneInfo(_ZONE))

    def _drawn(self) -> list[Text]:
        """The production of the last 24 hours, in three rows of blocks."""
        end = self.clock.time()
        bins: list[list[float]] = [[] for _ in range(_WIDTH)]
        for at, watts in self.curve:
            place = int((at - end + 86400) / 86400 * _WIDTH)
            if 0 <= place < _WIDTH:
                bins[place].append(watts)
        heights = [sum(b) / len(b) if b else 0.0 for b in bins]
        top = max([*heights, 1000.0])
        rows = 3
        drawn = []
        for row in range(rows - 1, -1, -1):
            cells = [max(0, min(8, round(h / top * rows * 8) - row * 8)) for h in heights]
            drawn.append(Text("".join(_BARS[c] for c in cells), style="#FADE2A"))
        drawn.append(Text(f"{'24 h ago':<{_WIDTH - 3}}now", style="dim"))
        return drawn


def _inverters(values: dict[str, float]) -> str:
    if "inverters" not in values:
        return "-"
    return f"{values.get('inverters_producing', 0):.0f} of {values['inverters']:.0f} producing"


def _watts(value: float | None) -> str:
    return "-" if value is None else f"{value / 1000:.2f} kW" if abs(value) >= 1000 else f"{value:.0f} W"


def _kwh(value: float | None) -> str:
    return "-" if value is None else f"{value / 1000:.2f} kWh"

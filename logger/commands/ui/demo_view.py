"""Draws the demo's live view: power now, today's energy, the day's curve, inverters, stored rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from logger.clock import FastClock
from logger.daemon.collector import Collector
from logger.model import Json

_BARS: Final = " ▁▂▃▄▅▆▇█"
_WIDTH: Final = 72
_ROWS: Final = 4
_DAY_S: Final = 86400
_SUN, _HOUSE, _GRID, _BATTERY = "#FADE2A", "#5794F2", "#B877D9", "#73BF69"


class DemoView:
    """The view of the demo on the terminal. `curve`: pairs of unix seconds and produced power in W."""

    def __init__(self, clock: FastClock, zone: str) -> None:
        self.clock, self.zone = clock, ZoneInfo(zone)
        self.values: dict[str, float] = {}
        self.rows = 0
        self.ticks = 0
        self.curve: list[tuple[float, float]] = []
        self.outlets: Mapping[str, Json] = {}

    @property
    def page(self) -> str:
        """Return the address of the page; empty until the page is served."""
        return str(self.outlets.get("page", ""))

    def take(self, collector: Collector) -> None:
        """Show the values of a collector's last tick. Add the production of this tick to the curve."""
        done = collector.collected
        if not done.values:
            return
        self.values, self.ticks = done.values, done.ticks
        self.rows = done.lines
        produced = done.values.get("production_power_w")
        if produced is not None:
            self.curve = [*self.curve[-1440:], (done.last_tick, produced)]

    def write_line(self) -> str:
        """Write the values as one line, for output that is not a terminal."""
        v = self.values
        return (
            f"{self._now():%a %H:%M}  sun {_format_watts(v.get('production_power_w'))}"
            f"  house {_format_watts(v.get('load_power_w'))}"
            f"  grid {_format_watts(v.get('net_power_w'))}  today {_format_kwh(v.get('production_today_wh'))}"
            f"  inverters {_count_inverters(v)}  rows {self.rows}"
        )

    def __rich__(self) -> Panel:
        v = self.values
        speed = "real time" if self.clock.caught_up else f"{self.clock.rate:g}× faster"
        head = Text.assemble(
            ("INVENTED DATA", "bold black on yellow"), f"  {self._now():%A %d %B %H:%M} at the site, {speed}"
        )
        if not v:
            body: list[Text | Table] = [head, Text("\nwaiting for the first reading …")]
        else:
            facts = Table.grid(padding=(0, 3))
            facts.add_row(
                Text(f"☀ {_format_watts(v.get('production_power_w'))}", style=f"bold {_SUN}"),
                Text(f"⌂ {_format_watts(v.get('load_power_w'))}", style=f"bold {_HOUSE}"),
                Text(f"⇄ {_format_watts(v.get('net_power_w'))}", style=f"bold {_GRID}"),
                Text(
                    f"▮ {_format_watts(v.get('battery_power_w'))} {v.get('battery_charge_percent', 0):.0f} %",
                    style=f"bold {_BATTERY}",
                ),
            )
            facts.add_row("solar", "house", "grid (+ import)", "battery (+ discharging)", style="dim")
            counts = Table.grid(padding=(0, 3))
            counts.add_row("produced today", _format_kwh(v.get("production_today_wh")))
            if "load_today_wh" in v:
                counts.add_row("used today", _format_kwh(v["load_today_wh"]))
            counts.add_row("inverters", _count_inverters(v))
            counts.add_row("stored", f"{self.rows} points of {self.ticks} minutes")
            body = [head, Text(), facts, Text(), *self._draw_day(), Text(), counts]
        look = [Text.assemble("Open the page in a browser: ", (self.page, "bold underline"))] if self.page else []
        body += [Text(), *look, Text("Ctrl-C stops the demo.", style="dim")]
        return Panel(Group(*body), title="envoy-logger demo", width=_WIDTH + 6)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.time(), UTC).astimezone(self.zone)

    def _draw_day(self) -> list[Text]:
        """Draw today's production from midnight to midnight, in rows of blocks."""
        midnight = self._now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        bins: list[list[float]] = [[] for _ in range(_WIDTH)]
        for at, watts in self.curve:
            place = int((at - midnight) / _DAY_S * _WIDTH)
            if 0 <= place < _WIDTH:
                bins[place].append(watts)
        heights = [sum(b) / len(b) if b else 0.0 for b in bins]
        top = max([*heights, 1000.0])
        drawn = []
        for row in range(_ROWS - 1, -1, -1):
            cells = [max(0, min(8, round(h / top * _ROWS * 8) - row * 8)) for h in heights]
            drawn.append(Text("".join(_BARS[c] for c in cells), style=_SUN))
        quarter = _WIDTH // 4
        drawn.append(Text("─" * _WIDTH, style="dim"))
        drawn.append(Text("".join(f"{hour:<{quarter}}" for hour in ("0 h", "6 h", "12 h", "18 h")), style="dim"))
        return drawn


def _count_inverters(values: dict[str, float]) -> str:
    if "inverters" not in values:
        return "-"
    return f"{values.get('inverters_producing', 0):.0f} of {values['inverters']:.0f} producing"


def _format_watts(value: float | None) -> str:
    return "-" if value is None else f"{value / 1000:.2f} kW" if abs(value) >= 1000 else f"{value:z.0f} W"


def _format_kwh(value: float | None) -> str:
    return "-" if value is None else f"{value / 1000:.2f} kWh"

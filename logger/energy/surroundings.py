"""Define the surroundings of the counters at a tick, and what a day and a quarter of an hour keep of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Hold what a tick measured besides counters and powers. None means unknown.

    `volts`: the least and the greatest voltage of the phases. `hertz`: the least and the greatest frequency.
    """

    volts: tuple[float, float] | None = None
    hertz: tuple[float, float] | None = None
    is_on_grid: bool | None = None
    battery_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Extremes:
    """Hold the least and greatest values of a local day. None means that a value was never known on that day.

    `peak_import_w`, `peak_export_w` and `base_load_w` are means over a quarter of an hour. `peak_import_at`: the
    local time, as HH:MM, at which the quarter of the greatest import began. Voltage and frequency count only while
    the site is on the grid. `off_grid_s`: seconds without the grid.
    """

    peak_import_w: float | None = None
    peak_import_at: str | None = None
    peak_export_w: float | None = None
    base_load_w: float | None = None
    voltage_min_v: float | None = None
    voltage_max_v: float | None = None
    frequency_min_hz: float | None = None
    frequency_max_hz: float | None = None
    battery_min_percent: float | None = None
    battery_max_percent: float | None = None
    off_grid_s: float | None = None


@dataclass(frozen=True, slots=True)
class Quarter:
    """Hold the sums of the powers in W over the quarter of an hour that began at `at`, and their number of ticks."""

    at: int = 0
    net_w: float = 0.0
    net_ticks: int = 0
    load_w: float = 0.0
    load_ticks: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Hold when the grid's state was last known (0: never), and when the site lost the grid (0: it has not)."""

    at: int = 0
    lost_at: int = 0

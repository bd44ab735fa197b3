"""Define the surroundings of a tick, and the extremes of a day.

Surroundings are measurements that are neither counters nor powers. Two further values are kept until an extreme is
known: the sums of a quarter of an hour, and the time at which the site lost the grid.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The measurements of a tick that are neither counters nor powers. None means unknown.

    `volts`: the least and the greatest voltage of the phases, in V. `hertz`: the least and the greatest frequency, in
    Hz. `is_on_grid`: whether the site is connected to the grid. `battery_percent`: the charge of the batteries.
    """

    volts: tuple[float, float] | None = None
    hertz: tuple[float, float] | None = None
    is_on_grid: bool | None = None
    battery_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Extremes:
    """The least and greatest values of a local day. None means that a value was unknown on the whole day.

    `peak_import_w`, `peak_export_w` and `base_load_w` are means over a quarter of an hour. `peak_import_at`: the
    local time, as HH:MM, at which the quarter of an hour with the greatest import began. Voltage and frequency count
    only while the site is on the grid. `off_grid_s`: seconds without the grid.
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
    """The sums of the powers in W over a quarter of an hour, and the number of ticks with each power.

    `at`: the beginning of the quarter of an hour, in unix seconds.
    """

    at: int = 0
    net_w: float = 0.0
    net_ticks: int = 0
    load_w: float = 0.0
    load_ticks: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """The unix times at which the grid's state was last known, and at which the site lost the grid.

    `at`: 0 if the grid's state was never known. `lost_at`: 0 while the site is on the grid.
    """

    at: int = 0
    lost_at: int = 0

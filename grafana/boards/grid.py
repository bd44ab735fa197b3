"""Define the board Grid: voltage, frequency, each phase, peaks and outages."""

from __future__ import annotations

from typing import Final

from grafana.board import Board, Section
from grafana.kinds import columns, curve, listing, shaded, states, stats
from grafana.looks import BAD, BELOW_ZERO, DASHED, UNLISTED, Look
from grafana.query.asked import SHOWN, Rows
from grafana.query.curves import Curve, CurveByTag, LimitLine, NominalLine, Shade, States
from grafana.query.days import DayCurve, DayIn
from grafana.query.each import Listing
from grafana.query.newest import Flow, Newest, NewestByTag
from grafana.transformations import begins

_PHASES: Final = ("L1", "L2", "L3")
_NEEDS: Final = "This needs a meter at the grid."
_NEEDS_NOW: Final = "This needs a meter at the grid, or nothing was recorded in the last ten minutes."
_MEASURED: Final = (("meter", "net-consumption"),)
_METER: Final = Rows("envoy_meter", ("voltage_v",), where=_MEASURED)
"""The meter at the grid, which has a point at each time at which its phases have one."""
_FREQUENCY: Final = Rows("envoy_meter", ("frequency_hz",), where=_MEASURED)
_LIMITS: Final = {
    "low": Look("Lowest allowed", BAD, "volt", more={**DASHED, **UNLISTED}),
    "high": Look("Limits", BAD, "volt", more=DASHED),
}


def _phase(field: str, since: str = SHOWN) -> Rows:
    return Rows("envoy_phase", (field,), since, _MEASURED)


def _day(*fields: str) -> Rows:
    return Rows("envoy_day", fields)


def _named(unit: str) -> dict[str, Look]:
    return {phase: Look(unit=unit) for phase in _PHASES}


GRID: Final = Board(
    "envoy-grid",
    "Grid",
    "Voltage, frequency and power of each phase, the highest powers of each day, and the outages of "
"the grid.",
    (
        Section(
            "",
            (
                stats(
                    "",
                    "Power of the grid, voltage of each phase, and frequency, at most ten minutes old.",
                    (24, 5),
                    Flow(Rows("envoy_totals", ("net_power_w",), "10m"), "from_grid_w", "to_grid_w", "idle_grid_w"),
                    NewestByTag(_phase("voltage_v", "10m"), "phase", _PHASES),
                    Newest(Rows("envoy_meter", ("frequency_hz",), "10m", _MEASURED)),
                    ground=True,
                    absent=_NEEDS_NOW,
                ),
                curve(
                    "Voltage of each phase",
                    "Mean voltage of each phase, and the two limits from the top of the board. Grey: "
                    "nothing was recorded. Red: the site was without the grid.",
                    (24, 9),
                    CurveByTag(_phase("voltage_v"), "phase", names=_PHASES),
                    LimitLine("low", _METER, "low_v"),
                    LimitLine("high", _METER, "high_v"),
                    Shade("unrecorded", _METER),
                    Shade("off_grid", Rows("envoy_grid", ("grid_state",)), "off-grid"),
                    zero=False,
                    fill=0,
                    interval="1m",
                    looks=shaded(**_LIMITS),
                    absent=_NEEDS,
                ),
                curve(
                    "Power of each phase",
                    "Above zero, power comes from the grid. Below zero, power goes to the grid.",
                    (12, 8),
                    CurveByTag(_phase("power_w"), "phase", names=_PHASES),
                    fill=0,
                    interval="1m",
                    looks=_named("watt"),
                    absent=_NEEDS,
                ),
                curve(
                    "Frequency",
                    "Mean frequency of the grid over the time shown. The two lines are 0.1 Hz below and above the "
                    "nominal frequency.",
                    (12, 8),
                    Curve(_FREQUENCY),
                    NominalLine("usual_low_hz", _FREQUENCY, -0.1),
                    NominalLine("usual_high_hz", _FREQUENCY, 0.1),
                    zero=False,
                    fill=0,
                    interval="1m",
                    absent=_NEEDS,
                ),
                states(
                    "On and off the grid",
                    "Times on and off the grid, as reported by a controller or collar. The line named Readings shows "
                    "when readings were recorded.",
                    (12, 6),
                    States(Rows("envoy_grid", ("grid_state", "generator_state"))),
                    Shade("readings", Rows("envoy_totals", ("production_power_w",))),
                    interval="1m",
                    absent="no device reports the state of the grid",
                ),
                listing(
                    "Outages of the last two years",
                    "Begin, end and duration of each outage of the grid.",
                    (12, 6),
                    Listing(Rows("envoy_event", ("duration_s",), "730d", (("kind", "grid_back"),))),
                    order=("begin", "Time", "duration_s"),
                    hidden=("duration_ms",),
                    sort="Time",
                    down=True,
                    transformations=begins("begin", "duration"),
                    looks={"begin": Look("From", unit="dateTimeAsSystem"),
                           "Time": Look("Until"),
                           "duration_s": Look("Duration", BAD)},
                    absent="none recorded",
                ),
            ),
        ),
        Section(
            "Days",
            (
                curve(
                    "Voltage of each day, ninety days",
                    "The lowest and highest voltage of any phase on each local day. Times off the grid do not count.",
                    (12, 8),
                    DayCurve(_day("voltage_max_v", "voltage_min_v")),
                    LimitLine("low", _day("voltage_min_v"), "low_v"),
                    LimitLine("high", _day("voltage_min_v"), "high_v"),
                    zero=False,
                    time_from="90d",
                    interval="1d",
                    looks={"voltage_max_v": Look(more={"custom.fillBelowTo": "voltage_min_v"}),
                           "voltage_min_v": Look(more={"custom.fillOpacity": 0}), **_LIMITS},
                    absent=_NEEDS,
                ),
                curve(
                    "Frequency of each day, ninety days",
                    "The lowest and highest frequency on each local day. Times off the grid do not count.",
                    (12, 8),
                    DayCurve(_day("frequency_max_hz", "frequency_min_hz")),
                    zero=False,
                    time_from="90d",
                    looks={"frequency_max_hz": Look(more={"custom.fillBelowTo": "frequency_min_hz"}),
                           "frequency_min_hz": Look(more={"custom.fillOpacity": 0})},
                    absent=_NEEDS,
                ),
                columns(
                    "Highest power each month",
                    "The greatest mean power over a quarter of an hour in each month. Power from the grid is above "
                    "zero, power to the grid is below zero.",
                    (12, 8),
                    DayCurve(Rows("envoy_month", ("peak_import_w", "peak_export_w"))),
                    time_from="400d",
                    looks={"peak_export_w": Look("Highest to grid (below zero)", more=BELOW_ZERO)},
                    absent=_NEEDS,
                ),
                columns(
                    "Time without the grid each month",
                    "Time for which the site was without the grid.",
                    (12, 8),
                    DayIn("off_grid_h", Rows("envoy_month", ("off_grid_s",)), 3600),
                    time_from="400d",
                    legend=False,
                    absent="no device reports the state of the grid",
                ),
                columns(
                    "Base load each day",
                    "The least mean power of the house over a quarter of an hour, on each of the last "
                    "thirty days.",
                    (24, 6),
                    DayCurve(_day("base_load_w")),
                    time_from="30d",
                    legend=False,
                    absent=_NEEDS,
                ),
            ),
        ),
    ),
    variables=("low_v", "high_v"),
    since="now-24h",
)  # fmt: skip

"""Define the board Energy: the energy and money of days, months and years, and the days with the most energy."""

from __future__ import annotations

from typing import Final

from grafana.board import Board, Panel, Section
from grafana.boards.parts import MONEY
from grafana.kinds import MANY_POINTS, bars, columns, curve, heat, listing, stats
from grafana.looks import BAD, BELOW_ZERO, GOOD, OF_HUNDRED, PLAIN, SOLAR, WHOLE, Look
from grafana.query.asked import BEFORE, SHOWN, Rows
from grafana.query.days import DayCurve, DayDifferences, DayShares
from grafana.query.each import Each, Listing
from grafana.query.hours import HoursOfDays
from grafana.query.spans import Spans, SpanTotal, SpanTotalShare, TopSpans, TotalByTag
from grafana.transformations import changes, hours_by_day

_MAIN: Final = ("production_wh", "load_wh", "grid_import_wh", "grid_export_wh")
_BATTERY: Final = ("battery_charged_wh", "battery_discharged_wh")
_MONEY: Final = ("cost", "income", "saved")
_BARS: Final = ("saved", "income", "cost")
"""The order of the bars, from back to front. The savings include the income, so the income's bar is in front."""
_MONTHS: Final = "400d"
_YEAR: Final = "400d"
_HEAT_YEAR: Final = "52w"
"""Less than 365 days, so that Grafana writes days instead of months below the heat map, none of them twice."""
_YEARS: Final = "4000d"
_WHOLE: Final = Look(more=WHOLE)
_SMOOTH: Final = Look(
    more={
        **WHOLE,
        **OF_HUNDRED,
        "custom.showPoints": "always",
        "custom.pointSize": 6,
        "custom.lineInterpolation": "smooth",
        "custom.lineWidth": 2,
        "custom.spanNulls": False,
    }
)
_AMOUNTS: Final = {name: Look(more={"decimals": 2}) for name in _MONEY}
_BELOW: Final = {**_AMOUNTS, "cost": Look("Cost (below zero)", more={"decimals": 2, **BELOW_ZERO})}
_MORE_IS_GOOD: Final = Look(steps=((None, BAD), (-0.005, PLAIN), (0.005, GOOD)))
_LESS_IS_GOOD: Final = Look(steps=((None, GOOD), (-0.005, PLAIN), (0.005, BAD)))
"""Colour steps of a change from the year before. A change that is written as 0 % has the colour of the text."""
_NEEDS_METER: Final = "This needs a meter at the grid."
_NEEDS_TARIFF: Final = "This needs a tariff file with your prices. Set LOGGER_TARIFF_FILE to its path."


def _days(*fields: str) -> Rows:
    return Rows("envoy_day", fields)


def _months(*fields: str) -> Rows:
    return Rows("envoy_month", fields, _MONTHS)


def _sums() -> Panel:
    return stats(
        "In the time shown (30 days, unless you choose another time)",
        "The sums of all local days in the time shown.",
        (24, 5),
        SpanTotal(_days(*_MAIN, *_BATTERY)),
        SpanTotalShare("own_use_percent", _days("grid_export_wh", "production_wh"), left=True),
        SpanTotalShare("self_sufficient_percent", _days("grid_import_wh", "load_wh"), left=True),
        ground=True,
        looks={"own_use_percent": _WHOLE, "self_sufficient_percent": _WHOLE},
        absent="No day of this time was recorded. The row of a day is written with the day's first reading.",
    )


def _compared() -> Panel:
    energies = (*_MAIN, *_BATTERY)
    totals = SpanTotal(_days(*energies)), SpanTotal(Rows("envoy_day", energies, BEFORE), "before_")
    made = tuple(f"{name}_change" for name in energies)
    return stats(
        "More or less than a year before",
        "The sum of each energy in the time shown, compared with its sum in the time that lies 365 days earlier. "
        "−10 %: a tenth less. Green: more energy from the sun or to the grid, or less energy for the house or from "
        "the grid. Red: the opposite.",
        (24, 5),
        *totals,
        order=made,
        hidden=(*energies, *totals[1].columns, *(f"ratio_{name}" for name in energies)),
        transformations=changes(energies, "before_"),
        looks={
            "production_wh_change": _MORE_IS_GOOD,
            "load_wh_change": _LESS_IS_GOOD,
            "grid_import_wh_change": _LESS_IS_GOOD,
            "grid_export_wh_change": _MORE_IS_GOOD,
        },
        absent="The days of the year before were not recorded.",
    )


ENERGY: Final = Board(
    "envoy-energy",
    "Energy",
    "Days, months, years, records and costs, computed from local days.",
    (
        Section(
            "",
            (
                _sums(),
                _compared(),
                bars(
                    "Each day (today: to the last quarter of an hour)",
                    "Energy of each local day in the time shown.",
                    (14, 9),
                    Spans(_days(*_MAIN)),
                    along="local_date",
                ),
                bars(
                    "Each month (this month so far)",
                    "Energy of each month.",
                    (10, 9),
                    Spans(_months(*_MAIN)),
                    along="local_month",
                    absent="the first month has no row yet",
                ),
                heat(
                    "The sun of a year, hour by hour",
                    "Energy from the sun in each local hour of each local day, over 52 weeks. No colour: the hour "
                    "had no sun, or was not recorded. An hour of the day is left out if it had no sun in the whole "
                    "year.",
                    (24, 9),
                    HoursOfDays(Rows("envoy_hour", ("production_wh",))),
                    unit="watth",
                    gap=0,
                    points=MANY_POINTS,
                    time_from=_HEAT_YEAR,
                    transformations=hours_by_day("production_wh"),
                    absent="the first hour has no row yet",
                ),
            ),
        ),
        Section(
            "Months",
            (
                columns(
                    "Where the sun's energy went",
                    "Energy from the panels in each month: used here (including the charge of the battery), or given "
"to the grid.",
                    (12, 9),
                    DayDifferences(
                        Rows("envoy_month", ("grid_export_wh", "production_wh")),
                        (("own_use_wh", "production_wh", "grid_export_wh"),),
                    ),
                    stacked=True,
                    hidden=("production_wh",),
                    time_from=_YEAR,
                    looks={"own_use_wh": Look("Used here", SOLAR)},
                    absent=_NEEDS_METER,
                ),
                columns(
                    "Where the house's energy came from",
                    "Energy that the house used in each month: from sun and battery, or from the grid.",
                    (12, 9),
                    DayDifferences(
                        Rows("envoy_month", ("grid_import_wh", "load_wh")),
                        (("from_sun_wh", "load_wh", "grid_import_wh"),),
                    ),
                    stacked=True,
                    hidden=("load_wh",),
                    time_from=_YEAR,
                    looks={"from_sun_wh": Look("From sun and battery", SOLAR)},
                    absent=_NEEDS_METER,
                ),
                curve(
                    "Own use and self-sufficiency",
                    "Own use: the part of the sun's energy that was not given to the grid. Self-sufficient: the part "
                    "of the house's energy that did not come from the grid.",
                    (12, 9),
                    DayShares(
                        Rows("envoy_month", ("grid_export_wh", "production_wh", "grid_import_wh", "load_wh")),
                        (
                            ("own_use_percent", "grid_export_wh", "production_wh", True),
                            ("self_sufficient_percent", "grid_import_wh", "load_wh", True),
                        ),
                    ),
                    time_from=_YEAR,
                    looks={"own_use_percent": _SMOOTH, "self_sufficient_percent": _SMOOTH},
                    absent="This needs a meter at the grid, and a day with energy.",
                ),
                bars(
                    "Each year (this year so far)",
                    "Energy of each year. The first year may have begun before the recorder.",
                    (12, 9),
                    Spans(Rows("envoy_year", _MAIN, _YEARS)),
                    along="local_year",
                    values="auto",
                    absent="the first year has no row yet",
                ),
            ),
        ),
        Section(
            "Records",
            (
                listing(
                    "The ten best days",
                    "The days with the most energy from the sun, of all recorded days.",
                    (8, 12),
                    TopSpans(Rows("envoy_day", ("production_wh", "load_wh", "grid_export_wh"), _YEARS)),
                    order=("local_date", "production_wh", "load_wh", "grid_export_wh"),
                    hidden=("Time", "_start", "_stop"),
                    sort="production_wh",
                    down=True,
                ),
                listing(
                    "The best of each year (this year so far)",
                    "The best day and the highest powers of each year. The highest powers of sun and house are "
                    "single readings. The highest powers from and to the grid are means over a quarter of an hour.",
                    (16, 12),
                    Listing(
                        Rows(
                            "envoy_year",
                            (
                                "local_year", "best_day", "best_day_wh", "peak_production_w", "peak_load_w",
                                "peak_import_w", "peak_import_at", "peak_export_w",
                            ),
                            _YEARS,
                        )
                    ),
                    order=(
                        "local_year", "best_day", "best_day_wh", "peak_production_w", "peak_load_w", "peak_import_w",
                        "peak_import_at", "peak_export_w",
                    ),
                    hidden=("Time",),
                    looks={
                        "best_day_wh": Look("Energy of that day"),
                        "peak_production_w": Look("Solar power"),
                        "peak_load_w": Look("House power"),
                        "peak_import_w": Look("Power from grid"),
                        "peak_import_at": Look("… from grid at"),
                        "peak_export_w": Look("Power to grid"),
                    },
                ),
                listing(
                    "Month by month (this month so far)",
                    "The rows of all months: energy, highest powers, and the recorded part of the time. Today counts "
                    "as a whole day, so the recorded part of this month is too low until midnight.",
                    (24, 17),
                    Spans(
                        Rows(
                            "envoy_month",
                            (*_MAIN, *_BATTERY, "peak_production_w", "peak_load_w", "days", "coverage_percent"),
                            _YEARS,
                        )
                    ),
                    order=(
                        "local_month", *_MAIN, *_BATTERY, "peak_production_w", "peak_load_w", "days",
                        "coverage_percent",
                    ),
                    hidden=("Time",),
                    sort="local_month",
                    down=True,
                ),
            ),
        ),
        Section(
            "Costs",
            (
                stats(
                    "Money in the time shown (saved includes the income)",
                    MONEY,
                    (8, 9),
                    SpanTotal(_days(*_MONEY)),
                    Each(_days("currency"), ("gateway",)),
                    is_time=True,
                    hidden=("Time", "_time", "gateway"),
                    looks=_AMOUNTS,
                    absent=_NEEDS_TARIFF,
                ),
                columns(
                    "Money each month",
                    "Savings and cost of each month. The savings (including the income) are above zero, the cost is "
                    "below zero.",
                    (16, 9),
                    DayCurve(Rows("envoy_month", _BARS)),
                    time_from=_YEAR,
                    looks=_BELOW,
                    absent=_NEEDS_TARIFF,
                ),
                listing(
                    "Price bands in the time shown",
                    "Energy and money of each price band of the tariff; `standing` is the standing charge.",
                    (12, 7),
                    TotalByTag(
                        Rows("envoy_band_day", ("grid_import_wh", "cost", "grid_export_wh", "income"), SHOWN), "band"
                    ),
                    order=("band", "grid_import_wh", "cost", "grid_export_wh", "income"),
                    hidden=("Time",),
                    looks=_AMOUNTS,
                    absent=_NEEDS_TARIFF,
                ),
                columns(
                    "Money each day",
                    "Savings and cost of each local day in the time shown. The savings (including the income) are "
                    "above zero, the cost is below zero.",
                    (12, 7),
                    DayCurve(_days(*_BARS)),
                    looks=_BELOW,
                    absent=_NEEDS_TARIFF,
                ),
            ),
        ),
        Section(
            "A house with several gateways",
            (
                listing(
                    "Each day of all gateways: ${site}",
                    "Energy of each local day in the time shown, of all gateways of the site together.",
                    (24, 17),
                    Spans(Rows("envoy_site_day", _MAIN)),
                    order=("local_date", *_MAIN),
                    hidden=("Time",),
                    sort="local_date",
                    down=True,
                    repeat="site",
                    absent="No site here has several gateways.",
                ),
            ),
            is_closed=True,
        ),
    ),
    variables=("site",),
    since="now-30d",
    refresh="5m",
    events=False,
)  # fmt: skip

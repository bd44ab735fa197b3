"""Define the board Panels: the roof, each panel in comparison with its group, and weak and silent panels."""

from __future__ import annotations

from typing import Final

from grafana.board import Board, Section
from grafana.kinds import MANY_POINTS, gauges, heat, listing, stats
from grafana.looks import (
    BAD,
    COLORED_TEXT,
    FILLED_CELL,
    GROUNDS,
    ILL,
    NOTHING,
    WEAK,
    WHOLE,
    Look,
    cell,
    steps_of_share,
)
from grafana.query.asked import Rows
from grafana.query.cells import CurveByPanel, HourShares, PanelDays, PanelNames
from grafana.query.each import CountAbove, Each
from grafana.query.newest import Newest
from grafana.query.roof import SILENT, RoofCells, WeekShares
from grafana.transformations import cells, join_by, roof_cells
from logger.panels.watch import WEAK_DAYS

_GROUP: Final = (("panel_group", "${group:regex}"),)
_RECENT: Final = "50h"
"""Long enough to include the newest day row at each time of the day."""
_CENTERED: Final = {"custom.align": "center"}
_THIS_PANEL: Final = "/d/envoy-panel?var-inverter=${__data.fields.serial}&${gateway:queryparam}"
_OF_HUNDRED: Final = Look(unit="percent", steps=steps_of_share(100.0, behind=True), more={**FILLED_CELL, **_CENTERED})


def _day_rows(*fields: str, since: str = _RECENT) -> Rows:
    return Rows("envoy_inverter_day", fields, since, _GROUP)


PANELS: Final = Board(
    "envoy-panels",
    "Panels",
    "Every panel compared with its group: today on the roof, over the last week, and over ninety "
"days.",
    (
        Section(
            "",
            (
                stats(
                    "",
                    "Three numbers of inverters: those that are installed, those that produce now, and those that "
"report. Weak: number of panels below 80 % of their group (or your LOGGER_PANEL_ALERT_PERCENT) on three or more "
"sunny days in a row. Silent: number of panels that reported nothing on the newest day on which other panels "
"reported.",
                    (24, 5),
                    Newest(
                        Rows("envoy_totals", ("inverters", "inverters_producing", "inverters_communicating"), "15m")
                    ),
                    CountAbove("weak", _day_rows("low_days"), WEAK_DAYS),
                    CountAbove("silent", _day_rows("silent_days")),
                    looks={"weak": Look("Weak panels"), "silent": Look("Silent panels")},
                    absent="No list of inverters was recorded in the last fifteen minutes.",
                ),
                listing(
                    "The roof today, % of the group: ${group}",
                    "Each panel at its place on the roof, with its name. The percentage is the panel's energy on "
                    "the newest day, divided by the group's median on that day. Amber: below 95 %. Red: below 80 %. "
                    "A silent panel reported nothing on the newest day on which other panels reported. "
                    "The places are `panel_row` and `panel_column` of the layout file.",
                    (24, 5),
                    RoofCells(
                        _day_rows("panel_row", "panel_column", "panel", "group_ratio", "silent_days")
                    ),
                    order=tuple(str(number) for number in range(41)),
                    head=False,
                    transformations=roof_cells(),
                    looks={
                        "/^\\d+$/": Look(
                            texts={str(SILENT): ("silent", GROUNDS[BAD]), r"/^(\d+)$/": ("$1", NOTHING)},
                            more={"custom.minWidth": 40},
                        ).over(_OF_HUNDRED),
                    },
                    repeat="group",
                    absent="No day to compare yet. The roof needs a layout file with rows and columns. "
                           "Set LOGGER_LAYOUT_FILE to its path.",
                ),
                heat(
                    "Power of each panel",
                    "A line for each panel. No colour: the panel's inverter reported nothing.",
                    (9, 17),
                    PanelNames(Rows("envoy_inverter_status", ("communicating",), "15m", _GROUP)),
                    CurveByPanel("power_w", Rows("envoy_inverter", ("power_w",), where=_GROUP)),
                    unit="watt",
                    interval="15m",
                    transformations=cells("Time", "panel", "power_w"),
                    absent="no inverter reported in the time shown",
                ),
                listing(
                    "Panels, worst first",
                    "Each panel's last seven days compared with its group, and the panel's newest state. Weak: "
                    "number of sunny days in a row below 80 % of the group (or your LOGGER_PANEL_ALERT_PERCENT). A "
                    "panel is weak from the third of these sunny days on. Flags: the gateway's flags of the last "
                    "report, if the report is less than a day old. A click on a name opens the board of the panel.",
                    (15, 17),
                    Each(_day_rows("panel", "energy_wh", "group_ratio_7d", "low_days", "silent_days")),
                    Each(Rows("envoy_inverter", ("power_w", "temperature_c"), "70m", _GROUP)),
                    Each(Rows("envoy_inverter_status", ("report_age_s",), "15m", _GROUP)),
                    Each(
                        Rows("envoy_inverter_status", ("fault", "conditions", "report_age_s"), "15m", _GROUP),
                        age="report_age_s",
                    ),
                    order=(
                        "panel", "power_w", "energy_wh", "group_ratio_7d", "low_days", "silent_days",
                        "temperature_c", "report_age_s", "fault", "conditions", "serial",
                    ),
                    hidden=("Time", "Time 1", "Time 2", "Time 3", "Time 4"),
                    transformations=join_by("serial"),
                    sort="group_ratio_7d",
                    looks={
                        "group_ratio_7d": Look(
                            steps=steps_of_share(1.0, behind=True), more={**FILLED_CELL, **cell(165)}
                        ),
                        "panel": Look(more={**cell(80), "links": [{"title": "", "url": _THIS_PANEL}]}),
                        "power_w": Look("Now", more={**WHOLE, **cell(80)}),
                        "energy_wh": Look(more=cell(95)),
                        "low_days": Look(unit="suffix: sunny days", more=cell(125)).over(WEAK),
                        "silent_days": Look("Silent", more=cell(90)).over(ILL),
                        "temperature_c": Look(more=cell(105)),
                        "report_age_s": Look(more={**COLORED_TEXT, **cell(105)}),
                        "fault": Look(more=cell(70)),
                    },
                ),
                gauges(
                    "Seven days, % of the group (full bar: 100 %)",
                    "Energy of each panel over seven days, divided by the group's median over these days. "
                    "The worst panel comes first. A full bar is 100 % or more.",
                    (24, 6),
                    WeekShares(_day_rows("panel", "group_ratio_7d", "silent_days")),
                    hidden=("Time",),
                    transformations=(
                        ("merge", {}),
                        ("sortBy", {"fields": {}, "sort": [{"field": "group_ratio_7d"}]}),
                    ),
                    looks={
                        "group_ratio_7d": Look(
                            texts={str(SILENT): ("silent", BAD)},
                            steps=steps_of_share(1.0),
                            more={**WHOLE, "min": 0, "max": 1}
                        )
                    },
                    absent="a group needs three panels and a week",
                ),
                listing(
                    "Shading, thirty days, % of the group, worst first",
                    "Energy of each panel in each hour of the day over thirty days, divided by the group's median in "
                    "that hour. The hours of a shaded panel are orange or red. The panel with the worst hour comes "
                    "first. Days without a report of the panel do not count. The numbers of a silent panel come from "
                    "its last days with reports.",
                    (24, 17),
                    HourShares(
                        "group_percent",
                        Rows("envoy_inverter_hour", ("energy_wh", "group_wh"), "30d", _GROUP),
                        _day_rows("panel", since="30d"),
                    ),
                    order=("panel\\hour", *(f"{hour:02d}" for hour in range(24))),
                    points=MANY_POINTS,
                    transformations=cells("panel", "hour", "group_percent"),
                    looks={
                        "panel\\hour": Look("Panel", more=cell(90)),
                        "/^\\d\\d$/": Look(more={"custom.minWidth": 40}).over(_OF_HUNDRED),
                    },
                ),
                heat(
                    "Ninety days, % of the group",
                    "Energy of each panel on each day, divided by the group's median on that day. "
                    "Red: far below the group.",
                    (24, 12),
                    PanelDays("group_percent", Rows("envoy_inverter_day", ("group_ratio", "panel"), where=_GROUP)),
                    unit="percent",
                    scheme="RdYlGn",
                    reverse=True,
                    low=50,
                    high=110,
                    time_from="90d",
                    points=MANY_POINTS,
                    transformations=cells("Time", "panel", "group_percent"),
                    absent="a group needs three panels",
                ),
            ),
        ),
    ),
    variables=("group", "label"),
    since="now-24h",
)  # fmt: skip

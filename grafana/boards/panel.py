"""Define the board Panel: one inverter, now and over the last ninety days."""

from __future__ import annotations

from typing import Final

from grafana.board import Board, Section
from grafana.kinds import curve, states, stats
from grafana.looks import (
    BARS,
    FLAGS,
    GOOD,
    GREY,
    HOUSE,
    PLAIN,
    PRODUCES,
    REPORTS,
    RIGHT,
    SOLAR,
    WHOLE,
    Look,
    steps_of_share,
)
from grafana.query.asked import SHOWN, Rows
from grafana.query.curves import Curve, MedianOfGroup, States
from grafana.query.days import DayCurve
from grafana.query.each import Each
from grafana.query.newest import Newest

_THIS: Final = (("serial", "${inverter:regex}"),)


def _of(measurement: str, *fields: str, since: str = SHOWN) -> Rows:
    return Rows(measurement, fields, since, _THIS)


PANEL: Final = Board(
    "envoy-panel",
    "Panel",
    "One inverter: its power compared with its group, its voltages and temperature, and its days.",
    (
        Section(
            "",
            (
                stats(
                    "This panel",
                    "The panel's name, or its serial number if there is no layout file.",
                    (4, 4),
                    Each(_of("envoy_inverter_day", "panel", since="50h")),
                    named=False,
                    is_time=True,
                    hidden=("Time", "serial"),
                    looks={"panel": Look(color=PLAIN)},
                ),
                stats(
                    "",
                    "The newest report of this inverter, at most seventy minutes old, and the energy of its newest "
                    "day.",
                    (9, 4),
                    Newest(_of("envoy_inverter", "power_w", "temperature_c", since="70m")),
                    Newest(_of("envoy_inverter_day", "energy_wh", since="50h")),
                    Newest(_of("envoy_inverter_status", "report_age_s", since="15m")),
                    looks={"temperature_c": Look(more=WHOLE)},
                    absent="This inverter has not reported for seventy minutes.",
                ),
                stats(
                    "",
                    "The energy of the newest day and of seven days, each divided by the group's median for the same "
                    "time. Weak sunny days: number of sunny days in a row below 80 % of the group (or your "
                    "LOGGER_PANEL_ALERT_PERCENT). A panel is weak from the third of these sunny days on. Silent "
                    "days: number of days in a row without a report.",
                    (11, 4),
                    Newest(
                        _of(
                            "envoy_inverter_day",
                            "group_ratio",
                            "group_ratio_7d",
                            "low_days",
                            "silent_days",
                            since="50h",
                        )
                    ),
                    looks={
                        "group_ratio": Look("Today, of group", steps=steps_of_share(1.0), more=WHOLE),
                        "group_ratio_7d": Look("7 days, of group", steps=steps_of_share(1.0), more=WHOLE),
                    },
                    absent="The first day has no row yet.",
                ),
                curve(
                    "Power, and the median of the group",
                    "Power of each report of the inverter. Grey: the median power of the inverter's group.",
                    (24, 10),
                    MedianOfGroup(
                        "median_w",
                        Rows("envoy_inverter", ("power_w",), where=(("panel_group", "${own_group:regex}"),)),
                    ),
                    Curve(_of("envoy_inverter", "power_w")),
                    interval="15m",
                    looks={
                        "median_w": Look("Median of the group", GREY, more={"custom.fillOpacity": 0}),
                        "power_w": Look(more={"custom.fillOpacity": 25, "custom.lineWidth": 2}),
                    },
                ),
                curve(
                    "Voltage and current of the panel",
                    "Voltage and current from the panel to its inverter. Only gateways with `device_data` give "
                    "voltage and current.",
                    (12, 8),
                    Curve(_of("envoy_inverter", "dc_voltage_v", "dc_current_a")),
                    interval="15m",
                    looks={
                        "dc_current_a": Look("Current", HOUSE, more=RIGHT),
                        "dc_voltage_v": Look(
                            "Voltage", SOLAR, more={"custom.fillOpacity": 0, "custom.axisSoftMax": 50}
                        ),
                    },
                    absent="this gateway does not give these values",
                ),
                curve(
                    "Temperature, and voltage of the grid",
                    "Temperature of the inverter, and the grid's voltage at the inverter.",
                    (12, 8),
                    Curve(_of("envoy_inverter", "temperature_c", "ac_voltage_v")),
                    interval="15m",
                    zero=False,
                    looks={
                        "ac_voltage_v": Look(more=RIGHT),
                    },
                    absent="this gateway does not give these values",
                ),
                states(
                    "Reports, production and flags",
                    "Whether the inverter reported and produced, and the flags of its last report. While an inverter "
"is silent, as at night, the gateway repeats these flags.",
                    (24, 5),
                    States(_of("envoy_inverter_status", "communicating", "producing")),
                    States(_of("envoy_inverter_status", "conditions"), blank="-"),
                    interval="5m",
                    looks={
                        "communicating": Look(texts=REPORTS),
                        "producing": Look(texts=PRODUCES),
                        "conditions": Look(
                            "Last flags", texts={"": ("in order", GOOD), "-": ("in order", GOOD), **FLAGS}
                        ),
                    },
                    absent="no list of inverters",
                ),
                curve(
                    "Energy of each day, ninety days",
                    "Energy of this panel on each local day.",
                    (24, 8),
                    DayCurve(_of("envoy_inverter_day", "energy_wh")),
                    time_from="90d",
                    looks={"energy_wh": Look("Energy", more=BARS)},
                ),
                curve(
                    "Ninety days, % of the group",
                    "Energy of each local day, divided by the group's median on that day. 100 % is this median.",
                    (24, 7),
                    DayCurve(_of("envoy_inverter_day", "group_ratio", "group_ratio_7d")),
                    time_from="90d",
                    looks={
                        "group_ratio": Look("Day", SOLAR, more={"custom.axisSoftMax": 1.2, "custom.fillOpacity": 0}),
                        "group_ratio_7d": Look(
                            "Seven days", GOOD, more={"custom.axisSoftMax": 1.2, "custom.lineWidth": 2}
                        ),
                    },
                    absent="a group needs three panels",
                ),
            ),
        ),
    ),
    variables=("inverter", "own_group"),
    since="now-24h",
)  # fmt: skip

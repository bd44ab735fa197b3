"""Define the board Battery: the charge, the energy in and out, the efficiency, and the state of each battery."""

from __future__ import annotations

from typing import Final

from grafana.board import Board, Section
from grafana.kinds import columns, curve, listing, shaded, states, stats
from grafana.looks import BELOW_ZERO, DASHED, EACH_ITS_COLOR, FULL, OF_HUNDRED, WHOLE, Look
from grafana.query.asked import SHOWN, Rows
from grafana.query.curves import Curve, CurveBySign, CurveByTag, Shade, States
from grafana.query.days import DayCurve, DayShares
from grafana.query.each import Each
from grafana.query.newest import Flow, Newest, NewestShare

_NONE: Final = "no battery here"
_NONE_NOW: Final = "There is no battery here, or nothing was recorded in the last ten minutes."


def _totals(*fields: str, since: str = "10m") -> Rows:
    return Rows("envoy_totals", fields, since)


BATTERY: Final = Board(
    "envoy-battery",
    "Battery",
    "The charge of the battery, the energy in and out, the efficiency, and the state of each unit.",
    (
        Section(
            "",
            (
                stats(
                    "",
                    "Charge and power of the battery, at most ten minutes old.",
                    (8, 5),
                    Newest(_totals("battery_charge_percent")),
                    Flow(_totals("battery_power_w"), "from_battery_w", "to_battery_w", "idle_battery_w"),
                    ground=True,
                    looks={"battery_charge_percent": FULL},
                    absent=_NONE_NOW,
                ),
                stats(
                    "",
                    "Stored energy, today's energy in and out, and the reserve: the charge that is kept for a power "
"cut.",
                    (16, 5),
                    Newest(
                        _totals(
                            "battery_energy_wh", "battery_capacity_wh", "battery_charged_today_wh",
                            "battery_discharged_today_wh",
                        )
                    ),
                    Newest(_totals("battery_reserve_percent", "battery_health_percent")),
                    looks={
                        "battery_charged_today_wh": Look("Charged today"),
                        "battery_discharged_today_wh": Look("Discharged today"),
                    },
                    absent=_NONE_NOW,
                ),
                curve(
                    "Charge",
                    "Charge and reserve of the battery. Grey: nothing was recorded. Red: the site was "
                    "without the grid.",
                    (24, 9),
                    Curve(_totals("battery_charge_percent", "battery_reserve_percent", since=SHOWN)),
                    Shade("unrecorded", _totals("battery_charge_percent", since=SHOWN)),
                    Shade("off_grid", Rows("envoy_grid", ("grid_state",)), "off-grid"),
                    looks=shaded(
                        battery_charge_percent=Look(
                            more={**OF_HUNDRED, "custom.fillOpacity": 22, "custom.lineWidth": 2}
                        ),
                        battery_reserve_percent=Look(more={**DASHED, **OF_HUNDRED}),
                    ),
                    interval="1m",
                    absent=_NONE,
                ),
                curve(
                    "Power",
                    "Power out of the battery (above zero) and into it (below zero).",
                    (12, 9),
                    CurveBySign(_totals("battery_power_w", since=SHOWN), "from_battery_w", "to_battery_w"),
                    fill=25,
                    looks={"to_battery_w": Look(more=BELOW_ZERO)},
                    interval="1m",
                    absent=_NONE,
                ),
                columns(
                    "In and out each day",
                    "Energy out of the battery (above zero) and into it (below zero), on each local day.",
                    (12, 9),
                    DayCurve(Rows("envoy_day", ("battery_discharged_wh", "battery_charged_wh"))),
                    time_from="30d",
                    looks={"battery_charged_wh": Look("Charged (below zero)", more=BELOW_ZERO)},
                    absent=_NONE,
                ),
                states(
                    "States of the battery",
                    "Times at which the battery charged, discharged or was idle, and the times with readings.",
                    (24, 5),
                    States(_totals("battery_state", since=SHOWN)),
                    Shade("readings", _totals("production_power_w", since=SHOWN)),
                    interval="5m",
                    absent=_NONE,
                ),
                curve(
                    "Lowest and highest charge of each day, ninety days",
                    "The lowest and the highest charge of the battery on each local day.",
                    (12, 8),
                    DayCurve(Rows("envoy_day", ("battery_max_percent", "battery_min_percent"))),
                    time_from="90d",
                    looks={
                        "battery_max_percent": Look(
                            more={"custom.fillBelowTo": "battery_min_percent", **OF_HUNDRED}
                        ),
                        "battery_min_percent": Look(more={"custom.fillOpacity": 0, **OF_HUNDRED}),
                    },
                    absent=_NONE,
                ),
                columns(
                    "Efficiency each month",
                    "Energy out of the battery in each month, divided by the energy into it.",
                    (12, 8),
                    DayShares(
                        Rows("envoy_month", ("battery_charged_wh", "battery_discharged_wh")),
                        (("efficiency_percent", "battery_discharged_wh", "battery_charged_wh", False),),
                    ),
                    time_from="400d",
                    legend=False,
                    looks={"efficiency_percent": Look(more={**WHOLE, **OF_HUNDRED})},
                    absent=_NONE,
                ),
                stats(
                    "Full cycles since installation",
                    "The energy that the battery gave since it was installed, by the gateway's counter, divided by "
                    "the battery's present capacity.",
                    (4, 8),
                    NewestShare(
                        "cycles", _totals("battery_discharged_lifetime_wh", "battery_capacity_wh"), scale=1.0
                    ),
                    named=False,
                    looks={"cycles": Look(more=WHOLE)},
                    absent="the battery's capacity or counter is not known",
                ),
                listing(
                    "Each battery (as last read)",
                    "The newest values of each battery. The recorder reads the batteries less often than the totals, "
                    "so these values can be some minutes older than the numbers above.",
                    (20, 8),
                    Each(
                        Rows(
                            "envoy_battery",
                            (
                                "state", "charge_percent", "power_w", "energy_wh", "capacity_wh", "health_percent",
                                "temperature_c", "max_cell_temperature_c", "communicating", "report_age_s",
                            ),
                            "20m",
                        ),
                        ("serial", "kind"),
                    ),
                    order=(
                        "serial", "kind", "state", "charge_percent", "power_w", "energy_wh", "capacity_wh",
                        "health_percent", "temperature_c", "max_cell_temperature_c", "communicating", "report_age_s",
                    ),
                    hidden=("Time",),
                    looks={
                        "energy_wh": Look("Stored"),
                        "kind": Look(texts={"encharge": ("IQ Battery", ""), "acb": ("AC Battery", "")}),
                    },
                    absent=_NONE,
                ),
                curve(
                    "Temperature of each unit",
                    "Temperature of each IQ Battery. AC Batteries report only the temperature of their hottest cell "
                    "(see the table).",
                    (24, 7),
                    CurveByTag(Rows("envoy_battery", ("temperature_c",)), "serial"),
                    zero=False,
                    interval="5m",
                    looks={"/^\\d+$/": Look(unit="celsius", more=EACH_ITS_COLOR)},
                    absent=_NONE,
                ),
            ),
        ),
    ),
    since="now-24h",
)  # fmt: skip

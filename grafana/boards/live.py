"""Define the board Live: the present powers, today's energy, and the last days and months."""

from __future__ import annotations

from typing import Final

from grafana.board import Board, Section
from grafana.boards.parts import MONEY, verdict
from grafana.kinds import bars, curve, dials, flows, listing, shaded, states, stats
from grafana.looks import BELOW_ZERO, DASHED, FULL, ILL, OF_HUNDRED, RIGHT, WEAK, WHOLE, Look, cell
from grafana.query.asked import Rows
from grafana.query.curves import Curve, CurveBySign, Shade, States
from grafana.query.each import Each
from grafana.query.newest import Flow, FlowParts, Newest, NewestShare, Reached
from grafana.query.spans import Spans

_NOW: Final = "10m"


def _totals(*fields: str, since: str = _NOW) -> Rows:
    return Rows("envoy_totals", fields, since)


_NOTHING: Final = (
    "Nothing was recorded in the last ten minutes. After its start, the recorder delivers the first reading within "
    "two minutes."
)
_NO_TODAY: Final = (
    "Nothing was recorded in the last ten minutes, or the recorder has not counted any energy of today yet."
)
_ONE_GATEWAY: Final = "No site here has several gateways."
_SITE_POWERS: Final = ("production_power_w", "load_power_w", "battery_power_w", "net_power_w")
_SITE_NOW: Final = (
    "gateways", "gateways_heard", *_SITE_POWERS, "production_today_wh", "load_today_wh", "grid_import_today_wh",
    "grid_export_today_wh", "missing",
)  # fmt: skip
_FROM_ZERO: Final = {"min": 0}
_ENERGIES: Final = ("production", "load", "grid_import", "grid_export", "battery_charged", "battery_discharged")

_STACKED: Final = {"custom.lineWidth": 0, "custom.fillOpacity": 80}
_SOURCE: Final = Look(more={**_STACKED, "custom.stacking": {"mode": "normal", "group": "sources"}})
_SINK: Final = Look(more={**_STACKED, **BELOW_ZERO, "custom.stacking": {"mode": "normal", "group": "sinks"}})

POWER = curve(
    "Power",
    "Above zero: the powers from sun, battery and grid, stacked. Blue line: the power that the house "
    "uses. Below zero: the powers into the battery and to the grid, stacked. Grey: nothing was recorded. "
    "Red: the site was without the grid.",
    (17, 9),
    Curve(Rows("envoy_totals", ("production_power_w",))),
    CurveBySign(Rows("envoy_totals", ("battery_power_w",)), "from_battery_w", "to_battery_w"),
    CurveBySign(Rows("envoy_totals", ("net_power_w",)), "from_grid_w", "to_grid_w"),
    Curve(Rows("envoy_totals", ("load_power_w", "battery_charge_percent"))),
    Shade("unrecorded", Rows("envoy_totals", ("production_power_w",))),
    Shade("off_grid", Rows("envoy_grid", ("grid_state",)), "off-grid"),
    looks=shaded(
        production_power_w=_SOURCE,
        from_battery_w=_SOURCE,
        from_grid_w=_SOURCE,
        to_battery_w=_SINK,
        to_grid_w=_SINK,
        load_power_w=Look(more={"custom.fillOpacity": 0, "custom.lineWidth": 2}),
        battery_charge_percent=Look(
            "Battery's charge (right)", more={**RIGHT, **DASHED, "custom.lineWidth": 2, **OF_HUNDRED}
        ),
    ),
    interval="1m",
)

LIVE: Final = Board(
    "envoy-live",
    "Live",
    "The present power of sun, house, battery and grid, and today's energy.",
    (
        Section(
            "",
            (
                stats(
                    "",
                    "The newest powers, at most ten minutes old. At reserve: the battery has only the charge that "
                    "it keeps for a power cut. A tile is missing if the site measures no such power.",
                    (24, 5),
                    Newest(_totals("production_power_w", "load_power_w")),
                    Flow(_totals("battery_power_w"), "from_battery_w", "to_battery_w", "idle_battery_w"),
                    Newest(_totals("battery_charge_percent")),
                    Reached("at_reserve_percent", _totals("battery_charge_percent", "battery_reserve_percent")),
                    Flow(_totals("net_power_w"), "from_grid_w", "to_grid_w", "idle_grid_w"),
                    ground=True,
                    looks={"battery_charge_percent": FULL},
                    absent=_NOTHING,
                ),
                POWER,
                flows(
                    "From where, to where",
                    "The newest power from sun, battery and grid, and the power to house, battery and grid. All "
                    "bars have the same scale.",
                    (7, 9),
                    Newest(_totals("production_power_w")),
                    FlowParts(_totals("battery_power_w"), "from_battery_w", "to_battery_w"),
                    FlowParts(_totals("net_power_w"), "from_grid_w", "to_grid_w"),
                    Newest(_totals("load_power_w")),
                    order=(
                        "production_power_w",
                        "from_battery_w",
                        "from_grid_w",
                        "load_power_w",
                        "to_battery_w",
                        "to_grid_w",
                    ),
                    looks={
                        "production_power_w": Look("Solar →", more=_FROM_ZERO),
                        "from_battery_w": Look("Battery →", more=_FROM_ZERO),
                        "from_grid_w": Look("Grid →", more=_FROM_ZERO),
                        "load_power_w": Look("→ House", more=_FROM_ZERO),
                        "to_battery_w": Look("→ Battery", more=_FROM_ZERO),
                        "to_grid_w": Look("→ Grid", more=_FROM_ZERO),
                    },
                    absent=_NOTHING,
                ),
                stats(
                    "Today",
                    "Energy since the site's midnight.",
                    (13, 5),
                    Newest(_totals(*(f"{name}_today_wh" for name in _ENERGIES))),
                    absent=_NO_TODAY,
                ),
                dials(
                    "Shares today",
                    "Own use: the part of the sun's energy that was not given to the grid. Self-sufficient: the part "
                    "of the house's energy that did not come from the grid.",
                    (5, 5),
                    NewestShare("own_use_percent", _totals("grid_export_today_wh", "production_today_wh"), left=True),
                    NewestShare(
                        "self_sufficient_percent", _totals("grid_import_today_wh", "load_today_wh"), left=True
                    ),
                    absent="This needs a meter at the grid, or today has no energy yet.",
                    looks={
                        "own_use_percent": Look(more={**WHOLE, **OF_HUNDRED}),
                        "self_sufficient_percent": Look(more={**WHOLE, **OF_HUNDRED}),
                    },
                ),
                stats(
                    "Money today (saved includes the income)",
                    MONEY,
                    (6, 5),
                    Newest(Rows("envoy_day", ("cost", "income", "saved"), "24h")),
                    Each(Rows("envoy_day", ("currency",), "24h"), ("gateway",)),
                    is_time=True,
                    hidden=("Time", "_time", "gateway"),
                    absent="This needs a tariff file with your prices. Set LOGGER_TARIFF_FILE to its path.",
                    looks={
                        "cost": Look(more={"decimals": 2}),
                        "income": Look(more={"decimals": 2}),
                        "saved": Look(more={"decimals": 2}),
                    },
                ),
                bars(
                    "Last seven days (today: to the last quarter of an hour)",
                    "Energy of each local day. The recorder writes today's row every quarter of an hour, so "
                    "today's bar can show less than the numbers above.",
                    (8, 9),
                    Spans(Rows("envoy_day", ("production_wh", "load_wh", "grid_import_wh", "grid_export_wh"), "7d")),
                    along="local_date",
                    absent="the first day has no row yet",
                ),
                bars(
                    "Last months (this month so far)",
                    "Energy of each month.",
                    (7, 9),
                    Spans(
                        Rows("envoy_month", ("production_wh", "load_wh", "grid_import_wh", "grid_export_wh"), "200d")
                    ),
                    along="local_month",
                    absent="the first month has no row yet",
                ),
                states(
                    "Battery and grid",
                    "States of battery, grid and generator over the time shown, and the times with readings.",
                    (9, 5),
                    States(Rows("envoy_totals", ("battery_state",))),
                    States(Rows("envoy_grid", ("grid_state", "generator_state"))),
                    Shade("readings", Rows("envoy_totals", ("production_power_w",))),
                    interval="5m",
                ),
                verdict((3, 4)),
                stats(
                    "Panels",
                    "Number of inverters, and number of those that produce now.",
                    (3, 4),
                    Newest(_totals("inverters_producing", "inverters")),
                    absent="no list of inverters",
                    looks={"inverters": Look("Installed")},
                ),
                listing(
                    "Weak or silent panels",
                    "Silent: number of days without a report. Weak: number of sunny days in a row on which the panel "
                    "was below 80 % of its group (or your LOGGER_PANEL_ALERT_PERCENT). A panel is weak from the "
                    "third of these days on.",
                    (3, 4),
                    Each(
                        Rows("envoy_inverter_day", ("panel", "low_days", "silent_days"), "50h"),
                        above=("low_days", "silent_days"),
                    ),
                    order=("panel", "low_days", "silent_days"),
                    hidden=("Time", "serial"),
                    sort="silent_days",
                    down=True,
                    looks={
                        "panel": Look(more=cell(70)),
                        "low_days": WEAK,
                        "silent_days": Look("Silent").over(ILL),
                    },
                    absent="no weak or silent panel is known",
                ),
            ),
        ),
        Section(
            "A house with several gateways",
            (
                listing(
                    "All gateways of a site together",
                    "The newest sums of each site with several gateways. If a gateway of the site does "
                    "not answer, the table shows the gateway's name instead of the sums.",
                    (24, 4),
                    Each(Rows("envoy_site", _SITE_NOW, "5m"), ("site",)),
                    order=("site", *_SITE_NOW),
                    hidden=("Time",),
                    looks={
                        "production_today_wh": Look("Solar today"),
                        "load_today_wh": Look("House today"),
                        "grid_import_today_wh": Look("From grid today"),
                        "grid_export_today_wh": Look("To grid today"),
                    },
                    absent=_ONE_GATEWAY,
                ),
                curve(
                    "Power of all gateways: ${site}",
                    "The sums of all gateways of the site. Below zero: power into the batteries or to the grid.",
                    (24, 9),
                    Curve(Rows("envoy_site", _SITE_POWERS)),
                    interval="1m",
                    repeat="site",
                    absent=_ONE_GATEWAY,
                ),
            ),
            is_closed=True,
        ),
    ),
    variables=("site",),
    since="now-24h",
    refresh="30s",
)

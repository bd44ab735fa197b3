"""Live: what is happening now, today so far, and the last days."""

from __future__ import annotations

from typing import Final

from grafana.board import Board, Section
from grafana.kinds import bars, curve, listing, shaded, states, stats
from grafana.looks import DASHED, ILL, OF_HUNDRED, PLAIN, RIGHT, WHOLE, Look, cell
from grafana.query.asked import Rows
from grafana.query.curves import Curve, Shade, States
from grafana.query.each import Each
from grafana.query.newest import Flow, LastTime, Newest, NewestShare
from grafana.query.spans import Spans

_NOW: Final = "10m"


def _totals(*fields: str, since: str = _NOW) -> Rows:
    return Rows("envoy_totals", fields, since)


_NOTHING: Final = (
    "Nothing was recorded in the last ten minutes. After its start, the recorder delivers the first reading within "
    "two minutes."
)
_NO_TODAY: Final = "Nothing was recorded in the last ten minutes, or the recorder has just begun to count."
_ONE_GATEWAY: Final = "No site here has several gateways."
_SITE_POWERS: Final = ("production_power_w", "load_power_w", "battery_power_w", "net_power_w")
_SITE_NOW: Final = (
    "gateways", "gateways_heard", *_SITE_POWERS, "production_today_wh", "load_today_wh", "grid_import_today_wh",
    "grid_export_today_wh", "missing",
)  # fmt: skip
_ENERGIES: Final = ("production", "load", "grid_import", "grid_export", "battery_charged", "battery_discharged")

POWER = curve(
    "Power",
    "Sun, house, battery and grid over the time shown. Below zero the battery charges, and power goes to the grid. "
    "Grey: nothing was recorded. Red: the grid was away.",
    (24, 9),
    Curve(
        Rows(
            "envoy_totals",
            ("production_power_w", "load_power_w", "battery_power_w", "net_power_w", "battery_charge_percent"),
        )
    ),
    Shade("unrecorded", Rows("envoy_totals", ("production_power_w",))),
    Shade("off_grid", Rows("envoy_grid", ("grid_state",)), "off-grid"),
    looks=shaded(
        production_power_w=Look(
            more={"custom.fillOpacity": 32, "custom.gradientMode": "opacity", "custom.lineWidth": 2}
        ),
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
                    "Newest power, at most ten minutes old. Battery and grid are shown only if they are measured.",
                    (24, 5),
                    Newest(_totals("production_power_w", "load_power_w")),
                    Flow(_totals("battery_power_w"), "from_battery_w", "to_battery_w", "idle_battery_w"),
                    Newest(_totals("battery_charge_percent")),
                    Flow(_totals("net_power_w"), "from_grid_w", "to_grid_w", "idle_grid_w"),
                    ground=True,
                    absent=_NOTHING,
                ),
                POWER,
                stats(
                    "Today",
                    "Energy since the site's midnight.",
                    (12, 5),
                    Newest(_totals(*(f"{name}_today_wh" for name in _ENERGIES))),
                    absent=_NO_TODAY,
                ),
                stats(
                    "Shares and money today",
                    "Own use: the part of the sun's energy that was not given to the grid. Self-sufficient: the part "
                    "of the house's energy that did not come from the grid. Cost, income and savings need a tariff "
                    "file, and are in its currency. Savings hold the income.",
                    (12, 5),
                    NewestShare("own_use_percent", _totals("grid_export_today_wh", "production_today_wh"), left=True),
                    NewestShare(
                        "self_sufficient_percent", _totals("grid_import_today_wh", "load_today_wh"), left=True
                    ),
                    Newest(Rows("envoy_day", ("cost", "income", "saved"), "24h")),
                    absent=_NO_TODAY,
                    looks={
                        "own_use_percent": Look(more=WHOLE),
                        "self_sufficient_percent": Look(more=WHOLE),
                        "cost": Look(more={"decimals": 2}),
                        "income": Look(more={"decimals": 2}),
                        "saved": Look(more={"decimals": 2}),
                    },
                ),
                bars(
                    "Last two weeks",
                    "Energy of each local day. The last bar is today, at most a quarter of an hour ago.",
                    (13, 9),
                    Spans(Rows("envoy_day", ("production_wh", "load_wh", "grid_import_wh", "grid_export_wh"), "14d")),
                    along="local_date",
                    absent="the first day has no row yet",
                ),
                states(
                    "Battery and grid",
                    "States of battery, grid and generator over the time shown, and the times with readings.",
                    (11, 5),
                    States(Rows("envoy_totals", ("battery_state",))),
                    States(Rows("envoy_grid", ("grid_state", "generator_state"))),
                    Shade("readings", Rows("envoy_totals", ("production_power_w",))),
                    interval="5m",
                ),
                stats(
                    "Last reading",
                    "Time of the gateway's newest reading.",
                    (3, 4),
                    LastTime(_totals("inverters", since="30d")),
                    named=False,
                    is_time=True,
                    hidden=("inverters",),
                    absent="none for 30 days",
                    looks={"Time": Look("Last reading", PLAIN, "dateTimeFromNow")},
                ),
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
                    "Panels that were below their group on sunny days, and panels without a report for a day.",
                    (5, 4),
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
                        "low_days": Look("Weak").over(ILL),
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
                    "The newest sums of each site with several gateways. A sum is shown only while all its gateways "
                    "answer. Otherwise the missing gateways are named.",
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
                    "The sums of all gateways of the site. Below zero the battery charges, and power goes to the "
                    "grid.",
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

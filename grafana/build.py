"""Writes the Grafana board from this description: `python grafana/build.py`; `--check` only says if it is stale.

Queries are Flux. Every one names its measurement and fields as `docs/fields.md` has them, filters one gateway,
and ends in one wide table whose columns are the field names; labels and colours are set by field name beside it.
Values that are not there stay empty: nothing here fills, and the current values look back ten minutes at most.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Object: TypeAlias = "dict[str, Json]"

BOARD = Path(__file__).parent / "dashboards" / "envoy.json"

SOLAR, BATTERY, HOUSE, GRID = "#FADE2A", "#73BF69", "#5794F2", "#B877D9"
GRID_OUT = "#8F3BB8"  # a darker shade of the grid's colour, for what is sold

# field → what people call it, its unit in Grafana, its colour
LOOKS: dict[str, tuple[str, str, str]] = {
    "production_power_w": ("Solar", "watt", SOLAR),
    "load_power_w": ("House", "watt", HOUSE),
    "net_power_w": ("Grid", "watt", GRID),
    "battery_power_w": ("Battery", "watt", BATTERY),
    "battery_charge_percent": ("Charge", "percent", BATTERY),
    "production_today_wh": ("Solar", "watth", SOLAR),
    "load_today_wh": ("House", "watth", HOUSE),
    "grid_import_today_wh": ("From grid", "watth", GRID),
    "grid_export_today_wh": ("To grid", "watth", GRID_OUT),
    "production_lifetime_wh": ("Solar", "watth", SOLAR),
    "load_lifetime_wh": ("House", "watth", HOUSE),
    "grid_import_lifetime_wh": ("From grid", "watth", GRID),
    "grid_export_lifetime_wh": ("To grid", "watth", GRID_OUT),
}

NOW = "range(start: -10m)"
SHOWN = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"
POWER = ("production_power_w", "load_power_w", "net_power_w", "battery_power_w")
TODAY = ("production_today_wh", "load_today_wh", "grid_import_today_wh", "grid_export_today_wh")
COUNTERS = ("production_lifetime_wh", "load_lifetime_wh", "grid_import_lifetime_wh", "grid_export_lifetime_wh")

WIDE = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
TIDY = 'drop(columns: ["_start", "_stop"])'


def flux(*steps: str, before: str = "") -> str:
    """One query: `before` (imports and names), then the steps joined by pipes."""
    return before + "\n    |> ".join(steps) + "\n"


def rows(window: str, measurement: str, *fields: str, bucket: str = "bucket") -> tuple[str, ...]:
    """The first steps of every query: some fields of one measurement of the chosen gateway."""
    wanted = " or ".join(f'r._field == "{field}"' for field in fields)
    return (
        f'from(bucket: "${{{bucket}:raw}}")',
        window,
        f'filter(fn: (r) => r._measurement == "{measurement}" and r.gateway == "${{gateway:raw}}")',
        f"filter(fn: (r) => {wanted})",
    )


def now(*fields: str) -> str:
    """The last minutes of some totals; a panel takes the newest."""
    return flux(*rows(NOW, "envoy_totals", *fields), 'group(columns: ["_field"])', WIDE, TIDY)


def curve(*fields: str) -> str:
    """Some totals over the time shown, as means; windows without a value stay empty."""
    return flux(
        *rows(SHOWN, "envoy_totals", *fields),
        'group(columns: ["_field"])',
        "aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: true)",
        WIDE,
        TIDY,
    )


def days(*counters: str) -> str:
    """Energy per local day: each day's last counter value minus that of the last day that has one.

    A day without any reading has no bar, and its energy is in the next day's. A counter that was
    replaced has none for that day.
    """
    before = (
        'import "date"\nimport "timezone"\n\n'
        'zone = timezone.location(name: if "${__timezone:raw}" == "utc" then "UTC" else "${__timezone:raw}")\n'
        "first = date.sub(from: date.truncate(t: now(), unit: 1d, location: zone), d: 13d, location: zone)\n\n"
    )
    return flux(
        *rows("range(start: date.sub(from: first, d: 1d, location: zone))", "envoy_totals", *counters),
        "filter(fn: (r) => r._value > 0.0)",
        'group(columns: ["_field"])',
        'aggregateWindow(every: 1d, fn: last, createEmpty: true, timeSrc: "_start", location: zone)',
        "difference(nonNegative: true)",
        "filter(fn: (r) => r._time >= first)",
        WIDE,
        TIDY,
        before=before,
    )


def age() -> str:
    """Seconds since the newest point of any kind among the totals; looks back a month, so that it can grow old."""
    return flux(
        *rows("range(start: -30d)", "envoy_totals", "production_power_w", "inverters", "battery_state"),
        "last()",
        'keep(columns: ["_time"])',
        'sort(columns: ["_time"], desc: true)',
        "limit(n: 1)",
        "map(fn: (r) => ({r with age_s: float(v: int(v: now()) - int(v: r._time)) / 1000000000.0}))",
    )


def each_inverter(window: str, measurement: str, *fields: str) -> str:
    """The newest value of some fields, one row an inverter."""
    return flux(
        *rows(window, measurement, *fields, bucket="bucket_devices"),
        'group(columns: ["serial", "_field"])',
        'sort(columns: ["_time"])',
        "last()",
        "group()",
        'pivot(rowKey: ["serial"], columnKey: ["_field"], valueColumn: "_value")',
    )


def inverter_heat() -> str:
    """Each inverter's mean power over the time shown, one column an inverter."""
    return flux(
        *rows(SHOWN, "envoy_inverter", "power_w", bucket="bucket_devices"),
        'group(columns: ["serial"])',
        "aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: true)",
        'pivot(rowKey: ["_time"], columnKey: ["serial"], valueColumn: "_value")',
        TIDY,
    )


def batteries() -> str:
    """The newest values of each battery, one row a battery."""
    return each_inverter("range(start: -15m)", "envoy_battery", "charge_percent", "power_w", "temperature_c")


SOURCE: Object = {"type": "influxdb", "uid": "${datasource}"}


def target(query: str, letter: str = "A") -> Object:
    """One query of a panel."""
    return {"refId": letter, "datasource": SOURCE, "query": query}


def look(field: str, **properties: Json) -> Object:
    """How one column is shown; `LOOKS` gives its name, unit and colour where it has one."""
    shown: Object = {}
    if field in LOOKS:
        name, unit, colour = LOOKS[field]
        shown = {"displayName": name, "unit": unit, "color": {"mode": "fixed", "fixedColor": colour}}
    shown.update(properties)
    return {
        "matcher": {"id": "byName", "options": field},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in shown.items()],
    }


def panel(
    title: str,
    kind: str,
    place: tuple[int, int, int, int],
    queries: list[str],
    *,
    options: Object,
    defaults: Object | None = None,
    looks: list[Json] | None = None,
    description: str = "",
    **more: Json,
) -> Object:
    """One panel. `place` is x, y, width, height in Grafana's 24 columns."""
    x, y, width, height = place
    return {
        "title": title,
        "type": kind,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        "targets": [target(query, letter) for letter, query in zip("ABCD", queries, strict=False)],
        "fieldConfig": {"defaults": defaults or {}, "overrides": looks or []},
        "options": options,
        **more,
    }


NEWEST: Object = {"calcs": ["lastNotNull"], "fields": "", "values": False}
STAT: Object = {
    "reduceOptions": NEWEST,
    "colorMode": "value",
    "graphMode": "none",
    "textMode": "value_and_name",
    "justifyMode": "center",
    "orientation": "auto",
}
LEGEND: Object = {"displayMode": "list", "placement": "bottom", "showLegend": True}
TABLE: Object = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
# Bridges up to ten minutes without a value; a longer silence is a hole in the line.
LINE: Object = {
    "drawStyle": "line",
    "lineWidth": 2,
    "fillOpacity": 12,
    "showPoints": "never",
    "spanNulls": 600_000,
    "axisSoftMin": 0,
}


def colours(*steps: tuple[float | None, str]) -> Object:
    """Colour by value: from each step's value on, its colour."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def panels() -> list[Object]:
    """Every panel, from the top."""
    yes_no: Json = [
        {
            "type": "value",
            "options": {"true": {"text": "yes", "color": "green"}, "false": {"text": "no", "color": "orange"}},
        }
    ]
    return [
        panel(
            "Now",
            "stat",
            (0, 0, 12, 5),
            [now(*POWER)],
            options=STAT,
            defaults={"decimals": 0},
            looks=[look(field) for field in POWER],
            description="Grid: bought is positive, sold is negative. Battery: discharging is positive. "
            "Empty when nothing came for ten minutes.",
        ),
        panel(
            "Battery",
            "gauge",
            (12, 0, 4, 5),
            [now("battery_charge_percent")],
            options={"reduceOptions": NEWEST, "showThresholdMarkers": False, "showThresholdLabels": False},
            defaults={"min": 0, "max": 100},
            looks=[look("battery_charge_percent")],
        ),
        panel(
            "Inverters producing",
            "stat",
            (16, 0, 4, 5),
            [now("inverters", "inverters_producing")],
            options={**STAT, "colorMode": "none"},
            defaults={"decimals": 0},
            looks=[look("inverters", displayName="Installed"), look("inverters_producing", displayName="Producing")],
        ),
        panel(
            "Age of the data",
            "stat",
            (20, 0, 4, 5),
            [age()],
            options={**STAT, "textMode": "value"},
            defaults={
                "unit": "s",
                "decimals": 0,
                "noValue": "none for 30 days",
                "thresholds": colours((None, "green"), (180, "yellow"), (900, "red")),
            },
            looks=[look("age_s", displayName="Age", color={"mode": "thresholds"})],
            description="Time since the newest point of the gateway.",
        ),
        panel(
            "Power",
            "timeseries",
            (0, 5, 24, 10),
            [curve(*POWER)],
            interval="1m",
            options={"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "none"}},
            defaults={"custom": LINE},
            looks=[look(field) for field in POWER],
        ),
        panel(
            "Today",
            "stat",
            (0, 15, 24, 4),
            [now(*TODAY)],
            options=STAT,
            defaults={"decimals": 1},
            looks=[look(field) for field in TODAY],
            description="Since local midnight.",
        ),
        panel(
            "Energy per day",
            "barchart",
            (0, 19, 24, 9),
            [days(*COUNTERS)],
            options={
                "xField": "_time",
                "orientation": "auto",
                "groupWidth": 0.8,
                "barWidth": 0.9,
                "stacking": "none",
                "showValue": "never",
                "legend": LEGEND,
                "tooltip": {"mode": "multi", "sort": "none"},
                "xTickLabelSpacing": 100,
            },
            defaults={"custom": {"fillOpacity": 80, "lineWidth": 0}},
            looks=[look("_time", unit="time:ddd D MMM"), *(look(field) for field in COUNTERS)],
            description="The last fourteen days in the board's time zone, today so far included. What came "
            "in while nothing was recorded is in the day when it was seen.",
        ),
        panel(
            "Battery",
            "timeseries",
            (0, 28, 12, 9),
            [curve("battery_charge_percent", "battery_power_w")],
            interval="1m",
            options={"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "none"}},
            defaults={"custom": LINE},
            looks=[
                look("battery_power_w", custom__axisPlacement="left"),
                look(
                    "battery_charge_percent",
                    custom__axisPlacement="right",
                    min=0,
                    max=100,
                    custom__fillOpacity=0,
                    custom__lineStyle={"fill": "dash", "dash": [8, 6]},
                ),
            ],
        ),
        panel(
            "Batteries",
            "table",
            (12, 28, 12, 9),
            [batteries()],
            options=TABLE,
            looks=[
                look("serial", displayName="Serial"),
                look("power_w", displayName="Power", unit="watt"),
                look("charge_percent", displayName="Charge", unit="percent"),
                look("temperature_c", displayName="Temperature", unit="celsius"),
            ],
        ),
        panel(
            "Inverters over the day",
            "heatmap",
            (0, 37, 12, 11),
            [inverter_heat()],
            interval="15m",
            options={
                "calculate": False,
                "cellGap": 1,
                "cellValues": {"unit": "watt"},
                "rowsFrame": {"layout": "auto"},
                "color": {
                    "mode": "scheme",
                    "scheme": "YlOrRd",
                    "steps": 64,
                    "reverse": True,
                    "fill": SOLAR,
                    "exponent": 0.5,
                    "scale": "linear",
                },
                "filterValues": {"le": -1},
                "legend": {"show": True},
                "yAxis": {"axisPlacement": "left"},
                "tooltip": {"mode": "single", "yHistogram": False},
            },
            description="One row an inverter. No colour: it reported nothing.",
        ),
        panel(
            "Inverters",
            "table",
            (12, 37, 12, 11),
            [
                each_inverter("range(start: -40m)", "envoy_inverter", "power_w", "max_power_w"),
                each_inverter(
                    "range(start: -15m)", "envoy_inverter_status", "provisioned", "communicating", "producing"
                ),
                each_inverter("range(start: -15m)", "envoy_inverter_status", "report_age_s"),
            ],
            options=TABLE,
            transformations=[{"id": "joinByField", "options": {"byField": "serial", "mode": "outer"}}],
            looks=[
                look("serial", displayName="Serial"),
                look("power_w", displayName="Power", unit="watt"),
                look("max_power_w", displayName="Most", unit="watt"),
                look("report_age_s", displayName="Reported ago", unit="s"),
                *(
                    look(flag, displayName=flag.capitalize(), mappings=yes_no)
                    for flag in ("provisioned", "communicating", "producing")
                ),
            ],
            description="Power is of the last report, at most forty minutes old.",
        ),
    ]


def variable(name: str, label: str, query: str, value: str = "") -> Object:
    """A choice at the top of the board whose list the database gives."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "refresh": 1,
        "sort": 1,
        "multi": False,
        "includeAll": False,
        "current": {"text": value, "value": value} if value else {},
    }


BUCKETS = flux(
    "buckets()", "filter(fn: (r) => r.name !~ /^_/)", 'rename(columns: {name: "_value"})', 'keep(columns: ["_value"])'
)
GATEWAYS = flux(
    'schema.tagValues(bucket: "${bucket:raw}", tag: "gateway", start: -30d)',
    before='import "influxdata/influxdb/schema"\n\n',
)


def variables() -> list[Object]:
    """The choices: data source, buckets, gateway."""
    return [
        {
            "name": "datasource",
            "label": "Database",
            "type": "datasource",
            "query": "influxdb",
            "refresh": 1,
            "hide": 2,
            "multi": False,
            "includeAll": False,
            "current": {"text": "Envoy", "value": "envoy-influxdb"},
        },
        {**variable("bucket", "Totals", BUCKETS, "envoy"), "hide": 2},
        {**variable("bucket_devices", "Devices", BUCKETS, "envoy_devices"), "hide": 2},
        variable("gateway", "Gateway", GATEWAYS),
    ]


def board() -> Object:
    """The whole board."""
    return {
        "uid": "envoy",
        "title": "Envoy",
        "description": "Sun, house, grid and battery, as envoy-logger records them.",
        "tags": ["envoy-logger"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "",
        "refresh": "1m",
        "time": {"from": "now/d", "to": "now/d"},
        "timepicker": {},
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "links": [],
        "annotations": {"list": []},
        "templating": {"list": [*variables()]},
        "panels": [{"id": number, **item} for number, item in enumerate(panels(), start=1)],
    }


def text() -> str:
    """The board as the file holds it."""
    return json.dumps(board(), indent=2) + "\n"


def main() -> int:
    """Write the board, or with `--check` say whether the file is what this would write."""
    if "--check" in sys.argv[1:]:
        return 0 if BOARD.read_text(encoding="utf-8") == text() else 1
    BOARD.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Define the alert rules as data, with English texts. `files.py` translates the texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from grafana.alerts.figures import Course, Figure, Heard, Newest, Unlike
from logger.panels.watch import WEAK_DAYS

_DEVICE: Final = ("gateway", "serial")


@dataclass(frozen=True)
class Rule:
    """One rule, which fires while the condition is true for one of the figure's values.

    `condition`: `$B` is the newest value, and `$M` is the greatest value. `says`: the text of the message; Grafana
    replaces what is between `{{` and `}}`. `board`: the uid of the board that the message links to. `none`: the state
    of the rule while the figure has no value.
    """

    uid: str
    title: str
    says: str
    figure: Figure
    condition: str
    board: str
    none: Literal["OK", "Alerting"] = "OK"
    severity: Literal["warning", "critical"] = "warning"


RULES: Final = (
    Rule(
        "envoy-no-data",
        "No readings",
        "Nothing has been recorded of gateway {{ $labels.gateway }} for 20 minutes.",
        Heard("envoy_totals", ("production_power_w", "inverters"), "7d"),
        "$B == 0",
        "envoy-recorder",
        none="Alerting",
        severity="critical",
    ),
    Rule(
        "envoy-token",
        "The token is near its end",
        "The token of gateway {{ $labels.gateway }} ends in "
        "{{ if $values.B }}{{ humanizeDuration $values.B.Value }}{{ end }} and was not renewed.",
        Course("envoy_logger", ("token_expires_s",), "1d"),
        "$B < 1200 || ($B < 1728000 && $M > 86400)",
        "envoy-recorder",
    ),
    Rule(
        "envoy-outbox",
        "Readings wait for InfluxDB",
        "The oldest reading of gateway {{ $labels.gateway }} has waited for "
        "{{ if $values.B }}{{ humanizeDuration $values.B.Value }}{{ end }}.",
        Newest("envoy_logger", ("outbox_oldest_s",), "20m"),
        "$B > 3600",
        "envoy-recorder",
    ),
    Rule(
        "envoy-refused",
        "InfluxDB refused readings",
        'InfluxDB refused {{ printf "%.0f" $values.B.Value }} points. Try: envoy-logger status.',
        Newest("envoy_logger", ("refused_points",), "20m"),
        "$B > 0",
        "envoy-recorder",
    ),
    Rule(
        "envoy-panel-weak",
        "A panel is weak",
        'Inverter {{ $labels.serial }} has been below its group for {{ printf "%.0f" $values.B.Value }} sunny days.',
        Newest("envoy_inverter_day", ("low_days",), "3d", _DEVICE),
        f"$B >= {WEAK_DAYS}",
        "envoy-panels",
    ),
    Rule(
        "envoy-inverter-silent",
        "An inverter is silent",
        'Inverter {{ $labels.serial }} has not reported for {{ printf "%.0f" $values.B.Value }} days '
        "while others did.",
        Newest("envoy_inverter_day", ("silent_days",), "3d", _DEVICE),
        "$B >= 2",
        "envoy-panels",
    ),
    Rule(
        "envoy-battery-hot",
        "A battery is too hot or too cold",
        'Battery {{ $labels.serial }} has {{ printf "%.0f" $values.B.Value }} °C.',
        Newest("envoy_battery", ("temperature_c",), "20m", _DEVICE),
        "$B > 50 || $B < -10",
        "envoy-battery",
    ),
    Rule(
        "envoy-voltage",
        "The grid's voltage is out of range",
        '{{ $labels.phase }} of gateway {{ $labels.gateway }} has had {{ printf "%.1f" $values.B.Value }} V '
        "on average for 10 minutes.",
        Newest(
            "envoy_phase",
            ("voltage_v",),
            "10m",
            ("gateway", "phase"),
            (("meter", "net-consumption"),),
            fn="mean",
        ),
        "$B > 50 && abs($B - 120) > 12 && abs($B - 230) > 23",
        "envoy-grid",
    ),
    Rule(
        "envoy-grid-lost",
        "The grid is lost",
        "Gateway {{ $labels.gateway }} runs without the grid.",
        Unlike("envoy_grid", ("grid_state",), "3m", usual="on-grid"),
        "$B > 0",
        "envoy-grid",
        severity="critical",
    ),
)

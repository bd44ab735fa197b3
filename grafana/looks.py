"""Define the look of each value on all boards: its name, its unit and its colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.panels.watch import WEAK_DAYS

SOLAR: Final = "#D38000"
BATTERY: Final = "#4A9A40"
HOUSE: Final = "#3274D9"
BOUGHT: Final = "#A352CC"
SOLD: Final = "#CC4F88"
CHARGE: Final = "#3F9484"
GREY: Final = "#8E8E8E"
GOOD: Final = "#548A3A"
WARN: Final = "#CB6A0B"
BAD: Final = "#D64550"
PHASES: Final = ("#B8860B", "#3F7F93", "#8C5A8C")
FREQUENCY: Final = "#4E7FC4"
CALM: Final = "#5D7FA3"
"""The colour of a state that is as usual, such as on the grid."""
SEEN: Final = "#94806A"
"""The colour of the times with readings."""
LOW: Final = "#4E7FC4"
HIGH: Final = "#DB6E1B"
PLAIN: Final = "text"
"""The colour of the theme's text: dark in the light theme, light in the dark theme."""
SHADOW: Final = "#7F7F7F"
NOTHING: Final = "#80808033"
"""The ground of a cell that has no value."""
GROUNDS: Final = {
    SOLAR: "#F2B90D",
    BATTERY: "#2F7A2B",
    HOUSE: "#2A66C4",
    BOUGHT: "#9444C0",
    SOLD: "#AD3A70",
    CHARGE: "#26705F",
    GREY: "#6B6B6B",
    GOOD: "#3A7A2C",
    WARN: "#F5B73D",
    BAD: "#C5303C",
    PHASES[0]: "#DDBB66",
    PHASES[1]: PHASES[1],
    PHASES[2]: PHASES[2],
    FREQUENCY: "#3F73BC",
    CALM: "#4A6A8C",
}
"""Colour of a line or a text → the colour of a ground of the same meaning.

A colour has one meaning on all boards. Lines and texts are readable in both themes. Grafana writes in white on each
ground except amber and sand, on which it writes in black.
"""

UNITS: Final = {
    "w": "watt",
    "wh": "watth",
    "var": "voltampreact",
    "va": "voltamp",
    "v": "volt",
    "a": "amp",
    "hz": "hertz",
    "c": "celsius",
    "percent": "percent",
    "s": "s",
    "bytes": "bytes",
}
"""Ending of a field's name → Grafana's name of the unit."""
AT_LEAST: Final = "≥"
LEAST: Final = {"w": ("< 1 W", 10), "wh": ("< 1 Wh", 100)}
"""Ending of a field's name → (the text of a value between 0 and 1, the least upper end of an axis)."""


@dataclass(frozen=True)
class Look:
    """The look of one column: name, colour, unit, texts and colours of values.

    `texts`: raw value → (text, colour). The key "" is an empty string, "/…/" is a pattern that the text replaces, and
    `AT_LEAST` with a number is that number or more. `steps`: pairs of a number and the colour of the values from this
    number on. `more`: further properties, by Grafana's names.
    """

    name: str = ""
    color: str = ""
    unit: str = ""
    texts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    steps: tuple[tuple[float | None, str], ...] = ()
    more: Mapping[str, object] = field(default_factory=dict)

    def over(self, other: Look) -> Look:
        """Return a copy of the look `other`, in which the values that this look sets replace those of `other`."""
        return replace(
            other,
            name=self.name or other.name,
            color=self.color or other.color,
            unit=self.unit or other.unit,
            texts=self.texts or other.texts,
            steps=self.steps or other.steps,
            more={**other.more, **self.more},
        )


FULL: Final = Look(texts={f"{AT_LEAST}99.5": ("full", "")})
"""The look of a charge in percent, with a word for a full battery."""
RIGHT: Final = {"custom.axisPlacement": "right", "custom.axisGridShow": False, "custom.fillOpacity": 0}
DASHED: Final = {
    "custom.lineStyle": {"fill": "dash", "dash": [6, 6]},
    "custom.fillOpacity": 0,
    "custom.lineWidth": 1,
}
UNLISTED: Final = {"custom.hideFrom": {"legend": True, "tooltip": False, "viz": False}}
"""The legend leaves the curve out, because another curve of the same look stands for both."""
BARS: Final = {
    "custom.drawStyle": "bars",
    "custom.barAlignment": 0,
    "custom.barWidthFactor": 0.85,
    "custom.fillOpacity": 85,
    "custom.lineWidth": 0,
}
BELOW_ZERO: Final = {"custom.transform": "negative-Y"}
OF_HUNDRED: Final = {"min": 0, "max": 100}
WHOLE: Final = {"decimals": 0}
EACH_ITS_COLOR: Final = {"color": {"mode": "palette-classic"}}
BY_SIGN: Final = {"custom.gradientMode": "scheme"}
"""Grafana colours each part of a curve by the steps, so that the part below zero has a colour of its own."""
FILLED_CELL: Final = {
    "custom.displayMode": "color-background-solid",
    "custom.cellOptions": {"type": "color-background", "mode": "basic"},
    "decimals": 0,
}
COLORED_TEXT: Final = {"custom.displayMode": "color-text", "custom.cellOptions": {"type": "color-text"}}
"""The constants from `RIGHT` on are properties that several panels set. Tables have the property of Grafana 9.3 and
the property of newer versions."""


def steps_of_share(whole: float, *, behind: bool = False) -> tuple[tuple[float | None, str], ...]:
    """Return the colour steps for an inverter's energy as a share of the group's median energy.

    `whole`: the number that stands for 100 %, which is the median.

    `behind`: return the colours for the ground behind a number, instead of the colours for the number itself.
    The steps are at 79.5 % and 94.5 %, so that a cell has the colour of the rounded number in the cell.
    """
    steps = ((0.0, BAD), (0.795 * whole, WARN), (0.945 * whole, GOOD))
    return ((None, NOTHING), *((value, GROUNDS[color] if behind else color) for value, color in steps))


def cell(width: int) -> dict[str, object]:
    """Return the property that sets the width of a table's column, in pixels."""
    return {"custom.width": width}


YES_NO: Final = {"true": ("yes", GOOD), "false": ("no", WARN)}
REPORTS: Final = {"true": ("reports", CALM), "false": ("no report", GREY)}
PRODUCES: Final = {"true": ("produces", SOLAR), "false": ("produces nothing", GREY)}
"""Texts of an inverter's states. The text of `false` is grey, because the state is usual at night."""
LONG_SILENT: Final = ((None, PLAIN), (86400, BAD))
"""Colour steps of an age in s: red from the age on that is longer than any night."""
IN_THE_DARK: Final = r"/^((pcu_ctrl\.dc-pwr-low|pcu_chan\.dcvoltagetoolow|pcu_ctrl\.sleeping),?)+$/"
"""Pattern of the flags that a sound inverter has each night."""
FLAGS: Final = {IN_THE_DARK: ("too little light", GREY), r"/(pcu_ctrl|pcu_chan|envoy\.global)\./g": ("", "")}
"""Texts of the gateway's flags: without the prefixes that Enphase writes before each flag."""
ILL: Final = Look(
    unit="suffix: days",
    texts={"0": ("–", ""), "1": ("1 day", "")},
    steps=((None, "transparent"), (1, GROUNDS[BAD])),
    more=FILLED_CELL,
)
"""The look of a number of days in a table: red above 0."""
WEAK: Final = Look(
    "Weak",
    unit="suffix: days",
    texts={"0": ("–", ""), "1": ("day 1 of 3", ""), "2": ("day 2 of 3", "")},
    steps=((None, "transparent"), (1, GROUNDS[WARN]), (WEAK_DAYS, GROUNDS[BAD])),
    more=FILLED_CELL,
)
"""The look of a number of sunny days below the limit, in a table: amber before the panel is weak, then red."""
FAULT: Final = {"true": ("fault", BAD), "false": ("none", GOOD)}

_ENERGIES: Final = (
    ("production", "Solar", SOLAR),
    ("load", "House", HOUSE),
    ("grid_import", "From grid", BOUGHT),
    ("grid_export", "To grid", SOLD),
    ("battery_charged", "Charged", CHARGE),
    ("battery_discharged", "Discharged", BATTERY),
)
LOOKS: Final[dict[str, Look]] = {
    # power now
    "production_power_w": Look("Solar", SOLAR),
    "load_power_w": Look("House", HOUSE),
    "net_power_w": Look("Grid (− to grid)", steps=((None, SOLD), (0, BOUGHT)), more=BY_SIGN),
    "battery_power_w": Look("Battery (− charging)", steps=((None, CHARGE), (0, BATTERY)), more=BY_SIGN),
    "from_battery_w": Look("From battery", BATTERY),
    "to_battery_w": Look("To battery", CHARGE),
    "idle_battery_w": Look("Battery, idle", BATTERY),
    "from_grid_w": Look("From grid", BOUGHT),
    "to_grid_w": Look("To grid", SOLD),
    "idle_grid_w": Look("Grid", BOUGHT),
    "battery_charge_percent": Look("Charge", BATTERY, more=WHOLE),
    "battery_reserve_percent": Look("Reserve", WARN),
    "at_reserve_percent": Look("At reserve", WARN, more=WHOLE),
    "battery_health_percent": Look("Health", BATTERY),
    "battery_energy_wh": Look("Stored", BATTERY),
    "battery_capacity_wh": Look("Capacity", PLAIN),
    # energy
    **{f"{stem}_wh_change": Look(name, PLAIN, "percentunit", more=WHOLE) for stem, name, _ in _ENERGIES},
    **{f"{stem}{end}": Look(name, color) for stem, name, color in _ENERGIES for end in ("_today_wh", "_wh")},
    "own_use_percent": Look("Own use", SOLAR),
    "self_sufficient_percent": Look("Self-sufficient", BATTERY),
    "efficiency_percent": Look("Round trip", BATTERY),
    "cycles": Look("Full cycles", BATTERY, "none"),
    # spans
    "local_date": Look("Day"),
    "local_month": Look("Month"),
    "local_year": Look("Year"),
    "days": Look("Days", unit="none"),
    "coverage_percent": Look("Recorded", GREY),
    "best_day": Look("Best day"),
    "best_day_wh": Look("Best day", SOLAR),
    # peaks
    "peak_production_w": Look("Highest solar", SOLAR),
    "peak_load_w": Look("Highest house", HOUSE),
    "peak_import_w": Look("Highest from grid", BOUGHT),
    "peak_import_at": Look("at"),
    "peak_export_w": Look("Highest to grid", SOLD),
    "base_load_w": Look("Base load", HOUSE),
    # money
    "cost": Look("Cost", BOUGHT, "none"),
    "income": Look("Income", SOLD, "none"),
    "saved": Look("Saved", BATTERY, "none"),
    "currency": Look("Currency", PLAIN),
    "band": Look("Price band"),
    # grid
    "L1": Look("L1", PHASES[0], "volt"),
    "L2": Look("L2", PHASES[1], "volt"),
    "L3": Look("L3", PHASES[2], "volt"),
    "voltage_min_v": Look("Lowest", LOW),
    "voltage_max_v": Look("Highest", HIGH),
    "frequency_hz": Look("Frequency", FREQUENCY, more={"decimals": 2}),
    "usual_low_hz": Look("0.1 Hz below nominal", GREY, more={"decimals": 2, **DASHED, **UNLISTED}),
    "usual_high_hz": Look("Nominal ± 0.1 Hz", GREY, more={"decimals": 2, **DASHED}),
    "frequency_min_hz": Look("Lowest", LOW),
    "frequency_max_hz": Look("Highest", HIGH),
    "off_grid_h": Look("Without grid", BAD, "suffix: h"),
    "battery_min_percent": Look("Lowest charge", WARN),
    "battery_max_percent": Look("Highest charge", BATTERY),
    # states
    "battery_state": Look(
        "Battery",
        texts={"charging": ("charging", CHARGE), "discharging": ("discharging", BATTERY), "idle": ("idle", GREY)},
    ),
    "grid_state": Look("Grid", texts={"on-grid": ("on the grid", CALM), "off-grid": ("without the grid", BAD)}),
    "generator_state": Look(
        "Generator", texts={"connected": ("connected", WARN), "disconnected": ("disconnected", GREY)}
    ),
    "readings": Look("Readings", unit="none", texts={"0": ("recorded", SEEN), "1": ("nothing recorded", WARN)}),
    # sites of several gateways
    "site": Look("Site"),
    "gateways": Look("Gateways", PLAIN, "none"),
    "gateways_heard": Look("Answering", PLAIN, "none"),
    "missing": Look("Missing", more={"custom.minWidth": 160}),
    # panels and inverters
    "inverters": Look("Panels", PLAIN, "none"),
    "inverters_producing": Look("Producing", SOLAR, "none"),
    "inverters_communicating": Look("Reporting", PLAIN, "none"),
    "weak": Look("Weak", unit="none", steps=((None, GOOD), (1, BAD))),
    "silent": Look("Silent", unit="none", steps=((None, GOOD), (1, BAD))),
    "serial": Look("Serial", more={"custom.minWidth": 120}),
    "kind": Look("Kind", more={"custom.minWidth": 100}),
    "panel": Look("Panel"),
    "power_w": Look("Power", SOLAR),
    "energy_wh": Look("Today", SOLAR),
    "group_ratio": Look("Today, % of the group", unit="percentunit"),
    "group_ratio_7d": Look("7 days, % of the group", unit="percentunit"),
    "silent_days": Look("Silent days", unit="none", steps=((None, GOOD), (1, BAD))),
    "low_days": Look(
        "Weak sunny days",
        unit="none",
        texts={"1": ("1 of 3", ""), "2": ("2 of 3", "")},
        steps=((None, GOOD), (1, WARN), (WEAK_DAYS, BAD)),
    ),
    "temperature_c": Look("Temperature", HIGH),
    "max_cell_temperature_c": Look("Hottest cell", BAD),
    "report_age_s": Look("Last report", steps=LONG_SILENT, more=WHOLE),
    "conditions": Look("Flags", texts=FLAGS),
    "fault": Look("Fault", texts=FAULT),
    "producing": Look("Producing", texts=YES_NO),
    "communicating": Look("Reports", texts=YES_NO),
    "state": Look(
        "State",
        texts={"charging": ("charging", CHARGE), "discharging": ("discharging", BATTERY), "idle": ("idle", GREY)},
    ),
    "charge_percent": Look("Charge", BATTERY, more=WHOLE),
    "health_percent": Look("Health", BATTERY),
    "capacity_wh": Look("Capacity", GREY),
    "max_power_w": Look("Highest", SOLAR),
    "dc_voltage_v": Look("Panel's voltage", SOLAR),
    "dc_current_a": Look("Panel's current", SOLAR),
    "ac_voltage_v": Look("Grid's voltage", BOUGHT),
    # the recorder
    "newest": Look("Last reading", PLAIN, "dateTimeFromNow"),
    "outbox_rows": Look("Waiting rows", HOUSE, "none"),
    "outbox_oldest_s": Look("Oldest waiting", WARN, more=WHOLE),
    "refused_points": Look("Refused points", unit="none", steps=((None, GOOD), (1, BAD))),
    "token_days": Look(
        "Token, days left", unit="none", steps=((None, BAD), (10, WARN), (30, GOOD)), more={"decimals": 0}
    ),
    "clock_skew_s": Look("Gateway's clock", PLAIN),
    "memory_bytes": Look("Memory", HOUSE),
    "latency_s": Look("Answer takes", HOUSE, more={"custom.minWidth": 110}),
    "requests": Look("Requests", GREY, "locale"),
    "failures": Look("Failed", BAD, "locale"),
    "endpoint": Look("Endpoint", more={"custom.minWidth": 200}),
    "severity": Look(
        "Severity", texts={"info": ("info", GREY), "warning": ("warning", WARN), "error": ("error", BAD)}
    ),
    "text": Look("What happened", more={"custom.minWidth": 280}),
    "duration_s": Look("For", GREY, "dthms"),
    "firmware": Look("Firmware"),
    "part_number": Look("Part number"),
    "interface": Look("Network"),
    # bands behind curves
    "unrecorded": Look("Nothing recorded", SHADOW, "none"),
    "off_grid": Look("Without the grid", BAD, "none"),
}


def look_at(column: str, own: Mapping[str, Look]) -> Look:
    """Return the look of a column in a panel. `own`: the panel's looks, which replace those of `LOOKS`."""
    plain = LOOKS.get(column, Look())
    ending = column.rsplit("_", 1)[-1]
    merged = own[column].over(plain) if column in own else plain
    return merged if merged.unit or ending not in UNITS else replace(merged, unit=UNITS[ending])

"""Questions about panels and their inverters."""

from __future__ import annotations

from statistics import median
from typing import Final

from tests.history.equipment import temperature_of
from tests.history.kinds import Roofed
from tests.questions.question import Answer, Past, Question, is_gap
from tests.questions.texts import read, select

_DAY: Final = "envoy_inverter_day"
_BY_SERIAL: Final = """
    |> pivot(rowKey: ["serial"], columnKey: ["_field"], valueColumn: "_value")
    |> group()"""


def _number(site: Past, day: str) -> int:
    """How many days after the first day a day is."""
    return [*site.days()].index(day)


def count_silent_days(site: Past, panel: Roofed) -> int:
    """The days up to today on which a dead panel was silent."""
    return max(0, _number(site, site.today) - panel.dead_from + 1) if panel.dead_from else 0


def _is_weak(site: Past, panel: Roofed) -> bool:
    return bool(panel.weak_from) and _number(site, site.today) > panel.weak_from + 5


def _sick(site: Past) -> Answer:
    return {
        (panel.serial,): (panel.panel, silent if silent else None)
        for panel in site.kind.panels
        if (silent := count_silent_days(site, panel)) or _is_weak(site, panel)
    }


def _year(site: Past) -> Answer:
    days = site.days(365).values()
    made = {panel.serial: sum(day.panels[panel.serial] for day in days) for panel in site.kind.panels}
    return {(serial,): (wh,) for serial, wh in made.items() if wh}


def _groups(site: Past) -> Answer:
    made: dict[tuple[str, ...], float] = {}
    for panel in site.kind.panels:
        own = sum(day.panels[panel.serial] for day in site.days(365).values())
        made[(panel.group,)] = made.get((panel.group,), 0.0) + own
    return {group: (wh,) for group, wh in made.items()}


def _week(site: Past) -> Answer:
    days = site.days(7)
    return {
        (panel.serial,): (
            sum(day.panels[panel.serial] for day in days.values()) or None,
            count_silent_days(site, panel),
        )
        for panel in site.kind.panels
    }


def _shading(site: Past) -> Answer:
    """Each panel's part of its group's median, at hours of which every one was seen."""
    own: dict[tuple[str, ...], float] = {}
    usual: dict[tuple[str, ...], float] = {}
    groups = {panel.serial: panel.group for panel in site.kind.panels}
    for at, hour in site.truth.hours.items():
        is_written = site.now - 30 * 86400 < at < site.now - 3600 - 4 * site.step_s
        if hour.hour not in ("11", "12", "15") or not is_written or is_gap(site, at):
            continue
        awake = {serial: wh for serial, wh in hour.panels.items() if wh > 0}
        for serial, wh in awake.items():
            key = (serial, hour.hour)
            own[key] = own.get(key, 0.0) + wh
            middle = median(made for other, made in awake.items() if groups[other] == groups[serial])
            usual[key] = usual.get(key, 0.0) + middle
    return {key: (100 * own[key] / usual[key],) for key in own}


def _best(site: Past) -> Answer:
    """The mean of the best twenty days of each of the last two years, by panel."""
    found: dict[tuple[str, ...], tuple[float, ...]] = {}
    this = site.days(365)
    before = {day: truth for day, truth in site.days(730).items() if day not in this}
    for place, days in enumerate((this, before)):
        for panel in site.kind.panels:
            made = sorted((wh for day in days.values() if (wh := day.panels[panel.serial])), reverse=True)[:20]
            if made:
                found[str(place), panel.serial] = (sum(made) / len(made),)
    return found


def _clipped(site: Past) -> Answer:
    counts: dict[str, int] = {}
    for (serial, at), watts in site.truth.reports.items():
        if at > site.now - 7 * 86400 and watts >= 292:
            counts[serial] = counts.get(serial, 0) + 1
    return {(serial,): (count / 4,) for serial, count in counts.items()}


def _heat(site: Past) -> Answer:
    numbers = {panel.serial: number for number, panel in enumerate(site.kind.panels)}
    return {
        (serial, site.minute(at)): (watts, temperature_of(at, numbers[serial], watts))
        for (serial, at), watts in site.truth.reports.items()
        if at > site.now - 2 * 86400
    }


def _tripped(site: Past) -> Answer:
    serial = site.kind.panels[0].serial
    return {(serial,): (sum(day.tripped_s for day in site.days(365).values()),)}


PANEL_QUESTIONS: Final = (
    Question(
        "panels",
        "Which panel is silent or weak?",
        read(_DAY, "panel", "silent_days", "low_days", since="-3d")
        + "\n    |> last()" + _BY_SERIAL
        + "\n    |> filter(fn: (r) => r.silent_days > 0 or r.low_days > 2)",
        "SELECT panel, silent_days, low_days FROM ("
        + select(
            "last(panel) AS panel, last(silent_days) AS silent_days, last(low_days) AS low_days", _DAY, "3d",
            group="serial",
        )
        + ") WHERE silent_days > 0 OR low_days > 2 GROUP BY serial",
        ("serial",), ("panel", "silent_days"), _sick, numbers=(7,),
        note="`silent_days` is the number of consecutive days without a report while other inverters reported. "
        "`low_days` is the number of consecutive sunny days on which the panel was below "
        "`LOGGER_PANEL_ALERT_PERCENT` percent of the group's median energy. `envoy-logger query silent` also "
        "gives the last day with energy.",
    ),
    Question(
        "panels",
        "Panels of the last seven days, silent panels first",
        read(_DAY, "energy_wh", "silent_days", since="-7d")
        + '\n    |> toFloat()\n    |> group(columns: ["serial", "_field"])'
        + "\n    |> reduce(identity: {sum: 0.0, last: 0.0},"
        + "\n        fn: (r, accumulator) => ({sum: accumulator.sum + r._value, last: r._value}))"
        + '\n    |> map(fn: (r) => ({r with _value: if r._field == "energy_wh" then r.sum else r.last}))'
        + _BY_SERIAL + '\n    |> sort(columns: ["silent_days"], desc: true)',
        select(
            "last(panel) AS panel, sum(energy_wh) AS energy_wh, last(silent_days) AS silent_days, "
            "last(low_days) AS low_days, last(group_ratio_7d) AS group_ratio_7d", _DAY, "7d", group="serial",
        ),
        ("serial",), ("energy_wh", "silent_days"), _week, numbers=(8,),
        note="Every installed inverter has a row each day, so the list also contains defective inverters. InfluxQL "
        "sorts only by time, so sort the answer by `silent_days`, and then by `group_ratio_7d`.",
    ),
    Question(
        "panels",
        "How much did each panel produce in the last 365 days?",
        read(_DAY, "energy_wh", since="-365d") + '\n    |> group(columns: ["serial"])\n    |> sum()\n    |> group()',
        select("last(panel) AS panel, sum(energy_wh) AS energy_wh", _DAY, "365d", group="serial"),
        ("serial",), ("energy_wh",), _year, within=400.0,
        note="The rows do not include energy that an inverter produced before the recorder's first poll.",
    ),
    Question(
        "silent",
        "Which inverters are silent, and for how many days?",
        read(_DAY, "silent_days", since="-3d")
        + "\n    |> last()\n    |> filter(fn: (r) => r._value > 0)"
        + '\n    |> keep(columns: ["serial", "_value"])',
        "SELECT silent_days FROM (" + select("last(silent_days) AS silent_days", _DAY, "3d", group="serial")
        + ") WHERE silent_days > 0 GROUP BY serial",
        ("serial",), ("silent_days",),
        lambda site: {
            (panel.serial,): (silent,) for panel in site.kind.panels if (silent := count_silent_days(site, panel))
        },
        within=0, numbers=(13,),
    ),
    Question(
        "shading",
        "Shading: each panel compared with its group, by hour of the day",
        read("envoy_inverter_hour", "energy_wh", "group_wh", since="-30d")
        + '\n    |> group(columns: ["serial", "hour", "_field"])\n    |> sum()\n    |> group()'
        + '\n    |> pivot(rowKey: ["serial", "hour"], columnKey: ["_field"], valueColumn: "_value")'
        + "\n    |> map(fn: (r) => ({r with percent: 100.0 * r.energy_wh / r.group_wh}))",
        select(
            "100 * sum(energy_wh) / sum(group_wh) AS percent", "envoy_inverter_hour", "30d", group='serial, "hour"'
        ),
        ("serial", "hour"), ("percent",), _shading, within=0.01, numbers=(9,), is_part=True,
        note="A shaded panel produces less than its group at the same hours of each day. The query adds up energies. "
        "If it used the mean of daily percentages, dull days would count as much as sunny days.",
    ),
    Question(
        "panels",
        "How much did each group of panels produce in the last 365 days?",
        read(_DAY, "energy_wh", since="-365d")
        + '\n    |> group(columns: ["panel_group"])\n    |> sum()\n    |> group()',
        select("sum(energy_wh) AS energy_wh", _DAY, "365d", group="panel_group"),
        ("panel_group",), ("energy_wh",), _groups, within=100.0,
        note="This query needs a layout file, because without it no panel has a group.",
    ),
    Question(
        "ageing",
        "Ageing: each panel's best twenty days of a year, compared with the year before",
        'best = (start, stop, place) =>\n    '
        + read(_DAY, "energy_wh", since="start, stop: stop").replace("\n    ", "\n        ")
        + '\n        |> group(columns: ["serial"])\n        |> top(n: 20)\n        |> mean()'
        + '\n        |> set(key: "statement", value: place)\n\n'
        + 'union(tables: [best(start: -365d, stop: now(), place: "0"), best(start: -730d, stop: -365d, place: "1")])',
        "SELECT mean(best) AS best_wh FROM ("
        + select("top(energy_wh, 20) AS best", _DAY, "365d", group="serial") + ") GROUP BY serial;\n"
        + "SELECT mean(best) AS best_wh FROM ("
        + select("top(energy_wh, 20) AS best", _DAY, "730d", where="time <= now() - 365d", group="serial")
        + ") GROUP BY serial",
        ("statement", "serial"), ("best_wh",), _best, numbers=(10,),
        note="The query compares the best days, because they hardly depend on the weather of the year. The query "
        "needs rows of 730 days: if the earlier year lacks its summer, the comparison is wrong.",
    ),
    Question(
        "clipping",
        "Clipping: hours at the limit of 292 W in the last seven days",
        read("envoy_inverter", "power_w", since="-7d", role="devices")
        + '\n    |> filter(fn: (r) => r._value >= 292.0)\n    |> group(columns: ["serial"])\n    |> count()'
        + "\n    |> map(fn: (r) => ({r with _value: float(v: r._value) / 4.0}))",
        select("count(power_w) / 4 AS hours", "envoy_inverter", "7d", where="power_w >= 292", group="serial"),
        ("serial",), ("hours",), _clipped, role="devices", within=0, numbers=(11,),
        note="Each report counts as a quarter of an hour. If the inverters report every five minutes, divide by 12 "
        "instead of 4. Replace 292 by the limit in W from the inverter's data sheet.",
    ),
    Question(
        "heat",
        "Inverter temperature against power",
        read("envoy_inverter", "power_w", "temperature_c", since="-2d", role="devices")
        + '\n    |> group()\n    |> pivot(rowKey: ["serial", "_time"], columnKey: ["_field"], valueColumn: "_value")',
        select("power_w, temperature_c", "envoy_inverter", "2d", group="serial"),
        ("serial", "minute"), ("power_w", "temperature_c"), _heat, role="devices", within=0.01, numbers=(12,),
        note="Show the answer as an XY chart. Only gateways with device data give temperatures.",
    ),
    Question(
        "trips",
        "Which inverters did the grid switch off, and for how long?",
        read(_DAY, "tripped_s", since="-365d")
        + '\n    |> group(columns: ["serial"])\n    |> sum()\n    |> filter(fn: (r) => r._value > 0.0)',
        "SELECT tripped_s FROM (" + select("sum(tripped_s) AS tripped_s", _DAY, "365d", group="serial")
        + ") WHERE tripped_s > 0 GROUP BY serial",
        ("serial",), ("tripped_s",), _tripped, numbers=(14,),
        note="The answer is the number of seconds for which a condition such as `acvoltageoosp1` lasted.",
    ),
)  # fmt: skip

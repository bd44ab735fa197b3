"""Questions about energy: now, days, months, years and hours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from tests.history.truth import DayTruth, HourTruth
from tests.questions.question import Answer, Past, Question, add, has_meters, is_gap, percent
from tests.questions.texts import BESIDE, LOCATION, read, select

_NOW: Final = ("production_power_w", "load_power_w", "net_power_w")
_ENERGIES: Final = ("production_wh", "load_wh", "grid_import_wh", "grid_export_wh")
_RATIOS: Final = ("own_use_percent", "self_sufficient_percent")
_FLUX_RATIOS: Final = """
    |> map(fn: (r) => ({r with
        own_use_percent: 100.0 * (1.0 - r.grid_export_wh / r.production_wh),
        self_sufficient_percent: 100.0 * (1.0 - r.grid_import_wh / r.load_wh)}))"""
_SQL_RATIOS: Final = (
    "100 * (1 - grid_export_wh / production_wh) AS own_use_percent, "
    "100 * (1 - grid_import_wh / load_wh) AS self_sufficient_percent"
)


def energies(days: Mapping[str, DayTruth]) -> tuple[float, ...]:
    return tuple(add(days, name.removesuffix("_wh")) for name in _ENERGIES)


def _ratios(made: float, used: float, bought: float, sold: float) -> tuple[float | None, float | None]:
    return percent(made - sold, made), percent(used - bought, used)


def _of_today(site: Past) -> Answer:
    found = energies({site.today: site.truth.days[site.today]})
    return {(): (*found, *_ratios(*found))}


def _progress(site: Past) -> Answer:
    found: dict[tuple[str, ...], tuple[float, ...]] = {}
    year = int(site.today[:4])
    for each in (year, year - 1):
        so_far = 0.0
        for day, truth in site.years().get(str(each), {}).items():
            so_far += truth.wh["production"]
            found[(day,)] = (so_far,)
    return found


def _same_days(site: Past) -> Answer:
    """The sums of the month so far, and of the same days of that month in each year before."""
    month, last = site.today[5:7], site.today[8:]
    return {
        (year,): energies(mine)
        for year, days in site.years().items()
        if (mine := {day: truth for day, truth in days.items() if day[5:7] == month and day[8:] <= last})
    }


def _best_days(site: Past) -> Answer:
    best = sorted((truth.wh["production"], day) for day, truth in site.days().items())[-10:]
    return {(day,): (wh,) for wh, day in best}


def _last_hours(site: Past) -> Answer:
    over = {at: hour for at, hour in site.truth.hours.items() if site.now - 86400 < at <= site.now - 3600}
    return {(hour.hour,): (hour.wh["production"],) for at, hour in over.items() if not is_gap(site, at)}


def _mornings(site: Past) -> Answer:
    since = site.now - 31 * 86400
    nights = {at: dark_s for at, dark_s in site.truth.mornings.items() if at - dark_s > since}
    return {(site.minute(at),): (dark_s / 60,) for at, dark_s in nights.items()}


def _weeks(site: Past) -> Answer:
    """The weeks of which Monday is among the last 365 days."""
    days = site.days(365)
    weeks: dict[str, dict[str, DayTruth]] = {}
    for day, truth in days.items():
        date = datetime.fromisoformat(day)
        weeks.setdefault((date - timedelta(days=date.weekday())).date().isoformat(), {})[day] = truth
    return {(monday,): energies(each) for monday, each in weeks.items() if monday in days}


def _shape(site: Past) -> Answer:
    sums: dict[tuple[str, ...], list[float]] = {}
    first = min(site.truth.hours)
    for at, hour in site.truth.hours.items():
        if at > site.now - 730 * 86400 and at + 3600 <= site.now and not is_gap(site, at) and at > first:
            sums.setdefault((hour.month, hour.hour), []).append(hour.wh["production"])
    return {key: (sum(wh) / len(wh),) for key, wh in sums.items()}


def _hours(site: Past) -> Answer:
    """The mean energies of each hour of the last 31 days."""
    sums: dict[str, list[HourTruth]] = {}
    first = min(site.truth.hours)
    for at, hour in site.truth.hours.items():
        if at > site.now - 31 * 86400 and at + 3600 <= site.now and not is_gap(site, at) and at > first:
            sums.setdefault(hour.hour, []).append(hour)
    return {
        (name,): tuple(sum(hour.wh[energy.removesuffix("_wh")] for hour in each) / len(each) for energy in _ENERGIES)
        for name, each in sums.items()
    }


ENERGY_QUESTIONS: Final = (
    Question(
        "now",
        "Which powers flow now?",
        read("envoy_totals", *_NOW, since="-30m", role="totals")
        + '\n    |> last()\n    |> group()'
        + '\n    |> pivot(rowKey: ["_measurement"], columnKey: ["_field"], valueColumn: "_value")',
        select(", ".join(f"last({name}) AS {name}" for name in _NOW), "envoy_totals", "30m"),
        (), _NOW,
        lambda site: {(): tuple(site.truth.now[name.removesuffix("_power_w")] for name in _NOW)},
        role="totals", within=0.01, fits=has_meters, numbers=(1,),
        note="`net_power_w` is positive while the house imports. For batteries, add `battery_power_w` (positive "
        "while the battery discharges) and `battery_charge_percent`. Normally the newest reading is about a minute "
        "old. The query reads the last 30 minutes, so that it finds a reading even shortly after a restart of the "
        "recorder.",
    ),
    Question(
        "today",
        "How much energy was produced, used, bought and sold today?",
        read("envoy_day", *_ENERGIES, since="-26h") + '\n    |> last()' + BESIDE + _FLUX_RATIOS,
        select(
            ", ".join(f"last({name}) AS {name}" for name in _ENERGIES)
            + ", 100 * (1 - last(grid_export_wh) / last(production_wh)) AS own_use_percent"
            + ", 100 * (1 - last(grid_import_wh) / last(load_wh)) AS self_sufficient_percent",
            "envoy_day", "26h",
        ),
        (), (*_ENERGIES, *_RATIOS), _of_today, fits=has_meters, numbers=(2,),
        note="While the recorder runs, the day row is at most 15 minutes old. For values of the present minute, use "
        "the fields `…_today_wh` of `envoy_totals`.",
    ),
    Question(
        "days",
        "How much energy was produced, used, bought and sold each day?",
        read("envoy_day", *_ENERGIES, since="-31d") + BESIDE,
        select("local_date, " + ", ".join(_ENERGIES), "envoy_day", "31d"),
        ("local_date",), _ENERGIES,
        lambda site: {(day,): energies({day: truth}) for day, truth in site.days(31).items()}, fits=has_meters,
    ),
    Question(
        "days",
        "How much energy was produced, used, bought and sold each week (from Monday to Sunday)?",
        LOCATION + read("envoy_day", *_ENERGIES, since="-365d")
        + '\n    |> aggregateWindow(every: 1w, offset: -3d, fn: sum, createEmpty: false, timeSrc: "_start")' + BESIDE,
        select(
            "first(local_date) AS local_date, " + ", ".join(f"sum({name}) AS {name}" for name in _ENERGIES),
            "envoy_day", "365d", group="time(7d, 84h) fill(none)",
        ),
        ("local_date",), _ENERGIES, _weeks, fits=has_meters, is_part=True,
        note="The first week may lack days. In InfluxQL, `local_date` is the first day of each sum. Each "
        "weekly window of the InfluxQL query begins on Sunday at 12:00 UTC. A day row has the time at which its "
        "local day begins. So each window begins after Sunday's row and before Monday's row. For a zone more than 11 "
        "hours ahead of UTC, such as New Zealand's, write `time(7d, 78h)`.",
    ),
    Question(
        "months",
        "Own use and self-sufficiency of each month",
        read("envoy_month", *_ENERGIES) + BESIDE + _FLUX_RATIOS,
        select(f"local_month, {', '.join(_ENERGIES)}, {_SQL_RATIOS}", "envoy_month"),
        ("local_month",), (*_ENERGIES, *_RATIOS),
        lambda site: {
            (month,): (*(found := energies(days)), *_ratios(*found)) for month, days in site.months().items()
        },
        fits=has_meters, numbers=(3,),
        note="Percentages are not stored. The query computes the percentages from the sums of a month, because the "
        "mean of daily percentages would be wrong.",
    ),
    Question(
        "years",
        "How much energy was produced, used, bought and sold each year?",
        read("envoy_year", *_ENERGIES) + BESIDE,
        select("local_year, " + ", ".join(_ENERGIES), "envoy_year"),
        ("local_year",), _ENERGIES,
        lambda site: {(year,): energies(days) for year, days in site.years().items()}, fits=has_meters,
    ),
    Question(
        "compare",
        "This month, compared with the same days of the month in earlier years",
        LOCATION + read("envoy_day", *_ENERGIES)
        + "\n    |> filter(fn: (r) => date.month(t: r._time) == date.month(t: now())"
        + "\n        and date.monthDay(t: r._time) <= date.monthDay(t: now()))"
        + '\n    |> aggregateWindow(every: 1y, fn: sum, createEmpty: false, timeSrc: "_start")' + BESIDE,
        select(
            "last(local_date) AS local_date, " + ", ".join(f"sum({name}) AS {name}" for name in _ENERGIES),
            "envoy_day", where="local_date =~ /-11-(0.|1.|2[0-8])$/", group="time(365d) fill(none)",
        ),
        ("year",), _ENERGIES, _same_days, fits=has_meters, numbers=(4,),
        note="In InfluxQL, `-11-(0.|1.|2[0-8])` means November up to the 28th. For May up to the 7th, write "
        "`-05-(0[0-7])`. `local_date` is the last day of each sum. `time(365d)` sums over spans of 365 days "
        "that begin in the middle of December, so it would divide each December. For December write "
        "`time(365d, 180d)`: these spans begin in June.",
    ),
    Question(
        "records",
        "The ten best days",
        read("envoy_day", "production_wh") + '\n    |> top(n: 10)\n    |> keep(columns: ["_time", "_value"])',
        select("top(production_wh, 10) AS production_wh, local_date", "envoy_day"),
        ("local_date",), ("production_wh",), _best_days, numbers=(5,),
    ),
    Question(
        "progress",
        "The production of this year as a rising line, compared with the year before",
        LOCATION
        + read("envoy_day", "production_wh", since="date.sub(d: 1y, from: date.truncate(t: now(), unit: 1y))")
        + "\n    |> window(every: 1y)\n    |> cumulativeSum()"
        + '\n    |> keep(columns: ["_start", "_time", "_value"])',
        ";\n".join(
            select("cumulative_sum(production_wh) AS production_wh", "envoy_day", where=f"local_date =~ /^{year}-/")
            for year in (2026, 2025)
        ),
        ("day",), ("production_wh",), _progress, numbers=(6,),
        note="In Grafana, set a time shift of `1y` for the query of the earlier year, so that both lines have the "
        "same axis.",
    ),
    Question(
        "base-load",
        "How much power does the house use at night (the least 15-minute mean of each day)?",
        read("envoy_day", "base_load_w", since="-1y") + '\n    |> keep(columns: ["_time", "_value"])',
        select("local_date, base_load_w", "envoy_day", "365d"),
        ("local_date",), ("base_load_w",),
        lambda site: {
            (day,): (min(truth.means("load", 600 // site.step_s or 1).values()),)
            for day, truth in site.days(365).items()
        },
        within=0.01, fits=has_meters, numbers=(28,),
    ),
    Question(
        "co2",
        "CO2 avoided each month (0.65 kg per kWh)",
        read("envoy_month", "production_wh") + "\n    |> map(fn: (r) => ({r with _value: r._value * 0.00065}))",
        select("local_month, production_wh * 0.00065 AS co2_kg", "envoy_month"),
        ("local_month",), ("co2_kg",),
        lambda site: {
            (month,): (add(days, "production") * 0.00065,) for month, days in site.months().items()
        },
        within=0.01, numbers=(29,),
        note="Replace 0.65 by the CO2 factor of your grid, in kg per kWh.",
    ),
    Question(
        "shape",
        "The mean production of each hour of the day, for each month of the year",
        read("envoy_hour", "production_wh", since="-730d")
        + '\n    |> group(columns: ["month", "hour"])\n    |> mean()',
        select("mean(production_wh) AS production_wh", "envoy_hour", "730d", group='"month", "hour"'),
        ("month", "hour"), ("production_wh",), _shape, numbers=(30,),
        note="Hours are hours of the site's time zone, even when the clocks change. Hours in a gap of the recorder "
        "have no point. So these hours do not change the mean.",
    ),
    Question(
        "hours",
        "At which hours is energy bought and sold, on average?",
        read("envoy_hour", *_ENERGIES, since="-31d")
        + '\n    |> group(columns: ["hour", "_field"])\n    |> mean()'
        + '\n    |> pivot(rowKey: ["hour"], columnKey: ["_field"], valueColumn: "_value")\n    |> group()',
        select(", ".join(f"mean({name}) AS {name}" for name in _ENERGIES), "envoy_hour", "31d", group='"hour"'),
        ("hour",), _ENERGIES, _hours, fits=has_meters,
        note="To get the cost of a mean day by another tariff, multiply the energy of each hour by that tariff's "
        "price. The answer also shows in which hours a bigger battery would have energy to store.",
    ),
    Question(
        "shape",
        "When does production begin in the morning, and when did it end on the previous evening?",
        read("envoy_totals", "production_power_w", since="-31d", role="totals")
        + "\n    |> filter(fn: (r) => r._value > 10.0)\n    |> elapsed(unit: 1m)"
        + "\n    |> filter(fn: (r) => r.elapsed > 240)"
        + '\n    |> keep(columns: ["_time", "elapsed"])',
        "SELECT elapsed FROM ("
        + select(
            "elapsed(production_power_w, 1m) AS elapsed", "envoy_totals", "31d", where="production_power_w > 10"
        )
        + ") WHERE elapsed > 240",
        ("minute",), ("elapsed",), _mornings, role="totals",
        note="The time of each row is the time of the day's first reading above 10 W. `elapsed` is the number of "
        "minutes since the previous reading above 10 W. So the row's time minus `elapsed` is the time at which "
        "production ended on the previous evening.",
    ),
    Question(
        "shape",
        "The production of each of the last 24 hours",
        read("envoy_hour", "production_wh", since="-1d") + '\n    |> keep(columns: ["_time", "hour", "_value"])',
        select("production_wh", "envoy_hour", "1d", group='"hour"'),
        ("hour",), ("production_wh",), _last_hours,
        note="An hour is written after its end, so the answer does not contain the present hour.",
    ),
)  # fmt: skip
